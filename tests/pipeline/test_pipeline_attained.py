"""J* and the frontier of a run, against enumeration of all answers."""

import math

import numpy as np
import pytest
import torch
from small_rollouts import BETA, EOS, MASK, PROMPTS, STEPS, all_answers, reward, table

from rlhw.evaluation import frontier as exact_frontier
from rlhw.logprobs import sequence_logprobs
from rlhw.pipeline import attained
from rlhw.pipeline.attained import best_objective, best_of_each, frontier
from rlhw.tabular_lm import TabularLM

RARE = 1e-5


def rare_tables() -> tuple[TabularLM, TabularLM]:
    """A reference that begins an answer with 1 once in 100,000 times, and a policy that has learned to, one time in two."""
    tables = []
    for chance in (RARE, 0.5):
        one = table(3)
        # Rows 1, 2 and 3 are those of the three prompts alone.
        one.table.data[1:4] = torch.tensor([(1 - chance) / 2, chance, (1 - chance) / 2]).double().log()
        tables.append(one)
    return tables[1], tables[0]


def begins_with_one(batch) -> torch.Tensor:
    """20 β for an answer that begins with 1, and what differs between answers."""
    return 20 * BETA * (batch.responses[..., 0] == 1) + 0.5 * reward(batch)


CASES = {
    "two random tables": (lambda: (table(1), table(0)), reward),
    "a rare best answer": (rare_tables, begins_with_one),
}


@torch.no_grad()
def enumerated(policy, reference, score, samples: int) -> tuple[float, float, float]:
    """(J*, the standard deviation of its estimate from this many samples a prompt, J of the reference) by sums over answers."""
    batch = all_answers()
    p, q = (sequence_logprobs(model, batch).exp().numpy() for model in (reference, policy))
    gains = np.exp(score(batch).numpy() / BETA)
    z = (p * gains).sum(1)
    terms = gains * p / ((p + q) / 2)
    # Half of the samples come from each law.
    within = sum((law * terms**2).sum(1) - (law * terms).sum(1) ** 2 for law in (p, q)) / (2 * samples)
    spread = BETA * np.sqrt(within) / z
    return (
        float(BETA * np.log(z).mean()),
        float(np.sqrt((spread**2).sum()) / len(z)),
        float((p * score(batch).numpy()).sum(1).mean()),
    )


def estimated(policy, reference, score, seed=0, samples=512, most=4096, at_once=512) -> dict:
    return best_objective(
        policy, reference, score, PROMPTS, MASK, beta=BETA, objective=enumerated(policy, reference, score, 1)[2],
        samples=samples, most=most, max_new_tokens=STEPS, eos_id=EOS, generator=torch.Generator().manual_seed(seed),
        at_once=at_once,
    )  # fmt: skip


def errors(case: str) -> float:
    """How many of its own standard deviations the estimate lies from J*."""
    tables, score = CASES[case]
    policy, reference = tables()
    found = estimated(policy, reference, score)
    jstar, deviation, _ = enumerated(policy, reference, score, found["samples"])
    return abs(found["jstar"] - jstar) / deviation


@pytest.mark.parametrize("case", CASES)
def test_jstar_is_that_of_all_answers(case):
    """Within 5 standard deviations, which are known by enumeration: false alarm below 1e-6 where J* is nearly normal."""
    assert errors(case) < 5


@pytest.mark.parametrize("case", CASES)
def test_samples_without_their_weights_are_found(case, monkeypatch):
    """Mutants: weights of the reference, though half of the samples are the policy's; and weights upside down."""
    weighted = attained._weighted
    for sign in (0, -1):
        monkeypatch.setattr(
            attained, "_weighted", lambda *given, sign=sign: weighted(*given) * np.array([1, sign])[:, None, None]
        )
        assert errors(case) > 5


def test_a_rare_best_answer_is_missed_by_the_reference_alone():
    """The control: none of its samples is such an answer (chance of one below 0.13, and the seed is fixed)."""
    _, reference = rare_tables()
    found = estimated(reference, reference, begins_with_one)
    assert found["jstar"] < enumerated(reference, reference, begins_with_one, 1)[0] - 3.0


def test_more_samples_are_taken_until_it_is_settled_and_no_more_than_allowed():
    policy, reference = table(1), table(0)
    few = estimated(policy, reference, reward, samples=8, most=8)
    assert (few["samples"], few["settled"]) == (8, False)
    found = estimated(policy, reference, reward, samples=8, most=10**5)
    assert found["settled"]
    assert found["effective"] >= 100
    assert math.log2(found["samples"] / 8) == int(math.log2(found["samples"] / 8)) > 0
    assert np.mean(found["jstar_of"]) == pytest.approx(found["jstar"], abs=1e-12)


def test_pieces_do_not_matter():
    """Two prompts at a time, then one: the same answers and weights."""
    whole = estimated(table(1), table(0), reward, samples=8, most=16)
    for size in (8, 1):
        found = estimated(table(1), table(0), reward, samples=8, most=16, at_once=size)
        for name in ("jstar", "jstar_se", "effective", "jstar_of"):
            np.testing.assert_allclose(found[name], whole[name], atol=1e-12)


def listed(times: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, rewards and log-weights of all answers as if each had been drawn equally often: nothing is left to luck."""
    batch = all_answers()
    with torch.no_grad():
        probs = sequence_logprobs(table(0), batch).exp().numpy()
    rewards = reward(batch).numpy()
    return probs, np.tile(rewards, times), np.tile(np.log(probs * probs.shape[1]), times)


def check_frontier(fn) -> None:
    probs, rewards, log_weights = listed()
    betas = np.geomspace(20 * BETA, BETA / 4, 24)
    wanted = np.mean(
        [exact_frontier(p, r, betas) for p, r in zip(probs, rewards[:, : probs.shape[1]], strict=True)], axis=0
    ).T
    np.testing.assert_allclose(fn(rewards, log_weights, BETA), wanted, atol=1e-9)


def test_the_frontier_is_that_of_all_answers():
    check_frontier(frontier)
    mutants = {
        "no weights": lambda rewards, log_weights, beta: frontier(rewards, 0 * log_weights, beta),
        "the KL the other way": lambda *given: [(-kl, earned) for kl, earned in frontier(*given)],
        "half of β": lambda rewards, log_weights, beta: frontier(rewards, log_weights, beta / 2),
    }
    for mutant in mutants.values():
        with pytest.raises(AssertionError):
            check_frontier(mutant)
    _, rewards, log_weights = listed()
    np.testing.assert_allclose(
        best_of_each(rewards, log_weights, BETA).mean(), enumerated(table(1), table(0), reward, 1)[0], atol=1e-9
    )


def test_points_that_a_few_samples_would_decide_are_left_out():
    _, rewards, log_weights = listed(times=8)
    kept = frontier(rewards, log_weights, BETA)
    assert 0 < len(kept) < 24
    np.testing.assert_allclose(kept, frontier(*listed()[1:], BETA)[: len(kept)], atol=1e-12)
    assert frontier(*listed(times=1)[1:], BETA) == []
