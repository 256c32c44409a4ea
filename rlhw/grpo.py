"""Policy optimisation without a critic: K answers to a prompt are each other's baseline. RLOO, group advantages, and the loop.

The return of an answer is r - β log π(y|x)/π_ref(y|x), so the mean of the gradient is that of the objective. GRPO as published
puts k3 of each token into the loss instead, whose gradient is that of no KL. Sources: Kool et al. (2019) and Ahmadian et al.
(2024) for leave-one-out; Shao et al. (2024) for the group's mean and standard deviation.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlhw.batches import PLAIN, Batch, Engine
from rlhw.logprobs import masked_sum, response_logprobs
from rlhw.ppo import KLControl, clipped_policy_loss
from rlhw.rollouts import collect, measure, minibatches
from rlhw.training import guarded_step


def rloo_advantages(rewards: Float[Tensor, "*B K"]) -> Float[Tensor, "*B K"]:
    """A_i = r_i - mean of the other K - 1: a baseline that does not depend on answer i, so the gradient stays unbiased.

    It is K/(K - 1) (r_i - mean of all). Raises ValueError for K = 1. Kool et al. (2019).

    >>> rloo_advantages(torch.tensor([1.0, 0.0, 0.0]))
    tensor([ 1.0000, -0.5000, -0.5000])
    """
    k = _group_size(rewards)
    return (rewards - rewards.mean(-1, keepdim=True)) * k / (k - 1)


def group_advantages(rewards: Float[Tensor, "*B K"], scale: bool = True) -> Float[Tensor, "*B K"]:
    """A_i = (r_i - mean)/(std + 1e-6) over the K answers to a prompt, std with K - 1; 0 where all rewards are equal.

    The mean holds r_i itself, which shrinks the gradient by (K - 1)/K and no more. The division makes every prompt weigh the
    same however little its answers differ. scale=False leaves it out. Raises ValueError for K = 1.
    Shao et al. (2024), section 4.1.2; without the scale: Liu et al. (2025).

    >>> group_advantages(torch.tensor([1.0, 0.0]), scale=False)
    tensor([ 0.5000, -0.5000])
    """
    _group_size(rewards)
    # Less one of them, equal rewards are exactly 0. The rounding of their mean, divided by itself, would be an advantage.
    rewards = rewards - rewards[..., :1]
    deviations = rewards - rewards.mean(-1, keepdim=True)
    return deviations / (rewards.std(-1, keepdim=True) + 1e-6) if scale else deviations


def _group_size(rewards: Tensor) -> int:
    if rewards.shape[-1] < 2:
        raise ValueError("rewards must hold K = 2 or more answers a prompt; one alone has nothing to be compared with.")
    return rewards.shape[-1]


@dataclass(frozen=True)
class GRPOConfig:
    """Settings of `train_grpo`; the learning rate belongs to the optimizer.

    k: answers a prompt; max_new_tokens, eos_id: as in `generate`. epochs: times that each rollout is gone through;
    minibatch: prompts an optimizer step (None: the whole rollout). clip: ε of the clipped surrogate. max_grad_norm: the gradient
    is shortened to this norm. Raises ValueError for what cannot be.
    """

    max_new_tokens: int
    eos_id: int | None
    k: int = 8
    epochs: int = 1
    minibatch: int | None = None
    clip: float = 0.2
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.k < 2:
            raise ValueError(f"k must be 2 or more; got {self.k}: one answer alone has nothing to be compared with.")
        for name in ("max_new_tokens", "epochs", "minibatch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more; got {value}.")
        for name in ("clip", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0; got {getattr(self, name)}.")


def train_grpo(
    policy: nn.Module,
    reference: nn.Module,
    reward: Callable[[Batch], Tensor],
    prompts: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    config: GRPOConfig,
    *,
    generator: torch.Generator,
    kl: KLControl,
    advantages: Callable[[Tensor], Tensor] = rloo_advantages,
    engine: Engine = PLAIN,
) -> Iterator[dict[str, float]]:
    """One rollout and all the updates from it for each (prompts "B P", mask "B P") of `prompts`.

    `advantages` makes "B K" of the returns: `rloo_advantages` or `group_advantages`; each token of an answer gets its answer's.
    Losses are summed over an answer's tokens and averaged over answers. Yields after each rollout what `measure` says of it,
    `beta`, `spread` (mean standard deviation of the returns to one prompt: at 0 there is nothing to learn), and means over its
    updates: `policy_loss`, `clipped` (the share of tokens whose ratio is outside 1 ± clip) and `grad_norm`.
    Between two yields all state is in the arguments. Raises FloatingPointError, naming the rollout, before a step along a
    loss that is not finite; ValueError when there are no prompts.
    """
    number = 0
    for number, (tokens, mask) in enumerate(prompts, 1):
        rollout = collect(
            policy, reference, reward, tokens, mask, k=config.k, max_new_tokens=config.max_new_tokens,
            eos_id=config.eos_id, generator=generator,
        )  # fmt: skip
        returns = rollout.scores - kl.beta * rollout.log_ratios
        weights = advantages(returns)
        updates = []
        for index in minibatches(len(tokens), config.epochs, config.minibatch, generator):
            optimizer.zero_grad()
            old = rollout.logprobs[index], weights[index]
            loss, clipped = _loss(policy, rollout.batch.rows(index), *old, config.clip, engine)
            engine.backward(loss)
            whole = engine.reduce(loss.detach(), reduction="mean")
            norm = guarded_step(optimizer, policy, whole, number, max_grad_norm=config.max_grad_norm, engine=engine)
            updates.append([float(whole), float(engine.reduce(clipped, reduction="mean")), norm])
        means = dict(zip(("policy_loss", "clipped", "grad_norm"), torch.tensor(updates).mean(0).tolist(), strict=True))
        seen, spread = measure(rollout, kl.beta, engine=engine), engine.reduce(returns.std(-1).mean(), reduction="mean")
        figures = seen | {"beta": kl.beta, "spread": float(spread)} | means
        kl.update(seen["kl"], seen["answers"])
        yield figures
    if number == 0:
        raise ValueError("prompts is empty: there is nothing to answer; give at least one (prompts, mask).")


def _loss(
    policy: nn.Module, batch: Batch, old_logprobs: Tensor, advantages: Tensor, clip: float, engine: Engine
) -> tuple[Tensor, Tensor]:
    """The loss of one update, and the share of clipped tokens."""
    mask = batch.response_mask
    logprobs = response_logprobs(policy, batch)
    losses = clipped_policy_loss(logprobs, old_logprobs, advantages[..., None].expand_as(logprobs), clip)
    clipped = (((logprobs.detach() - old_logprobs).exp() - 1).abs() > clip) & mask
    # Processes average what they have: each divides by the mean count of answers or tokens, so that the average is over all.
    counts = torch.tensor([advantages.numel(), int(mask.sum())], dtype=logprobs.dtype, device=mask.device)
    answers, tokens = engine.reduce(counts, reduction="mean")
    return masked_sum(losses, mask).sum() / answers, clipped.sum() / tokens
