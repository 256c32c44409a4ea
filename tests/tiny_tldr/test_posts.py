"""The posts of the small forum: text and facts are two forms of one thing, and no post stands on both sides of the split."""

import re
from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chisquare

from rlhw.tiny_tldr import VALUES, posts, read_post, sample_post

RNG = np.random.default_rng(11)
POSTS = [sample_post(RNG) for _ in range(4000)]


def words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


def test_text_and_facts_are_two_forms_of_one_post():
    assert [post for post in POSTS if read_post(post.text) != post] == []


def test_every_fact_stands_in_the_text_and_nothing_else_does():
    told = set().union(*map(set, map(words, posts.TEMPLATES)))
    for post in POSTS:
        known = [*post.facts.values(), *(post.old_story or ())]
        assert all(value in post.text for value in known)
        spoken = set(words(post.text.removesuffix(posts.ENDING)))
        assert spoken <= told | {word for value in known for word in value.split()}


def test_no_two_templates_match_one_sentence():
    """Otherwise the way back would depend on the order of a table."""
    sentences = {sentence + end for post in POSTS for sentence, end in re.findall(r"([^.?]+)([.?])", post.text)}
    for sentence in sentences:
        matches = [t for t, pattern in posts._patterns().items() if pattern.fullmatch(sentence.strip())]
        assert len(matches) == 1, (sentence, matches)


def test_posts_are_varied():
    assert len({post.text for post in POSTS}) == len(POSTS)
    lengths = [len(words(post.text)) for post in POSTS]
    assert np.percentile(lengths, 5) >= 25
    assert np.percentile(lengths, 95) <= 70
    assert len({word for post in POSTS for word in words(post.text)}) >= 200
    assert {t for post in POSTS for t in post.sentences} == set(posts.TEMPLATES)


def test_training_and_evaluation_posts_are_disjoint():
    """Also in their facts: another wording of a post falls on the same side. One post in ten is for evaluation."""
    rng = np.random.default_rng(3)
    sides = {split: [sample_post(rng, split) for _ in range(2000)] for split in ("train", "evaluation")}
    texts = {split: {post.text for post in side} for split, side in sides.items()}
    facts = {split: {(*post.facts.items(), post.old_story) for post in side} for split, side in sides.items()}
    assert not texts["train"] & texts["evaluation"]
    assert not facts["train"] & facts["evaluation"]
    for post in POSTS[:200]:
        reworded = replace(post, sentences=("hi all.", *post.sentences))
        assert reworded.split == post.split
    share = np.mean([post.split == "evaluation" for post in POSTS])
    assert abs(share - 26 / 256) < 5 * np.sqrt(0.09 / len(POSTS))  # five standard errors: false alarm 6e-7


def test_values_are_drawn_evenly_and_old_stories_are_about_somebody_else():
    """A chi-square test a fact; false alarm 1e-8 each, 7 facts."""
    for kind, options in VALUES.items():
        counts = Counter(getattr(post, kind) for post in POSTS)
        counts.pop(None, None)
        assert set(counts) == set(options)
        assert chisquare([counts[value] for value in options]).pvalue > 1e-8
    with_old = [post for post in POSTS if post.old_story]
    assert abs(len(with_old) / len(POSTS) - 0.6) < 0.05
    assert all(not set(post.old_story) & {post.who, post.did, post.thing} for post in with_old)


def test_the_words_of_two_kinds_never_meet():
    """A value tells its kind, so that a summary has one reading only."""
    for one, other in combinations(VALUES, 2):
        assert not set(VALUES[one]) & set(VALUES[other])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.removesuffix(" TL;DR:"), "must end in 'TL;DR:'"),
        (lambda t: t.replace(" TL;DR:", " buy this now. TL;DR:"), "'buy this now.'"),
        (lambda t: t.replace("my ", "your "), "has a sentence that no post of this forum has"),
        (lambda t: "hi all. TL;DR:", "does not tell who, did, thing, ask"),
        (lambda t: "", "must end in"),
    ],
)
def test_a_text_that_is_no_post_is_refused(change, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_post(change(POSTS[0].text))


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split must be 'train', 'evaluation' or None; got 'test'"):
        sample_post(RNG, "test")
