"""Pairs from a model: two answers to each prompt, the same however prompts are split, and equal ones counted."""

from collections import Counter

import numpy as np
import pytest
import torch

from rlhw.language_model import load
from rlhw.pair_sampling import SAME, sample_pairs
from rlhw.preferences import read_pairs, write_pairs
from rlhw.tiny_tldr import sample_post

POSTS = [sample_post(np.random.default_rng(seed)).text for seed in range(9)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def tiny():
    return load("tiny")


def test_two_answers_to_each_prompt_that_a_file_of_pairs_holds(tiny, tmp_path):
    pairs, left_out = sample_pairs(*tiny, POSTS, max_new_tokens=12, generator=seeded())
    assert ([prompt for prompt, _, _ in pairs], left_out) == (POSTS, {})
    assert all(isinstance(one, str) and one != other for _, one, other in pairs)
    assert len({answer for pair in pairs for answer in pair[1:]}) > len(POSTS), (
        "answers are sampled, not the likeliest one"
    )
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert read_pairs(tmp_path / "pairs.jsonl") == pairs


@pytest.mark.parametrize("batch_size", [1, 2, 4, 8, 9, 100])
def test_pairs_do_not_depend_on_how_prompts_are_split(tiny, batch_size):
    whole = sample_pairs(*tiny, POSTS, max_new_tokens=12, generator=seeded(), batch_size=64)
    assert sample_pairs(*tiny, POSTS, max_new_tokens=12, generator=seeded(), batch_size=batch_size) == whole


def test_the_generator_alone_decides(tiny):
    one, again, other = (sample_pairs(*tiny, POSTS, max_new_tokens=6, generator=seeded(s)) for s in (1, 1, 2))
    assert one == again != other


def test_equal_answers_are_no_pair_and_are_counted(tiny):
    """At a temperature near 0 both answers are the likeliest one; at 1 hardly a pair is."""
    pairs, left_out = sample_pairs(*tiny, POSTS, max_new_tokens=5, generator=seeded(), temperature=1e-4)
    assert (pairs, left_out) == ([], Counter({SAME: len(POSTS)}))
    # With one token an answer some pairs are equal and some are not; none is lost.
    pairs, left_out = sample_pairs(*tiny, POSTS * 8, max_new_tokens=1, generator=seeded())
    assert 0 < left_out[SAME] < 72
    assert len(pairs) + left_out[SAME] == 72


def test_which_answer_stands_first_is_chance(tiny):
    """Of exchangeable answers the longer one stands first in half of the pairs: 6 to 34 of 40 but once in a million times."""
    pairs, _ = sample_pairs(*tiny, POSTS * 8, max_new_tokens=12, generator=seeded(5))
    longer = [len(one) > len(other) for _, one, other in pairs if len(one) != len(other)]
    assert len(longer) > 40
    assert 0.2 < np.mean(longer) < 0.8


@pytest.mark.parametrize(
    ("prompts", "changes", "sentence"),
    [
        ([], {}, "texts are empty"),
        ([*POSTS, ""], {"batch_size": 2}, r"texts\[9\] must be a text of at least one token"),
        (POSTS, {"batch_size": 0}, "batch_size must be 1 or more; got 0"),
        (POSTS, {"max_new_tokens": 0}, "k and max_new_tokens must be 1 or more"),
        (POSTS, {"temperature": 0.0}, "temperature must be positive"),
        (POSTS, {"max_new_tokens": 10_000}, "the longest prompt need"),
    ],
)
def test_what_cannot_be_sampled_is_refused(tiny, prompts, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        sample_pairs(*tiny, prompts, **{"max_new_tokens": 4, "generator": seeded()} | changes)
