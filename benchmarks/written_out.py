"""The n-step and λ-returns of the library against their sums written out term by term, on random rewards and values."""

import numpy as np

from rlhw import cards
from rlhw.temporal_difference import lambda_returns, n_step_returns

BOUND = 1e-12


def n_steps(rewards: np.ndarray, values: np.ndarray, gamma: float, n: int, t: int) -> float:
    """Σ_{k<m} γ^k r_{t+k} + γ^m V(s_{t+m}), m = n or what is left of the episode."""
    m = min(n, len(rewards) - t)
    return sum(gamma**k * rewards[t + k] for k in range(m)) + gamma**m * values[t + m]


def averaged(rewards: np.ndarray, values: np.ndarray, gamma: float, lam: float, t: int) -> float:
    """(1 - λ) Σ_{n<N} λ^{n-1} G^(n) + λ^{N-1} G^(N), with N steps left."""
    left = len(rewards) - t
    short = sum(lam ** (n - 1) * n_steps(rewards, values, gamma, n, t) for n in range(1, left))
    return (1 - lam) * short + lam ** (left - 1) * n_steps(rewards, values, gamma, left, t)


def written_out(episodes: int = 200) -> dict[str, dict]:
    """The greatest distance of any target of any step, over so many random episodes of 1 to 12 steps."""
    rng, gaps = np.random.default_rng(8), {"n_step": 0.0, "lambda": 0.0}
    for _ in range(episodes):
        steps, n, gamma, lam = int(rng.integers(1, 13)), int(rng.integers(1, 15)), rng.random(), rng.random()
        rewards, values = rng.standard_normal(steps), rng.standard_normal(steps + 1)
        by_hand = [n_steps(rewards, values, gamma, n, t) for t in range(steps)]
        gaps["n_step"] = max(gaps["n_step"], np.abs(n_step_returns(rewards, values, gamma, n) - by_hand).max())
        by_hand = [averaged(rewards, values, gamma, lam, t) for t in range(steps)]
        gaps["lambda"] = max(gaps["lambda"], np.abs(lambda_returns(rewards, values, gamma, lam) - by_hand).max())
    metrics = {}
    for name, gap in gaps.items():
        meaning = (
            f"{name.replace('_', '-')} returns: greatest distance from the sum written out, {episodes} random episodes"
        )
        metrics[f"gap_{name}"] = cards.metric(meaning, float(gap), bound=f"<= {BOUND:.0e}", met=bool(gap <= BOUND))
        print(f"gap {gap:.1e}, bound {BOUND:.0e}: {'met' if gap <= BOUND else 'SHORT'}  {meaning}")
    return metrics
