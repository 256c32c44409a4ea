"""What may be asked of a patient: curves, hints, whether it is this bug or that, and at last what it was."""

import difflib
from dataclasses import dataclass
from functools import lru_cache

from rlhw.clinic.case import Case, difference, in_place, sentence
from rlhw.clinic.cases import CASES
from rlhw.clinic.readings import Curves, Ward

NUMBERS = tuple(case.number for case in CASES)
# Sorted, so that their order tells nothing.
NAMES = tuple(sorted((case.name for case in CASES), key=str.lower))
BY_NAME = {case.name: case for case in CASES}


@dataclass(frozen=True, eq=False)
class Chart:
    """The instruments of one patient beside those of the healthy run with the same seed: curve -> values by step."""

    number: int
    ward: Ward
    healthy: Curves
    sick: Curves


@dataclass(frozen=True)
class Diagnosis:
    """Whether a name was right, and the reason in words."""

    right: bool
    reason: str

    def __repr__(self) -> str:
        return self.reason


def patient(number: int) -> Case:
    """The case of this number. Raises ValueError, naming the numbers there are."""
    if number not in NUMBERS:
        raise ValueError(f"number must be from {NUMBERS[0]} to {NUMBERS[-1]}; got {number!r}.")
    return CASES[number - 1]


@lru_cache(maxsize=8)
def _healthy(ward: str, seed: int) -> Curves:
    """The healthy run is the same for all patients of a ward."""
    return next(case.ward for case in CASES if case.ward.name == ward).curves(seed)


def curves(number: int, seed: int = 0) -> Chart:
    """Run the patient, and (once a ward and seed) the healthy run. Half a second of computing each."""
    case = patient(number)
    healthy = _healthy(case.ward.name, seed)
    with in_place(case.patch, case.wrong):
        sick = case.ward.curves(seed)
    return Chart(number, case.ward, healthy, sick)


def hint(number: int, step: int = 1) -> str:
    """The first, second or third hint, from vague to nearly telling. Raises ValueError for another step."""
    if step not in (1, 2, 3):
        raise ValueError(f"step must be 1, 2 or 3; got {step!r}.")
    return patient(number).hints[step - 1]


def diagnose(number: int, name: str) -> Diagnosis:
    """Whether patient `number` has the bug `name`; if not, what would be seen if it had, and what is seen instead.

    Raises ValueError for a name that is not among NAMES, with the nearest one that is.
    """
    case = patient(number)
    if name not in BY_NAME:
        near = difflib.get_close_matches(str(name), NAMES, n=1, cutoff=0.0)[0]
        raise ValueError(f"name must be one of rlhw.clinic.NAMES; got {name!r}. The nearest is {near!r}.")
    if name == case.name:
        return Diagnosis(True, f"Right: {name}. The tell: {case.shows}.")
    other = BY_NAME[name]
    return Diagnosis(False, _other_ward(case, other) if other.ward is not case.ward else _same_ward(case, other))


def _same_ward(case: Case, other: Case) -> str:
    """The first reading in which the two bugs differ, in words."""
    for key, reading in case.ward.readings.items():
        seen, expected = (one.symptoms.get(key, "the same") for one in (case, other))
        if seen != expected:
            return (
                f"No. With {other.name}, {reading.words} would be {_against(expected)}; this patient's is {_against(seen)}. "
                f"Look at the panel “{case.ward.panels[reading.curve]}”."
            )
    raise ValueError(
        f"patients {case.number} and {other.number} have the same symptoms: give one of them another reading."
    )


def _other_ward(case: Case, other: Case) -> str:
    reading = case.ward.readings[case.measure]
    return (
        f"No. With {other.name}, {other.shows}; it is a bug of {other.ward.name}, and this run is {case.ward.name}. Look at "
        f"the panel “{case.ward.panels[reading.curve]}”: {reading.words} is {_against(case.symptoms[case.measure])}."
    )


def _against(comparison: str) -> str:
    return "the healthy run's" if comparison == "the same" else f"{comparison} than the healthy run's"


def reveal(number: int) -> str:
    """The patch as a diff against the library, what the law says with the patch in place, the cure, and where it comes from."""
    case = patient(number)
    changed = difference(case)
    with in_place(case.patch, case.wrong):
        said = sentence(case.law)
    return f"{case.name}: {case.shows}.\n\n{changed}\nThe law: {said}\nThe cure: {case.cure}\nWhere it comes from: {case.story}"
