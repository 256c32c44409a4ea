"""The bugs against their laws: each law holds of the library and falls to its patient, by a sentence that is about it."""

import importlib
import inspect

import pytest

from rlhw import clinic
from rlhw.clinic.case import in_place, sentence
from rlhw.clinic.cases import CASES

# What the law's sentence must speak of.
ABOUT = {
    "pad is eos": "the end mark is a token of the answer",
    "shift by one": "the probabilities of all answers to a prompt sum to one",
    "prompt in the loss": "no token of the prompt is a target",
    "trained on order": "the winner's lead",
    "mean over tokens": "the probabilities of all answers to a prompt sum to one",
    "KL sign": "its score less beta times its log-ratio",
    "dropout while scoring": "the ratio of a policy with itself is one",
    "reward at the wrong token": "an answer's rewards add up to its score",
    "drifting reference": "those of the reference, which stays where the policy began",
    "advantages not detached": "no gradient by the critic's values",
    "other temperature": "those of the policy itself, at temperature one",
    "zero-variance group": "there is nothing to learn",
    "eos is no action": "eos included",
}
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@cases
def test_the_law_holds_without_the_patch_and_says_what_is_wrong_with_it(case):
    assert sentence(case.law) == ""
    with in_place(case.patch, case.wrong):
        said = sentence(case.law)
    assert ABOUT[case.name] in said
    assert sentence(case.law) == ""


def everything(package="rlhw"):
    """Every attribute of every module of the library that is loaded."""
    modules = {name: module for name, module in importlib.sys.modules.items() if name.split(".")[0] == package}
    return {(name, key): value for name, module in modules.items() for key, value in vars(module).items()}


@cases
def test_the_patch_touches_one_attribute_and_is_undone_after_an_exception(case):
    before = everything()

    def fails():
        with in_place(case.patch, case.wrong):
            during = everything()
            assert [":".join(key) for key in before if during[key] is not before[key]] == [case.patch]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    after = everything()
    assert all(after[key] is value for key, value in before.items())


@cases
def test_the_patch_is_called_as_what_it_replaces(case):
    module, name = case.patch.split(":")
    right = getattr(importlib.import_module(module), name)
    ours, theirs = (list(inspect.signature(fn).parameters.values()) for fn in (right, case.wrong))
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in theirs):
        return
    positional = [[p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD] for found in (ours, theirs)]
    assert positional[0] == positional[1]
    assert len(inspect.getsource(case.wrong).splitlines()) <= 20, "a bug is a few lines"


def test_there_are_twelve_bugs_or_more_each_with_a_name_and_a_number_of_its_own():
    assert len(CASES) >= 12
    assert [case.number for case in CASES] == list(range(1, len(CASES) + 1))
    assert len(set(clinic.NAMES)) == len(CASES) == len(ABOUT)
    assert sorted(clinic.NAMES, key=str.lower) == list(clinic.NAMES)
