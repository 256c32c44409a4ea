"""The patients' runs: silent, repeatable, and different from the healthy ones in the direction that is said."""

import math
import warnings
from collections import defaultdict

import numpy as np
import pytest
import torch

from rlhw import cards, clinic
from rlhw.clinic import wards, world
from rlhw.clinic.cases import CASES
from rlhw.clinic.readings import Reading

WARDS = {case.ward.name: case.ward for case in CASES}
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@cases
def test_the_run_is_silent_and_has_the_symptoms_that_are_said(case, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = clinic.curves(case.number, seed=5)  # a seed that the card does not hold
    assert capfd.readouterr() == ("", "")
    for curves in (shown.healthy, shown.sick):
        assert all(np.isfinite(values).all() for values in curves.values())
        assert list(curves) == list(case.ward.panels)
    found = {key: reading.compare(shown.healthy, shown.sick) for key, reading in case.ward.readings.items()}
    assert {key: value for key, value in found.items() if value != "the same"} == case.symptoms


@cases
def test_the_measure_differs_beyond_the_noise_of_seeds(case):
    """By the card, five seeds each: the ranges of sick and healthy do not overlap, and lie as the symptom says."""
    metrics = cards.read("clinic")["metrics"]
    healthy, sick = metrics[f"patient_{case.number}_healthy"], metrics[f"patient_{case.number}_sick"]
    if case.symptoms[case.measure] == "higher":
        assert sick["low"] > healthy["high"]
    else:
        assert sick["high"] < healthy["low"]


def test_no_two_patients_of_a_ward_have_the_same_symptoms():
    seen = defaultdict(list)
    for case in CASES:
        assert case.measure in case.symptoms
        assert set(case.symptoms) <= set(case.ward.readings)
        assert {reading.curve for reading in case.ward.readings.values()} <= set(case.ward.panels)
        seen[case.ward.name].append(tuple(case.symptoms.get(key, "the same") for key in case.ward.readings))
    assert all(len(set(vectors)) == len(vectors) for vectors in seen.values())


@pytest.mark.parametrize("name", WARDS)
def test_a_run_repeats_itself_and_leaves_torch_alone(name):
    state = torch.random.get_rng_state()
    one, other = (WARDS[name].curves(3) for _ in range(2))
    assert all(np.array_equal(one[key], other[key]) for key in one)
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_known_values_are_known():
    policy = world.frozen(world.table(wards.START))
    answers = world.all_answers()
    assert answers.responses.shape[1] == sum(2**n for n in range(5)) == 31
    logprobs, best = world.best(policy)
    attained = (
        logprobs.exp() * (world.reward(answers) - world.BETA * (logprobs - world.sequence_logprobs(policy, answers)))
    ).sum(1)
    assert float(attained.mean()) == pytest.approx(best, abs=1e-12)
    at_start = world.exact(policy, policy)
    assert at_start["kl"] == pytest.approx(0, abs=1e-12)
    assert at_start["objective"] == pytest.approx(at_start["reward"], abs=1e-12)
    assert math.isclose(float(wards.teacher_law()[1].sum()), 8.0, abs_tol=1e-9)


def test_a_reading_compares_as_it_says():
    healthy = {"loss": np.array([1.0, *[2.0] * 8])}
    sick = {"loss": np.array([1.2, *[1.0] * 8])}
    assert Reading("loss", "the loss", 0.5).compare(healthy, sick) == "lower"
    assert Reading("loss", "the loss", 1.5).compare(healthy, sick) == "the same"
    assert Reading("loss", "the loss", 0.1, first=True).compare(healthy, sick) == "higher"
