"""Chapter 2 measured: REINFORCE on five arms, 20 seeds. `python -m benchmarks.reinforce_bandit` writes the card."""

import time
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from rlhw import cards
from rlhw.bandits import (
    Bandit,
    Baseline,
    LearnedBaseline,
    MeanBaseline,
    NoBaseline,
    OptimalBaseline,
    gradient_bandit,
    play,
    regret,
    ucb,
)
from rlhw.laws import numerical_gradient
from rlhw.policy_gradient import (
    exact_gradient,
    gradient_variance,
    log_softmax,
    optimal_baseline,
    sample_actions,
    softmax,
    weighted_scores,
)

# Rewards far from zero: without a baseline every answer is pushed up, good or bad.
BANDIT = Bandit(np.array([4.0, 5.0, 4.4, 3.6, 4.2]), sd=1.0)
SEEDS = range(20)
STEPS = 1000
BASELINES = {
    "none": NoBaseline,
    "mean": MeanBaseline,
    "learned": lambda: LearnedBaseline(rate=0.1),
    "optimal": lambda: OptimalBaseline(BANDIT.means),
}
# A policy that has learned something: the best arm has 58 % of the probability.
LOGITS = np.array([0.5, 2.0, 0.5, 0.0, 0.0])


def run(baseline: Baseline, seed: int, step_size: float = 0.1) -> list[dict]:
    """One run of REINFORCE on the chapter's bandit."""
    rng = np.random.default_rng(seed)
    return list(gradient_bandit(BANDIT, baseline, step_size=step_size, batch=1, steps=STEPS, rng=rng))


def learning() -> dict[str, dict]:
    """Final value, and runs that ended on a wrong arm, for each baseline; the optimum is the best arm's mean."""
    metrics = {}
    best = float(BANDIT.means.max())
    for step_size, label in ((0.1, ""), (0.4, "_large_step")):
        for name, make in BASELINES.items():
            values = [run(make(), seed, step_size)[-1]["value"] for seed in SEEDS]
            meaning = f"value after {STEPS} steps of size {step_size}, baseline: {name}"
            metrics[f"value_{name}{label}"] = cards.metric(meaning, values, known=best)
            lost = float(sum(value < best - 0.3 for value in values))
            meaning = f"runs of {len(SEEDS)} on a wrong arm after {STEPS} steps of size {step_size}, baseline: {name}"
            metrics[f"lost_{name}{label}"] = cards.metric(meaning, lost)
            print(f"step {step_size} {name}: median {np.median(values):.3f}, {lost:.0f} of {len(SEEDS)} on a wrong arm")
    return metrics


def variances() -> dict[str, dict]:
    """Total variance of a one-sample estimate, from 100,000 samples a seed (5 seeds), beside the closed form."""
    value, rate = float(softmax(LOGITS) @ BANDIT.means), 0.1
    known = {
        name: gradient_variance(LOGITS, BANDIT.means, b, BANDIT.sd**2)
        for name, b in (("none", 0.0), ("value", value), ("optimal", optimal_baseline(LOGITS, BANDIT.means)))
    }
    # Variance of a reward, and of a baseline that follows the rewards at this rate for long.
    spread = float(softmax(LOGITS) @ (BANDIT.means - value) ** 2) + BANDIT.sd**2
    mean_square = (known["none"] - known["value"]) / (
        optimal_baseline(LOGITS, BANDIT.means) ** 2 - (value - optimal_baseline(LOGITS, BANDIT.means)) ** 2
    )
    known["learned"] = known["value"] + rate / (2 - rate) * spread * mean_square
    samples: dict[str, list[float]] = {name: [] for name in known}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        actions = sample_actions(LOGITS, rng.random(100_000))
        rewards = BANDIT.pull(actions, rng)
        learned = value + np.concatenate([[0.0], lfilter([rate], [1, rate - 1], rewards - value)[:-1]])
        baselines = {"none": 0.0, "value": value, "optimal": optimal_baseline(LOGITS, BANDIT.means), "learned": learned}
        for name, b in baselines.items():
            samples[name].append(float(weighted_scores(LOGITS, actions, rewards - b).var(axis=0).sum()))
    for name, values in samples.items():
        print(f"variance {name}: measured {np.median(values):.4f}, closed form {known[name]:.4f}")
    return {
        f"variance_{name}": cards.metric(
            f"total variance of an estimate, baseline: {name}", samples[name], known=known[name]
        )
        for name in known
    }


def price_of_noise() -> dict[str, dict]:
    """The two terms of the expected gain of a step, and the step size at which they cancel."""
    gradient = exact_gradient(LOGITS, BANDIT.means)
    gain = float(gradient @ gradient)
    bend = np.stack(
        [numerical_gradient(lambda z, i=i: float(exact_gradient(z, BANDIT.means)[i]), LOGITS) for i in range(5)]
    )
    metrics = {"squared_gradient": cards.metric("squared length of the exact gradient", gain)}
    for name, b in (("none", 0.0), ("optimal", optimal_baseline(LOGITS, BANDIT.means))):
        second_moment = np.zeros((5, 5))
        for y, p in enumerate(softmax(LOGITS)):
            score = np.eye(5)[y] - softmax(LOGITS)
            second_moment += p * ((BANDIT.means[y] - b) ** 2 + BANDIT.sd**2) * np.outer(score, score)
        bracket = float(np.trace(bend @ second_moment))
        metrics[f"bracket_{name}"] = cards.metric(f"second-order term of a step, baseline: {name}", bracket)
        print(f"second-order term, {name}: {bracket:.3f}, gain {gain:.4f}, break-even step {-2 * gain / bracket:.3f}")
        if name == "none":
            metrics["break_even"] = cards.metric(
                "step size at which gain and noise cancel, no baseline", -2 * gain / bracket
            )
    return metrics


@dataclass
class ShiftedBaseline(OptimalBaseline):
    """b* plus a number: by the parabola, b* - d and b* + d have the same variance at every policy."""

    shift: float = 0.0

    def value(self, logits: np.ndarray) -> float:
        return super().value(logits) + self.shift


def equal_variances() -> dict[str, dict]:
    """Runs of 400 that are on a wrong arm after 1,000 steps of size 0.1, with b* - 2 and b* + 2."""
    metrics = {}
    for name, shift in (("below", -2.0), ("above", 2.0)):
        ends = [run(ShiftedBaseline(BANDIT.means, shift), seed)[-1]["value"] for seed in range(400)]
        lost = float(sum(value < BANDIT.means.max() - 0.3 for value in ends))
        metrics[f"lost_{name}"] = cards.metric(
            f"runs of 400 on a wrong arm after {STEPS} steps, baseline b* {shift:+.0f}", lost
        )
        print(f"baseline b* {shift:+.0f}: {lost:.0f} of 400 on a wrong arm")
    return metrics


def surrogates() -> dict[str, dict]:
    """R log p_y of the sampled arms without a baseline: mean of the first 20 and of the last 100 pulls, 20 seeds."""
    first, last, lost = [], [], []
    for seed in SEEDS:
        steps = run(NoBaseline(), seed)
        before = [np.zeros(5), *(step["logits"] for step in steps[:-1])]
        pairs = zip(steps, before, strict=True)
        surrogate = [float(step["reward"] * log_softmax(z)[step["actions"][0]]) for step, z in pairs]
        first.append(float(np.mean(surrogate[:20])))
        last.append(float(np.mean(surrogate[-100:])))
        lost.append(steps[-1]["value"] < BANDIT.means.max() - 0.3)
    ends = [end for end, wrong in zip(last, lost, strict=True) if wrong]
    print(
        f"surrogate: first {np.median(first):.2f}, last {np.median(last):.2f}, lost runs {min(ends):.2f} to {max(ends):.2f}"
    )
    return {
        "surrogate_first": cards.metric("mean surrogate of the first 20 pulls, no baseline", first),
        "surrogate_last": cards.metric("mean surrogate of the last 100 pulls, no baseline", last),
        "surrogate_lost": cards.metric("the same, in the runs that are on a wrong arm", ends),
    }


def regrets() -> dict[str, dict]:
    """Regret after 1,000 pulls: REINFORCE with the mean baseline against UCB, one pull a step."""
    reinforce = [
        regret(BANDIT.means, np.concatenate([step["actions"] for step in run(MeanBaseline(), seed)]))[-1]
        for seed in SEEDS
    ]
    bounds = [play(BANDIT, ucb(2.0), STEPS, np.random.default_rng(seed)).regret[-1] for seed in SEEDS]
    uniform = float(STEPS * (BANDIT.means.max() - BANDIT.means.mean()))
    gaps = BANDIT.means.max() - BANDIT.means
    asymptote = float(sum(2 * BANDIT.sd**2 / gap for gap in gaps if gap > 0) * np.log(STEPS))
    print(f"regret: REINFORCE {np.median(reinforce):.1f}, UCB {np.median(bounds):.1f}, uniform {uniform:.1f}")
    return {
        "regret_reinforce": cards.metric(f"regret after {STEPS} pulls, REINFORCE, mean baseline, step 0.1", reinforce),
        "regret_ucb": cards.metric(f"regret after {STEPS} pulls, upper confidence bounds, c = 2", bounds),
        "regret_asymptote": cards.metric(f"asymptotic lower bound of Lai and Robbins at {STEPS} pulls", asymptote),
        "regret_uniform": cards.metric(f"expected regret after {STEPS} pulls of the uniform policy", uniform),
    }


if __name__ == "__main__":
    start = time.perf_counter()
    metrics = learning() | variances() | price_of_noise() | surrogates() | equal_variances() | regrets()
    cards.write(
        "reinforce_bandit",
        "REINFORCE on five arms, 20 seeds",
        metrics,
        seconds=time.perf_counter() - start,
        command="python -m benchmarks.reinforce_bandit",
        modules=["rlhw.bandits", "rlhw.policy_gradient", "benchmarks.reinforce_bandit"],
    )
