"""What the tiny GPT-2 was pretrained on: posts of the forum with later edits by their writers, and never a summary.

Some edits say a fact of the post again, so that a model learns to look facts up. One answers readers' questions with yes or
no, so that it learns to tell a right value from a wrong one: a small reward model that starts without this spends its votes
on learning it. What it does not learn here is which facts a summary names, in which words, and which mistakes a teacher
makes: that is left for behavior cloning.
"""

import re

import numpy as np

from rlhw.tiny_tldr.posts import DEEDS, PEOPLE, TEMPLATES, THINGS, VALUES, Post
from rlhw.tiny_tldr.summaries import write_summary

EDITS = (
    "edit: again, my {who} {did} my {thing}.",
    "edit: some ask what happened, my {who} {did} my {thing}, nothing else.",
    "edit: yes, it was my {who}.",
    "edit: the {thing} is gone.",
    "edit: to be clear, our {old_who} {old_did} our {old_thing} a long time ago.",
    "edit: that was on {day}.",
    "edit: it did cost {cost} dollars.",
    "edit: i still feel {feeling}.",
    "edit: should i really {ask}?",
)


# What stands before the answers, and how many a thread has: each teaches at most one bit, and comparing is slow to learn.
ANSWERS, ANSWERED = "edit: to answer all,", 3


def sample_edits(post: Post, rng: np.random.Generator) -> str:
    """Two different edits that say facts of this post again, and one with answers, in any order."""
    told = {name: value for name, value in vars(post).items() if isinstance(value, str)}
    possible = [edit for edit in EDITS if set(re.findall(r"\{(\w+)\}", edit)) <= set(told)]
    edits = [possible[i].format(**told) for i in rng.permutation(len(possible))[:2]]
    edits.insert(rng.integers(3), " ".join([ANSWERS, *(_answer(post, rng) for _ in range(ANSWERED))]))
    return " ".join(edits)


def _answer(post: Post, rng: np.random.Generator) -> str:
    """A question and its answer, such as "bike? yes.": yes is what the post tells of now, no is all else.

    Half of the questions name the post's value of a kind, where it has one; a quarter that of the old story, where it has one.
    """
    kind = list(VALUES)[rng.integers(len(VALUES))]
    value = VALUES[kind][rng.integers(len(VALUES[kind]))]
    luck = rng.random()
    if luck < 0.5:
        value = getattr(post, kind) or value
    elif luck < 0.75:
        value = getattr(post, f"old_{kind}", None) or value
    return f"{value}? {'yes' if value == getattr(post, kind) else 'no'}."


def vocabulary() -> list[str]:
    """Every word and punctuation mark of posts, edits and summaries, sorted."""
    values = [value for options in VALUES.values() for value in options]
    fixed = [re.sub(r"\{\w+\}", " ", template) for template in (*TEMPLATES, *EDITS, ANSWERS, "? yes. no.")]
    named = {kind: options[0] for kind, options in VALUES.items()}
    summary = write_summary(named, (PEOPLE[0], DEEDS[0], THINGS[0]), basically=True)
    return sorted({word for text in (*values, *fixed, summary) for word in re.findall(r"\w+|[^\w\s]", text)})
