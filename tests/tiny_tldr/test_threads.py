"""What the tiny GPT-2 has read: facts of training posts said again, and no summary."""

import re

import numpy as np

from rlhw.tiny_tldr import VALUES, Teacher, sample_post
from rlhw.tiny_tldr.summaries import PATTERNS
from rlhw.tiny_tldr.threads import EDITS, sample_edits, vocabulary

RNG = np.random.default_rng(8)
POSTS = [sample_post(RNG) for _ in range(1500)]
THREADS = [(post, sample_edits(post, RNG)) for post in POSTS]


def test_edits_speak_of_what_the_post_tells_and_are_two_or_three():
    forms = {edit: re.compile(re.sub(r"\\\{\w+\\\}", "[a-z ]+", re.escape(edit))) for edit in EDITS}
    for post, text in THREADS:
        parts = re.findall(r"edit: .*?[.?](?= edit:|$)", text)
        assert " ".join(parts) == text
        found = [next(edit for edit, form in forms.items() if form.fullmatch(part)) for part in parts]
        assert len(found) == len(set(found)) in (2, 3)
        needed = {name for edit in found for name in re.findall(r"\{(\w+)\}", edit)}
        assert all(getattr(post, name) is not None for name in needed)


def test_every_value_in_an_edit_is_the_posts():
    for post, text in THREADS:
        known = " ".join(value for value in vars(post).values() if isinstance(value, str))
        for options in VALUES.values():
            said = [value for value in options if re.search(rf"\b{value}\b", text)]
            assert all(value in known for value in said)


def test_no_edit_holds_a_clause_of_a_summary_on_its_own():
    """So that the pretrained model has never seen one."""
    for _, text in THREADS:
        sentences = [sentence.strip() for sentence in re.findall(r"[^.?]+[.?]", text)]
        assert not any(pattern.fullmatch(s) for s in sentences for pattern in PATTERNS.values())


def test_the_vocabulary_holds_every_word_that_is_ever_written():
    teacher = Teacher()
    written = [*(text for pair in THREADS for text in (pair[0].text.removesuffix(" TL;DR:"), pair[1]))]
    written += [teacher.sample(post, RNG) for post in POSTS]
    words = {word for text in written for word in re.findall(r"\w+|[^\w\s]", text)}
    assert words <= set(vocabulary())
    assert set(vocabulary()) - words == set()
    assert len(vocabulary()) >= 200
    assert {value for kind in ("who", "day") for value in VALUES[kind]} <= set(vocabulary())
