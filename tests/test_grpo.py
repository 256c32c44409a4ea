"""Critic-free policy optimisation: the mean step is the exact gradient, the loop repeats itself, and bad input is refused."""

import math

import numpy as np
import pytest
import torch
from small_models import EOS, on_ranks, random_batch
from small_rollouts import (
    BETA,
    MASK,
    PROMPTS,
    STEPS,
    all_answers,
    columns,
    first_gradient,
    reference_of,
    resumed,
    reward,
    rollout_of,
    small_gpt2,
    table,
)
from small_rollouts import EOS as END

from rlhw import grpo
from rlhw.batches import PLAIN
from rlhw.grpo import GRPOConfig, group_advantages, rloo_advantages, train_grpo
from rlhw.logprobs import sequence_logprobs
from rlhw.ppo import AdaptiveKL, FixedKL
from rlhw.reward_model import freeze

UNCLIPPED = {"max_grad_norm": 1e9}


def config(**changes):
    return GRPOConfig(**{"max_new_tokens": STEPS, "eos_id": END, "k": 4} | changes)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sgd(model, lr=1.0):
    return torch.optim.SGD(model.parameters(), lr=lr)


def mean_step(monkeypatch, advantages, k=2, beta=BETA):
    """The mean, over every tuple of K answers to the first prompt with its probability, of the step with rate 1."""
    first, reference = all_answers(steps=2).rows([0]), table(2)
    probabilities = sequence_logprobs(table(1), first).exp().detach()[0]
    mean = torch.zeros_like(table().table)
    for index in np.ndindex(*[len(probabilities)] * k):
        policy = table(1)
        rollout = rollout_of(columns(first, *index), policy, reference)
        monkeypatch.setattr(grpo, "collect", lambda *a, rollout=rollout, **s: rollout)
        settings = {"generator": seeded(), "kl": FixedKL(beta), "advantages": advantages}
        loop = train_grpo(
            policy, reference, reward, [(PROMPTS[:1], MASK[:1])], sgd(policy), config(k=k, **UNCLIPPED), **settings
        )
        next(loop)
        mean += probabilities[list(index)].prod() * (policy.table.detach() - table(1).table.detach())
    return mean


def test_the_mean_step_is_the_exact_gradient_of_the_objective(monkeypatch):
    """Over all 49 pairs of answers, with their probabilities: leave-one-out is unbiased, the group's mean shrinks it by half."""
    exact = first_gradient(table(1), table(2))
    assert float(exact.abs().max()) > 0.05
    torch.testing.assert_close(mean_step(monkeypatch, rloo_advantages), exact, rtol=0, atol=1e-12)
    unscaled = mean_step(monkeypatch, lambda returns: group_advantages(returns, scale=False))
    torch.testing.assert_close(unscaled, exact / 2, rtol=0, atol=1e-12)


WRONG_MEANS = {
    "scaled by the deviation": (group_advantages, BETA),
    "best of the group as baseline": (lambda r: r - r.max(-1, keepdim=True).values, BETA),
    "another beta": (rloo_advantages, 2 * BETA),
}


@pytest.mark.parametrize("name", WRONG_MEANS)
def test_a_wrong_mean_step_is_rejected(monkeypatch, name):
    advantages, beta = WRONG_MEANS[name]
    mean = mean_step(monkeypatch, advantages, beta=beta)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(mean, first_gradient(table(1), table(2)), rtol=0, atol=1e-3)


def prompts_of(rows=6, seed=3):
    batch = random_batch(rows, 1, seed)
    return batch.prompts, batch.prompt_mask


def mean_token(batch):
    return (batch.responses * batch.response_mask).sum(-1) * 0.1 + batch.prompts[:, -1:]


LONG = {"max_new_tokens": 5, "eos_id": EOS}


def run(policy, optimizer, *, steps=1, generator=None, kl=None, engine=PLAIN, start=0, prompts=None, **changes):
    """The loop on a small GPT-2; every rollout has prompts of its own, a pure function of its number."""
    stream = [prompts] if prompts else [prompts_of(seed=number) for number in range(start, start + steps)]
    settings = {"generator": generator or seeded(), "kl": kl or FixedKL(0.1), "engine": engine}
    return train_grpo(
        policy, reference_of(policy.dtype), mean_token, stream, optimizer, config(**LONG | changes), **settings
    )


def test_every_epoch_goes_over_every_prompt_and_the_clip_is_counted():
    policy, seen = small_gpt2(), []

    def watch(module, args, inputs, out):
        if torch.is_grad_enabled() and inputs.get("past_key_values") is None:
            seen.append(inputs["input_ids"].tolist())

    policy.register_forward_hook(watch, with_kwargs=True)
    prompts = torch.arange(6)[:, None] + torch.tensor([[0, 1, 2, 1, 0]])
    optimizer = sgd(policy, 0.5)
    figures = next(run(policy, optimizer, prompts=(prompts, prompts >= 0), epochs=3, minibatch=4))
    assert [len(rows) for rows in seen] == [4, 2] * 3
    epochs = [sorted(seen[2 * n] + seen[2 * n + 1]) for n in range(3)]
    assert epochs == [prompts.tolist()] * 3
    assert 0 < figures["clipped"] < 1
    assert next(run(small_gpt2(), sgd(policy)))["clipped"] == 0, "at the old policy nothing is clipped"


def test_two_ranks_take_the_step_of_one_process():
    tokens, mask = prompts_of(4, seed=7)

    def job(rows, skipped):
        policy, generator = small_gpt2().double(), seeded(9)
        torch.rand(skipped, 5, generator=generator, dtype=torch.float64)

        def work(engine):
            loop = run(policy, sgd(policy, 0.1), generator=generator, engine=engine, prompts=(tokens[rows], mask[rows]))
            return next(loop), torch.cat([p.detach().flatten() for p in policy.parameters()])

        return work

    figures, whole = job(slice(0, 4), 0)(PLAIN)
    for others, parts in on_ranks([job(slice(0, 2), 0), job(slice(2, 4), 8)]):
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-10)
        assert others == pytest.approx(figures, abs=1e-9)
    _, alone = job(slice(0, 2), 0)(PLAIN)
    assert float((alone - whole).abs().max()) > 1e-4, "the control: one rank by itself goes elsewhere"


def make():
    policy = small_gpt2()
    return {"policy": policy, "optimizer": torch.optim.Adam(policy.parameters(), 0.01), "generator": seeded(4),
            "kl": AdaptiveKL(0.1, target=0.5, horizon=50.0)}  # fmt: skip


def train(policy, optimizer, generator, kl, start):
    return run(policy, optimizer, generator=generator, kl=kl, start=start, steps=9, epochs=2, minibatch=4)


def test_a_resumed_run_is_the_uninterrupted_one_to_the_last_bit():
    figures, weights = resumed(train, make, [4])
    again, same = resumed(train, make, [2, 2])
    assert again == figures
    assert all(torch.equal(weights[name], same[name]) for name in weights)


@pytest.mark.parametrize("left_out", ["optimizer", "generator", "kl", "policy"])
def test_what_is_left_out_of_a_resumed_run_is_seen(left_out):
    _, weights = resumed(train, make, [4])
    _, other = resumed(train, make, [2, 2], forget=[left_out])
    assert not all(torch.equal(weights[name], other[name]) for name in weights)


def test_beta_is_moved_by_what_was_measured():
    kl, policy = AdaptiveKL(0.1, target=0.2, horizon=100.0), small_gpt2()
    betas, beta = [], 0.1
    for figures in run(policy, sgd(policy, 0.01), steps=3, kl=kl):
        betas.append(figures["beta"])
        assert figures["beta"] == pytest.approx(beta, rel=1e-12)
        beta *= 1 + np.clip(figures["kl"] / 0.2 - 1, -0.2, 0.2) * 24 / 100
        assert kl.beta == pytest.approx(beta, rel=1e-12), "before the loop hands the figures out"
    assert len(set(betas)) == 3


def test_frozen_blocks_stay_as_they_are():
    policy = small_gpt2()
    freeze(policy, 0.5)
    before = {name: p.detach().clone() for name, p in policy.named_parameters()}
    optimizer = torch.optim.Adam([p for p in policy.parameters() if p.requires_grad], 0.01)
    list(run(policy, optimizer, steps=2))
    for name, parameter in policy.named_parameters():
        assert torch.equal(parameter.detach(), before[name]) == name.startswith("transformer.h.0."), name
    assert not any(module.training for module in policy.modules())


def test_a_loss_that_is_not_a_number_stops_the_loop_before_the_step():
    policy = small_gpt2()
    steps = run(policy, sgd(policy, 0.01), steps=3)
    next(steps)
    before = [p.detach().clone() for p in policy.parameters()]
    policy.transformer.ln_f.bias.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(FloatingPointError, match="of step 2 is nan: that step was not taken"):
        next(steps)
    assert all(torch.equal(p.detach(), old) for p, old in zip(policy.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: list(run(small_gpt2(), sgd(small_gpt2()), steps=0)), ValueError, "prompts is empty: there is nothing to answer"),
        (lambda: config(k=1), ValueError, "k must be 2 or more; got 1"),
        (lambda: config(epochs=0), ValueError, "epochs must be 1 or more; got 0"),
        (lambda: config(minibatch=0), ValueError, "minibatch must be 1 or more; got 0"),
        (lambda: config(max_new_tokens=0), ValueError, "max_new_tokens must be 1 or more; got 0"),
        (lambda: config(clip=0.0), ValueError, "clip must be above 0; got 0.0"),
        (lambda: config(max_grad_norm=math.nan), ValueError, "max_grad_norm must be above 0; got nan"),
        (lambda: config(learning_rate=0.1), TypeError, "learning_rate"),
        (lambda: rloo_advantages(torch.ones(2, 1)), ValueError, "rewards must hold K = 2 or more answers a prompt"),
        (lambda: group_advantages(torch.ones(2, 1)), ValueError, "rewards must hold K = 2 or more answers a prompt"),
        (lambda: next(run(small_gpt2(vocab_size=12), sgd(small_gpt2()))), ValueError, "reference has a vocabulary of 11"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()
