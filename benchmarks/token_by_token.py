"""What the widget TokenByToken shows: `python -m benchmarks.token_by_token` writes its data and card (about two minutes).

Next-word laws along the teacher's summaries of five posts: the teacher's own, exact, and those of the tiny GPT-2 before and
after cloning with the settings of benchmarks/cloning.py, seed 0. The data go to rlhw/widgets/token_by_token.json.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.cloning import COUNTS, SETTINGS, K
from benchmarks.teacher_law import EOS, next_words
from benchmarks.tiny_runs import CONTEXT, TEACHER, clone, demonstrations
from rlhw import cards
from rlhw.batches import collate
from rlhw.language_model import load
from rlhw.logprobs import response_logits
from rlhw.tiny_tldr import Post, sample_post
from rlhw.tiny_tldr.summaries import WHOLE

DATA = Path(__file__).parents[1] / "rlhw/widgets/token_by_token.json"
SEED, SHOWN, PARTS = 0, 8, 10_000
LAWS = ("teacher", "after", "before")


def said(summary: str) -> dict[str, str]:
    """The values that a summary names."""
    return {kind: value for kind, value in WHOLE.fullmatch(summary).groupdict().items() if value is not None}


def wrong(post: Post, summary: str) -> set[str]:
    """The kinds of value that the summary names and the post does not tell so."""
    return {kind for kind, value in said(summary).items() if kind != "basically" and getattr(post, kind) != value}


def confused(post: Post, summary: str) -> set[str]:
    """The kinds of value that the summary takes from the old story."""
    named = said(summary)
    return {kind for kind in ("who", "did", "thing") if named[kind] == getattr(post, f"old_{kind}")}


# The posts shown: for each line, the first of the held-out draws that it fits, so that nobody picks a pretty one.
KINDS: dict[str, Callable[[Post, str], bool]] = {
    "no old story, every word right": lambda post, text: (
        not post.old_story and not wrong(post, text) and len(said(text)) >= 5
    ),
    "an old story as a distractor, every word right": lambda post, text: (
        bool(post.old_story) and not wrong(post, text) and "old_who" not in said(text) and len(said(text)) >= 5
    ),
    "the teacher takes a word from the old story": lambda post, text: bool(
        confused(post, text) and wrong(post, text) == confused(post, text)
    ),
    "the teacher makes something up": lambda post, text: any(getattr(post, kind) is None for kind in wrong(post, text)),
    "the teacher tells the old story, too": lambda post, text: "old_who" in said(text) and not wrong(post, text),
}


def examples() -> dict[str, tuple[Post, str]]:
    """The post and its summary for each of KINDS, in their order, from one stream of held-out posts."""
    rng = np.random.default_rng(SEED)
    posts = (sample_post(rng, "evaluation") for _ in count())
    draws = ((post, TEACHER.sample(post, rng)) for post in posts)
    return {kind: next(pair for pair in draws if fits(*pair)) for kind, fits in KINDS.items()}


@torch.no_grad()
def model_laws(model: nn.Module, tokenizer: Callable, post: Post, summary: str) -> np.ndarray:
    """The model's law of the next word before each word of the summary, the eos included: "T V", float64."""
    batch = collate([{"prompt": post.text, "completion": summary}], tokenizer, CONTEXT)
    return response_logits(model, batch)[0, 0, :-1].double().softmax(-1).numpy()


def teacher_laws(tokenizer: Callable, post: Post, words: list[str]) -> np.ndarray:
    """The teacher's law before each of these words: "T V", float64, over the model's vocabulary."""
    laws = np.zeros((len(words), len(tokenizer)))
    for t in range(len(words)):
        for word, p in next_words(TEACHER, post, tuple(words[:t])).items():
            laws[t, tokenizer.convert_tokens_to_ids(word)] = p
    return laws


def divergence(teacher: np.ndarray, model: np.ndarray) -> np.ndarray:
    """KL(teacher‖model) of the next word at each position, in nats: "T"."""
    told = teacher > 0
    return (teacher * np.log(np.where(told, teacher, 1.0) / np.where(told, model, 1.0))).sum(-1)


def rounded(shown: np.ndarray) -> list[float]:
    """Probabilities and what is left to one, in parts of 1/10,000 that sum to one: each is off by less than one part."""
    parts = np.append(shown, max(0.0, 1.0 - shown.sum())) * PARTS
    down = np.floor(parts + 1e-6).astype(int)
    short = PARTS - down.sum()
    down[np.argsort(down - parts, kind="stable")[:short]] += 1
    return (down[:-1] / PARTS).tolist()


def step(at: int, laws: np.ndarray, words: list[str]) -> dict:
    """One position: its word, the words shown with their probability under each law, the word's log-probabilities, the KLs.

    Shown are the word itself and those that the three laws together give most, the teacher's likeliest first.
    """
    together = laws.sum(0)
    together[at] = np.inf
    top = np.argsort(-together, kind="stable")[:SHOWN]
    top = sorted(top, key=lambda v: (-laws[0, v], -laws[1, v]))
    return {
        "word": words[at],
        "words": [words[v] for v in top],
        **{name: rounded(law[top]) for name, law in zip(LAWS, laws, strict=True)},
        "logprobs": [round(float(np.log(law[at])), 4) for law in laws],
        "kl": [round(float(divergence(laws[0], law)), 4) for law in laws[1:]],
    }


def measure(kind: str, post: Post, summary: str, before: nn.Module, after: nn.Module, tokenizer: Callable) -> dict:
    """What the widget shows of one post."""
    words = [*tokenizer.tokenize(summary), EOS]
    ids = tokenizer.convert_tokens_to_ids(words)
    models = (model_laws(model, tokenizer, post, summary) for model in (after, before))
    laws = np.stack([teacher_laws(tokenizer, post, words), *models], 1)
    vocabulary = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return {
        "kind": kind,
        "post": post.text,
        "summary": summary,
        "steps": [step(at, law, vocabulary) for at, law in zip(ids, laws, strict=True)],
    }


def main() -> int:
    start = time.perf_counter()
    before, tokenizer = load("tiny")
    train = demonstrations(COUNTS[-1], K, "train", SEED, tokenizer)
    after, _ = clone(train.batch, seed=SEED, **SETTINGS)
    shown = [measure(kind, *pair, before, after, tokenizer) for kind, pair in examples().items()]
    text = json.dumps({"examples": shown}, separators=(",", ":")).replace('{"word"', '\n{"word"') + "\n"
    DATA.write_text(text, encoding="utf-8")
    steps = [entry for example in shown for entry in example["steps"]]
    sha = hashlib.sha256(DATA.read_bytes()).hexdigest()

    def median(place: int) -> float:
        return float(np.median([entry["kl"][place] for entry in steps]))

    def total(place: int) -> float:
        return float(np.mean([sum(entry["kl"][place] for entry in example["steps"]) for example in shown]))

    metrics = {
        "tokens": cards.metric(
            "tokens of the five summaries, the end of each included", len(steps),
            note=f"the data: rlhw/widgets/token_by_token.json, sha256 {sha}; one clone, seed {SEED}",
        ),
        "kl_before": cards.metric(
            "KL(teacher, model) of the next word, median over these tokens, before cloning", median(1), unit="nats", known=0.0
        ),
        "kl_after": cards.metric(
            "the same after cloning", median(0), unit="nats", known=0.0, bound="< a tenth of before",
            met=median(0) < median(1) / 10,
        ),
        "summed_before": cards.metric(
            "the same summed along a summary, mean of the five, before cloning", total(1), unit="nats", known=0.0
        ),
        "summed_after": cards.metric("the same after cloning", total(0), unit="nats", known=0.0),
    }  # fmt: skip
    cards.write(
        "token_by_token", "Next-word laws along five summaries, before and after cloning", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.token_by_token",
        modules=[
            "rlhw.tiny_tldr.posts", "rlhw.tiny_tldr.summaries", "rlhw.behavior_cloning", "rlhw.logprobs", "rlhw.batches",
            "benchmarks.teacher_law",
        ],
    )  # fmt: skip
    return 0 if cards.report("token_by_token") else 1


if __name__ == "__main__":
    sys.exit(main())
