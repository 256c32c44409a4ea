"""Comparisons of people on their way to the trainers: files and exports, what a model can read, and no vote lost."""

import json
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from pipeline_samples import comparisons, write_lines
from tiny_models import tokenizer
from tokenizers import processors

from rlhw.batches import answer_texts, prompt_texts
from rlhw.language_model import load
from rlhw.pipeline.data import fitting, read_comparisons, votes
from rlhw.preferences import Comparison

EXPORTS = Path(__file__).parents[1] / "preferences"
MINE = {"prompt": "my cat", "first": "yes", "second": "no", "choice": "first", "annotator": "ann"}


def test_a_later_label_of_the_same_annotator_counts(tmp_path):
    again = MINE | {"first": "no", "second": "yes", "choice": "first"}
    rows = [MINE, MINE | {"annotator": "bob"}, MINE | {"prompt": "a boat", "choice": "second"}, again]
    found, words = read_comparisons(write_lines(tmp_path / "labels.jsonl", rows))
    assert words == "4 comparisons; 1 replaced by a later label of the same annotator"
    assert Counter((one.annotator, one.prompt, one.first, one.choice) for one in found) == {
        ("bob", "my cat", "yes", "first"): 1, ("ann", "a boat", "yes", "second"): 1, ("ann", "my cat", "no", "first"): 1,
    }  # fmt: skip


@pytest.mark.parametrize("form", ["json", "json_min"])
def test_an_export_of_label_studio(form):
    """Of eleven tasks five pairs were judged, one of them twice by the same annotator: the later label counts."""
    found, words = read_comparisons(str(EXPORTS / f"label_studio_{form}.json"))
    assert [(one.first, one.choice) for one in found] == [
        ("a0", "first"), ("a1", "second"), ("a2", "tie"), ("a5", "first"), ("a8", "second"),
    ]  # fmt: skip
    assert words.startswith("6 comparisons (1 with an empty answer); left out: ")
    assert "not labelled" in words
    assert words.endswith("; 1 replaced by a later label of the same annotator")


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_labels_that_all_say_the_same_are_refused(tmp_path, form):
    """The control: with one label that says another thing they are read."""
    for last, refused in (("second", True), ("first", False)):
        choices = ["second", "second", "second", last]
        rows = [MINE | {"prompt": f"my cat {i}", "choice": choice} for i, choice in enumerate(choices)]
        path = write_lines(tmp_path / f"{last}.jsonl", rows)
        if form == "json":
            side = {"first": "left", "second": "right"}
            tasks = [
                {"data": {"prompt": row["prompt"], "answer1": "yes", "answer2": "no"},
                 "annotations": [{"result": [{"value": {"selected": side[row["choice"]]}}]}]} for row in rows
            ]  # fmt: skip
            path = str(tmp_path / f"{last}.json")
            Path(path).write_text(json.dumps(tasks), encoding="utf8")
        if refused:
            with pytest.raises(ValueError, match=r"^comparisons are one-sided: all 4 choices are 'second'"):
                read_comparisons(path)
        else:
            assert len(read_comparisons(path)[0]) == 4


def test_files_with_faults_are_refused_by_line(tmp_path):
    for line, sentence in (
        ('{"prompt": "a"', "line 2 is not JSON"),
        (json.dumps(MINE | {"choice": "left"}), "line 2: choice must be 'first', 'second' or 'tie'"),
        (json.dumps({"prompt": "a", "chosen": "b", "rejected": "c"}), "line 2: 'chosen' is an unknown field"),
        (json.dumps(MINE | {"second": "yes"}), "line 2: first and second are the same answer"),
    ):
        with pytest.raises(ValueError, match=f"labels.jsonl, {sentence}"):
            read_comparisons(write_lines(tmp_path / "labels.jsonl", [MINE, line, MINE]))
    with pytest.raises(ValueError, match="comparisons are empty"):
        read_comparisons(write_lines(tmp_path / "none.jsonl", []))
    for name in ("nothing.jsonl", "nothing.json"):
        with pytest.raises(FileNotFoundError, match=f"there is no file .*{name}"):
            read_comparisons(str(tmp_path / name))


def test_a_data_set_with_chosen_first_is_read(tmp_path, monkeypatch):
    """There all choices are the first: that is its form, and no fault."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    path = tmp_path / "pairs.parquet"
    rows = [{"prompt": f"my cat {i}", "chosen": "yes", "rejected": "no" if i else "yes"} for i in range(4)]
    datasets.Dataset.from_list(rows).to_parquet(path)
    found, words = read_comparisons(str(path))
    assert [(one.prompt, one.first, one.second, one.choice) for one in found] == [
        (f"my cat {i}", "yes", "no", "first") for i in (1, 2, 3)
    ]
    assert words == (
        "3 comparisons (0 with an empty answer); left out: 1 × first and second are the same answer, so there is nothing to compare"
    )


def test_words_that_the_model_does_not_know_are_left_out_and_counted():
    _, tiny = load("tiny")
    known = [Comparison(**one) for one in comparisons(6)]
    strange = [
        Comparison("My zebra ate Qubits . TL;DR:", known[0].first, known[0].second, "first"),
        Comparison(known[1].prompt, "zebra", known[1].second, "tie"),
        Comparison(known[2].prompt, known[2].first, "<unk>", "second"),
    ]
    kept, words = fitting(strange[:1] + known[:3] + strange[1:] + known[3:], tiny, 160)
    assert kept == known
    assert words.startswith("0 too long for context=160, 3 with words that the model does not know")
    with pytest.raises(ValueError, match=r"^data: no comparison is left: 0 too long for context=160, 3 with words"):
        fitting(strange, tiny, 160)
    open_ended = tokenizer()
    open_ended.unk_token = open_ended.eos_token
    assert len(fitting(known, open_ended, 160)[0]) == len(known), "as with GPT-2, which can write any word"


def with_bos():
    """A tokenizer that puts a token in front of every prompt, as Llama's does."""
    found = tokenizer()
    found.backend_tokenizer.post_processor = processors.TemplateProcessing(single="my $A", special_tokens=[("my", 0)])
    return found


@pytest.mark.parametrize(
    "make",
    [tokenizer, with_bos],
)
def test_what_is_too_long_is_left_out_to_the_token(make):
    """All that is kept can be collated: prompt, longer answer and end of sequence within the context."""
    extra = len(make()("cat")["input_ids"]) - 1
    found = [Comparison(" ".join(["cat"] * n), "yes", "no a boat", "first") for n in range(1, 9)]
    kept, words = fitting(found, make(), 10)
    assert [len(one.prompt.split()) for one in kept] == list(range(1, 7 - extra))
    assert words.startswith(f"{2 + extra} too long for context=10, 0 with")
    batch, _ = votes(kept, make(), 10)
    assert int(batch.prompt_mask.sum(1).max()) + int(batch.response_mask.sum(-1).max()) == 10


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(Comparison(" ", "yes", "no", "first"), id="a prompt of no token"),
        pytest.param(Comparison("cat", "yes <eos>", "no", "first"), id="the end of sequence in an answer"),
    ],
)
def test_what_collate_would_refuse_is_left_out(odd):
    kept, _ = fitting([Comparison(**MINE), odd], tokenizer(), 20)
    votes(kept, tokenizer(), 20)
    assert kept == [Comparison(**MINE)]


def uneven(counts: list[int], seed: int = 0) -> list[Comparison]:
    """Prompts with so many answers each, every pair of them judged by one or two annotators, in any order."""
    rng, found = np.random.default_rng(seed), []
    for row, count in enumerate(counts):
        for i in range(count):
            for j in range(i):
                for annotator in range(1 + (i + j) % 2):
                    choice = ["first", "second", "tie"][rng.integers(3)]
                    answers = (" ".join(["cat"] * (n + 1)) for n in (i, j))
                    found.append(Comparison("a " * (row + 1) + "boat", *answers, choice, annotator=f"ann {annotator}"))
    return [found[i] for i in rng.permutation(len(found))]


def counted(comparisons: list[Comparison]) -> Counter:
    """Votes for one answer over another, by texts."""
    tally = Counter()
    for one in comparisons:
        for better, worse, share in ((one.first, one.second, "first"), (one.second, one.first, "second")):
            tally[one.prompt, better, worse] += 1.0 if one.choice == share else 0.5 * (one.choice == "tie")
    return +tally


def found_again(batch, wins, words) -> Counter:
    tally = Counter()
    for prompt, answers, counts in zip(prompt_texts(batch, words), answer_texts(batch, words), wins, strict=True):
        for i, j in counts.nonzero().tolist():
            tally[prompt, answers[i], answers[j]] += float(counts[i, j])
    return tally


def check_votes(fn, counts: list[int]) -> tuple:
    found = uneven(counts)
    batch, wins = fn(found, tokenizer(), 40)
    assert found_again(batch, wins, tokenizer()) == counted(found)
    assert wins.sum() == len(found)
    assert wins.dtype == torch.float32
    return tuple(wins.shape)


@pytest.mark.parametrize(
    ("counts", "shape"),
    [
        ([4, 4, 4], (3, 4, 4)),
        ([4, 3, 4, 4], (4, 4, 4)),
        ([2, 3, 3], (3, 3, 3)),
        ([3, 2, 2, 3, 3, 3], (6, 3, 3)),
        ([2, 3, 4], (3, 4, 4)),
        ([2, 2, 4], (8, 2, 2)),
        ([2, 2, 2, 2, 4], (10, 2, 2)),
    ],
)
def test_uneven_numbers_of_answers_lose_no_vote(counts, shape):
    """Padding has none; where padding would be a third of all answers or more each pair has a row of its own."""
    assert check_votes(votes, counts) == shape


def cut(found, words, context):
    """A mutant: the smallest number of answers decides."""
    batch, wins = votes(found, words, context)
    return batch, wins[:, :2, :2]


def padding_votes(found, words, context):
    """A mutant: the repeated answer has the votes of the first."""
    batch, wins = votes(found, words, context)
    wins[:, -1] = wins[:, 0]
    return batch, wins


@pytest.mark.parametrize("mutant", [cut, padding_votes])
def test_votes_that_are_lost_or_counted_twice_are_found(mutant):
    with pytest.raises((AssertionError, IndexError)):
        check_votes(mutant, [4, 3, 4, 4])
