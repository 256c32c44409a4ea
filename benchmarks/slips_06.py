"""The slips of chapter 6, measured: `python -m benchmarks.slips_06` writes results/slips_06.json."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.slips import Slip, write_card
from rlhw.evaluation import tilted
from rlhw.logprobs import kl_estimate, masked_sum, response_logprobs, whiten
from rlhw.ppo import clipped_policy_loss, gae, shaped_rewards
from rlhw.tabular_lm import TabularLM, enumerate_answers

# The chapter's example: three answers, beta = 1. Then two laws that are far from each other.
REFERENCE = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
REWARDS = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64).log()
LAW, OTHER = (torch.tensor(p, dtype=torch.float64) for p in ([0.7, 0.2, 0.1], [0.2, 0.3, 0.5]))
# An answer of five tokens in a batch of seven columns; the policy is its own reference, so that nothing is paid for KL.
FIVE = torch.tensor([[True] * 5 + [False] * 2])
ANSWER_TOKENS = 44


def climbed(reward: Callable[[Tensor], Tensor]) -> float:
    """J of the example, with beta = 1, after 200 exact steps of size 0.5 up the mean of score times this reward."""
    logits = REFERENCE.log().clone().requires_grad_()
    for _ in range(200):
        logs = logits.log_softmax(0)
        weights = logs.detach().exp() * reward(logs.detach() - REFERENCE.log())
        (slope,) = torch.autograd.grad((weights * logs).sum(), logits)
        logits = (logits.detach() + 0.5 * slope).requires_grad_()
    law = logits.detach().softmax(0)
    return float((law * (REWARDS - (law / REFERENCE).log())).sum())


def paid(place: Callable[[Tensor, Tensor], Tensor]) -> float:
    """What an answer of five tokens with score 1 is paid over its tokens."""
    zeros = torch.zeros(FIVE.shape, dtype=torch.float64)
    return float(masked_sum(place(torch.ones(1, dtype=torch.float64), zeros), FIVE))


def at_the_last_token(scores: Tensor, zeros: Tensor) -> Tensor:
    """The library's."""
    return shaped_rewards(scores, zeros, zeros, FIVE, beta=0.1)


def heard_by_the_first(gamma: float) -> float:
    """The share of a score at the last of 44 tokens that the first one hears, without a critic."""
    rewards = torch.zeros(1, ANSWER_TOKENS, dtype=torch.float64)
    rewards[0, -1] = 1.0
    mask = torch.ones_like(rewards, dtype=torch.bool)
    return float(gae(rewards, torch.zeros_like(rewards), mask, gamma, 1.0)[0][0, 0])


def gradient_on_the_critic(advantages_of: Callable) -> float:
    """Length of the gradient of the policy's loss with respect to the values of five tokens."""
    generator = torch.Generator().manual_seed(0)
    rewards, old, new = torch.randn(3, 1, 7, generator=generator, dtype=torch.float64)
    values = torch.zeros_like(rewards, requires_grad=True)
    logprobs = old + 0.05 * new
    advantages = advantages_of(rewards, values)
    loss = masked_sum(clipped_policy_loss(logprobs, old, advantages, 0.2), FIVE).sum() + 0 * values.sum()
    loss.backward()
    return float(values.grad.norm())


def attached(rewards: Tensor, values: Tensor) -> Tensor:
    """Monte Carlo returns less the values, with their gradient."""
    return torch.where(FIVE, rewards, 0.0).flip(-1).cumsum(-1).flip(-1) - values


def detached(rewards: Tensor, values: Tensor) -> Tensor:
    """The same by the library's GAE with λ = 1."""
    return gae(rewards, values, FIVE, 1.0, 1.0)[0]


def first_error(values: Callable[[float, float], list[float]]) -> float:
    """δ of the first of two tokens that lifts the expected score from 0.5 to 0.8; the second settles it at 1."""
    rewards, mask = torch.tensor([[0.0, 1.0]], dtype=torch.float64), torch.ones(1, 2, dtype=torch.bool)
    return float(gae(rewards, torch.tensor([values(0.5, 0.8)], dtype=torch.float64), mask, 1.0, 0.0)[0][0, 0])


def slope_of_a_lost_token(loss: Callable) -> float:
    """What one more unit of ratio is worth to a token with A = 1 whose ratio has fallen to one half."""
    ratio = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    (-loss(ratio.log(), torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64), 0.2)).sum().backward()
    return float(ratio.grad)


def clamp_alone(logprobs: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """-clamp(ρ) A."""
    return -(logprobs - old).exp().clamp(1 - clip, 1 + clip) * advantages


def worth_of_a_large_ratio(loss: Callable) -> float:
    """The surrogate at A = 1 and ratio 5."""
    one = torch.ones(1, dtype=torch.float64)
    return -float(loss(one * math.log(5), 0 * one, one, 0.2))


def larger(logprobs: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """-max(ρ A, clamp(ρ) A)."""
    ratio = (logprobs - old).exp()
    return -torch.maximum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def angle_to_the_gradient(reduce: Callable[[Tensor, Tensor], Tensor]) -> float:
    """Degrees between the mean of this surrogate's gradient and that of the expected reward, by enumeration, no KL."""
    prompts = torch.tensor([[0]])
    answers = enumerate_answers(prompts, torch.ones_like(prompts, dtype=torch.bool), 3, 4, eos_id=2)
    generator = torch.Generator().manual_seed(4)
    policy = TabularLM(3, 5, generator=generator).double()
    rewards = torch.randn(answers.responses.shape[:2], generator=generator, dtype=torch.float64)
    logprobs = response_logprobs(policy, answers)
    chances = masked_sum(logprobs, answers.response_mask).exp()
    value = float((chances * rewards).sum().detach())
    (true,) = torch.autograd.grad((chances * rewards).sum(), policy.table, retain_graph=True)
    each = reduce(logprobs, answers.response_mask)
    (got,) = torch.autograd.grad((chances.detach() * (rewards - value) * each).sum(), policy.table)
    cosine = float((got * true).sum() / (got.norm() * true.norm()))
    return math.degrees(math.acos(min(1.0, round(cosine, 12))))


def mean_of_k3(estimate: Callable[[Tensor, Tensor], Tensor]) -> float:
    """The mean over samples of the first law, by enumeration."""
    return float((LAW * estimate(LAW.log(), OTHER.log())).sum())


def upside_down(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """k3 with the ratio the other way up."""
    return kl_estimate(ref_logprobs, logprobs, "k3")


def length_of_mean_gradient(weights: Callable[[Tensor], Tensor]) -> float:
    """|E[weight · score]| of the first law's logits, for a weight of the log-ratio."""
    scores = torch.eye(3, dtype=torch.float64) - LAW
    return float((LAW * weights((LAW / OTHER).log()) @ scores).norm())


def kl_of_the_best(settle: Callable[[np.ndarray], float]) -> float:
    """KL from the reference of the best policy when all rewards of the example are doubled, at the β that `settle` gives."""
    reference = REFERENCE.numpy()
    best = tilted(reference, 2 * REWARDS.numpy(), settle(reference))
    return float(best @ np.log(best / reference))


def deviation(scale: Callable[[Tensor, Tensor], Tensor]) -> float:
    """Standard deviation over the tokens of advantages that are all next to nothing."""
    advantages = 0.001 * torch.linspace(-1, 1, 7, dtype=torch.float64)[None]
    scaled = scale(advantages, FIVE)[FIVE]
    return float(scaled.std(correction=0))


SLIPS = {
    "kl_sign": Slip(
        "J of the example after 200 steps with reward + β log ratio (right: reward - β log ratio)",
        climbed, wrong=lambda d: REWARDS + d, right=lambda d: REWARDS - d,
    ),
    "score_everywhere": Slip(
        "reward of an answer of five tokens with score 1: the score at each token (right: at the last)",
        paid, wrong=lambda scores, zeros: zeros + scores[:, None], right=at_the_last_token,
    ),
    "paid_at_a_pad": Slip(
        "reward of an answer of five tokens with score 1: at the last column (right: at its own last token)",
        paid, wrong=lambda scores, zeros: torch.cat([zeros[:, :-1], scores[:, None]], 1), right=at_the_last_token,
    ),
    "discount": Slip(
        f"share of the score that the first of {ANSWER_TOKENS} tokens hears: γ = 0.99 (right: γ = 1)",
        heard_by_the_first, wrong=0.99, right=1.0,
    ),
    "not_detached": Slip(
        "length of the policy loss's gradient on the critic: advantages attached (right: held fast)",
        gradient_on_the_critic, wrong=attached, right=detached,
    ),
    "delta_is_advantage": Slip(
        "TD error of a token that lifts the expected score from 0.5 to 0.8: critic at 0 (right: critic exact)",
        first_error, wrong=lambda before, after: [0.0, 0.0], right=lambda before, after: [before, after],
    ),
    "clamp_alone": Slip(
        "derivative by the ratio at A = 1, ratio 0.5: clamp(ρ) A (right: min(ρ A, clamp(ρ) A))",
        slope_of_a_lost_token, wrong=clamp_alone, right=clipped_policy_loss,
    ),
    "max_for_min": Slip(
        "surrogate at A = 1, ratio 5: max (right: min)",
        worth_of_a_large_ratio, wrong=larger, right=clipped_policy_loss,
    ),
    "token_mean": Slip(
        "angle to the gradient of the expected reward: mean over tokens (right: sum)",
        angle_to_the_gradient, wrong=lambda logs, mask: logs.sum(-1) / mask.sum(-1), right=masked_sum, unit="degrees",
    ),
    "k3_upside_down": Slip(
        "mean of e^d - 1 - d (right: of e^-d - 1 + d), d = log(0.7, 0.2, 0.1) - log(0.2, 0.3, 0.5)",
        mean_of_k3, wrong=upside_down, right=lambda p, q: kl_estimate(p, q, "k3"), unit="nats",
    ),
    "k1_as_loss": Slip(
        "length of the mean gradient: of k1 (right: of the KL)",
        length_of_mean_gradient, wrong=torch.ones_like, right=lambda d: d,
    ),
    "penalty_is_constraint": Slip(
        "KL of the best policy of the example with doubled rewards: β as before (right: β doubled, which keeps it)",
        kl_of_the_best, wrong=lambda reference: 1.0, right=lambda reference: 2.0, unit="nats",
    ),
    "whitening_scale": Slip(
        "standard deviation of advantages that are all next to nothing: whitened (right: as they are)",
        deviation, wrong=whiten, right=lambda advantages, mask: advantages,
    ),
}  # fmt: skip

if __name__ == "__main__":
    write_card(
        "06", "The slips of chapter 6, measured", SLIPS,
        ["rlhw.ppo", "rlhw.evaluation", "rlhw.logprobs", "rlhw.tabular_lm", "benchmarks.slips_06"],
    )  # fmt: skip
