"""J*, the best that any policy earns on these prompts, and the frontier of reward against KL."""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.special import logsumexp, softmax
from torch import Tensor, nn

from rlhw.batches import Batch
from rlhw.evaluation import attainable, effective_samples
from rlhw.language_model import generate
from rlhw.logprobs import masked_sum, sequence_logprobs

# J* is believed when doubling the samples moves it by less than this share of what there is to gain.
SETTLED, LEAST_EFFECTIVE = 0.01, 100
# So many answers go through the models at once, where nothing else is said.
AT_ONCE = 512


@torch.no_grad()
def best_objective(
    policy: nn.Module,
    reference: nn.Module,
    reward: Callable[[Batch], Tensor],
    tokens: Int[Tensor, "B P"],
    mask: Bool[Tensor, "B P"],
    *,
    beta: float,
    objective: float,
    samples: int,
    most: int,
    max_new_tokens: int,
    eos_id: int,
    generator: torch.Generator,
    at_once: int = AT_ONCE,
) -> dict:
    """J*, from equally many answers of the policy and of the reference to each prompt, with their exact weights.

    `samples` a prompt at first, doubled until J* moves by less than 1 % of J* - `objective` (the reference's own) and the
    median effective number of samples is 100 or more, or `most` are reached. Gives `jstar`, `jstar_se`, `effective`,
    `samples`, `frontier`: (KL, reward) of the best policies at other β, where the samples still say something, and `jstar_of`: J*
    of each prompt. `at_once` answers go through the models together.
    """
    what = {"max_new_tokens": max_new_tokens, "eos_id": eos_id, "generator": generator}
    rewards, log_weights, before = np.zeros((len(tokens), 0)), np.zeros((len(tokens), 0)), None
    while True:
        # As many again as there are, or the first ones.
        k = max(rewards.shape[1], samples) // 2
        for sampler, other in ((policy, reference), (reference, policy)):
            found = _weighted(sampler, other, sampler is reference, reward, tokens, mask, k, at_once, what)
            rewards, log_weights = np.hstack([rewards, found[0]]), np.hstack([log_weights, found[1]])
        jstar, error = attainable(rewards, beta, log_weights)
        effective = float(np.median(effective_samples(rewards, beta, log_weights)))
        settled = before is not None and abs(jstar - before) < SETTLED * (jstar - objective)
        if (settled and effective >= LEAST_EFFECTIVE) or rewards.shape[1] >= most:
            return {
                "jstar": jstar, "jstar_se": error, "effective": effective, "samples": rewards.shape[1],
                "settled": settled and effective >= LEAST_EFFECTIVE, "frontier": frontier(rewards, log_weights, beta),
                "jstar_of": best_of_each(rewards, log_weights, beta).tolist(),
            }  # fmt: skip
        before = jstar


def _weighted(
    sampler: nn.Module, other: nn.Module, is_reference: bool, reward: Callable, tokens: Tensor, mask: Tensor, k: int,
    at_once: int, what: dict,
) -> np.ndarray:  # fmt: skip
    """Rewards and log π_ref/(½ π_ref + ½ π), "2 B k", of k answers of the sampler to each prompt."""
    size, pieces = max(1, at_once // k), []
    for first in range(0, len(tokens), size):
        rows = slice(first, first + size)
        batch, logprobs = generate(sampler, tokens[rows], mask[rows], k=k, **what)
        own, others = masked_sum(logprobs, batch.response_mask).double(), sequence_logprobs(other, batch).double()
        mixture = torch.logaddexp(own, others) - np.log(2)
        log_weights = (own if is_reference else others) - mixture
        pieces.append(torch.stack([reward(batch).double(), log_weights]).cpu())
    return torch.cat(pieces, 1).numpy()


def best_of_each(
    rewards: Float[np.ndarray, "B N"], log_weights: Float[np.ndarray, "B N"], beta: float
) -> Float[np.ndarray, " B"]:
    """J* of each prompt: β log of the mean of weight · exp(r/β)."""
    return beta * (logsumexp(rewards / beta + log_weights, axis=1) - np.log(rewards.shape[1]))


def frontier(
    rewards: Float[np.ndarray, "B N"], log_weights: Float[np.ndarray, "B N"], beta: float
) -> list[tuple[float, float]]:
    """(KL, reward) of π* at β' from 20 β to β/4, means over prompts; without those that 30 samples or fewer would decide.

    KL(π*‖π_ref) = E[r]/β' - log Z, with the expectation under π*.
    """
    points = []
    for other in np.geomspace(20 * beta, beta / 4, 24):
        if np.median(effective_samples(rewards, other, log_weights)) > 30:
            exponents = rewards / other + log_weights
            log_z = logsumexp(exponents, axis=1) - np.log(rewards.shape[1])
            earned = (softmax(exponents, axis=1) * rewards).sum(1)
            points.append((float((earned / other - log_z).mean()), float(earned.mean())))
    return points


def share(
    objectives: Float[np.ndarray, " B"],
    start: Float[np.ndarray, " B"],
    best: Float[np.ndarray, " B"],
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """(share, low, high): mean(objectives - start)/mean(best - start), and its 95 % bootstrap interval over prompts.

    The three belong to the same prompts, so what differs between prompts does not widen the interval. Raises ValueError when
    there is nothing to gain, which says that `best` is no best.
    """
    gain, room = objectives - start, best - start
    if room.mean() <= 0:
        raise ValueError(f"best must lie above start on average; it is {-room.mean():.3g} below it: take more samples.")
    drawn = rng.integers(len(gain), size=(5000, len(gain)))
    low, high = np.quantile(gain[drawn].mean(1) / room[drawn].mean(1), [0.025, 0.975])
    return float(gain.mean() / room.mean()), float(low), float(high)


def best_of_n(
    chosen_by: Float[np.ndarray, "B N"], judged_by: Float[np.ndarray, "B N"], n: int
) -> tuple[float, Float[np.ndarray, " B"]]:
    """(KL, mean reward of each prompt) of the best of n answers by one reward, judged by another.

    Of N answers each subset of n is equally likely: the one with i answers below it is its best in C(i, n - 1) of C(N, n)
    cases. The KL is log n - (n - 1)/n, which ties can only lower. Raises ValueError unless 1 <= n <= N.
    """
    count = chosen_by.shape[1]
    if not 1 <= n <= count:
        raise ValueError(f"n must be from 1 to the {count} answers of a prompt; got {n}.")
    chances = np.array([math.comb(i, n - 1) for i in range(count)]) / math.comb(count, n)
    ordered = np.take_along_axis(judged_by, chosen_by.argsort(axis=1), axis=1)
    return math.log(n) - (n - 1) / n, ordered @ chances
