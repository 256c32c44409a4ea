"""Pairs of the small forum, and what two simulated annotators say of them: what the recorded export holds."""

import numpy as np

from rlhw.preferences import Choice, Pair
from rlhw.tiny_tldr import SimulatedAnnotator, Teacher, read_post, sample_post

COUNT, PAIRS_SEED = 24, 4
# Annotator 1 is careful and annotator 2 hasty: (temperature in units of the gold reward, seed, median seconds a label).
ANNOTATORS = {"1": (0.5, 41, 11.0), "2": (1.5, 42, 6.0)}
# Annotator 2 skips one pair, and labels another twice: first the other way round.
SKIPPED, RELABELLED = 5, 9


def forum_pairs() -> list[Pair]:
    """A post, and two different summaries of its teacher, 24 times."""
    rng, teacher, pairs = np.random.default_rng(PAIRS_SEED), Teacher(), []
    while len(pairs) < COUNT:
        post = sample_post(rng)
        one, other = teacher.sample(post, rng), teacher.sample(post, rng)
        if one != other:
            pairs.append((post.text, one, other))
    return pairs


def said(annotator: str) -> list[tuple[Choice, float]]:
    """What an annotator chooses of each pair, and in how many seconds."""
    temperature, seed, median = ANNOTATORS[annotator]
    rng, judge = np.random.default_rng(seed), SimulatedAnnotator(temperature)
    choices = []
    for prompt, one, other in forum_pairs():
        choice = "first" if judge.prefers_first(read_post(prompt), one, other, rng) else "second"
        choices.append((choice, round(float(median * np.exp(0.5 * rng.standard_normal())), 1)))
    return choices
