"""Chapter B3 measured: learners of values on the random walk, held against exact values and exact moments.

`python -m benchmarks.prediction` writes the card.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from benchmarks.written_out import written_out
from rlhw import cards
from rlhw.batch_prediction import batch_mc, batch_td, certainty_equivalence, empirical_model
from rlhw.mdp import MDP, Episodes, episodes, uniform_policy
from rlhw.prediction_moments import expected_td, lambda_moments, n_step_moments
from rlhw.temporal_difference import (
    lambda_returns,
    mc_prediction,
    n_step_returns,
    n_step_td,
    td_lambda,
    td_prediction,
)
from rlhw.worlds import random_walk

WALK = random_walk(5)
POLICY = uniform_policy(WALK)
INSIDE = slice(1, -1)
EXACT = np.append(np.arange(6) / 6, 0.0)
HALF = np.where(WALK.terminal, 0.0, 0.5)
STEP = 0.1
# A normal number beyond 5.5 has probability 3.8e-8; with five states, a false alarm has probability 1.9e-7.
ALARM = 5.5
LAMBDAS = (0.0, 0.5, 0.8, 0.9, 1.0)
N_STEPS = (1, 2, 4, 8)


def stream(mdp: MDP, learners: int, count: int, seed: int) -> Iterator[Episodes]:
    """`count` episodes of the uniform policy for each of the learners."""
    rng = np.random.default_rng(seed)
    return (episodes(mdp, uniform_policy(mdp), learners, rng) for _ in range(count))


def rms(errors: np.ndarray) -> np.ndarray:
    """Root of the mean square over the states between the ends (the last axis holds all states)."""
    return np.sqrt(np.mean(errors[..., INSIDE] ** 2, axis=-1))


def last(tables: Iterator[np.ndarray]) -> np.ndarray:
    """The learners' estimates at the end."""
    *_, end = tables
    return end


def targets() -> dict[str, dict]:
    """Bias and standard deviation of each target with V = 1/2 everywhere: sampled, 10,000 episodes from each state, and exact."""
    metrics = {}
    kinds = {f"lambda_{lam:g}".replace(".", ""): ("λ", lam) for lam in LAMBDAS} | {f"n_{n}": ("n", n) for n in N_STEPS}
    found: dict[str, list] = {name: [] for name in kinds}
    for seed in range(5):
        moments = {name: ([], []) for name in kinds}
        for state in range(1, 6):
            walk = replace(WALK, start=np.eye(7)[state])
            seen = episodes(walk, POLICY, 10_000, np.random.default_rng([seed, state]))
            values = HALF[seen.states]
            for name, (kind, number) in kinds.items():
                fn = lambda_returns if kind == "λ" else n_step_returns
                first = fn(seen.rewards, values, 1.0, number)[:, 0]
                moments[name][0].append(first.mean() - EXACT[state])
                moments[name][1].append(first.var())
        for name, (biases, variances) in moments.items():
            found[name].append((np.sqrt(np.mean(np.square(biases))), np.sqrt(np.mean(variances))))
    for name, (kind, number) in kinds.items():
        fn = lambda_moments if kind == "λ" else n_step_moments
        mean, variance = fn(WALK, POLICY, HALF, number)
        known = rms(mean - EXACT), np.sqrt(variance[INSIDE].mean())
        for what, column, exact in zip(("bias", "noise"), np.transpose(found[name]), known, strict=True):
            meaning = f"{what} of the target with {kind} = {number:g}, V = 1/2: root mean square over the five states"
            metrics[f"target_{name}_{what}"] = cards.metric(meaning, column, known=float(exact))
        print(
            f"{kind} = {number:g}: bias {known[0]:.4f}, noise {known[1]:.4f}; sampled {np.median(found[name], axis=0)}"
        )
    return metrics


def z_scores(estimates: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> float:
    """The largest distance, over the states, of the learners' mean from what it should be, in standard errors."""
    errors = np.sqrt(variance[INSIDE] / len(estimates))
    return float(np.max(np.abs(estimates.mean(axis=0) - mean)[INSIDE] / errors))


def doubled(visits: np.ndarray) -> float:
    """A planted bug: the step size, doubled."""
    return 2 * STEP


def constant(visits: np.ndarray) -> float:
    """The step size."""
    return STEP


def counted_twice(walks: list[Episodes]) -> Iterator[Episodes]:
    """A planted bug: the first step of each episode is learnt from twice."""
    for walk in walks:
        yield Episodes(walk.states[:, :2], walk.actions[:, :1], walk.rewards[:, :1], walk.mask[:, :1])
        yield walk


# The probability that an episode comes by each state: the start is in the middle, and the walk is fair.
PASSES = np.array([0, 3 / 5, 3 / 4, 1, 3 / 4, 3 / 5, 0])


def means(learners: int = 4000) -> dict[str, dict]:
    """Is the mean of 4,000 learners where it should be? And are planted bugs seen?"""
    walks, zero = list(stream(WALK, learners, 100, seed=0)), np.zeros(7)
    rest, spread = (table[-1] for table in expected_td(WALK, POLICY, HALF, STEP, 100))
    early, early_spread = (table[-1] for table in expected_td(WALK, POLICY, zero, STEP, 20))
    td = last(td_prediction(iter(walks), HALF, 1.0, constant))
    # First-visit Monte Carlo with a constant step is a linear recursion too: each visit takes off a tenth of what is missing.
    mc, mc_mean = (
        last(mc_prediction(iter(walks), HALF, 1.0, constant)),
        EXACT + (HALF - EXACT) * (1 - STEP * PASSES) ** 100,
    )
    bugs = {
        "right": td_prediction(iter(walks[:20]), zero, 1.0, constant),
        "doubled": td_prediction(iter(walks[:20]), zero, 1.0, doubled),
        "twice": td_prediction(counted_twice(walks[:20]), zero, 1.0, constant),
    }
    found = {name: z_scores(last(tables), early, np.diagonal(early_spread)) for name, tables in bugs.items()}
    long_td = "TD(0) with step 0.1 from V = 1/2, 100 episodes,"
    rows = {
        "mc": (
            z_scores(mc, mc_mean, mc.var(axis=0)),
            "<",
            "Monte Carlo with step 0.1, 100 episodes, against its exact mean",
        ),
        "mc_v": (z_scores(mc, EXACT, mc.var(axis=0)), "<", "Monte Carlo with step 0.1, 100 episodes, against v"),
        "td": (z_scores(td, rest, np.diagonal(spread)), "<", f"{long_td} against its expected recursion"),
        "td_v": (z_scores(td, EXACT, np.diagonal(spread)), ">", f"{long_td} against v"),
        "right": (found["right"], "<", "TD(0) with step 0.1 from V = 0, 20 episodes, against its expected recursion"),
        "doubled": (found["doubled"], ">", "the same with the step size doubled"),
        "twice": (found["twice"], ">", "the same with each episode's first visit counted twice"),
    }
    metrics = {}
    for name, (score, sign, words) in rows.items():
        met = score < ALARM if sign == "<" else score > ALARM
        meaning = f"mean of {learners:,} learners, largest distance in standard errors: {words}"
        metrics[f"z_{name}"] = cards.metric(
            meaning, score, bound=f"{sign} {ALARM}", met=bool(met), unit="standard errors"
        )
        print(f"z {score:6.1f}, bound {sign} {ALARM}: {'met' if met else 'SHORT'}  {words}")
    off = "TD(0), step 0.1: v - mean of 4,000 learners after 100 episodes, leftmost state"
    metrics["td_off"] = cards.metric(off, float((EXACT - td.mean(axis=0))[1]), known=float((EXACT - rest)[1]))
    metrics["td_off_error"] = cards.metric("its standard error", float(np.sqrt(spread[1, 1] / learners)))
    return metrics


def step_sizes() -> dict[str, dict]:
    """Where the mean of TD(0) comes to rest for each constant step, exactly."""
    metrics = {}
    for step in (0.02, 0.05, 0.1, 0.2):
        mean, covariance = (table[-1] for table in expected_td(WALK, POLICY, HALF, step, 5000))
        name = f"{step:g}".replace(".", "")
        noise = float(np.sqrt(np.diagonal(covariance)[INSIDE].mean()))
        bias = float(EXACT[1] - mean[1])
        metrics[f"rest_bias_{name}"] = cards.metric(
            f"TD(0), step {step}: v - mean, leftmost state, at rest (exact)", bias
        )
        metrics[f"rest_noise_{name}"] = cards.metric(
            f"TD(0), step {step}: standard deviation at rest (exact), root mean square over states", noise
        )
        print(f"step {step}: at rest off by {bias:.4f}, noise {noise:.4f}")
    return metrics


RULES: dict[str, tuple[str, Callable, bool]] = {
    "td_constant": ("TD(0), step 0.1", lambda walks: td_prediction(walks, HALF, 1.0, lambda n: 0.1), False),
    "td_averaged": ("TD(0), step 0.1, averaged", lambda walks: td_prediction(walks, HALF, 1.0, lambda n: 0.1), True),
    "td_inverse": ("TD(0), step 1/n", lambda walks: td_prediction(walks, HALF, 1.0, lambda n: 1 / n), False),
    "td_power": ("TD(0), step 1/n^0.7", lambda walks: td_prediction(walks, HALF, 1.0, lambda n: n**-0.7), False),
    "td_square": ("TD(0), step 1/n²", lambda walks: td_prediction(walks, HALF, 1.0, lambda n: 1 / n**2), False),
    "mc_constant": ("Monte Carlo, step 0.1", lambda walks: mc_prediction(walks, HALF, 1.0, lambda n: 0.1), False),
    "mc_mean": ("Monte Carlo, step 1/n", lambda walks: mc_prediction(walks, HALF, 1.0, lambda n: 1 / n), False),
}
COUNTS = (10, 100, 1000)
DRAWN = ("td_constant", "td_averaged", "td_power", "mc_mean")
SHOWN = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)


def curves(learners: int = 40) -> dict[str, np.ndarray]:
    """RMS error after each of 1,000 episodes: "episodes learners" for each rule."""
    walks = list(stream(WALK, learners, max(COUNTS), seed=1))
    found = {}
    for name, (_, learn, averaged) in RULES.items():
        tables = np.array(list(learn(iter(walks))))
        if averaged:
            tables = np.cumsum(tables, axis=0) / np.arange(1, len(tables) + 1)[:, None, None]
        found[name] = rms(tables - EXACT)
    return found


def learning() -> dict[str, dict]:
    """RMS error against v after 10, 100 and 1,000 episodes: 40 learners each."""
    metrics = {}
    for name, errors in curves().items():
        for count in COUNTS:
            meaning = f"RMS error over the states after {count} episodes: {RULES[name][0]}"
            metrics[f"{name}_{count}"] = cards.metric(meaning, errors[count - 1])
        for count in SHOWN if name in DRAWN else ():
            meaning = f"for the figure: RMS error after {count} episodes: {RULES[name][0]}"
            metrics[f"curve_{name}_{count}"] = cards.metric(meaning, errors[count - 1])
        print(f"{RULES[name][0]}: " + ", ".join(f"{np.median(errors[count - 1]):.4f}" for count in COUNTS))
    return metrics


LONG = random_walk(19)
LONG_EXACT = np.append(np.arange(20) / 20, 0.0)
LONG_START = np.where(LONG.terminal, 0.0, 0.5)
RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
FAMILY = {
    "n": (n_step_td, (1, 2, 4, 8, 16, 64)),
    "lam": (td_lambda, (0.0, 0.4, 0.8, 0.9, 0.95, 1.0)),
}


def between(learners: int = 20) -> dict[str, np.ndarray]:
    """RMS error, mean over the first 10 episodes, on the walk of 19 states: "numbers rates learners" for n and for λ."""
    walks = list(stream(LONG, learners, 10, seed=2))
    found = {}
    for option, (learn, numbers) in FAMILY.items():
        rows = []
        for number in numbers:
            for rate in RATES:
                # Long traces and large steps can grow without bound: such a run counts as an error of 9.
                with np.errstate(over="ignore", invalid="ignore"):
                    tables = list(learn(iter(walks), LONG_START, 1.0, lambda n, rate=rate: rate, **{option: number}))
                    errors = rms(np.array(tables) - LONG_EXACT)
                rows.append(np.minimum(np.nan_to_num(errors, nan=9.0), 9.0).mean(axis=0))
        found[option] = np.array(rows).reshape(len(numbers), len(RATES), learners)
    return found


def middle() -> dict[str, dict]:
    """For each n and λ the error with its best step size, 20 learners."""
    metrics = {}
    for option, errors in between().items():
        for number, row in zip(FAMILY[option][1], errors, strict=True):
            best = int(np.argmin(np.median(row, axis=1)))
            name = f"{option}_{number:g}".replace(".", "")
            meaning = (
                f"19 states, 10 episodes: RMS error with {option} = {number:g} and its best step size, {RATES[best]:g}"
            )
            metrics[f"long_{name}"] = cards.metric(meaning, row[best])
            for rate, errors_at in zip(RATES, row, strict=True):
                meaning = f"for the figure: RMS error over 10 episodes, 19 states, {option} = {number:g}, step {rate:g}"
                metrics[f"curve_{name}_{rate:g}".replace(".", "")] = cards.metric(meaning, errors_at)
            print(f"{option} = {number:g}: {np.median(row[best]):.4f} at step {RATES[best]:g}")
    return metrics


def batches() -> dict[str, dict]:
    """A batch used to the last: RMS errors of Monte Carlo and of TD, 50 batches of each size; and where TD comes to rest."""
    metrics = {}
    for count in (10, 30, 100):
        errors = {"mc": [], "td": []}
        for seed in range(50):
            batch = episodes(WALK, POLICY, count, np.random.default_rng([count, seed]))
            errors["mc"].append(rms(batch_mc(batch, 7, 1.0) - EXACT))
            errors["td"].append(rms(certainty_equivalence(batch, 7, 1.0) - EXACT))
        for name, column in errors.items():
            words = "mean returns" if name == "mc" else "certainty equivalence"
            metrics[f"batch_{name}_{count}"] = cards.metric(f"RMS error from {count} episodes: {words}", column)
        print(f"batch of {count}: MC {np.median(errors['mc']):.4f}, TD {np.median(errors['td']):.4f}")
    gaps = []
    for seed in range(5):
        batch = episodes(WALK, POLICY, 20, np.random.default_rng([20, seed]))
        step = 0.9 / empirical_model(batch, 7).visits.max()
        gaps.append(
            float(np.max(np.abs(batch_td(batch, HALF, 1.0, step, 4000) - certainty_equivalence(batch, 7, 1.0))))
        )
    met = max(gaps) < 1e-9
    print(f"batch TD against certainty equivalence: {max(gaps):.1e}, bound 1e-9: {'met' if met else 'SHORT'}")
    metrics["batch_gap"] = cards.metric(
        "largest gap of batch TD, 4,000 sweeps, from certainty equivalence", gaps, bound="< 1e-9", met=met
    )
    return metrics


def loop(leave: float = 0.25) -> MDP:
    """One state that pays 1 a step and is left with this probability: v = 1 / leave."""
    transitions = np.array([[[1 - leave, leave]], [[0.0, 1.0]]])
    return MDP(transitions, np.array([[1.0], [0.0]]), 1.0, np.array([1.0, 0.0]))


def visits() -> dict[str, dict]:
    """First and every visit on the loop: mean and mean squared error of 4,000 learners, and the exact bias of every visit."""
    world, metrics = loop(), {}
    walks = list(stream(world, 4000, 100, seed=3))
    for every, name in ((False, "first"), (True, "every")):
        learners = mc_prediction(iter(walks), np.zeros(2), 1.0, lambda n: 1 / n, every_visit=every)
        tables = np.array(list(learners))[:, :, 0]
        for count in (1, 10, 100):
            bias = -3 / (count + 1) if every else 0.0
            meaning = f"{name}-visit Monte Carlo on the loop, v = 4, after {count} episodes"
            table = tables[count - 1]
            metrics[f"{name}_bias_{count}"] = cards.metric(f"{meaning}: mean - v", float(table.mean() - 4), known=bias)
            square = float(np.mean((table - 4) ** 2))
            metrics[f"{name}_square_{count}"] = cards.metric(f"{meaning}: mean squared error", square)
            if count == 10:
                score = float(abs(table.mean() - 4) / (table.std() / np.sqrt(len(table))))
                sign = ">" if every else "<"
                met = bool(score > ALARM if every else score < ALARM)
                meaning = f"{meaning}: distance of the mean of 4,000 learners from v, in standard errors"
                metrics[f"z_{name}"] = cards.metric(meaning, score, bound=f"{sign} {ALARM}", met=met)
                print(f"z {score:6.1f}, bound {sign} {ALARM}: {'met' if met else 'SHORT'}  {name} visit on the loop")
            print(
                f"{name} visit, {count} episodes: bias {table.mean() - 4:.3f} (exact {bias:.3f}), square {square:.4f}"
            )
    return metrics


if __name__ == "__main__":
    start = time.perf_counter()
    metrics = targets() | means() | step_sizes() | learning() | middle() | batches() | visits() | written_out()
    cards.write(
        "prediction",
        "Learning to predict on the random walk",
        metrics,
        seconds=time.perf_counter() - start,
        command="python -m benchmarks.prediction",
        modules=[
            *("rlhw.temporal_difference", "rlhw.prediction_moments", "rlhw.batch_prediction", "rlhw.mdp"),
            *("rlhw.worlds", "benchmarks.prediction", "benchmarks.written_out"),
        ],
    )
    sys.exit(any(entry.get("met") is False for entry in metrics.values()))
