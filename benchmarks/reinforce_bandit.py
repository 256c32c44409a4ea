"""Chapter 2 measured: REINFORCE on five arms, 20 seeds. `python -m benchmarks.reinforce_bandit` writes the card."""

import time

import numpy as np

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
from rlhw.policy_gradient import gradient_variance, optimal_baseline, reinforce_estimates, sample_actions, softmax

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
# A policy that has learned something: the best arm has about half of the probability.
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
            meaning = f"runs of {len(SEEDS)} that settled on a wrong arm, step size {step_size}, baseline: {name}"
            metrics[f"lost_{name}{label}"] = cards.metric(meaning, lost)
            print(f"step {step_size} {name}: median {np.median(values):.3f}, {lost:.0f} of {len(SEEDS)} on a wrong arm")
    return metrics


def variances() -> dict[str, dict]:
    """Total variance of a one-sample estimate, from 100,000 samples a seed (5 seeds), beside the closed form."""
    metrics = {}
    value = float(softmax(LOGITS) @ BANDIT.means)
    for name, b in (("none", 0.0), ("value", value), ("optimal", optimal_baseline(LOGITS, BANDIT.means))):
        samples = []
        for seed in range(5):
            rng = np.random.default_rng(seed)
            actions = sample_actions(LOGITS, rng.random(100_000))
            noise = rng.standard_normal(len(actions))[:, None] * (np.eye(5)[actions] - softmax(LOGITS)) * BANDIT.sd
            samples.append((reinforce_estimates(LOGITS, BANDIT.means, actions, b) + noise).var(axis=0).sum())
        known = gradient_variance(LOGITS, BANDIT.means, b, BANDIT.sd**2)
        metrics[f"variance_{name}"] = cards.metric(
            f"total variance of an estimate, baseline: {name}", samples, known=known
        )
        print(f"variance {name}: measured {np.median(samples):.4f}, closed form {known:.4f}")
    return metrics


def regrets() -> dict[str, dict]:
    """Regret after 1,000 pulls: REINFORCE with the mean baseline against UCB, one pull a step."""
    reinforce = [
        regret(BANDIT.means, np.concatenate([step["actions"] for step in run(MeanBaseline(), seed)]))[-1]
        for seed in SEEDS
    ]
    bounds = [play(BANDIT, ucb(2.0), STEPS, np.random.default_rng(seed)).regret[-1] for seed in SEEDS]
    uniform = float(STEPS * (BANDIT.means.max() - BANDIT.means.mean()))
    print(f"regret: REINFORCE {np.median(reinforce):.1f}, UCB {np.median(bounds):.1f}, uniform {uniform:.1f}")
    return {
        "regret_reinforce": cards.metric(f"regret after {STEPS} pulls, REINFORCE, mean baseline, step 0.1", reinforce),
        "regret_ucb": cards.metric(f"regret after {STEPS} pulls, upper confidence bounds, c = 2", bounds),
        "regret_uniform": cards.metric(f"expected regret after {STEPS} pulls of the uniform policy", uniform),
    }


if __name__ == "__main__":
    start = time.perf_counter()
    metrics = learning() | variances() | regrets()
    cards.write(
        "reinforce_bandit",
        "REINFORCE on five arms, 20 seeds",
        metrics,
        seconds=time.perf_counter() - start,
        command="python -m benchmarks.reinforce_bandit",
        modules=["rlhw.bandits", "rlhw.policy_gradient", "benchmarks.reinforce_bandit"],
    )
