"""Behavior cloning: the loss is a log-likelihood, the loop steps along its gradient, and a table learns its teacher."""

import math
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from small_models import gpt2, on_ranks, padded, random_batch

from rlhw.batches import PLAIN, Batch, shuffled
from rlhw.behavior_cloning import CloningConfig, answer_losses, bc_loss, evaluate_bc, train_bc
from rlhw.laws import numerical_gradient, torch_gradient
from rlhw.logprobs import masked_mean, response_logprobs, sequence_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers

NO_CLIP = CloningConfig(max_grad_norm=1e9)


def check_loss(loss):
    """By hand, entry by entry, whatever stands under the mask; and the gradient against central differences."""
    rng = np.random.default_rng(0)
    mask = np.arange(5) < np.array([[1, 5, 3], [2, 4, 5]])[..., None]
    weights = rng.standard_normal((2, 3))
    for fill in (-3.0, np.nan):
        logprobs = np.where(mask, -rng.exponential(size=mask.shape), fill)

        def objective(x):
            return (torch.as_tensor(weights) * loss(torch.as_tensor(x), torch.as_tensor(mask))).sum()

        losses = loss(torch.as_tensor(logprobs), torch.as_tensor(mask)).numpy()
        expected = [[-sum(x for x, kept in zip(*row, strict=True) if kept) for row in zip(*pair, strict=True)]
                    for pair in zip(logprobs, mask, strict=True)]  # fmt: skip
        np.testing.assert_allclose(losses, expected, rtol=1e-12)
        numerical = numerical_gradient(lambda x: float(objective(x)), np.where(mask, logprobs, 0.0))
        gradient = torch_gradient(objective, logprobs)
        np.testing.assert_allclose(gradient, numerical, atol=1e-8)
        assert (gradient[~mask] == 0).all()


WRONG_LOSSES = {
    "mean over the tokens": lambda logprobs, mask: -masked_mean(logprobs, mask),
    "sign flipped": lambda logprobs, mask: -bc_loss(logprobs, mask),
    "mask dropped": lambda logprobs, mask: -logprobs.sum(-1),
    "mask multiplied": lambda logprobs, mask: -(logprobs * mask).sum(-1),
    "last token dropped": lambda logprobs, mask: bc_loss(logprobs[..., 1:], mask[..., 1:]),
    "NaN dropped instead of the mask": lambda logprobs, mask: -logprobs.nansum(-1),
}


def test_loss():
    check_loss(bc_loss)


@pytest.mark.parametrize("name", WRONG_LOSSES)
def test_a_wrong_loss_is_rejected(name):
    with pytest.raises(AssertionError):
        check_loss(WRONG_LOSSES[name])


def small_table(seed=0, length=4):
    return TabularLM(3, length, generator=torch.Generator().manual_seed(seed)).double()


def all_answers(eos_id=None):
    prompts = torch.tensor([[0], [2]])
    return enumerate_answers(prompts, torch.ones_like(prompts, dtype=torch.bool), 3, 3, eos_id)


@pytest.mark.parametrize("eos_id", [None, 1])
def test_the_losses_of_all_answers_are_those_of_a_law(eos_id):
    batch, model = all_answers(eos_id), small_table()
    losses = answer_losses(model, [batch]).view(2, -1)
    np.testing.assert_allclose(torch.exp(-losses).sum(1), 1.0, atol=1e-12)
    means = masked_mean(response_logprobs(model, batch), batch.response_mask).detach()
    assert (torch.exp(means).sum(1) - 1).abs().min() > 0.1, "with the mean over tokens it is no law"


def test_a_step_goes_along_the_exact_gradient():
    batch, model = random_table_batch(longest_prompt=1), small_table(length=3)
    before = model.table.detach().clone().numpy()

    def objective(table):
        other = small_table(length=3)
        with torch.no_grad():
            other.table.copy_(torch.as_tensor(table))
            return -float(sequence_logprobs(other, batch).mean())

    figures = next(train_bc(model, [batch], torch.optim.SGD(model.parameters(), lr=0.5), NO_CLIP))
    gradient = numerical_gradient(objective, before)
    np.testing.assert_allclose(model.table.detach().numpy(), before - 0.5 * gradient, atol=1e-8)
    assert figures["loss"] == pytest.approx(objective(before), abs=1e-9)
    assert figures["grad_norm"] == pytest.approx(np.linalg.norm(gradient), abs=1e-8)
    assert (figures["answers"], figures["tokens"]) == (12, int(batch.response_mask.sum()))


def random_table_batch(prompts=6, answers=2, longest_prompt=2):
    batch = random_batch(prompts, answers, longest_prompt=longest_prompt, longest_answer=2)
    return Batch(batch.prompts % 3, batch.prompt_mask, batch.responses % 3, batch.response_mask)


def test_the_gradient_is_clipped():
    model = small_table()
    before = model.table.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    figures = next(train_bc(model, [random_table_batch()], optimizer, CloningConfig(max_grad_norm=0.01)))
    assert figures["grad_norm"] > 0.1
    assert float((model.table.detach() - before).norm()) == pytest.approx(0.01, rel=1e-4)


def after_steps(train, config, batches, model=None):
    """All parameters after AdamW's steps on these batches, and the figures of the last one."""
    model = model or gpt2().double()
    *_, figures = train(model, batches, torch.optim.AdamW(model.parameters(), lr=1e-2), config)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]), figures


def check_accumulation(train):
    batches = [random_batch(7, 2, seed) for seed in range(3)]
    whole, figures = after_steps(train_bc, CloningConfig(), batches)
    for micro_batch in (1, 3, 6, 100):
        parts, others = after_steps(train, CloningConfig(micro_batch=micro_batch), batches)
        assert torch.max(torch.abs(parts - whole)) < 1e-10
        assert others == pytest.approx(figures, abs=1e-10)


def wrong_loop(divide, clear=False):
    """Accumulation as it is often written; `divide` turns the losses of a part's answers into one number."""

    def train(model, batches, optimizer, config):
        for batch in batches:
            optimizer.zero_grad()
            starts = range(0, len(batch.prompts), config.micro_batch)
            total = 0.0
            for first in starts:
                part = batch.rows(slice(first, first + config.micro_batch))
                if clear:
                    optimizer.zero_grad()
                losses = bc_loss(response_logprobs(model, part), part.response_mask)
                loss = divide(losses, part, batch, len(starts))
                loss.backward()
                total += float(loss.detach())
            norm = PLAIN.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            tokens = float(batch.response_mask.sum())
            yield {"loss": total, "grad_norm": float(norm), "answers": float(2 * len(batch.prompts)), "tokens": tokens}

    return train


def test_a_batch_in_parts_gives_the_same_steps():
    check_accumulation(train_bc)
    check_accumulation(
        wrong_loop(lambda losses, part, batch, parts: losses.sum() / batch.response_mask[..., 0].numel())
    )


@pytest.mark.parametrize(
    "train",
    [
        wrong_loop(lambda losses, part, batch, parts: losses.mean() / parts),
        wrong_loop(lambda losses, part, batch, parts: losses.sum() / part.response_mask.sum() / parts),
        wrong_loop(lambda losses, part, batch, parts: losses.mean()),
        wrong_loop(lambda losses, part, batch, parts: losses.sum() / len(batch.prompts) / 2, clear=True),
    ],
    ids=["mean of means", "mean over tokens", "not divided by the parts", "gradient cleared in each part"],
)
def test_a_wrong_accumulation_is_rejected(train):
    with pytest.raises(AssertionError):
        check_accumulation(train)


def test_two_ranks_with_unequal_shares_give_the_steps_of_one_process():
    batches = [random_batch(8, 2, seed) for seed in range(3)]
    whole, figures = after_steps(train_bc, CloningConfig(), batches)

    def job(rows, micro_batch):
        model = gpt2().double()

        def work(engine):
            def train(*arguments):
                return train_bc(*arguments, engine=engine)

            own = [batch.rows(rows) for batch in batches]
            return after_steps(train, CloningConfig(micro_batch=micro_batch), own, model)

        return work

    for parts, others in on_ranks([job(slice(0, 3), None), job(slice(3, 8), 2)]):
        assert torch.max(torch.abs(parts - whole)) < 1e-10
        assert others == pytest.approx(figures, abs=1e-10)
    # The control: a rank of its own goes elsewhere.
    alone, _ = after_steps(train_bc, CloningConfig(), [batch.rows(slice(0, 3)) for batch in batches])
    assert torch.max(torch.abs(alone - whole)) > 1e-4


def test_a_table_learns_its_sample_down_to_the_entropy_of_it():
    batch = all_answers(eos_id=1)
    weights = torch.exp(sequence_logprobs(small_table(seed=3), batch)).detach()
    drawn = torch.multinomial(weights, 300, replacement=True, generator=torch.Generator().manual_seed(0))
    rows = torch.arange(2)[:, None]
    sample = Batch(batch.prompts, batch.prompt_mask, batch.responses[rows, drawn], batch.response_mask[rows, drawn])
    model = small_table(seed=4)
    # The greatest likelihood is that of the observed shares: their entropy is the least mean loss there is.
    shares = [np.array(list(Counter(row.tolist()).values())) / 300 for row in drawn]
    entropy = float(np.mean([-(p * np.log(p)).sum() for p in shares]))
    *_, figures = train_bc(model, [sample] * 150, torch.optim.Adam(model.parameters(), lr=0.2), NO_CLIP)
    assert entropy <= evaluate_bc(model, [sample]) < entropy + 1e-3
    assert figures["loss"] == pytest.approx(entropy, abs=1e-3)
    # The mean over tokens has another optimum, worse by far more than that.
    other = small_table(seed=4)
    optimizer = torch.optim.Adam(other.parameters(), lr=0.2)
    for _ in range(150):
        optimizer.zero_grad()
        (-masked_mean(response_logprobs(other, sample), sample.response_mask)).mean().backward()
        optimizer.step()
    assert evaluate_bc(other, [sample]) > entropy + 0.01


@pytest.mark.parametrize("make", [gpt2, small_table], ids=["gpt2", "table"])
def test_padding_and_order_change_nothing(make):
    model = make().double()
    batch = random_table_batch(5, 3)
    losses = answer_losses(model, [batch])
    wider = padded(batch, 0 if make is small_table else 3, 2, fill=-7)
    torch.testing.assert_close(answer_losses(model, [wider]), losses, rtol=0, atol=1e-10)
    order = [3, 0, 4, 1, 2]
    shuffled_losses = answer_losses(model, [batch.rows(order[:2]), batch.rows(order[2:])])
    torch.testing.assert_close(shuffled_losses.view(5, 3), losses.view(5, 3)[order], rtol=0, atol=1e-10)
    assert not losses.requires_grad
    assert evaluate_bc(model, [batch]) == pytest.approx(float(losses.mean()), abs=1e-12)


def check_guard(train):
    """A loss or a gradient that is not a number stops the loop at that step, with the weights of the one before."""
    for spoil in ("loss", "gradient"):
        model = gpt2()
        steps = train(model, islice(shuffled(random_batch(8, 1), 4, 0), 5), torch.optim.Adam(model.parameters(), 0.01))
        next(steps)
        next(steps)
        before = [parameter.detach().clone() for parameter in model.parameters()]
        if spoil == "loss":
            model.lm_head.register_forward_hook(lambda module, inputs, output: output * math.nan)
        else:
            model.transformer.ln_f.bias.register_hook(lambda gradient: gradient * math.inf)
        with pytest.raises(FloatingPointError, match=r"of step 3 is (nan|inf): that step was not taken; lower the"):
            next(steps)
        for parameter, old in zip(model.parameters(), before, strict=True):
            assert torch.equal(parameter.detach(), old)


def test_a_loss_that_is_not_a_number_stops_the_loop_before_the_step():
    check_guard(lambda model, batches, optimizer: train_bc(model, batches, optimizer, CloningConfig()))


def test_a_guard_after_the_step_is_rejected():
    def late(model, batches, optimizer):
        for step, batch in enumerate(batches, 1):
            optimizer.zero_grad()
            loss = bc_loss(response_logprobs(model, batch), batch.response_mask).mean()
            loss.backward()
            optimizer.step()
            if not math.isfinite(loss.detach()):
                raise FloatingPointError(f"the loss of step {step} is nan: that step was not taken; lower the rate.")
            yield {}

    with pytest.raises(AssertionError):
        check_guard(late)


def test_the_model_stays_in_eval_mode():
    model = gpt2()
    for _ in train_bc(model, [random_batch(4, 1)] * 2, torch.optim.Adam(model.parameters()), CloningConfig()):
        assert not any(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: list(train_bc(gpt2(), [], torch.optim.SGD([torch.ones(1)]), CloningConfig())), "batches is empty"),
        (lambda: evaluate_bc(gpt2(), []), "batches is empty"),
        (lambda: CloningConfig(max_grad_norm=0.0), "max_grad_norm must be above 0 and micro_batch 1 or more"),
        (lambda: CloningConfig(max_grad_norm=math.nan), "max_grad_norm must be above 0"),
        (lambda: CloningConfig(micro_batch=0), "micro_batch 1 or more"),
    ],
)
def test_bad_input_gets_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_an_unknown_setting_is_an_error():
    with pytest.raises(TypeError, match="learning_rate"):
        CloningConfig(learning_rate=1e-3)
