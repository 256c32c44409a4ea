"""Batches: masks made from lengths, records in TRL's formats, and an order that is a pure function of seed and step."""

import itertools

import jaxtyping
import numpy as np
import pytest
import torch
from small_models import gpt2, random_batch
from tiny_models import tokenizer

from rlhw.batches import PLAIN, Batch, Engine, answer_texts, collate, collate_prompts, prompt_texts, shuffled


def fields(batch):
    return [batch.prompts, batch.prompt_mask, batch.responses, batch.response_mask]


def assert_same(first, second):
    for one, other in zip(fields(first), fields(second), strict=True):
        assert torch.equal(one, other)


def parts(**changes):
    """The parts of a batch of 2 prompts with 3 answers each, with some of them changed."""
    whole = random_batch(2, 3, seed=1)
    return Batch(**dict(zip(Batch.__dataclass_fields__, fields(whole), strict=True)) | changes)


TOKENS, TRUE = torch.zeros(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.bool)
ANSWERS, MARKED = torch.zeros(2, 3, 4, dtype=torch.int64), torch.ones(2, 3, 4, dtype=torch.bool)
REFUSED = {
    "a mask of another shape": ({"prompt_mask": TRUE[:, :4]}, r"\(B P\).*got \(2, 5\) and \(2, 4\)"),
    "one axis too few": ({"prompts": TOKENS[0], "prompt_mask": TRUE[0]}, r"prompts and prompt_mask must both have"),
    "no answers": ({"responses": ANSWERS[:, :0], "response_mask": MARKED[:, :0]}, "no axis empty"),
    "answers of no column": ({"responses": ANSWERS[..., :0], "response_mask": MARKED[..., :0]}, "no axis empty"),
    "an answer mask of another shape": ({"response_mask": MARKED[:1]}, r"\(B K R\)"),
    "answers for another number of prompts": (
        {"responses": ANSWERS[:1], "response_mask": MARKED[:1]},
        "responses answer 1 prompts, but there are 2",
    ),
    "a prompt padded on the right": ({"prompt_mask": torch.arange(5) < torch.tensor([[5], [3]])}, "pad on the left"),
    "a prompt with a hole": ({"prompt_mask": TRUE & (torch.arange(5) != 2)}, "run of True that ends at the right"),
    "a prompt of no token": ({"prompt_mask": TRUE & torch.tensor([[True], [False]])}, "one token or more"),
    "an answer padded on the left": ({"response_mask": MARKED & (torch.arange(4) > 0)}, "pad answers on the right"),
    "an answer with a hole": ({"response_mask": MARKED & (torch.arange(4) != 2)}, "a run of True from the left"),
}


@pytest.fixture
def shapes_unchecked(monkeypatch):
    """As users have it: without the check of shapes at each call, which speaks first in these tests."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("case", REFUSED)
def test_a_batch_that_makes_no_sense_is_refused(case, shapes_unchecked):
    changes, sentence = REFUSED[case]
    parts()
    with pytest.raises(ValueError, match=sentence):
        parts(**changes)


def test_masks_are_boolean_and_tokens_are_int64(shapes_unchecked):
    with pytest.raises(TypeError, match=r"prompt_mask bool; got torch.int64 and torch.int64"):
        parts(prompt_mask=TRUE.long())
    with pytest.raises(TypeError, match=r"responses must be int64 and response_mask bool; got torch.int32"):
        parts(responses=ANSWERS.int())


def test_a_batch_is_frozen_and_has_four_fields_in_order():
    batch = parts()
    assert list(Batch.__dataclass_fields__) == ["prompts", "prompt_mask", "responses", "response_mask"]
    with pytest.raises(AttributeError):
        batch.prompts = TOKENS


@pytest.mark.parametrize("index", [[2, 0], slice(1, 3), torch.tensor([2, 2, 1]), torch.tensor([True, False, True])])
def test_rows_are_those_prompts_with_all_their_answers(index):
    batch = random_batch(3, 2, seed=3)
    wanted = np.arange(3)[index if isinstance(index, slice) else np.asarray(index)]
    some = batch.rows(index)
    for got, whole in zip(fields(some), fields(batch), strict=True):
        np.testing.assert_array_equal(got.numpy(), whole.numpy()[wanted])


def test_a_batch_on_the_same_device_is_the_same():
    batch = random_batch(3, 2, seed=3)
    assert_same(batch.to("cpu"), batch)


RECORDS = [
    {"prompt": "my cat tldr", "chosen": "sold a boat", "rejected": "yes"},
    {"prompt": "tldr", "chosen": "", "rejected": "no boat"},
]


def test_collate_by_hand():
    batch = collate(RECORDS, tokenizer(), max_length=7)
    mask = [[True, True, True], [False, False, True]]
    assert batch.prompts[torch.tensor(mask)].tolist() == [0, 1, 5, 5]
    assert batch.prompt_mask.tolist() == mask
    answers = [
        [row[real].tolist() for row, real in zip(tokens, marks, strict=True)]
        for tokens, marks in zip(batch.responses, batch.response_mask, strict=True)
    ]
    assert answers == [[[2, 3, 4, 9], [6, 9]], [[9], [7, 4, 9]]], "each ends with the eos, the empty answer too"
    assert prompt_texts(batch, tokenizer()) == ["my cat tldr", "tldr"]
    assert answer_texts(batch, tokenizer()) == [["sold a boat", "yes"], ["", "no boat"]]


def test_the_three_formats_say_the_same():
    listed = [{"prompt": r["prompt"], "answers": [r["chosen"], r["rejected"]]} for r in RECORDS]
    assert_same(collate(listed, tokenizer(), 7), collate(RECORDS, tokenizer(), 7))
    backwards = [{"rejected": r["rejected"], "chosen": r["chosen"], "prompt": r["prompt"]} for r in RECORDS]
    assert_same(collate(backwards, tokenizer(), 7), collate(iter(RECORDS), tokenizer(), 7))
    alone = [{"prompt": r["prompt"], "completion": r["chosen"]} for r in RECORDS]
    first = collate(alone, tokenizer(), 7)
    assert first.responses.shape == (2, 1, 4)
    assert torch.equal(first.responses[:, 0], collate(RECORDS, tokenizer(), 7).responses[:, 0])


def test_a_padding_token_that_is_the_eos_hides_nothing():
    """GPT-2 has pad == eos. A mask made by looking for the padding token would lose the real eos."""
    words = tokenizer(pad="<eos>")
    batch = collate(RECORDS, words, 7)
    assert batch.response_mask.sum(-1).tolist() == [[4, 2], [1, 3]]
    compared = batch.responses != words.pad_token_id
    assert compared.sum(-1).tolist() == [[3, 1], [0, 2]], "each answer's eos, the signal to stop, is lost"
    assert_same(batch, collate(RECORDS, tokenizer(), 7))


def test_the_prompt_gets_its_special_token_and_the_answer_none():
    def words(text, add_special_tokens=True):
        return {"input_ids": [7] * add_special_tokens + [len(word) for word in text.split()]}

    words.eos_token_id = 0
    batch = collate([{"prompt": "a bc", "completion": "def"}], words, 9)
    assert batch.prompts.tolist() == [[7, 1, 2]]
    assert batch.responses.tolist() == [[[3, 0]]]


BAD_RECORDS = {
    "none": ([], "records are empty"),
    "no prompt": ([RECORDS[0], {"chosen": "a", "rejected": "a"}], r"records\[1\]\['prompt'\] must be a text"),
    "an empty prompt": ([{"prompt": "", "completion": "a"}], r"records\[0\]\['prompt'\].*got ''"),
    "a prompt that is no text": ([{"prompt": ["a"], "completion": "a"}], r"got \['a'\]"),
    "no answer": ([{"prompt": "a"}], r"records\[0\] must hold 'prompt' and one of .*; it has \['prompt'\]"),
    "chosen alone": ([{"prompt": "a", "chosen": "a"}], "nothing else; it has"),
    "an unknown key": (
        [{"prompt": "a", "completion": "a", "label": "a"}],
        r"it has \['completion', 'label', 'prompt'\]",
    ),
    "two formats": ([RECORDS[0] | {"completion": "a"}], "nothing else"),
    "answers that are one text": (
        [{"prompt": "a", "answers": "yes no"}],
        r"records\[0\] must hold its answers as text",
    ),
    "an empty list of answers": ([{"prompt": "a", "answers": []}], r"records\[0\] must hold its answers as text"),
    "an answer that is no text": ([{"prompt": "a", "completion": None}], r"records\[0\] must hold its answers as text"),
    "an answer that ends already": (
        [{"prompt": "a", "completion": "yes <eos>"}],
        r"records\[0\] has the end-of-sequence",
    ),
    "K differs": (
        [{"prompt": "a", "answers": ["a"] * 2}, {"prompt": "a", "answers": ["a"] * 3}],
        r"records\[1\] has 3 answers and records\[0\] has 2",
    ),
    "too long by its eos": (
        [{"prompt": "my cat tldr", "completion": "sold a boat a"}],
        r"records\[0\] has 8 tokens.*=7",
    ),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_records_that_make_no_sense_are_refused(case):
    records, sentence = BAD_RECORDS[case]
    with pytest.raises(ValueError, match=sentence):
        collate(records, tokenizer(), max_length=7)


def test_prompts_to_be_answered():
    tokens, mask = collate_prompts(["my cat tldr", "tldr"], tokenizer(), max_length=3)
    batch = collate(RECORDS, tokenizer(), 7)
    assert torch.equal(tokens, batch.prompts)
    assert torch.equal(mask, batch.prompt_mask)
    for texts, sentence in [
        ([], "texts are empty"),
        (["a", ""], r"texts\[1\] must be a text of at least one token"),
        (["a", "my cat sold a"], r"texts\[1\] has 4 tokens, more than max_length=3"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            collate_prompts(texts, tokenizer(), max_length=3)


def test_a_tokenizer_without_eos_is_refused():
    words = tokenizer()
    words.eos_token = None
    with pytest.raises(ValueError, match=r"set tokenizer\.eos_token"):
        collate(RECORDS, words, 7)


def orders(steps, size=3, seed=5, start=0, rows=11):
    return torch.stack(list(itertools.islice(shuffled(torch.arange(rows), size, seed, start), steps)))


def test_an_epoch_is_a_permutation_and_each_one_another():
    epochs = orders(4 * 5, size=2, rows=8).reshape(5, 8)
    assert all(sorted(epoch) == list(range(8)) for epoch in epochs.tolist())
    assert len(torch.unique(epochs, dim=0)) == 5, "two of five alike by chance: 2.5e-4; the seed is fixed"
    assert not torch.equal(orders(4, seed=5), orders(4, seed=6))


def test_what_is_left_over_is_dropped():
    epochs = orders(6).reshape(2, 9)
    assert all(len(set(epoch)) == 9 for epoch in epochs.tolist())
    assert set(epochs[0].tolist()) != set(epochs[1].tolist()), "another two are left out"
    assert sorted(orders(1, size=11)[0].tolist()) == list(range(11))


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 8, 100])
def test_a_resumed_stream_goes_on_as_if_nothing_had_happened(start):
    assert torch.equal(orders(7, start=start), orders(start + 7)[start:])


def test_a_seed_for_each_epoch_that_is_the_sum_would_repeat_epochs():
    """The control: default_rng(seed + epoch) gives seed 5 in its epoch 1 what seed 6 had in its epoch 0."""

    def epoch(seed, number, generator_of):
        return generator_of(seed, number).permutation(11)

    summed = [
        epoch(5, 1, lambda s, e: np.random.default_rng(s + e)),
        epoch(6, 0, lambda s, e: np.random.default_rng(s + e)),
    ]
    np.testing.assert_array_equal(*summed)
    assert not torch.equal(orders(6, seed=5)[3:], orders(3, seed=6))


def test_every_row_is_equally_likely_at_every_place():
    # 6 rows, 600 epochs: the first place's chi-square has 5 degrees of freedom and is above 36.1 with chance 1e-6.
    # A shift by a random number in place of a shuffle passes this and is caught by the pairs below.
    epochs = orders(600 * 2, rows=6).reshape(600, 6)
    counts = torch.bincount(epochs[:, 0], minlength=6)
    assert ((counts - 100) ** 2 / 100).sum() < 36.1
    followed = (epochs[:, 1] - epochs[:, 0]) % 6 == 1
    assert abs(followed.float().mean() - 0.2) < 0.08, "binomial, 600 trials at 1/5: 4.9 standard deviations, 1e-6"


def test_parts_of_a_tuple_stay_together_and_keep_their_type():
    batch, marks = random_batch(7, 2, seed=4), torch.arange(7)
    for some, index in itertools.islice(shuffled((batch, marks), 3, seed=1), 5):
        assert isinstance(some, Batch)
        assert_same(some, batch.rows(index))
    assert isinstance(next(shuffled(batch, 3, seed=1)), Batch)
    (alone,) = next(shuffled((marks,), 3, seed=1))
    assert torch.equal(alone, next(shuffled(marks, 3, seed=1)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((torch.arange(4), 5, 0), "size must be from 1 to the 4 rows"),
        ((torch.arange(4), 0, 0), "size must be from 1"),
        (((torch.arange(4), torch.arange(5)), 2, 0), r"parts of one length; theirs are \[4, 5\]"),
        ((torch.arange(4), 2, -1), "start and seed must be 0 or more"),
        ((torch.arange(4), 2, 0, -3), "got start=-3"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_at_once(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        shuffled(*arguments)


def test_plain_is_torch_itself_and_accelerate_is_an_engine_too():
    from accelerate import Accelerator

    models = gpt2(seed=2), gpt2(seed=2)
    norms = []
    for model, backward, clip in (
        (models[0], PLAIN.backward, PLAIN.clip_grad_norm_),
        (models[1], torch.Tensor.backward, torch.nn.utils.clip_grad_norm_),
    ):
        backward(model(input_ids=torch.tensor([[1, 2, 3]])).logits.square().sum())
        norms.append(clip(model.parameters(), 0.5))
    assert norms[0] == norms[1] > 0.5
    assert torch.equal(models[0].lm_head.weight.grad, models[1].lm_head.weight.grad)
    x = torch.tensor([1.0, 2.0])
    assert PLAIN.reduce(x, "sum") is x
    assert isinstance(PLAIN, Engine)
    assert isinstance(Accelerator(cpu=True), Engine)
    assert not isinstance(object(), Engine)
