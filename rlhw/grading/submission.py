"""Who handed in what: a folder of submissions becomes one row a student, and a notebook its answers' source text.

Layouts, all of which may occur in one folder:

    <id>.ipynb                                        a notebook
    <id>.zip                                          a zip file with one notebook in it
    <id>/                                             a folder with one notebook, or one zip file, in it
    <name>_<user>_<submission>_<file>.ipynb           as Canvas names downloads: the student is "<name>_<user>"
    <name>_LATE_<user>_<submission>_<file>.ipynb      the same, handed in late
    <Name>_<number>_assignsubmission_file_/           as Moodle names folders: the student is "<Name>_<number>"

Links are refused, hidden files left out. A file of another kind is a row too, unless its student has a notebook as well.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from rlhw.grading.files import MOST_ZIP_BYTES, Unreadable, notebook_in_zip, read_bytes

_CANVAS = re.compile(r"([^\W_]+)(?:_LATE)?_([0-9]+)_[0-9]+_.+")
_MOODLE = re.compile(r"(.+_\d+)_assignsubmission_(?:file|onlinetext)_?.*")


@dataclass(frozen=True)
class Submission:
    """One student's: `path` of the notebook or zip file, or in `trouble` the sentence why there is none to grade.

    `student` is as the file's name has it and may hold anything: it is shown by `names.shown` only.
    """

    student: str
    path: Path | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Packed:
    """The bytes of a notebook, and what a reader should know of how it came."""

    data: bytes
    remarks: tuple[str, ...] = ()


def find(folder: Path) -> list[Submission]:
    """One row for each student, in the order of their names. ValueError when there is no such folder or nothing in it."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"--submissions {folder} is no folder.")
    claims: dict[str, list[Submission]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.name != "__MACOSX":
                claim = _claim(entry)
                claims.setdefault(claim.student, []).append(claim)
    if not claims:
        raise ValueError(f"--submissions {folder} is empty; it should hold <student>.ipynb, .zip or <student>/.")
    return [_row(student, claims[student]) for student in sorted(claims)]


def _row(student: str, claims: list[Submission]) -> Submission:
    notebooks = [claim for claim in claims if claim.path]
    if len(notebooks) == 1 and all(claim.trouble in ("", _OTHER_KIND) for claim in claims):
        return notebooks[0]
    if len(claims) > 1:
        return Submission(student, trouble=f"There are {len(claims)} submissions of this student; leave one there.")
    return claims[0]


_OTHER_KIND = "This is not a notebook: its name ends in neither .ipynb nor .zip."


def _claim(entry: os.DirEntry) -> Submission:
    """What one entry of the folder is: a notebook of a student, or the reason why not."""
    path = Path(entry.path)
    student = student_of(entry.name)
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError:
        return Submission(student, trouble="The file cannot be opened; look at its permissions.")
    if stat.S_ISLNK(mode):
        return Submission(student, trouble="This is a symbolic link; links are not followed.")
    if stat.S_ISDIR(mode):
        return _in_folder(student, path)
    if not stat.S_ISREG(mode):
        return Submission(student, trouble="This is neither a file nor a folder.")
    if path.suffix.lower() not in (".ipynb", ".zip"):
        return Submission(student_of(path.stem), trouble=_OTHER_KIND)
    return Submission(student, path)


def _in_folder(student: str, folder: Path) -> Submission:
    try:
        inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return Submission(student, trouble="The folder cannot be opened; look at its permissions.")
    for ending in (".ipynb", ".zip"):
        found = [path for path in inside if path.name.lower().endswith(ending)]
        if len(found) > 1:
            return Submission(student, trouble=f"The folder holds {len(found)} {ending} files; leave one there.")
        if found:
            return Submission(student, found[0])
    return Submission(student, trouble="The folder holds no notebook.")


def student_of(name: str) -> str:
    """The student whom a file or folder of this name belongs to. It may hold anything: show it by `names.shown`."""
    stem = re.sub(r"\.(ipynb|zip)\Z", "", name, flags=re.IGNORECASE)
    if found := _MOODLE.fullmatch(stem):
        stem = found[1]
    elif found := _CANVAS.fullmatch(stem):
        stem = f"{found[1]}_{found[2]}"
    return stem or name


def unpack(submission: Submission) -> Packed:
    """The notebook's bytes. Unreadable, with one sentence, where there are none to be had."""
    if submission.path is None:
        raise Unreadable(submission.trouble)
    if submission.path.suffix.lower() == ".zip":
        data, remarks = notebook_in_zip(read_bytes(submission.path, MOST_ZIP_BYTES))
        return Packed(data, tuple(remarks))
    return Packed(read_bytes(submission.path))
