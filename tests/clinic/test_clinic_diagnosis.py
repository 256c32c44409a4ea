"""The game: right names are accepted, all others refused with a reason, for every patient."""

from itertools import product

import pytest

from rlhw import clinic
from rlhw.clinic.cases import CASES
from rlhw.plots import require_alt


@pytest.mark.parametrize(("number", "name"), list(product(clinic.NUMBERS, clinic.NAMES)))
def test_one_name_is_accepted_and_every_other_refused_with_a_reason(number, name):
    case, found = clinic.patient(number), clinic.diagnose(number, name)
    assert found.right == (name == case.name)
    assert repr(found).startswith("Right: " if found.right else "No. With ")
    assert name in found.reason
    if not found.right:
        assert "Look at the panel" in found.reason
        assert case.name not in found.reason.replace(name, ""), "the reason gives the answer away"
        assert any(title in found.reason for title in case.ward.panels.values())


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match=r"got 'KL signs'. The nearest is 'KL sign'"):
        clinic.diagnose(1, "KL signs")
    with pytest.raises(ValueError, match="number must be from 1 to"):
        clinic.diagnose(0, "KL sign")
    with pytest.raises(ValueError, match="number must be from 1 to"):
        clinic.curves(99)
    with pytest.raises(ValueError, match="step must be 1, 2 or 3; got 4"):
        clinic.hint(1, 4)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hints_do_not_name_the_bug_and_the_reveal_tells_all(case):
    hints = [clinic.hint(case.number, step) for step in (1, 2, 3)]
    assert len(set(hints)) == 3
    assert all(case.name not in hint for hint in hints)
    told = clinic.reveal(case.number)
    assert told.startswith(f"{case.name}: ")
    assert f"+++ {case.patch}" in told
    assert f"\n-{'def' if 'def' in told else ''}" in told
    assert case.cure in told
    law = told.split("The law: ")[1].split("\n")[0]
    assert law


def test_the_alt_text_says_what_is_seen_and_no_diagnosis():
    shown = clinic.curves(2, seed=0)
    said = clinic.alt(shown)
    assert require_alt(said) == said
    assert "the loss at the end is lower" in said
    assert not any(name in said for name in clinic.NAMES)
