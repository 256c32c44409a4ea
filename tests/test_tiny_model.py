"""The shipped tiny GPT-2: what is in its folder, what it can do, and what it leaves to be learned."""

import json
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from rlhw.batches import collate
from rlhw.behavior_cloning import evaluate_bc
from rlhw.language_model import load
from rlhw.logprobs import response_logits
from rlhw.tiny_tldr import VALUES, Teacher, sample_post, write_summary
from rlhw.tiny_tldr.posts import CHATTER, CIRCUMSTANCES, EVENTS, GREETINGS, OLD_STORIES, Post
from rlhw.tiny_tldr.threads import sample_edits

FOLDER = Path(str(resources.files("rlhw") / "tiny"))
RNG = np.random.default_rng(21)
POSTS = [sample_post(RNG, "evaluation") for _ in range(200)]


@pytest.fixture(scope="module")
def tiny():
    return load("tiny")


def test_the_folder_is_small_and_holds_nothing_that_runs():
    files = sorted(path.name for path in FOLDER.iterdir())
    wanted = ["README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
    assert files == [*wanted, "tokenizer_config.json"]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 4e6


def test_the_model_card_says_what_a_user_must_know():
    card = (FOLDER / "README.md").read_text(encoding="utf8")
    for word in ("What it is for", "How it was made", "What it has read", "Seed 0", "tokens", "Limits", "Licence"):
        assert word in card


def test_no_dropout_and_two_different_tokens_for_end_and_padding(tiny):
    model, tokenizer = tiny
    assert {model.config.resid_pdrop, model.config.embd_pdrop, model.config.attn_pdrop} == {0.0}
    assert tokenizer.pad_token_id != tokenizer.eos_token_id == model.config.eos_token_id
    assert not model.training
    assert json.loads((FOLDER / "config.json").read_text(encoding="utf8"))["model_type"] == "gpt2"


def test_text_survives_the_tokenizer(tiny):
    """Posts, edits and summaries come back as they were, and no word of theirs is unknown."""
    _, tokenizer = tiny
    texts = [post.text for post in POSTS] + [sample_edits(post, RNG) for post in POSTS]
    texts += [Teacher().sample(post, RNG) for post in POSTS]
    for text in texts:
        tokens = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in tokens
        assert tokenizer.decode(tokens) == text
    assert tokenizer("banana")["input_ids"] == [tokenizer.unk_token_id]


def test_the_longest_post_and_summary_fit_into_the_context(tiny):
    model, tokenizer = tiny
    longest = [max(group, key=lambda t: len(tokenizer(t)["input_ids"])) for group in (GREETINGS, OLD_STORIES, EVENTS)]
    longest += [max(templates, key=len) for templates in CIRCUMSTANCES.values()]
    told = {kind: max(options, key=lambda v: len(v.split())) for kind, options in VALUES.items()}
    old = {f"old_{kind}": VALUES[kind][0] for kind in ("who", "did", "thing")}
    post = Post(**told, **old, sentences=(*longest, max(CHATTER, key=len), "do you think that i should {ask}?"))
    summary = write_summary(post.facts, post.old_story, basically=True)
    assert len(tokenizer(post.text + " " + summary)["input_ids"]) + 1 <= model.config.n_positions - 20


def test_it_finds_facts_in_posts_that_it_has_never_seen(tiny):
    """A model with fresh weights of the same form is the control."""
    model, tokenizer = tiny
    records = [
        {
            "prompt": post.text.removesuffix(" TL;DR:"),
            "completion": f"edit: again, my {post.who} {post.did} my {post.thing}.",
        }
        for post in POSTS
    ]
    batch = collate(records, tokenizer, 160)
    values = [value for kind in ("who", "did", "thing") for value in VALUES[kind]]
    values = torch.tensor(tokenizer.convert_tokens_to_ids(values))
    place = torch.isin(batch.responses, values)

    def share(model) -> float:
        with torch.no_grad():
            return float((response_logits(model, batch)[:, :, :-1].argmax(-1) == batch.responses)[place].float().mean())

    assert share(model) >= 0.95
    assert share(type(model)(model.config).eval()) <= 0.2


def test_cloning_is_left_to_be_done(tiny):
    """Before it, the teacher's summaries cost the model several times their entropy."""
    model, tokenizer = tiny
    teacher = Teacher()
    records = [{"prompt": post.text, "completion": teacher.sample(post, RNG)} for post in POSTS]
    floor = float(np.mean([teacher.entropy(post) for post in POSTS]))
    assert evaluate_bc(model, [collate(records, tokenizer, 160)]) > 3 * floor


def test_the_command_that_made_it_makes_the_same_tokenizer(tmp_path):
    from benchmarks.pretrain_tiny import make_tokenizer

    make_tokenizer().save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == (FOLDER / "tokenizer.json").read_bytes()
    assert re.search(r"python -m benchmarks.pretrain_tiny", (FOLDER / "README.md").read_text(encoding="utf8"))
