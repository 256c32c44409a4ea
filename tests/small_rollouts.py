"""Problems of policy optimisation that can be summed over: three prompts, 15 answers to each, a reward for each answer."""

import copy
from functools import cache
from itertools import islice

import torch
from small_models import gpt2
from torch import Tensor
from transformers import GPT2LMHeadModel

from rlhw.batches import Batch
from rlhw.logprobs import masked_sum, response_logprobs, sequence_logprobs
from rlhw.rollouts import Rollout
from rlhw.tabular_lm import TabularLM, enumerate_answers

EOS, STEPS, BETA = 2, 3, 0.5
PROMPTS = torch.tensor([[0], [1], [2]])
MASK = torch.ones_like(PROMPTS, dtype=torch.bool)


def table(seed: int = 0) -> TabularLM:
    """A policy of three symbols with room for a prompt of one token and three steps."""
    return TabularLM(3, 4, generator=torch.Generator().manual_seed(seed)).double()


def small_gpt2(seed: int = 0, **changes) -> GPT2LMHeadModel:
    """A GPT-2 to which no token is much likelier than another, so that answers end at different lengths."""
    return gpt2(seed, **{"initializer_range": 0.1} | changes)


@cache
def reference_of(dtype: torch.dtype) -> GPT2LMHeadModel:
    """One for all: a model made in a thread of its own would share torch's seed with those made beside it."""
    return small_gpt2(1).to(dtype)


def all_answers(steps: int = STEPS) -> Batch:
    return enumerate_answers(PROMPTS, MASK, 3, steps, EOS)


def numbers(batch: Batch) -> Tensor:
    """A number of each answer's own, from its tokens up to its end: "B K", below 4³."""
    places = 4 ** torch.arange(batch.responses.shape[-1])
    return torch.where(batch.response_mask, (batch.responses + 1) * places, 0).sum(-1)


REWARDS = torch.randn(3, 4**STEPS, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def reward(batch: Batch) -> Tensor:
    """Independent normal numbers, one for each prompt and answer."""
    return REWARDS[batch.prompts[:, -1:], numbers(batch)]


def objective(policy, reference, beta: float = BETA, steps: int = STEPS) -> Tensor:
    """J_β summed over all answers, with its gradient: mean over the prompts of Σ_y π(y) (r(y) - β log π(y)/π_ref(y))."""
    batch = all_answers(steps)
    logprobs, ref_logprobs = sequence_logprobs(policy, batch), sequence_logprobs(reference, batch).detach()
    return (logprobs.exp() * (reward(batch) - beta * (logprobs - ref_logprobs))).sum(1).mean()


def first_gradient(policy, reference) -> Tensor:
    """The gradient of what the first prompt alone earns, with answers of at most two tokens."""
    policy.zero_grad()
    objective(policy, reference, steps=2).backward()
    # A table has rows of its own for each prompt: those after 0 are 1 and, one token later, 4 to 6.
    gradient = torch.zeros_like(policy.table)
    gradient[[1, 4, 5, 6]] = 3 * policy.table.grad[[1, 4, 5, 6]]
    return gradient


def rollout_of(batch: Batch, policy, reference, score=reward) -> Rollout:
    """The rollout that these answers would have been."""
    with torch.no_grad():
        return Rollout(batch, response_logprobs(policy, batch), response_logprobs(reference, batch), score(batch))


def columns(batch: Batch, *index: int) -> Batch:
    """Some of the answers to each prompt."""
    answers = list(index)
    return Batch(batch.prompts, batch.prompt_mask, batch.responses[:, answers], batch.response_mask[:, answers])


def log_ratio_of(policy, reference, batch: Batch) -> Tensor:
    difference = response_logprobs(policy, batch) - response_logprobs(reference, batch)
    return masked_sum(difference, batch.response_mask).detach()


def repeated(times: int):
    """An endless stream of the three prompts, each so many times."""
    while True:
        yield PROMPTS.repeat(times, 1), MASK.repeat(times, 1)


def resumed(train, make, parts, forget=()) -> tuple[dict, dict[str, Tensor]]:
    """The last figures and the weights after a run in these parts: between them what `make` made is copied and made anew.

    make() -> dict of models, optimizer, generator and kl; train(**them, start=n) -> the loop from rollout n on. `forget` names
    what is not carried over, but made anew.
    """
    things, done = make(), 0
    for count in parts:
        *_, figures = islice(train(**things, start=done), count)
        done += count
        fresh = make()
        for name in set(fresh) - set(forget):
            _carry(things[name], fresh[name])
        things = fresh
    weights = {f"{name}.{key}": value for name in ("policy", "value") if name in things
               for key, value in things[name].state_dict().items()}  # fmt: skip
    return figures, weights


def _carry(old, new) -> None:
    if isinstance(old, torch.Generator):
        new.set_state(old.get_state())
    elif hasattr(old, "state_dict"):
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    else:
        vars(new).update(vars(old))
