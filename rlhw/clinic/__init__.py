"""The silent-bug clinic: runs that do not crash, do not warn, and are wrong.

Each patient is one run of the library with one function replaced. Healthy and sick run have the same seed.

    picture(4)                  the curves of patient 4 beside the healthy ones; curves(4) has their numbers
    hint(4, 1)                  the first of three hints
    diagnose(4, "KL sign")      whether it is that, and if not, why not
    print(reveal(4))            the patch, what the law says of it, and the cure

>>> NUMBERS
(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
>>> diagnose(2, "drifting reference").right
False
"""

from rlhw.clinic.diagnosis import NAMES, NUMBERS, Chart, Diagnosis, curves, diagnose, hint, patient, reveal
from rlhw.clinic.drawing import alt, draw, picture

__all__ = [
    "NAMES", "NUMBERS", "Chart", "Diagnosis", "alt", "curves", "diagnose", "draw", "hint", "patient", "picture", "reveal",
]  # fmt: skip
