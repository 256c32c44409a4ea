"""The table as a language model: numbered prefixes, the call of Hugging Face, and all answers listed."""

import numpy as np
import pytest
import torch
from small_models import padded
from tiny_models import law_by_hand, row_of

from rlhw.batches import Batch
from rlhw.laws import enumerate_sequences, numerical_gradient
from rlhw.logprobs import response_logprobs, response_states, sequence_logprobs
from rlhw.tabular_lm import TabularLM, TabularTrunk, enumerate_answers

QUESTIONS = torch.tensor([[0], [1], [2]]), torch.ones(3, 1, dtype=torch.bool)


def table_of(vocab_size=3, length=4, seed=0, std=1.0):
    return TabularLM(vocab_size, length, generator=torch.Generator().manual_seed(seed), std=std).double()


def uneven_batch():
    """Prompts of 1, 2 and 0-padded 1 tokens, two answers each, of 1 to 3 tokens."""
    prompts = torch.tensor([[9, 2], [1, 0], [9, 0]])
    responses = torch.tensor([[[1, 9, 9], [0, 2, 9]], [[2, 2, 1], [0, 9, 9]], [[1, 1, 9], [2, 0, 0]]])
    return Batch(prompts, prompts != 9, responses, responses != 9)


def test_every_prefix_has_a_row_of_its_own():
    trunk = TabularTrunk(3, 4)
    prefixes = [sequence for n in range(1, 5) for sequence in enumerate_sequences(3, n)]
    rows = []
    for prefix in prefixes:
        states = trunk(torch.tensor([prefix])).last_hidden_state[0]
        assert states.sum(-1).tolist() == [1.0] * len(prefix)
        rows.append(int(states[-1].argmax()))
        assert rows[-1] == row_of(prefix)
    assert sorted(rows) == list(range(1, trunk.config.hidden_size)), "row 0 is that of the empty prefix"
    assert trunk.config.hidden_size == 1 + 3 + 9 + 27 + 81


def test_logprobs_by_hand_with_padding_and_several_answers():
    model, batch = table_of(length=5), uneven_batch()
    got = response_logprobs(model, batch)
    for b, k in np.ndindex(3, 2):
        prompt = batch.prompts[b][batch.prompt_mask[b]].tolist()
        answer = batch.responses[b, k][batch.response_mask[b, k]].tolist()
        expected = law_by_hand(model, prompt, answer)
        np.testing.assert_allclose(got[b, k, : len(answer)].detach(), expected, atol=1e-14)
        assert not got[b, k, len(answer) :].any()
    wider = response_logprobs(model, padded(batch, 2, 1, fill=-7))
    np.testing.assert_allclose(wider[..., :3].detach(), got.detach(), atol=1e-14)


def test_the_first_symbol_counts_as_one_digit():
    """With digits 0 … V - 1 the prefixes 0, 00 and 000 would share a row, and padding could stand for a symbol."""
    rows = TabularTrunk(2, 3)(torch.tensor([[0, 0, 0]])).last_hidden_state[0].argmax(-1)
    assert rows.tolist() == [1, 3, 7]


def test_the_cache_goes_on_where_the_prompt_ended():
    model = table_of()
    whole = model(torch.tensor([[2, 0, 1, 1], [0, 2, 2, 0]]))
    assert whole.past_key_values is None
    start = model(torch.tensor([[0, 2], [2, 0]]), use_cache=True, logits_to_keep=1)
    assert start.logits.shape == (2, 1, 3)
    cache = start.past_key_values
    assert cache.get_seq_length() == 2
    cache.batch_repeat_interleave(2)
    cache.batch_select_indices(torch.tensor([2, 0]))
    rest = model(torch.tensor([[1, 1], [2, 0]]), past_key_values=cache, use_cache=True)
    torch.testing.assert_close(rest.logits, whole.logits[:, 2:], atol=0, rtol=0)
    assert rest.past_key_values.get_seq_length() == 4


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ({"input_ids": [[0, 1, 2, 0, 1]]}, "a text longer than this table's 4"),
        ({"input_ids": [[0, 3]]}, "symbols from 0 to 2"),
        ({"input_ids": [[0, -1]]}, "symbols from 0 to 2"),
        ({"input_ids": [[0, 1]], "attention_mask": [[1]]}, "attention_mask must have 2 columns.*got 1"),
        (
            {"input_ids": [[9, 1]], "attention_mask": [[0, 1]], "position_ids": [[0, 1]]},
            "position_ids must be the number",
        ),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        table_of()(**{name: torch.tensor(value) for name, value in call.items()})


def test_masked_columns_may_hold_anything_and_have_any_position():
    model = table_of()
    mask, positions = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[5, 7, 0, 1]])
    padded_call = model(torch.tensor([[9, -4, 2, 1]]), attention_mask=mask, position_ids=positions)
    plain = model(torch.tensor([[2, 1]]))
    torch.testing.assert_close(padded_call.logits[:, 2:], plain.logits, atol=0, rtol=0)


def test_a_linear_head_on_the_trunk_is_a_table():
    model, batch = table_of(length=5, seed=3), uneven_batch()
    head = torch.nn.Linear(model.config.hidden_size, 3, bias=False).double()
    with torch.no_grad():
        head.weight.copy_(model.table.T)
    logits = head(response_states(model.trunk, batch))[:, :, :-1]
    tokens = batch.responses.masked_fill(~batch.response_mask, 0)
    got = torch.log_softmax(logits, -1).gather(-1, tokens[..., None])[..., 0] * batch.response_mask
    torch.testing.assert_close(got, response_logprobs(model, batch), atol=1e-14, rtol=0)
    assert list(model.trunk.parameters()) == []
    assert model.trunk(torch.tensor([[0]])).last_hidden_state.dtype == torch.float64
    assert TabularLM(3, 4).trunk(torch.tensor([[0]])).last_hidden_state.dtype == torch.float32


def test_the_table_is_drawn_from_the_generator_or_zero():
    assert torch.equal(table_of(seed=1).table, table_of(seed=1).table)
    assert not torch.equal(table_of(seed=1).table, table_of(seed=2).table)
    assert not TabularLM(3, 4).table.any()
    # 3,279 normal numbers: their standard deviation is within 6 % of its value but for one time in a million.
    wide = table_of(length=6, std=2.5)
    assert wide.table.numel() == 3279
    assert wide.table.std().item() == pytest.approx(2.5, rel=0.06)
    assert set(wide.state_dict()) == {"table"}


def test_a_table_that_cannot_be_is_refused():
    for arguments, sentence in [
        ((1, 3), "vocab_size must be 2 or more"),
        ((3, 0), "length 1 or more"),
        ((50, 4), "a million"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            TabularLM(*arguments)


def answers_of(batch, b=0):
    pairs = zip(batch.responses[b], batch.response_mask[b], strict=True)
    return [tuple(tokens[mask].tolist()) for tokens, mask in pairs]


def test_without_eos_every_answer_has_full_length():
    batch = enumerate_answers(*QUESTIONS, vocab_size=3, length=3)
    for b in range(3):
        assert answers_of(batch, b) == list(enumerate_sequences(3, 3))
    assert batch.response_mask.all()


@pytest.mark.parametrize("eos_id", [0, 1, 2])
def test_with_eos_an_answer_ends_there(eos_id):
    batch = enumerate_answers(*QUESTIONS, vocab_size=3, length=3, eos_id=eos_id)
    others = [symbol for symbol in range(3) if symbol != eos_id]

    def without_eos(length):
        return [tuple(others[s] for s in sequence) for sequence in enumerate_sequences(2, length)]

    wanted = {(*start, eos_id) for n in range(3) for start in without_eos(n)} | set(without_eos(3))
    for b in range(3):
        found = answers_of(batch, b)
        assert len(found) == len(set(found)) == 1 + 2 + 4 + 8
        assert set(found) == wanted
        assert found == sorted(found)


@pytest.mark.parametrize("eos_id", [None, 1])
def test_probabilities_of_all_answers_sum_to_one(eos_id):
    model = table_of(std=2.0)
    batch = enumerate_answers(*QUESTIONS, vocab_size=3, length=3, eos_id=eos_id)
    total = sequence_logprobs(model, batch).exp().sum(-1)
    torch.testing.assert_close(total, torch.ones(3, dtype=torch.float64), atol=1e-14, rtol=0)


def test_cut_sequences_counted_twice_would_not_sum_to_one():
    """The control: all 27 sequences, cut at their eos but not gathered, count an early end several times."""
    model, whole = table_of(std=2.0), enumerate_answers(*QUESTIONS, vocab_size=3, length=3)
    ends = (whole.responses == 1).long()
    cut = Batch(whole.prompts, whole.prompt_mask, whole.responses, ends.cumsum(-1) - ends == 0)
    assert (sequence_logprobs(model, cut).exp().sum(-1) > 1.5).all()


def test_the_exact_gradient_of_an_expected_reward():
    """J = Σ_y π(y) r(y) over all 9 answers: the score identity's gradient and central differences, to 1e-8."""
    model = table_of(length=3, seed=5)
    batch = enumerate_answers(*QUESTIONS, vocab_size=3, length=2)
    rewards = torch.randn(3, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(6))

    def objective(table):
        model.table.data = torch.as_tensor(table)
        return float((sequence_logprobs(model, batch).exp() * rewards).sum().detach())

    start = model.table.detach().numpy().copy()
    numerical = numerical_gradient(objective, start)
    model.table.data = torch.as_tensor(start)
    logprobs = sequence_logprobs(model, batch)
    (logprobs.exp().detach() * logprobs * rewards).sum().backward()
    np.testing.assert_allclose(model.table.grad.numpy(), numerical, atol=1e-8)
    used = np.abs(numerical).sum(1) > 0
    assert used.sum() == 3 + 9, "prefixes of 1 and 2 tokens; nothing is read before the prompt or after the answer"
    assert np.abs(numerical[used]).max(axis=1).min() > 1e-5


def test_what_cannot_be_listed_is_refused():
    for arguments, sentence in [
        ((0, 3), "must be 1 or more"),
        ((3, 0), "must be 1 or more"),
        ((3, 3, 3), "eos_id must be"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            enumerate_answers(*QUESTIONS, *arguments)
