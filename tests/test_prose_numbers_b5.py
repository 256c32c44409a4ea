"""Chapter B5: the numbers that its prose works out in passing."""

import json

import numpy as np
import pytest
from test_prose_numbers import ROOT, text_of

from benchmarks.deadly_triad import CURE_SECOND, CURE_STEP, CURE_STEPS, RUNS, STEP, STEPS
from benchmarks.linear_worlds import (
    CHAIN,
    CHAIN_EXPECTED,
    CHAIN_FEATURES,
    CHAIN_VALUES,
    GROUPS,
    STAR_EXPECTED,
    WALK_EXPECTED,
    WALK_WEIGHTS,
)
from rlhw import cards
from rlhw.function_approximation import least_squares_mc, lstd, td_system, value_error
from rlhw.linear_learning import semi_gradient_td

CHAPTER, NOTEBOOK = "book/b5_function_approximation.md", "notebooks/b5_function_approximation.ipynb"
WEIGHTS = np.array([1 / 3, 2 / 3])


def error(w):
    return value_error(CHAIN_FEATURES @ w, CHAIN_VALUES, WEIGHTS) ** 0.5


def updates_until(level):
    """Updates of state 1 alone, steps of 0.1, from w = 0."""
    path = semi_gradient_td(
        np.zeros(1), np.ones((99, 1)), np.ones(99), np.full((99, 1), 2.0), 0.9, np.full(99, 0.1), np.ones(99)
    )
    return int(np.argmax(path[:, 0] > level))


def least_eigenvalues():
    matrix, _ = td_system(*WALK_EXPECTED, 1.0, WALK_WEIGHTS)
    second = GROUPS.T @ (WALK_WEIGHTS[:, None] * GROUPS)
    return np.linalg.eigvals(matrix).real.min(), np.linalg.eigvalsh(second).min()


def round_factor(share):
    """By how much one backup and projection multiply a distance in the chain, states weighted (share, 1 - share)."""
    d = np.array([share, 1 - share])
    moved = CHAIN.gamma * CHAIN.transitions[:, 0] @ CHAIN_FEATURES
    return float((d * CHAIN_FEATURES[:, 0]) @ moved[:, 0] / (d @ CHAIN_FEATURES[:, 0] ** 2))


BEST = least_squares_mc(CHAIN_FEATURES, CHAIN_VALUES, WEIGHTS)
TD = lstd(*CHAIN_EXPECTED, CHAIN.gamma, WEIGHTS)
CLAIMS = [
    ("Monte Carlo says 1.80 and TD says 0.56", lambda: BEST[0], 1.80, 5e-3),
    ("Monte Carlo says 1.80 and TD says 0.56", lambda: TD[0], 0.56, 5e-3),
    ("the root value errors are 2.48 for TD and 1.22 for the best fit", lambda: error(TD), 2.48, 5e-3),
    ("the root value errors are 2.48 for TD and 1.22 for the best fit", lambda: error(BEST), 1.22, 5e-3),
    ("the weight passes 100 after 58 updates", lambda: updates_until(100), 58, 0),
    ("No value in this chain is above 4", lambda: CHAIN_VALUES.max(), 3.79, 5e-3),
    ("(in the chain, 0.8 times)", lambda: round_factor(1 / 3), 0.8, 1e-9),
    ("multiplies distances by 1.8", lambda: round_factor(1.0), 1.8, 1e-9),
    (r"$q = \frac{13}{21} \approx 0.62$", lambda: 13 / 21, 0.62, 5e-3),
    (r"The smallest eigenvalue of $\mathbf A$ is 0.014 here", lambda: least_eigenvalues()[0], 0.014, 5e-4),
    (r"that of $\Phi^{\mathsf T}\Xi\Phi$ is 0.24", lambda: least_eigenvalues()[1], 0.24, 5e-3),
    ("seventeen times more weakly", lambda: least_eigenvalues()[1] / least_eigenvalues()[0], 17, 0.5),
    ("The weights of off-policy TD end at length", lambda: STEPS * STEP, 10.0, 1e-9),
    ("1,000 steps of size 0.01", lambda: STEP, 0.01, 0),
    ("after 5,000 steps of 0.005, and 0.05 for $u$", lambda: CURE_STEP * CURE_STEPS + CURE_SECOND, 25.05, 1e-9),
    ("20 runs", lambda: RUNS, 20, 0),
    ("features can express the true values exactly", lambda: np.linalg.matrix_rank(STAR_EXPECTED.features), 7, 0),
]


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def test_the_card_says_what_the_sentences_around_it_say():
    metrics = cards.read("deadly_triad")["metrics"]
    assert all(entry["met"] for entry in metrics.values() if "met" in entry)
    assert metrics["mc_closed"]["value"] < metrics["mc_decaying"]["value"] < metrics["mc_constant"]["value"]
    assert metrics["td_closed"]["high"] < metrics["td_decaying"]["value"], "LSTD beats the steps by far"
    assert metrics["length_td"]["low"] > 10 * metrics["length_start"]["value"], "every run runs away"
    assert metrics["cure_large_pbe"]["low"] > 1e20, "with large steps the cure runs away too"
    assert metrics["on_policy_error"]["high"] < metrics["error_start"]["value"] / 5
    rates = {name: entry["value"] for name, entry in metrics.items() if name.startswith("rate_")}
    assert rates.pop("rate_all") > 0.2
    assert max(rates.values()) <= 1e-9


def test_the_notebook_prints_its_58_updates():
    cells = json.loads((ROOT / NOTEBOOK).read_text(encoding="utf8"))["cells"]
    outputs = "".join("".join(o.get("text", "")) for cell in cells for o in cell.get("outputs", []))
    assert f"updates of state 1 until w passes 100: {updates_until(100)}" in outputs
