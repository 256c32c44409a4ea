"""States and log-probabilities against each text read alone; masked sums against NaN; KL estimators against enumeration."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.special
import torch
from small_models import VOCABULARY, gpt2, on_ranks, padded, random_batch
from tiny_models import FAMILIES, exact, logprobs_alone, texts_alone
from torch import nn
from transformers import DynamicCache

from rlhw import logprobs as module
from rlhw.batches import Batch
from rlhw.logprobs import (
    kl_estimate,
    masked_mean,
    masked_sum,
    response_logits,
    response_logprobs,
    response_states,
    sequence_logprobs,
    token_logprobs,
    whiten,
)


def assert_close(got, expected, tolerance=1e-10):
    torch.testing.assert_close(got, expected, atol=tolerance, rtol=tolerance)


def batch_of(k, prompts=3, seed=0):
    """Uneven prompts, one of a single token, and uneven answers."""
    batch = random_batch(prompts, k, seed=seed)
    lengths = torch.tensor([1, *batch.prompt_mask[1:].sum(-1)])
    mask = torch.arange(batch.prompts.shape[1]) >= batch.prompts.shape[1] - lengths[:, None]
    assert len(set(lengths.tolist())) > 1
    return Batch(batch.prompts, mask, batch.responses, batch.response_mask)


def value_and_gradients(model, logprobs, mask):
    """The log-probabilities, and the gradient of their weighted sum; the weights tell every token from the others."""
    weights = torch.linspace(0.5, 1.5, mask.numel(), dtype=torch.float64).view_as(mask)
    model.zero_grad()
    (weights * logprobs * mask).sum().backward()
    return logprobs.detach(), [parameter.grad.clone() for parameter in model.parameters()]


def assert_same_as_alone(model, batch, tolerance=1e-10):
    ours = value_and_gradients(model, response_logprobs(model, batch), batch.response_mask)
    alone = value_and_gradients(model, logprobs_alone(model, batch), batch.response_mask)
    assert_close(ours[0], alone[0], tolerance)
    for got, expected in zip(ours[1], alone[1], strict=True):
        assert_close(got, expected, tolerance)
        assert expected.abs().max() > 1e-3, "a gradient of zero would agree with anything"


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_text_is_read_as_if_it_were_alone(family, k):
    """The oracle has no padding, mask, position, cache or second answer. float64, value and gradient to 1e-10."""
    assert_same_as_alone(exact(FAMILIES[family](seed=1)), batch_of(k))


def test_in_float32_too():
    assert_same_as_alone(gpt2(seed=1), batch_of(3), tolerance=1e-5)


class Changed(nn.Module):
    """A model whose call is changed on the way: the mutants."""

    def __init__(self, model, change):
        super().__init__()
        self.model, self.change = model, change

    def forward(self, **inputs):
        # The oracle reads a text alone, without a mask: its calls stay as they are.
        return self.model(**(inputs | self.change(inputs) if "attention_mask" in inputs else inputs))


def repeat_whole(cache, repeats):
    for layer in cache.layers:
        layer.keys, layer.values = (part.repeat(repeats, 1, 1, 1) for part in (layer.keys, layer.values))


INPUT_MUTANTS = {
    "mask dropped": lambda inputs: {"attention_mask": torch.ones_like(inputs["attention_mask"])},
    "positions by column": lambda inputs: {
        "position_ids": torch.arange(inputs["attention_mask"].shape[1])[-inputs["input_ids"].shape[1] :][None]
    },
    "positions start anew in the answer": lambda inputs: {
        "position_ids": inputs["position_ids"] - inputs["position_ids"].min()
    },
    "cache forgotten": lambda inputs: (
        {"past_key_values": None, "attention_mask": inputs["attention_mask"][:, -inputs["input_ids"].shape[1] :]}
    ),
}


@pytest.mark.parametrize("mutant", INPUT_MUTANTS)
def test_a_wrong_call_is_rejected(mutant):
    model, batch = gpt2(seed=1).double(), batch_of(2)
    assert_same_as_alone(Changed(model, lambda inputs: {}), batch)
    with pytest.raises(AssertionError, match="not close"):
        assert_same_as_alone(Changed(model, INPUT_MUTANTS[mutant]), batch)


def test_a_cache_repeated_in_the_wrong_order_is_rejected(monkeypatch):
    monkeypatch.setattr(DynamicCache, "batch_repeat_interleave", repeat_whole)
    with pytest.raises(AssertionError, match="not close"):
        assert_same_as_alone(gpt2(seed=1).double(), batch_of(2))


def test_logits_read_one_state_late_are_rejected(monkeypatch):
    def late(model, batch):
        logits = response_logits(model, batch)
        return torch.cat([logits[:, :, 1:], logits[:, :, :1]], 2)

    monkeypatch.setattr(module, "response_logits", late)
    model, batch = gpt2(seed=1).double(), batch_of(2)
    with pytest.raises(AssertionError, match="not close"):
        assert_close(module.response_logprobs(model, batch), logprobs_alone(model, batch))


def trunk_of(model):
    return getattr(model, model.base_model_prefix)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_states_of_a_trunk_are_those_of_each_text_alone(family, k):
    """State 0 is the prompt's last token's, state t the answer's t-th; the model's head on them gives its logits."""
    model, batch = exact(FAMILIES[family](seed=2)), batch_of(k, seed=5)
    states = response_states(trunk_of(model), batch)
    assert states.shape == (*batch.responses.shape[:2], batch.responses.shape[2] + 1, 16)
    for b, j, tokens, p in texts_alone(batch):
        alone = trunk_of(model)(input_ids=tokens[None], use_cache=False).last_hidden_state[0, p - 1 :]
        assert_close(states[b, j, : len(alone)], alone)
    assert_close(model.lm_head(states), response_logits(model, batch))


def test_padding_garbage_and_splits_change_nothing():
    model, batch = gpt2(seed=3).double(), batch_of(3, prompts=4, seed=7)
    whole = response_logprobs(model, batch)
    r = batch.responses.shape[2]
    for left, right, fill in ((0, 0, -100), (3, 0, 10**6), (0, 2, -1), (2, 3, 5)):
        wider = response_logprobs(model, padded(batch, left, right, fill))
        assert_close(wider[..., :r], whole)
        assert torch.equal(wider[..., r:], torch.zeros_like(wider[..., r:]))
    for index in ([2], [0, 3], slice(1, 4)):
        some = response_logprobs(model, batch.rows(index))
        assert_close(some, whole[index][..., : some.shape[2]])
        assert not whole[index][..., some.shape[2] :].any()
    order = [2, 0, 1]
    other = Batch(batch.prompts, batch.prompt_mask, batch.responses[:, order], batch.response_mask[:, order])
    assert_close(response_logprobs(model, other), whole[:, order])


def test_real_tokens_do_matter():
    """The control of the test above: the same change on this side of the mask is seen at once."""
    model, batch = gpt2(seed=3).double(), batch_of(3, prompts=4, seed=7)
    changed = Batch(batch.prompts.clone(), batch.prompt_mask, batch.responses, batch.response_mask)
    changed.prompts[:, -1] = (changed.prompts[:, -1] + 1) % VOCABULARY
    difference = (response_logprobs(model, changed) - response_logprobs(model, batch)).abs()
    assert difference[batch.response_mask].min() > 1e-6


def test_masked_entries_are_zero_and_get_a_gradient_of_exactly_zero(monkeypatch):
    batch = batch_of(2)
    b, k, r = batch.responses.shape
    leaf = torch.randn(b, k, r + 1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 30
    leaf.requires_grad_()
    monkeypatch.setattr(module, "response_logits", lambda model, batch: leaf)
    batch = Batch(batch.prompts, batch.prompt_mask, batch.responses % 5, batch.response_mask)
    logprobs = module.response_logprobs(gpt2(), batch)
    logprobs.square().sum().backward()
    hidden = ~batch.response_mask
    assert hidden.any()
    assert torch.equal(logprobs[hidden], torch.zeros_like(logprobs[hidden]))
    assert torch.equal(leaf.grad[:, :, :-1][hidden], torch.zeros_like(leaf.grad[:, :, :-1][hidden]))
    assert torch.equal(leaf.grad[:, :, -1], torch.zeros_like(leaf.grad[:, :, -1])), "nothing follows the last state"
    assert (leaf.grad[:, :, :-1][batch.response_mask].abs().amax(-1) > 0).all()


@pytest.mark.parametrize(("k", "columns"), [(1, 5), (2, 1 + 2 * 4), (4, 1 + 4 * 4)])
def test_the_head_is_applied_to_no_other_column(k, columns):
    """B · 1 at the prompt's end and B · K · R answer tokens; a single answer has R + 1 in one row."""
    model, batch, seen = gpt2(), batch_of(k), []
    model.lm_head.register_forward_pre_hook(lambda head, inputs: seen.append(inputs[0].shape[:2].numel()))
    response_logprobs(model, batch)
    assert sum(seen) == len(batch.prompts) * columns
    assert batch.responses.shape[2] == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_that_hands_no_cache_back_reads_prompt_and_answer_together(family):
    """Gradient checkpointing turns the cache off in train mode; dropout is 0, so nothing else changes."""
    model, batch = exact(FAMILIES[family](seed=1)), batch_of(2)
    model.config.attention_dropout = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model.gradient_checkpointing_enable()
    calls = []
    model.register_forward_pre_hook(lambda model, args, inputs: calls.append(inputs["use_cache"]), with_kwargs=True)
    model.train()
    assert_same_as_alone(model, batch)
    assert calls[:2] == [True, False]


class EmptyCache(Changed):
    """A model that says it has cached the prompt and has not."""

    def forward(self, **inputs):
        out = super().forward(**inputs)
        return SimpleNamespace(logits=out.logits, past_key_values=DynamicCache())


def test_an_empty_cache_is_not_taken_for_the_prompt(monkeypatch):
    model, batch = EmptyCache(gpt2(seed=1).double(), lambda inputs: {}), batch_of(2)
    assert_close(response_logprobs(model, batch), logprobs_alone(model.model, batch))
    monkeypatch.setattr(DynamicCache, "get_seq_length", lambda *_, **__: 1)
    with pytest.raises((AssertionError, RuntimeError)):
        assert_close(response_logprobs(model, batch), logprobs_alone(model.model, batch))


def test_token_logprobs_against_scipy():
    generator = torch.Generator().manual_seed(3)
    logits = 40 * torch.randn(2, 3, 4, 7, dtype=torch.float64, generator=generator)
    tokens = torch.randint(7, (2, 3, 4), generator=generator)
    expected = np.take_along_axis(scipy.special.log_softmax(logits.numpy(), -1), tokens.numpy()[..., None], -1)[..., 0]
    np.testing.assert_allclose(token_logprobs(logits, tokens), expected, atol=1e-12)
    assert token_logprobs(logits[0, 0, 0], tokens[0, 0, 0]).shape == ()
    late = token_logprobs(logits, tokens.roll(1, -1)).numpy()
    assert np.abs(late - expected).max() > 1, "tokens moved by one are seen"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_raised_first(dtype):
    logits = (5 * torch.randn(50, 300, generator=torch.Generator().manual_seed(4))).to(dtype)
    tokens = torch.arange(50)
    exact = token_logprobs(logits.double(), tokens)
    raised = token_logprobs(logits, tokens)
    assert raised.dtype == torch.float32
    assert_close(raised.double(), exact, 1e-5)
    plain = torch.log_softmax(logits, -1)[tokens, tokens]
    assert (plain.double() - exact).abs().max() > 1e-3


def test_sequences_are_sums_of_tokens():
    model, batch = gpt2(seed=4).double(), batch_of(2, seed=9)
    alone = logprobs_alone(model, batch)
    assert_close(sequence_logprobs(model, batch), alone.sum(-1))
    means = masked_mean(alone, batch.response_mask)
    assert (means - alone.sum(-1)).abs().max() > 0.1, "the mean over tokens is another number"


MASK = torch.tensor([[True, True, False], [True, False, False], [True, True, True]])
VALUES = torch.tensor([[1.5, -2.0, 7.0], [0.25, 3.0, 3.0], [1.0, 2.0, 6.0]], dtype=torch.float64)


@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_what_stands_under_a_mask_reaches_neither_value_nor_gradient(garbage):
    values = VALUES.masked_fill(~MASK, garbage).requires_grad_()
    for function, expected in ((masked_sum, [-0.5, 0.25, 9.0]), (masked_mean, [-0.25, 0.25, 3.0])):
        values.grad = None
        out = function(values, MASK)
        assert_close(out, torch.tensor(expected, dtype=torch.float64), 1e-15)
        out.square().sum().backward()
        assert torch.equal(values.grad[~MASK], torch.zeros(3, dtype=torch.float64))
        assert values.grad[MASK].abs().min() > 0
    values.grad = None
    white = whiten(values, MASK)
    white.pow(3).sum().backward()
    assert torch.equal(white[~MASK], torch.zeros(3, dtype=torch.float64))
    assert torch.equal(values.grad[~MASK], torch.zeros(3, dtype=torch.float64))
    assert values.grad[MASK].isfinite().all()


def test_a_product_with_the_mask_lets_nan_through():
    """The control: the usual form fails the test above, in the value and in the gradient."""
    values = VALUES.masked_fill(~MASK, float("nan")).requires_grad_()
    assert (values * MASK).sum(-1).isnan().tolist() == [True, True, False]
    (values.exp() * MASK).sum().backward()
    assert values.grad[~MASK].isnan().all()


def test_a_mean_over_nothing_is_refused():
    with pytest.raises(ValueError, match="mask must have at least one True in every row"):
        masked_mean(VALUES, MASK & torch.tensor([[True], [False], [True]]))
    assert masked_sum(VALUES, torch.zeros_like(MASK)).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="there is nothing to whiten"):
        whiten(VALUES, torch.zeros_like(MASK))


def test_whiten_by_hand():
    entries = VALUES[MASK]
    expected = (entries - entries.mean()) / (entries.var(correction=0) + 1e-8).sqrt()
    assert_close(whiten(VALUES, MASK)[MASK], expected, 1e-14)
    everything = ((VALUES - VALUES.mean()) / VALUES.std(correction=0))[MASK]
    row_by_row = torch.cat([whiten(row, real)[real] for row, real in zip(VALUES, MASK, strict=True)])
    for mutant in (everything, row_by_row, entries - entries.mean(), expected * (5 / 6) ** 0.5):
        assert (mutant - expected).abs().max() > 0.05
    assert torch.equal(whiten(torch.full((2, 3), 4.0), torch.ones(2, 3, dtype=torch.bool)), torch.zeros(2, 3))


def test_whitening_on_several_ranks_is_over_all_of_them():
    whole = whiten(VALUES, MASK)
    jobs = [lambda engine, rows=rows: whiten(VALUES[rows], MASK[rows], engine=engine) for rows in ([0, 1], [2])]
    assert_close(torch.cat(on_ranks(jobs)), whole, 1e-14)
    apart = torch.cat([whiten(VALUES[:2], MASK[:2]), whiten(VALUES[2:], MASK[2:])])
    assert (apart - whole).abs().max() > 0.1


def two_laws():
    generator = torch.Generator().manual_seed(8)
    p, q = torch.randn(2, 6, dtype=torch.float64, generator=generator)
    return torch.log_softmax(p, -1), torch.log_softmax(q, -1)


def test_the_means_of_the_estimators_by_enumeration():
    p, q = two_laws()
    kl, chi_square = (p.exp() * (p - q)).sum(), ((q.exp() - p.exp()).square() / p.exp()).sum()
    mean = {kind: (p.exp() * kl_estimate(p, q, kind)).sum() for kind in ("k1", "k2", "k3")}
    assert_close(mean["k1"], kl, 1e-14)
    assert_close(mean["k3"], kl, 1e-14)
    assert_close(mean["k2"], (p.exp() * (p - q) ** 2).sum() / 2, 1e-14)
    assert (mean["k2"] - kl).abs() > 0.05, "k2 is biased"
    reverse = (q.exp() * (q - p)).sum()
    assert (reverse - kl).abs() > 0.03, "the laws tell the two directions apart"
    upside_down = (p.exp() * ((p - q).exp() - 1 - (p - q))).sum()
    chi_square_of_p = ((p.exp() - q.exp()).square() / q.exp()).sum()
    assert_close(upside_down, chi_square_of_p - kl, 1e-12)
    assert (upside_down - kl).abs() > 0.05
    assert chi_square > kl
    assert kl_estimate(p, q).equal(kl_estimate(p, q, "k1"))
    assert kl_estimate(p, q, "k2").min() > 0
    assert kl_estimate(p, q, "k3").min() > 0


def test_the_estimators_as_losses():
    """Mean gradient over samples of p: k1's is 0, k2's that of KL(p‖q), k3's that of KL(q‖p); q is fixed."""
    z = torch.tensor([0.3, -1.2, 0.8, 0.1], dtype=torch.float64, requires_grad=True)
    q = torch.log_softmax(torch.tensor([1.0, 0.2, -0.7, 0.4], dtype=torch.float64), -1)

    def gradient(objective):
        return torch.autograd.grad(objective(torch.log_softmax(z, -1)), z)[0]

    def mean(kind):
        return gradient(lambda p: (p.exp().detach() * kl_estimate(p, q, kind)).sum())

    forward = gradient(lambda p: (p.exp() * (p - q)).sum())
    backward = gradient(lambda p: (q.exp() * (q - p)).sum())
    assert_close(mean("k1"), torch.zeros(4, dtype=torch.float64), 1e-14)
    assert_close(mean("k2"), forward, 1e-14)
    assert_close(mean("k3"), backward, 1e-14)
    assert (forward - backward).abs().max() > 0.05


def test_k3_keeps_its_digits_where_the_laws_nearly_agree():
    p = torch.zeros(1)
    q = torch.full((1,), 1e-4)
    assert kl_estimate(p, q, "k3").item() == pytest.approx(5e-9, rel=1e-2)
    assert ((q - p).exp() - 1 - (q - p)).item() != pytest.approx(5e-9, rel=0.5), "the plain form has lost them"


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be 'k1', 'k2' or 'k3'; got 'k4'"):
        kl_estimate(*two_laws(), kind="k4")
