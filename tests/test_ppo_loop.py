"""What is around PPO's formulas: KL control, the value model, resuming, ranks, frozen blocks, baselines, refusals."""

import math

import numpy as np
import pytest
import torch
from small_models import gpt2, on_ranks, padded, random_batch
from small_rollouts import all_answers, resumed, small_gpt2, table
from test_ppo import all_of, config, flat, prompts_of, run, seeded, value_model
from tiny_models import FAMILIES, exact, texts_alone

from rlhw.batches import PLAIN, Batch
from rlhw.logprobs import response_states
from rlhw.ppo import AdaptiveKL, FixedKL, ValueModel
from rlhw.reward_model import freeze


def check_adaptive(update):
    """Ziegler et al. (2019): up where the KL is above the target, by no more than a fifth; update(β, target, horizon, kl, n)."""
    assert update(0.2, 6.0, 1000.0, 6.6, 50.0) == pytest.approx(0.2 * (1 + 0.1 * 50 / 1000), rel=1e-12)
    assert update(0.2, 6.0, 1000.0, 5.4, 50.0) == pytest.approx(0.2 * (1 - 0.1 * 50 / 1000), rel=1e-12)
    assert update(0.2, 6.0, 1000.0, 60.0, 50.0) == pytest.approx(0.2 * (1 + 0.2 * 50 / 1000), rel=1e-12)
    assert update(0.2, 6.0, 1000.0, -3.0, 50.0) == pytest.approx(0.2 * (1 - 0.2 * 50 / 1000), rel=1e-12)
    assert update(0.2, 6.0, 1000.0, 6.0, 50.0) == 0.2


def adaptive(beta, target, horizon, kl, answers):
    control = AdaptiveKL(beta, target, horizon)
    control.update(kl, answers)
    return control.beta


def clipped(x):
    return min(max(x, -0.2), 0.2)


WRONG_CONTROLS = {
    "direction": lambda b, target, h, kl, n: b * (1 - clipped(kl / target - 1) * n / h),
    "ratio upside down": lambda b, target, h, kl, n: b * (1 + clipped(target / kl - 1) * n / h),
    "not relative": lambda b, target, h, kl, n: b * (1 + clipped(kl - target) * n / h),
    "not clipped": lambda b, target, h, kl, n: b * (1 + (kl / target - 1) * n / h),
    "clipped from above only": lambda b, target, h, kl, n: b * (1 + min(kl / target - 1, 0.2) * n / h),
    "answers forgotten": lambda b, target, h, kl, n: b * (1 + clipped(kl / target - 1) / h),
    "added": lambda b, target, h, kl, n: b + clipped(kl / target - 1) * n / h,
}


def test_beta_goes_where_the_divergence_asks():
    check_adaptive(adaptive)
    fixed = FixedKL(0.3)
    fixed.update(100.0, 50.0)
    assert fixed.beta == 0.3
    kl, control = 8.0, AdaptiveKL(0.1, target=2.0, horizon=20.0)
    for _ in range(200):  # a policy whose KL falls as β rises, as 1/β
        control.update(kl, 8.0)
        kl = 0.8 / control.beta
    assert kl == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("name", WRONG_CONTROLS)
def test_a_wrong_control_is_rejected(name):
    with pytest.raises(AssertionError):
        check_adaptive(WRONG_CONTROLS[name])


@pytest.mark.parametrize("family", FAMILIES)
def test_values_stand_before_each_token(family):
    """Each text read by itself: V_t from the state before token t + 1, 0 under the mask; padding changes nothing."""
    trunk = exact(FAMILIES[family]()).base_model
    value, batch = value_model(trunk), random_batch(4, 2, seed=6)
    got = value(batch).detach()
    for b, k, tokens, start in texts_alone(batch):
        states = trunk(input_ids=tokens[None], use_cache=False).last_hidden_state[0, start - 1 : -1]
        answer = batch.response_mask[b, k]
        torch.testing.assert_close(got[b, k][answer], value.head(states)[:, 0].detach(), rtol=0, atol=1e-10)
        assert (got[b, k][~answer] == 0).all()
        after = value.head(trunk(input_ids=tokens[None], use_cache=False).last_hidden_state[0, start:])[:, 0]
        assert float((got[b, k][answer] - after.detach()).abs().max()) > 0.01, "not after it"
    torch.testing.assert_close(value(padded(batch, 2, 0, 3)).detach(), got, rtol=0, atol=1e-10)


def test_a_new_value_model_says_zero_and_has_a_table_on_a_table():
    assert (ValueModel(small_gpt2().transformer)(random_batch(3, 2)) == 0).all()
    assert not ValueModel(small_gpt2().transformer.train()).training
    value, batch = value_model(table().trunk).double(), all_answers()
    heads = response_states(table().trunk, batch)[:, :, :-1] @ value.head.weight[0].detach() + value.head.bias.detach()
    torch.testing.assert_close(value(batch).detach(), torch.where(batch.response_mask, heads, 0.0))


def test_a_half_precision_value_is_raised():
    value = ValueModel(small_gpt2().to(torch.bfloat16).transformer)
    assert value.head.weight.dtype == torch.bfloat16
    assert value(random_batch(2, 1)).dtype == torch.float32


def make():
    policy, value = small_gpt2(), value_model(small_gpt2(7).transformer)
    return {"policy": policy, "value": value, "optimizer": torch.optim.Adam(all_of(policy, value), 0.01),
            "generator": seeded(4), "kl": AdaptiveKL(0.1, target=0.5, horizon=50.0)}  # fmt: skip


def train(policy, value, optimizer, generator, kl, start):
    stream = (prompts_of(seed=number) for number in range(start, 9))
    return run(policy, value, optimizer, stream, generator=generator, kl=kl, minibatch=4)


def test_a_resumed_run_is_the_uninterrupted_one_to_the_last_bit():
    figures, weights = resumed(train, make, [4])
    again, same = resumed(train, make, [2, 2])
    assert again == figures
    assert all(torch.equal(weights[name], same[name]) for name in weights)


@pytest.mark.parametrize("left_out", ["value", "optimizer", "generator", "kl"])
def test_what_is_left_out_of_a_resumed_run_is_seen(left_out):
    _, weights = resumed(train, make, [4])
    _, other = resumed(train, make, [2, 2], forget=[left_out])
    assert not all(torch.equal(weights[name], other[name]) for name in weights)


def test_beta_is_moved_by_what_was_measured():
    policy, value, kl, beta = (
        small_gpt2(),
        value_model(small_gpt2(7).transformer),
        AdaptiveKL(0.1, target=0.2, horizon=100.0),
        0.1,
    )
    stream = (prompts_of(seed=number) for number in range(3))
    for figures in run(policy, value, torch.optim.SGD(all_of(policy, value), lr=0.01), stream, kl=kl):
        assert figures["beta"] == pytest.approx(beta, rel=1e-12)
        beta *= 1 + np.clip(figures["kl"] / 0.2 - 1, -0.2, 0.2) * 18 / 100
        assert kl.beta == pytest.approx(beta, rel=1e-12), "before the loop hands the figures out"
    assert abs(kl.beta - 0.1) > 1e-3


def after(stream, **settings):
    policy, value = small_gpt2().double(), value_model(small_gpt2(7).double().transformer)
    figures = list(run(policy, value, torch.optim.SGD(all_of(policy, value), lr=0.1), stream, **settings))
    return flat(policy, value), figures


def test_a_third_part_is_taken_off_the_scores(monkeypatch):
    """As a reward that is less by it, answer by answer; the figures are of the reward itself."""
    tokens, mask = prompts_of()
    baseline = torch.linspace(-2.0, 3.0, len(tokens)).double()
    weights, figures = after([(tokens, mask, baseline)])
    plain, without = after([(tokens, mask)])
    shifts = {tuple(row.tolist()): shift for row, shift in zip(tokens, baseline, strict=True)}

    def shifted(batch: Batch):
        lower = torch.stack([shifts[tuple(row.tolist())] for row in batch.prompts])
        return (batch.responses * batch.response_mask).sum(-1) * 0.1 + batch.prompts[:, -1:] - lower[:, None]

    monkeypatch.setattr("test_ppo.mean_token", shifted)
    same, _ = after([(tokens, mask)])
    torch.testing.assert_close(weights, same, rtol=0, atol=1e-10)
    assert float((weights - plain).abs().max()) > 1e-5
    for name in ("reward", "kl", "objective"):
        assert figures[0][name] == without[0][name]


def test_two_ranks_take_the_step_of_one_process():
    tokens, mask = prompts_of(4, seed=7)

    def job(rows, skipped):
        policy, value, generator = small_gpt2().double(), value_model(small_gpt2(7).double().transformer), seeded(9)
        torch.rand(skipped, 5, generator=generator, dtype=torch.float64)
        optimizer = torch.optim.SGD(all_of(policy, value), lr=0.1)

        def work(engine):
            stream = [(tokens[rows], mask[rows])]
            figures = next(run(policy, value, optimizer, stream, generator=generator, engine=engine, epochs=2))
            # The share of clipped tokens is a mean of the ranks' own shares.
            return {name: x for name, x in figures.items() if name != "clipped"}, flat(policy, value)

        return work

    figures, whole = job(slice(0, 4), 0)(PLAIN)
    for others, parts in on_ranks([job(slice(0, 2), 0), job(slice(2, 4), 6)]):
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-10)
        assert others == pytest.approx(figures, abs=1e-5)
    _, alone = job(slice(0, 2), 0)(PLAIN)
    assert float((alone - whole).abs().max()) > 1e-4, "the control: one rank by itself goes elsewhere"


def test_minibatches_go_over_every_prompt_in_each_epoch():
    policy, seen = small_gpt2(), []

    def watch(module, args, inputs, out):
        if torch.is_grad_enabled():
            seen.append(inputs["input_ids"][:, 0].tolist())

    policy.register_forward_hook(watch, with_kwargs=True)
    value, tokens = value_model(small_gpt2(7).transformer), torch.arange(6)[:, None] + torch.tensor([[0, 1]])
    optimizer = torch.optim.SGD(all_of(policy, value), lr=0.1)
    next(run(policy, value, optimizer, [(tokens, tokens >= 0)], epochs=3, minibatch=4, k=1))
    assert [len(rows) for rows in seen] == [4, 2] * 3
    assert [sorted(seen[n] + seen[n + 1]) for n in (0, 2, 4)] == [list(range(6))] * 3


def test_frozen_blocks_stay_as_they_are():
    policy, value = small_gpt2(), value_model(small_gpt2(7).transformer)
    freeze(policy, 0.5)
    freeze(value.trunk, 1.0)
    models = torch.nn.ModuleDict({"policy": policy, "value": value})
    before = {name: p.detach().clone() for name, p in models.named_parameters()}
    optimizer = torch.optim.Adam([p for p in models.parameters() if p.requires_grad], 0.01)
    list(run(policy, value, optimizer, [prompts_of(), prompts_of(seed=4)]))
    still = {name for name, p in models.named_parameters() if torch.equal(p.detach(), before[name])}
    frozen = {name for name in before if name.startswith(("policy.transformer.h.0.", "value.trunk.h."))}
    assert still - {"value.trunk.wpe.weight"} == frozen
    assert not any(module.training for module in models.modules() if module is not models)


def test_a_loss_that_is_not_a_number_stops_the_loop_before_the_step():
    policy, value = small_gpt2(), value_model(small_gpt2(7).transformer)
    steps = run(policy, value, torch.optim.SGD(all_of(policy, value), lr=0.01), [prompts_of()] * 3)
    next(steps)
    before = flat(policy, value).clone()
    value.head.bias.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(FloatingPointError, match=r"of step 2 is (nan|inf): that step was not taken"):
        next(steps)
    assert torch.equal(flat(policy, value), before)


def broken(**changes):
    policy = changes.pop("policy", gpt2)()
    value, stream = value_model(policy.transformer), changes.pop("stream", [prompts_of()])
    return list(run(policy, value, torch.optim.SGD(all_of(policy, value), lr=0.1), stream, **changes))


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: broken(stream=[]), ValueError, "prompts is empty: there is nothing to answer"),
        (lambda: broken(policy=lambda: small_gpt2(vocab_size=12)), ValueError, "reference has a vocabulary of 11 and the policy"),
        (lambda: FixedKL(0.0), ValueError, "beta must be above 0 and finite; got 0.0"),
        (lambda: FixedKL(-0.1), ValueError, "beta must be above 0 and finite; got -0.1"),
        (lambda: FixedKL(math.nan), ValueError, "beta must be above 0 and finite; got nan"),
        (lambda: FixedKL(math.inf), ValueError, "beta must be above 0 and finite; got inf"),
        (lambda: AdaptiveKL(0.0, 1.0), ValueError, "beta must be above 0"),
        (lambda: AdaptiveKL(0.1, 0.0), ValueError, "target and horizon must be above 0; got 0.0 and 10000.0"),
        (lambda: AdaptiveKL(0.1, 1.0, -5.0), ValueError, "target and horizon must be above 0"),
        (lambda: adaptive(0.1, 1.0, 10.0, 0.0, 50.0), ValueError, "horizon must be above a fifth of the answers"),
        *((lambda n=n: config(**{n: 0}), ValueError, f"{n} must be 1 or more; got 0") for n in ("k", "epochs", "minibatch")),
        (lambda: config(max_new_tokens=-1), ValueError, "max_new_tokens must be 1 or more; got -1"),
        *((lambda n=n: config(**{n: 0.0}), ValueError, f"{n} must be above 0; got 0.0")
          for n in ("clip", "value_clip", "max_grad_norm")),
        *((lambda n=n, x=x: config(**{n: x}), ValueError, f"{n} must be from 0 to 1")
          for n in ("gamma", "lam") for x in (-0.1, 1.1, math.nan)),
        (lambda: config(learning_rate=0.1), TypeError, "learning_rate"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()
