"""Posts and summaries from files: what is read, what is refused by line, which side of the split a prompt is on, what fits."""

import hashlib
import json

import datasets
import numpy as np
import pytest
from pipeline_samples import texts, write_lines
from tiny_models import tokenizer

from rlhw.batches import prompt_texts
from rlhw.pipeline.texts import Texts, read_texts

RECORD = {"prompt": "my cat sold a boat tldr", "completion": "yes"}


def test_records_are_read_in_their_order_and_other_fields_left_out(tmp_path):
    rows = [RECORD, RECORD | {"prompt": "a boat", "title": "no", "n": 3}, "", RECORD | {"completion": ""}]
    path = write_lines(tmp_path / "texts.jsonl", rows)
    wanted = [RECORD, RECORD | {"prompt": "a boat"}, RECORD | {"completion": ""}]
    assert read_texts(path) == wanted
    assert read_texts(path, answered=False) == [{"prompt": one["prompt"]} for one in wanted]
    with_mark = tmp_path / "mark.jsonl"
    with_mark.write_bytes(b"\xef\xbb\xbf" + (tmp_path / "texts.jsonl").read_bytes().replace(b"\n", b"\r\n"))
    assert read_texts(str(with_mark)) == wanted


FAULTS = {
    "no JSON": ('{"prompt": "a", ', "line 3 is not JSON"),
    "a list": ("[1, 2]", "line 3 must hold prompt and completion as text"),
    "no completion": ('{"prompt": "a"}', "line 3 must hold prompt and completion as text"),
    "a number": ('{"prompt": "a", "completion": 7}', "line 3 must hold prompt and completion as text"),
    "null": ('{"prompt": null, "completion": "yes"}', "line 3 must hold prompt and completion as text"),
    "a field twice": ('{"prompt": "a", "prompt": "b", "completion": "c"}', "line 3 holds"),
    "NaN": ('{"prompt": "a", "completion": "c", "score": NaN}', "line 3 holds NaN"),
    "an empty prompt": (
        '{"prompt": " ", "completion": "c"}',
        "line 3 must hold prompt and completion as text, the prompt not",
    ),
    "half a character": (
        '{"prompt": "\\ud800 a", "completion": "c"}',
        "line 3 must hold prompt and completion as text",
    ),
}


@pytest.mark.parametrize(("line", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_line_is_named(tmp_path, line, sentence):
    path = write_lines(tmp_path / "texts.jsonl", [RECORD, "", line, RECORD])
    with pytest.raises(ValueError, match=f"texts.jsonl, {sentence}.*; mend or delete this line"):
        read_texts(path)


def test_a_prompt_alone_is_enough_where_no_answer_is_asked_for(tmp_path):
    path = write_lines(tmp_path / "prompts.jsonl", [{"prompt": "a boat"}, {"prompt": "my cat"}])
    assert read_texts(path, answered=False) == [{"prompt": "a boat"}, {"prompt": "my cat"}]


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing\.jsonl\.$"):
        read_texts(str(tmp_path / "nothing.jsonl"))
    with pytest.raises(FileNotFoundError, match="no folder or file here, and no Hub id"):
        read_texts(str(tmp_path / "nothing"))


@pytest.mark.parametrize("form", ["file", "folder"])
def test_parquet_is_read_by_datasets(tmp_path, monkeypatch, form):
    """A local file or folder of the form that the Hub has; nothing is fetched."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    found = texts(5)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "train.parquet"
    datasets.Dataset.from_list([one | {"id": str(i)} for i, one in enumerate(found)]).to_parquet(path)
    assert read_texts(str(path if form == "file" else path.parent)) == found
    other = tmp_path / "other.parquet"
    datasets.Dataset.from_list([{"prompt": "a", "summary": "b"}]).to_parquet(other)
    with pytest.raises(ValueError, match=r"has no column 'completion'; it has prompt, summary\.$"):
        read_texts(str(other))
    assert read_texts(str(other), answered=False) == [{"prompt": "a"}]


WORDS = ["my", "cat", "sold", "a", "boat", "tldr", "yes", "no"]


def numbered(count: int) -> list[dict[str, str]]:
    """Prompts that all differ, in words that the small tokenizer knows; some twice, with another answer."""
    rng = np.random.default_rng(0)
    prompts = [" ".join(rng.choice(WORDS, size=8)) for _ in range(count)]
    return [{"prompt": one, "completion": answer} for one in prompts for answer in ("yes", "no a boat")]


def test_no_prompt_is_on_both_sides_of_the_split_whatever_stands_around_it():
    records = numbered(300)
    whole, rng = Texts(records, tokenizer(), 20, 4), np.random.default_rng(1)
    sides = {name: whole.prompts(1000, name, rng) for name in ("train", "evaluation")}
    assert len(sides["train"]) + len(sides["evaluation"]) == len(records)
    assert not set(sides["train"]) & set(sides["evaluation"])
    first = {
        one
        for one in {row["prompt"] for row in records}
        if int(hashlib.sha256(one.encode()).hexdigest()[:16], 16) % 20 == 0
    }
    assert set(sides["evaluation"]) == first
    assert 5 <= len(first) <= 30
    fewer = Texts(records[: len(records) // 2][::-1], tokenizer(), 20, 4)
    assert set(fewer.prompts(1000, "evaluation", rng)) <= first
    by_place = {row["prompt"] for row in records[::20]} & {row["prompt"] for row in records[1::20]}
    assert by_place, "the control: one record in twenty would put prompts on both sides"


def test_the_order_is_drawn_from_the_generator_and_the_count_is_kept():
    posts = Texts(numbered(50), tokenizer(), 20, 4)
    one, again, other = (posts.prompts(30, "train", np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one == again != other
    assert len(one) == 30


def test_what_is_too_long_is_left_out_to_the_token():
    """Prompts of 1 to 8 tokens with an answer of 3: with its end it fits into a context of 10 up to a prompt of 6."""
    records = [{"prompt": " ".join(WORDS[:n]), "completion": "my cat no"} for n in range(1, 9)]
    sides = [Texts(records, tokenizer(), 10, answer=3)] * 2
    found = [
        prompt
        for posts, split in zip(sides, ("train", "evaluation"), strict=True)
        for prompt in kept(posts, split)
    ]  # fmt: skip
    assert sorted(len(prompt.split()) for prompt in found) == [1, 2, 3, 4, 5, 6]
    prompts = {len(p.split()) for split in ("train", "evaluation") for p in those(sides[0], split)}
    assert prompts == {1, 2, 3, 4, 5, 6, 7}, "7 tokens and an answer of 3 are 10"


def kept(posts: Texts, split: str) -> list[str]:
    try:
        batch = posts.demonstrations(100, 1, split, np.random.default_rng(0))
    except ValueError:
        return []
    return prompt_texts(batch, posts.tokenizer)


def those(posts: Texts, split: str) -> list[str]:
    try:
        return posts.prompts(100, split, np.random.default_rng(0))
    except ValueError:
        return []


def test_what_cannot_be_had_is_refused():
    posts = Texts([RECORD], tokenizer(), 4, 2)
    with pytest.raises(ValueError, match=r"^texts hold no post on this side of the split that fits into the context"):
        posts.prompts(3, "train", np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"^clone\.answers must be 1: these posts have one summary each; got 4"):
        posts.demonstrations(3, 4, "train", np.random.default_rng(0))
    assert posts.gold() is None


def test_records_are_json_and_nothing_else(tmp_path):
    """What is read is what json.dumps wrote, hard characters included."""
    found = [{"prompt": "\u2028 a\u0085b <script>&\"'", "completion": "\n\t 🙂"}]
    assert read_texts(write_lines(tmp_path / "hard.jsonl", [json.dumps(found[0], ensure_ascii=False)])) == found
