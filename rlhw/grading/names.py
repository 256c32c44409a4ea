"""What a student is called in files and tables.

Students' names come from file names, so a hostile one may hold anything that a file system allows: a formula, a line
break, letters that reverse the text. Both functions here depend on the name alone, so a regrade gives the same.
"""

import hashlib
import re
import unicodedata

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_HASHED = re.compile(r".*-[0-9a-f]{12}")
# Windows keeps these for devices.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)")
_KEPT = frozenset(" ._-@+'(),")


def file_name(student: str) -> str:
    """A safe file name (without an ending) for a student, different for different students.

    A name of small letters, digits, - and _ is kept. Any other gets 12 hexadecimal digits of its SHA-256 behind what is
    readable of it: so "Ann" and "ann" also differ on file systems that ignore case, and nothing leads to another folder.

    >>> file_name("s123"), file_name("../Ann")
    ('s123', 'Ann-eb8255710223')
    """
    if _PLAIN.fullmatch(student) and not _HASHED.fullmatch(student) and not _DEVICES.fullmatch(student):
        return student
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", student).strip("-_")[:40]
    digest = hashlib.sha256(student.encode("utf8", "surrogatepass")).hexdigest()[:12]
    return f"{readable or 'student'}-{digest}"


def shown(student: str) -> str:
    """The student as tables and pages show it: letters, digits and harmless signs as they are, the rest as %XX.

    A space is harmless inside, not at an end, where nobody sees it. What is written as %XX are the bytes in UTF-8, the %
    sign itself included, so that different students stay different.

    >>> shown("Müller, Ann"), shown("=1;2"), shown("50% ")
    ('Müller, Ann', '%3D1%3B2', '50%25%20')
    """
    inside = range(len(student) - len(student.lstrip(" ")), len(student.rstrip(" ")))
    return "".join(
        sign if _harmless(sign) and place in inside else _as_bytes(sign) for place, sign in enumerate(student)
    )


def _harmless(sign: str) -> bool:
    # Category M: accents that follow their letter, as in names that come from a Mac.
    return sign.isalnum() or sign in _KEPT or unicodedata.category(sign).startswith("M")


def _as_bytes(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf8", "surrogatepass"))
