"""What the tiny GPT-2 has read: facts of training posts said again, questions answered, and no summary."""

import re
from collections import Counter

import numpy as np

from rlhw.tiny_tldr import VALUES, Teacher, read_post, sample_post
from rlhw.tiny_tldr.summaries import PATTERNS
from rlhw.tiny_tldr.threads import ANSWERED, ANSWERS, EDITS, sample_edits, vocabulary

RNG = np.random.default_rng(8)
POSTS = [sample_post(RNG) for _ in range(1500)]
THREADS = [(post, sample_edits(post, RNG)) for post in POSTS]


def parts_of(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The edits that say facts again, and the questions with their answers."""
    parts = re.findall(r"edit: .*?(?= edit: |$)", text)
    assert " ".join(parts) == text
    answers = [part for part in parts if part.startswith(ANSWERS)]
    assert len(answers) == 1
    return [part for part in parts if part not in answers], re.findall(r"([a-z ]+)\? (yes|no)\.", answers[0])


def test_edits_speak_of_what_the_post_tells_and_are_two():
    forms = {edit: re.compile(re.sub(r"\\\{\w+\\\}", "[a-z ]+", re.escape(edit))) for edit in EDITS}
    for post, text in THREADS:
        parts, _ = parts_of(text)
        found = [next(edit for edit, form in forms.items() if form.fullmatch(part)) for part in parts]
        assert len(found) == len(set(found)) == 2
        needed = {name for edit in found for name in re.findall(r"\{(\w+)\}", edit)}
        assert all(getattr(post, name) is not None for name in needed)


def test_every_value_that_is_said_again_is_the_posts():
    for post, text in THREADS:
        known = " ".join(value for value in vars(post).values() if isinstance(value, str))
        for options in VALUES.values():
            said = [value for value in options if re.search(rf"\b{value}\b", " ".join(parts_of(text)[0]))]
            assert all(value in known for value in said)


def test_yes_is_a_fact_of_the_post_and_no_is_anything_else():
    """Facts are read from the text of the post again: `read_post` and VALUES are the oracle, not the code of the answers."""
    answered, old = Counter(), 0
    for post, text in THREADS:
        questions = [(value.strip(), answer) for value, answer in parts_of(text)[1]]
        assert len(questions) == ANSWERED
        for value, answer in questions:
            assert any(value in options for options in VALUES.values())
            assert (answer == "yes") == (value in read_post(post.text).facts.values())
            answered[answer] += 1
            old += value in (post.old_story or ())
    # 4,500 questions.
    assert 0.4 < answered["yes"] / answered.total() < 0.5
    assert old > 0.04 * answered.total()


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
