"""The details of PPO that papers rarely argue about, each with a switch: what the recipe does, and how to leave that out.

A `Recipe` holds every choice of a run of `train_ppo` that is not the task itself: the settings of `PPOConfig`, the optimizer, its
schedule, the critic, the control of KL. `DETAILS` names what can be changed, one thing at a time; nothing in the library is edited
for it. Sources: Engstrom et al. (2020), Andrychowicz et al. (2021) and Huang et al. (2022) for the question; Ziegler et al. (2019),
Stiennon et al. (2020) and Ouyang et al. (2022) for what is done to language models.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from rlhw.batches import Batch
from rlhw.ppo import AdaptiveKL, FixedKL, KLControl, PPOConfig, ValueModel, train_ppo
from rlhw.reward_model import freeze
from rlhw.training import warmup_decay

# A bound that nothing reaches: with it a clip does not clip.
NEVER = 1e9


@dataclass(frozen=True)
class Recipe:
    """The full recipe; the first nine are `PPOConfig`'s.

    rate: the policy's learning rate, critic: the critic's over it. adam, eps: AdamW's averages and its ε. warmup, floor: of
    `warmup_decay`, in rollouts. shared: the critic's head sits on the policy's own trunk, not on a copy. head: the standard
    deviation of the critic's first weights. frozen: the share of the first blocks that stay as they are. target, horizon: an
    adaptive price of KL that steers for so many nats; None: it stays as it is. baseline: the third part of a batch of prompts
    is subtracted from the scores.
    """

    k: int = 4
    epochs: int = 2
    minibatch: int | None = None
    clip: float = 0.2
    value_clip: float = 1.0
    value_weight: float = 0.5
    lam: float = 0.95
    whiten: bool = True
    max_grad_norm: float = 1.0
    rate: float = 1e-3
    critic: float = 3.0
    adam: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    warmup: int = 3
    floor: float = 0.05
    shared: bool = False
    head: float = 0.0
    frozen: float = 0.0
    target: float | None = None
    horizon: float = 1000.0
    baseline: bool = False

    def config(self, max_new_tokens: int, eos_id: int | None) -> PPOConfig:
        """The part of it that `train_ppo` takes as its settings."""
        names = {one.name for one in fields(PPOConfig)} & {one.name for one in fields(self)}
        own = {name: getattr(self, name) for name in names}
        return PPOConfig(max_new_tokens=max_new_tokens, eos_id=eos_id, **own)

    def control(self, beta: float) -> KLControl:
        """What sets the price of a nat of KL."""
        return FixedKL(beta) if self.target is None else AdaptiveKL(beta, self.target, self.horizon)


@dataclass(frozen=True)
class Detail:
    """What changes, in one sentence, and the entries of the recipe that change. layers: it says nothing of a table of logits."""

    what: str
    changes: dict[str, object] = field(default_factory=dict)
    layers: bool = False

    def off(self, recipe: Recipe) -> Recipe:
        """The recipe without this detail."""
        return replace(recipe, **self.changes)


DETAILS: dict[str, Detail] = {
    "nothing": Detail("nothing changes but the random numbers: what luck alone does"),
    "clip": Detail("the ratio is not clipped", {"clip": NEVER}),
    "value_clip": Detail("the values are not clipped", {"value_clip": NEVER}),
    "whiten": Detail("advantages are not whitened", {"whiten": False}),
    "lambda_one": Detail("λ = 1: Monte Carlo returns minus values", {"lam": 1.0}),
    "lambda_zero": Detail("λ = 0: one-step TD errors", {"lam": 0.0}),
    "critic": Detail("no critic: values stay 0", {"value_weight": 0.0, "lam": 1.0}),
    "own_trunk": Detail("the critic's head sits on the policy's own trunk", {"shared": True}, layers=True),
    "critic_rate": Detail("the critic learns at the policy's rate, not at three times it", {"critic": 1.0}),
    "zero_head": Detail("the critic's head starts at random, not at zero", {"head": 0.1}),
    "grad_norm": Detail("the gradient is not shortened", {"max_grad_norm": NEVER}),
    "one_epoch": Detail("each rollout is gone through once, not twice", {"epochs": 1}),
    "four_epochs": Detail("each rollout is gone through four times, not twice", {"epochs": 4}),
    "minibatches": Detail("four optimizer steps an epoch, not one", {"minibatch": 4}),
    "all_blocks": Detail("the first 70 % of the blocks are frozen", {"frozen": 0.7}, layers=True),
    "no_baseline": Detail("the reward of a reference summary is subtracted from the score", {"baseline": True}),
    "fixed_beta": Detail("the price of KL is steered for 2 nats, not fixed", {"target": 2.0}),
    "schedule": Detail("the rate stays as it is: no warm-up, no decay", {"warmup": 0, "floor": 1.0}),
    "adam_averages": Detail("Adam's second average goes over 1,000 steps, not over 50", {"adam": (0.9, 0.999)}),
    "adam_eps": Detail("Adam's ε is 1e-5, not 1e-8", {"eps": 1e-5}),
}  # fmt: skip
ALL_OFF = ("clip", "value_clip", "whiten", "critic", "grad_norm", "schedule")
DETAILS["everything"] = Detail(
    f"all of these together: {', '.join(ALL_OFF)}",
    {key: value for name in ALL_OFF for key, value in DETAILS[name].changes.items()},
)


def without(name: str, recipe: Recipe | None = None) -> Recipe:
    """The recipe without this detail. Raises ValueError for a name that is not in DETAILS, and says which are."""
    if name not in DETAILS:
        raise ValueError(f"name must be one of {', '.join(DETAILS)}; got {name!r}.")
    return DETAILS[name].off(recipe or Recipe())


def train(
    recipe: Recipe,
    policy: nn.Module,
    reward: Callable[[Batch], Tensor],
    prompts: Iterable[tuple[Tensor, ...]],
    *,
    rollouts: int,
    beta: float,
    max_new_tokens: int,
    eos_id: int | None,
    generator: torch.Generator,
    reference: nn.Module | None = None,
) -> Iterator[dict[str, float]]:
    """PPO from this policy by this recipe: yields what `train_ppo` yields, after each rollout. reference: None is the policy as it
    comes in.

    prompts: (tokens, mask) or (tokens, mask, baseline "B") of each rollout, `rollouts` of them; the baseline counts where the
    recipe asks for one. The policy may be a language model with `base_model`, or a `TabularLM`. Raises ValueError where a recipe
    with a baseline gets none, and what `train_ppo` and `freeze` raise.
    """
    reference, trunk = reference or copy.deepcopy(policy), _trunk(policy)
    value = ValueModel(trunk if recipe.shared else copy.deepcopy(trunk))
    if recipe.head:
        nn.init.normal_(value.head.weight, std=recipe.head, generator=generator)
    if recipe.frozen:
        freeze(policy, recipe.frozen)
    own = value.head if recipe.shared else value
    groups = [
        {"params": [p for p in policy.parameters() if p.requires_grad], "lr": recipe.rate},
        {"params": list(own.parameters()), "lr": recipe.rate * recipe.critic},
    ]
    optimizer = torch.optim.AdamW(groups, betas=recipe.adam, eps=recipe.eps, weight_decay=0.0)
    schedule = LambdaLR(optimizer, warmup_decay(min(recipe.warmup, rollouts), rollouts + 1, recipe.floor))
    config, kl = recipe.config(max_new_tokens, eos_id), recipe.control(beta)
    stream = (_parts(batch, recipe.baseline) for batch in prompts)
    for figures in train_ppo(policy, value, reference, reward, stream, optimizer, config, generator=generator, kl=kl):
        schedule.step()
        yield figures


def _trunk(policy: nn.Module) -> nn.Module:
    """What gives the states of a model: its base model, a table's trunk."""
    return policy.base_model if hasattr(policy, "base_model") else policy.trunk


def _parts(batch: tuple[Tensor, ...], baseline: bool) -> tuple[Tensor, ...]:
    """(tokens, mask), and the baseline where it is asked for."""
    if baseline and len(batch) < 3:
        raise ValueError("prompts must be (tokens, mask, baseline) for a recipe with baseline=True.")
    return tuple(batch) if baseline else tuple(batch[:2])
