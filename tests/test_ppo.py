"""PPO: the loop against one written out by hand, and the mean step against the exact gradient; the rest is test_ppo_loop.py."""

import functools

import numpy as np
import pytest
import torch
from small_models import EOS, random_batch
from small_rollouts import (
    BETA,
    MASK,
    PROMPTS,
    STEPS,
    all_answers,
    columns,
    first_gradient,
    reference_of,
    reward,
    rollout_of,
    small_gpt2,
    table,
)
from small_rollouts import EOS as END
from tiny_models import logprobs_alone
from torch import nn

from rlhw import ppo
from rlhw.batches import PLAIN
from rlhw.laws.policy_optimization import advantages_by_definition, by_answer
from rlhw.logprobs import sequence_logprobs
from rlhw.ppo import FixedKL, PPOConfig, ValueModel, train_ppo
from rlhw.rollouts import collect


def config(**changes):
    return PPOConfig(**{"max_new_tokens": 5, "eos_id": EOS, "k": 3} | changes)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def all_of(*models):
    """Every parameter once, shared ones too."""
    return list(nn.ModuleList(models).parameters())


def prompts_of(rows=6, seed=3):
    batch = random_batch(rows, 1, seed)
    return batch.prompts, batch.prompt_mask


def mean_token(batch):
    return (batch.responses * batch.response_mask).sum(-1) * 0.1 + batch.prompts[:, -1:]


def value_model(trunk, seed=5):
    """With a head that is not zero: a critic that says something."""
    value = ValueModel(trunk)
    nn.init.normal_(value.head.weight, std=0.3, generator=seeded(seed))
    nn.init.constant_(value.head.bias, 0.7)
    return value


def run(policy, value, optimizer, stream, *, generator=None, kl=None, engine=PLAIN, **changes):
    settings = {"generator": generator or seeded(), "kl": kl or FixedKL(0.1), "engine": engine}
    return train_ppo(
        policy, value, reference_of(policy.dtype), mean_token, stream, optimizer, config(**changes), **settings
    )


def flat(*models):
    return torch.cat([p.detach().flatten() for p in all_of(*models)])


def by_hand(policy, value, settings, *, rate, generator, beta):
    """A rollout and its updates along the formulas: texts read one by one, advantages by definition, ratios case by case."""
    tokens, mask = prompts_of()
    rollout = collect(
        policy,
        reference_of(torch.float64),
        mean_token,
        tokens,
        mask,
        k=settings.k,
        max_new_tokens=5,
        eos_id=EOS,
        generator=generator,
    )
    batch, keep = rollout.batch, rollout.batch.response_mask
    rewards = -beta * (rollout.logprobs - rollout.ref_logprobs)
    last = (keep.cumsum(-1) == keep.sum(-1, keepdim=True)) & keep
    rewards[last] += rollout.scores.flatten()
    old = value(batch).detach()
    tables = keep.numpy(), rewards.numpy(), old.numpy()
    advantages = torch.as_tensor(
        by_answer(lambda r, v: advantages_by_definition(r, v, settings.gamma, settings.lam), *tables)
    )
    returns = advantages + old
    if settings.whiten:
        advantages = (advantages - advantages[keep].mean()) / (advantages[keep].var(correction=0) + 1e-8).sqrt()
    seen = []
    for _ in range(settings.epochs):
        ratio = (logprobs_alone(policy, batch) - rollout.logprobs).exp()
        far = torch.where(advantages > 0, ratio > 1 + settings.clip, ratio < 1 - settings.clip)
        bound = torch.where(advantages > 0, 1 + settings.clip, 1 - settings.clip).double()
        policy_loss = -torch.where(far, bound, ratio) * advantages
        values = value(batch)
        near = old + (values - old).clamp(-settings.value_clip, settings.value_clip)
        value_loss = torch.max((values - returns) ** 2, (near - returns) ** 2) / 2
        parts = [loss[keep].sum() / keep[..., 0].numel() for loss in (policy_loss, value_loss)]
        gradients = torch.autograd.grad(
            parts[0] + settings.value_weight * parts[1], all_of(policy, value), allow_unused=True
        )
        gradients = [torch.zeros(()) if g is None else g for g in gradients]
        norm = sum(float(g.square().sum()) for g in gradients) ** 0.5
        with torch.no_grad():
            for parameter, gradient in zip(all_of(policy, value), gradients, strict=True):
                parameter -= rate * gradient * min(1.0, settings.max_grad_norm / (norm + 1e-6))
        seen.append(
            [
                *(float(part.detach()) for part in parts),
                float(((ratio - 1).abs() > settings.clip)[keep].double().mean()),
                norm,
            ]
        )
    return dict(zip(("policy_loss", "value_loss", "clipped", "grad_norm"), np.mean(seen, 0), strict=True))


# Chosen so that all three clips bind in the second update.
SETTINGS = {"epochs": 2, "lam": 0.8, "gamma": 0.9, "clip": 0.05, "value_clip": 0.01, "max_grad_norm": 0.7}


@pytest.mark.parametrize("shared", [False, True], ids=["two trunks", "one trunk"])
def test_the_loop_is_the_formulas_written_out(shared):
    """Two updates from one rollout, in float64. A parameter that both models hold counts once, in the norm and in the step."""
    weights = []
    for hand in (False, True):
        policy = small_gpt2().double()
        value = value_model(policy.transformer if shared else small_gpt2(7).double().transformer)
        if hand:
            expected = by_hand(policy, value, config(**SETTINGS), rate=1.0, generator=seeded(), beta=0.1)
        else:
            optimizer = torch.optim.SGD(all_of(policy, value), lr=1.0)
            figures = next(run(policy, value, optimizer, [prompts_of()], **SETTINGS))
        weights.append(flat(policy, value))
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=1e-10)
    assert {name: figures[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert expected["clipped"] > 0.02, "tokens are clipped"
    assert expected["grad_norm"] > 0.7, "and gradients too"


WRONG_SETTINGS = [{"lam": 0.95}, {"gamma": 1.0}, {"whiten": False}, {"value_weight": 0.4}, {"clip": 0.3}, {"value_clip": 0.5},
                  {"epochs": 1}, {"max_grad_norm": 0.5}]  # fmt: skip


@functools.cache
def one_step(**changes):
    """All weights after one step with these settings in place of SETTINGS."""
    policy = small_gpt2().double()
    value = value_model(small_gpt2(7).double().transformer)
    next(run(policy, value, torch.optim.SGD(all_of(policy, value), lr=1.0), [prompts_of()], **SETTINGS | changes))
    return flat(policy, value)


@pytest.mark.parametrize("wrong", WRONG_SETTINGS, ids=str)
def test_each_setting_reaches_the_loop(wrong):
    """The control of the test above: with one setting changed the weights are others."""
    assert float((one_step() - one_step(**wrong)).abs().max()) > 1e-6


def mean_step(monkeypatch, baseline=None, **changes):
    """The mean over all answers to the first prompt, with their probabilities, of the policy's step with rate 1."""
    first, reference = all_answers(steps=2).rows([0]), table(2)
    probabilities = sequence_logprobs(table(1), first).exp().detach()[0]
    settings = {
        "max_new_tokens": STEPS,
        "eos_id": END,
        "k": 1,
        "epochs": 1,
        "lam": 1.0,
        "whiten": False,
        "max_grad_norm": 1e9,
    }
    mean = torch.zeros_like(table().table)
    for number, probability in enumerate(probabilities):
        policy = table(1)
        rollout = rollout_of(columns(first, number), policy, reference)
        monkeypatch.setattr(ppo, "collect", lambda *a, rollout=rollout, **s: rollout)
        value = value_model(table().trunk).double()
        optimizer = torch.optim.SGD(policy.parameters(), lr=1.0)
        prompts = (PROMPTS[:1], MASK[:1]) if baseline is None else (PROMPTS[:1], MASK[:1], baseline)
        settings_of_loop = {"generator": seeded(), "kl": FixedKL(changes.get("beta", BETA))}
        own = settings | {name: x for name, x in changes.items() if name != "beta"}
        next(train_ppo(policy, value, reference, reward, [prompts], optimizer, PPOConfig(**own), **settings_of_loop))
        mean += probability * (policy.table.detach() - table(1).table.detach())
    return mean


def test_the_mean_step_is_the_exact_gradient_whatever_critic_and_baseline(monkeypatch):
    """λ = 1, γ = 1, over all 7 answers with their probabilities: a critic of the prefix is a baseline, a third part too."""
    for baseline in (None, torch.tensor([1.9], dtype=torch.float64)):
        torch.testing.assert_close(
            mean_step(monkeypatch, baseline), first_gradient(table(1), table(2)), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("wrong", [{"lam": 0.9}, {"gamma": 0.9}, {"beta": 2 * BETA}, {"whiten": True}], ids=str)
def test_a_biased_step_is_seen(monkeypatch, wrong):
    """λ < 1 leans on a critic that is wrong here; γ < 1 has another objective."""
    with pytest.raises(AssertionError):
        torch.testing.assert_close(
            mean_step(monkeypatch, **wrong), first_gradient(table(1), table(2)), rtol=0, atol=1e-3
        )
