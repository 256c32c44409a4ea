"""Proximal policy optimisation of a language model: KL-shaped rewards, GAE, clipped losses, KL control, and the loop.

One answer of T tokens is one episode: the state is the prompt and the tokens so far, the action the next token, γ = 1. The
score comes after the last token, the price of leaving the reference at each one. Sources: Schulman et al. (2016) for GAE,
(2017) for the clipped surrogate; Ziegler et al. (2019) and Ouyang et al. (2022) for what is done to language models.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlhw.batches import PLAIN, Batch, Engine
from rlhw.logprobs import masked_sum, response_logprobs, response_states, whiten
from rlhw.rollouts import Rollout, collect, measure, minibatches
from rlhw.training import guarded_step


def shaped_rewards(
    scores: Float[Tensor, "*N"],
    logprobs: Float[Tensor, "*N T"],
    ref_logprobs: Float[Tensor, "*N T"],
    mask: Bool[Tensor, "*N T"],
    beta: float,
) -> Float[Tensor, "*N T"]:
    """r_t = -β log π(y_t|x, y_<t)/π_ref(y_t|x, y_<t), and the score on top at the last token; 0 under the mask.

    They sum to score - β log π(y|x)/π_ref(y|x), whose mean over answers of π is the objective. Ziegler et al. (2019), eq. 2.
    Raises ValueError when an answer has no token.

    >>> one = torch.ones(1, 2)
    >>> shaped_rewards(torch.tensor([2.0]), -1 * one, -2 * one, one.bool(), beta=0.1)
    tensor([[-0.1000,  1.9000]])
    """
    if not mask.any(-1).all():
        raise ValueError("mask has an answer of no token, which has no last one to carry the score.")
    rewards = torch.where(mask, -beta * (logprobs - ref_logprobs), 0.0)
    last = mask.sum(-1, keepdim=True) - 1
    return rewards.scatter_add(-1, last, scores[..., None].to(rewards.dtype))


def gae(
    rewards: Float[Tensor, "*N T"], values: Float[Tensor, "*N T"], mask: Bool[Tensor, "*N T"], gamma: float, lam: float
) -> tuple[Float[Tensor, "*N T"], Float[Tensor, "*N T"]]:
    """(advantages, returns): A_t = δ_t + γλ A_{t+1}, δ_t = r_t + γ V_{t+1} - V_t, and returns A_t + V_t; 0 under the mask.

    V_t is the value before token t + 1. After an answer's last token it is 0, whether the answer ended or was cut. λ = 1 gives
    the Monte Carlo return minus V_t, λ = 0 the TD error. No gradient flows to the values. Schulman et al. (2016), eq. 16.
    """
    rewards, values = torch.where(mask, rewards, 0.0), torch.where(mask, values, 0.0).detach()
    advantage = next_value = torch.zeros_like(values[..., 0])
    advantages = []
    for t in reversed(range(values.shape[-1])):
        delta = rewards[..., t] + gamma * next_value - values[..., t]
        # Under the mask all three are 0, so what is carried into the last token is 0.
        advantage = delta + gamma * lam * advantage
        next_value = values[..., t]
        advantages.append(advantage)
    advantages = torch.stack(advantages[::-1], -1)
    return advantages, advantages + values


def clipped_policy_loss(
    logprobs: Float[Tensor, "*N T"], old_logprobs: Float[Tensor, "*N T"], advantages: Float[Tensor, "*N T"], clip: float
) -> Float[Tensor, "*N T"]:
    """-min(ρ_t A_t, clamp(ρ_t, 1 - ε, 1 + ε) A_t) a token, with ρ_t = π(y_t)/π_old(y_t) and ε = `clip`.

    The gradient is zero exactly where A > 0 and ρ > 1 + ε, or A < 0 and ρ < 1 - ε: there the step has gone far enough. At
    π = π_old it is the policy gradient -A_t ∇log π. Schulman et al. (2017), eq. 7.
    """
    ratio = (logprobs - old_logprobs).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def clipped_value_loss(
    values: Float[Tensor, "*N T"], old_values: Float[Tensor, "*N T"], returns: Float[Tensor, "*N T"], clip: float
) -> Float[Tensor, "*N T"]:
    """½ max((V - R)², (V_clip - R)²) a token, with V_clip = V_old + clamp(V - V_old, -ε, ε).

    The worse of the two: once V has moved by ε towards R its gradient is zero.
    """
    near = old_values + (values - old_values).clamp(-clip, clip)
    return torch.maximum((values - returns).square(), (near - returns).square()) / 2


@runtime_checkable
class KLControl(Protocol):
    """What sets β: read before a rollout, told the KL after it."""

    beta: float

    def update(self, kl: float, answers: float) -> None: ...


def _check_beta(beta: float) -> None:
    if not 0 < beta < float("inf"):
        raise ValueError(
            f"beta must be above 0 and finite; got {beta}. At 0 nothing holds the policy near its reference."
        )


@dataclass
class FixedKL:
    """β stays as it is, and the objective with it. Raises ValueError unless beta is positive."""

    beta: float

    def __post_init__(self) -> None:
        _check_beta(self.beta)

    def update(self, kl: float, answers: float) -> None:
        """Nothing."""


@dataclass
class AdaptiveKL:
    """β is moved so that KL(π‖π_ref) comes to `target` nats an answer: β ← β (1 + e n/horizon), e = clamp(kl/target - 1, ±0.2).

    n is the number of answers since the last update. Ziegler et al. (2019), section 2.2. Raises ValueError unless all are
    positive, and on an update that would take β below 0: n must be under 5 horizon.
    """

    beta: float
    target: float
    horizon: float = 10000.0

    def __post_init__(self) -> None:
        _check_beta(self.beta)
        if not (self.target > 0 and self.horizon > 0):
            raise ValueError(f"target and horizon must be above 0; got {self.target} and {self.horizon}.")

    def update(self, kl: float, answers: float) -> None:
        """Take in the KL of a rollout of so many answers."""
        error = min(max(kl / self.target - 1, -0.2), 0.2)
        factor = 1 + error * answers / self.horizon
        if factor <= 0:
            raise ValueError(
                f"horizon must be above a fifth of the answers of a rollout, or β falls below 0; got {self.horizon} and "
                f"{answers:g} answers."
            )
        self.beta *= factor


class ValueModel(nn.Module):
    """A trunk with a linear head: `value(batch)` -> V before each answer token, "B K R"; 0 under the mask.

    The trunk may be one of its own (a copy of the policy's) or the policy's itself: then both losses train it. The head
    starts at zero, so the first advantages are those of no critic.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        like = next(chain(trunk.parameters(), trunk.buffers()))
        self.head = nn.Linear(trunk.config.hidden_size, 1, dtype=like.dtype, device=like.device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.eval()

    def forward(self, batch: Batch) -> Float[Tensor, "B K R"]:
        values = self.head(response_states(self.trunk, batch)[:, :, :-1]).squeeze(-1)
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        return torch.where(batch.response_mask, values, 0.0)


@dataclass(frozen=True)
class PPOConfig:
    """Settings of `train_ppo`; the learning rate belongs to the optimizer.

    k: answers a prompt; max_new_tokens, eos_id: as in `generate`. epochs: times that each rollout is gone through;
    minibatch: prompts an optimizer step (None: the whole rollout). clip, value_clip: ε of the two losses; value_weight: of the
    value loss beside the policy's. gamma, lam: of GAE. whiten: scale advantages to mean 0 and variance 1 over the rollout.
    max_grad_norm: the gradient is shortened to this norm. Raises ValueError for what cannot be.
    """

    max_new_tokens: int
    eos_id: int | None
    k: int = 4
    epochs: int = 2
    minibatch: int | None = None
    clip: float = 0.2
    value_clip: float = 0.2
    value_weight: float = 0.5
    gamma: float = 1.0
    lam: float = 0.95
    whiten: bool = True
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "k", "epochs", "minibatch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more; got {value}.")
        for name in ("clip", "value_clip", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0; got {getattr(self, name)}.")
        for name in ("gamma", "lam"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1; got {getattr(self, name)}.")
        if not self.value_weight >= 0:
            raise ValueError(f"value_weight must be 0 or more; got {self.value_weight}.")


def train_ppo(
    policy: nn.Module,
    value: nn.Module,
    reference: nn.Module,
    reward: Callable[[Batch], Tensor],
    prompts: Iterable[tuple[Tensor, ...]],
    optimizer: torch.optim.Optimizer,
    config: PPOConfig,
    *,
    generator: torch.Generator,
    kl: KLControl,
    engine: Engine = PLAIN,
) -> Iterator[dict[str, float]]:
    """One rollout and all the updates from it for each (prompts "B P", mask "B P") of `prompts`.

    A third part "B", where there is one, is subtracted from the scores of its prompt: with the reward of a reference summary
    there, the score is the difference to it. It is a baseline: the mean gradient at π_old stays as it is.
    The optimizer holds the parameters of policy and value, each once. Losses are summed over an answer's tokens and
    averaged over answers. Yields after each rollout what `measure` says of it, `beta`, and means over its updates:
    `policy_loss`, `value_loss`, `clipped` (the share of tokens whose ratio is outside 1 ± clip) and `grad_norm`.
    Between two yields all state is in the arguments. Raises FloatingPointError, naming the rollout, before a step along a
    loss that is not finite; ValueError when there are no prompts.
    """
    models, number = nn.ModuleList([policy, value]), 0
    for number, (tokens, mask, *baseline) in enumerate(prompts, 1):
        rollout = collect(
            policy, reference, reward, tokens, mask, k=config.k, max_new_tokens=config.max_new_tokens,
            eos_id=config.eos_id, generator=generator,
        )  # fmt: skip
        experience = _experience(rollout, value, kl.beta, _baseline(baseline, rollout.scores), config, engine)
        updates = []
        for index in minibatches(len(tokens), config.epochs, config.minibatch, generator):
            optimizer.zero_grad()
            loss, figures = _loss(policy, value, experience.rows(index), config, engine)
            engine.backward(loss)
            whole = engine.reduce(loss.detach(), reduction="mean")
            norm = guarded_step(optimizer, models, whole, number, max_grad_norm=config.max_grad_norm, engine=engine)
            updates.append([*engine.reduce(figures, reduction="mean").tolist(), norm])
        names = ("policy_loss", "value_loss", "clipped", "grad_norm")
        means = torch.tensor(updates).mean(0).tolist()
        seen = measure(rollout, kl.beta, engine=engine)
        figures = seen | {"beta": kl.beta} | dict(zip(names, means, strict=True))
        kl.update(seen["kl"], seen["answers"])
        yield figures
    if number == 0:
        raise ValueError("prompts is empty: there is nothing to answer; give at least one (prompts, mask).")


@dataclass(frozen=True)
class _Experience:
    """A rollout as the updates see it: constants, all "B K R" but the batch."""

    batch: Batch
    logprobs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, index: Tensor) -> "_Experience":
        tensors = (self.logprobs, self.values, self.advantages, self.returns)
        return _Experience(self.batch.rows(index), *(tensor[index] for tensor in tensors))


def _baseline(parts: list[Tensor], scores: Tensor) -> Tensor:
    """The third part of a batch of prompts, zeros where there is none."""
    if not parts:
        return scores.new_zeros(len(scores))
    if len(parts) > 1 or parts[0].shape != scores.shape[:1]:
        raise ValueError(
            f"prompts must be (tokens, mask) or (tokens, mask, one baseline a prompt, {len(scores)} of them)."
        )
    return parts[0]


@torch.no_grad()
def _experience(
    rollout: Rollout, value: nn.Module, beta: float, baseline: Tensor, config: PPOConfig, engine: Engine
) -> _Experience:
    mask = rollout.batch.response_mask
    rewards = shaped_rewards(rollout.scores - baseline[:, None], rollout.logprobs, rollout.ref_logprobs, mask, beta)
    values = value(rollout.batch)
    advantages, returns = gae(rewards, values, mask, config.gamma, config.lam)
    if config.whiten:
        advantages = whiten(advantages, mask, engine=engine)
    return _Experience(rollout.batch, rollout.logprobs, values, advantages, returns)


def _loss(
    policy: nn.Module, value: nn.Module, old: _Experience, config: PPOConfig, engine: Engine
) -> tuple[Tensor, Tensor]:
    """The loss of one update, and (policy loss, value loss, share clipped) without gradient."""
    mask = old.batch.response_mask
    logprobs, values = response_logprobs(policy, old.batch), value(old.batch)
    policy_losses = clipped_policy_loss(logprobs, old.logprobs, old.advantages, config.clip)
    value_losses = clipped_value_loss(values, old.values, old.returns, config.value_clip)
    clipped = (((logprobs.detach() - old.logprobs).exp() - 1).abs() > config.clip) & mask
    # Processes average what they have: each divides by the mean count of answers or tokens, so that the average is over all.
    counts = torch.tensor([mask.shape[0] * mask.shape[1], int(mask.sum())], dtype=values.dtype, device=mask.device)
    answers, tokens = engine.reduce(counts, reduction="mean")
    policy_loss, value_loss = (masked_sum(losses, mask).sum() / answers for losses in (policy_losses, value_losses))
    figures = torch.stack([policy_loss, value_loss, clipped.sum() / tokens]).detach()
    return policy_loss + config.value_weight * value_loss, figures
