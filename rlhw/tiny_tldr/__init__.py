"""A small forum with known answers: posts that end in "TL;DR:", a teacher who summarises them, and what a summary is worth.

Everything a chapter measures against is exact here. `Teacher.logprob` is the probability of any summary, so its entropy is the
floor that no student can beat; `gold_reward` is what a summary is really worth; `SimulatedAnnotator.probability` is the
chance of each choice, so the Bayes accuracy, which no reward model can beat, is known too.

    posts       Post, sample_post, read_post: facts, wording, and the way back from text to facts
    summaries   Teacher, gold_reward, best_summary, SimulatedAnnotator

>>> import numpy as np
>>> post = sample_post(np.random.default_rng(5))
>>> read_post(post.text) == post
True
>>> gold_reward(post, best_summary(post)) >= gold_reward(post, post.text)
True
"""

from rlhw.tiny_tldr.posts import VALUES, Post, read_post, sample_post
from rlhw.tiny_tldr.summaries import SimulatedAnnotator, Teacher, best_summary, gold_reward, write_summary

__all__ = [
    "VALUES",
    "Post",
    "SimulatedAnnotator",
    "Teacher",
    "best_summary",
    "gold_reward",
    "read_post",
    "sample_post",
    "write_summary",
]
