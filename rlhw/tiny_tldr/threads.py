"""What the tiny GPT-2 was pretrained on: posts of the forum with later edits by their writers, and never a summary.

An edit says a fact of the post again, so that a model learns to look facts up. What it does not learn here is which facts a
summary names, in which words, and which mistakes a teacher makes: that is left for behavior cloning.
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


def sample_edits(post: Post, rng: np.random.Generator) -> str:
    """Three different edits of this post (two, where the post gives no more), in any order."""
    told = {name: value for name, value in vars(post).items() if isinstance(value, str)}
    possible = [edit for edit in EDITS if set(re.findall(r"\{(\w+)\}", edit)) <= set(told)]
    return " ".join(possible[i].format(**told) for i in rng.permutation(len(possible))[:3])


def vocabulary() -> list[str]:
    """Every word and punctuation mark of posts, edits and summaries, sorted."""
    values = [value for options in VALUES.values() for value in options]
    fixed = [re.sub(r"\{\w+\}", " ", template) for template in (*TEMPLATES, *EDITS)]
    named = {kind: options[0] for kind, options in VALUES.items()}
    summary = write_summary(named, (PEOPLE[0], DEEDS[0], THINGS[0]), basically=True)
    return sorted({word for text in (*values, *fixed, summary) for word in re.findall(r"\w+|[^\w\s]", text)})
