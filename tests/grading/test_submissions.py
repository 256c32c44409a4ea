"""Who handed in what: layouts, two files of one student, links and pipes, names from learning platforms."""

import os
import socket

import pytest

from rlhw.grading import submission
from rlhw.grading.files import Unreadable


def rows(folder):
    """(student, name of the file or None, trouble) of each row."""
    return [(row.student, row.path and row.path.name, row.trouble) for row in submission.find(folder)]


def test_the_three_layouts(tmp_path):
    (tmp_path / "ann.ipynb").write_text("{}")
    (tmp_path / "bob.zip").write_bytes(b"PK")
    (tmp_path / "cy").mkdir()
    (tmp_path / "cy/hw2_rlhf.ipynb").write_text("{}")
    (tmp_path / "cy/notes.txt").write_text("beside a notebook anything may lie")
    (tmp_path / "cy/.ipynb_checkpoints").mkdir()
    (tmp_path / ".DS_Store").write_text("hidden files are no students")
    assert rows(tmp_path) == [
        ("ann", "ann.ipynb", ""), ("bob", "bob.zip", ""), ("cy", "hw2_rlhf.ipynb", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("leeann_12345_67890_hw2_rlhf.ipynb", "leeann_12345"),
        ("leeann_LATE_12345_67890_hw2_rlhf-1.ipynb", "leeann_12345"),
        ("müllerjörg_12_34_x.ipynb", "müllerjörg_12"),
        ("Ann Lee_123456_assignsubmission_file_", "Ann Lee_123456"),
        ("Ann Lee_123456_assignsubmission_file_hw2.ipynb", "Ann Lee_123456"),
        ("Ann Lee_123456_assignsubmission_file", "Ann Lee_123456"),
        # Ambiguous: taken as it is.
        ("ann_hw2.ipynb", "ann_hw2"),
        ("ann_12_hw2.ipynb", "ann_12_hw2"),
        ("S1234567.IPYNB", "S1234567"),
        ("a.b.zip", "a.b"),
    ],
)
def test_names_of_learning_platforms(name, student):
    assert submission.student_of(name) == student


def test_two_files_of_one_student_are_one_row_that_says_so(tmp_path):
    for name in ("ann.ipynb", "ann.zip", "leeann_1_2_a.ipynb", "leeann_LATE_1_3_a-1.ipynb", "bob.ipynb", "bob.pdf"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "cy").mkdir()
    for name in ("a.ipynb", "b.ipynb"):
        (tmp_path / "cy" / name).write_text("{}")
    found = {student: (name, trouble) for student, name, trouble in rows(tmp_path)}
    assert found == {
        "ann": (None, "There are 2 submissions of this student; leave one there."),
        "leeann_1": (None, "There are 2 submissions of this student; leave one there."),
        # A file of another kind beside the notebook does no harm.
        "bob": ("bob.ipynb", ""),
        "cy": (None, "The folder holds 2 .ipynb files; leave one there."),
    }


def test_what_is_no_submission_is_a_row_too(tmp_path):
    (tmp_path / "target.ipynb").write_text("{}")
    (tmp_path / "ann.ipynb").symlink_to(tmp_path / "target.ipynb")
    (tmp_path / "ben").symlink_to("/etc")
    os.mkfifo(tmp_path / "cy.ipynb")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "dan.ipynb"))
    (tmp_path / "eve.txt").write_text("my homework")
    (tmp_path / "fay").mkdir()
    (tmp_path / "gus").mkdir()
    (tmp_path / "gus/x.ipynb").symlink_to("/etc/passwd")
    (tmp_path / "hal").mkdir()
    (tmp_path / "hal/x.ipynb").mkdir()
    found = {row.student: row for row in submission.find(tmp_path)}
    assert "symbolic link" in found["ann"].trouble
    assert "symbolic link" in found["ben"].trouble
    assert "neither a file nor a folder" in found["cy"].trouble
    assert "neither" in found["dan"].trouble
    assert "not a notebook" in found["eve"].trouble
    assert "no notebook" in found["fay"].trouble
    # What lies in a student's folder is found out when it is opened.
    with pytest.raises(Unreadable, match="symbolic link"):
        submission.unpack(found["gus"])
    with pytest.raises(Unreadable, match="no regular file"):
        submission.unpack(found["hal"])


def test_no_folder_and_an_empty_one_are_misuse(tmp_path):
    with pytest.raises(ValueError, match="is no folder"):
        submission.find(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is empty"):
        submission.find(tmp_path)
    (tmp_path / ".DS_Store").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        submission.find(tmp_path)


def test_names_that_a_file_system_allows_come_through(tmp_path):
    names = [b"\xff\xfe.ipynb", b"a\nb.ipynb", b"=1+1.ipynb", b"\x1b[2J.ipynb", b"..x.ipynb", b"a" * 249 + b".ipynb"]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "w") as file:
            file.write("{}")
    found = submission.find(tmp_path)
    # The one that begins with a dot is hidden; every other is a student of their own, with a file to open.
    assert len(found) == len(names) - 1
    assert all(submission.unpack(row).data == b"{}" for row in found)
