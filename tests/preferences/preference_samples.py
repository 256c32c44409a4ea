"""Comparisons to test with: any that the schema allows, and random ones of a few annotators."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from rlhw.preferences import Comparison

quick = settings(derandomize=True, deadline=None, database=None, max_examples=60)

texts = st.text(max_size=20)
prompts = st.text(min_size=1, max_size=20)
choices = st.sampled_from(["first", "second", "tie"])


@st.composite
def comparisons(draw, prompts=prompts, answers=texts, choices=choices):
    first, second = draw(st.lists(answers, min_size=2, max_size=2, unique=True))
    annotator = draw(st.none() | st.text(min_size=1, max_size=5))
    seconds = draw(st.none() | st.floats(0, 1e6))
    return Comparison(draw(prompts), first, second, draw(choices), annotator, seconds)


def random_comparisons(rng, prompts=40, answers=3, annotators=3, share=1.0):
    """Labels of pairs drawn at random, each shown with its sides drawn by lot to each annotator, some left out."""
    found = []
    for p in range(prompts):
        for i, j in combinations(range(answers), 2):
            lean = rng.choice(3, p=[0.5, 0.3, 0.2])
            for a in range(annotators):
                if rng.random() < share:
                    choice = ["first", "second", "tie"][lean if rng.random() < 0.6 else rng.choice(3)]
                    label = Comparison(
                        f"prompt {p}", f"answer {p} {i}" + "!" * i, f"answer {p} {j}", choice, f"ann {a}"
                    )
                    found.append(label.swapped() if rng.random() < 0.5 else label)
    return [found[int(place)] for place in np.argsort(rng.random(len(found)))]


def survivors(mutants, check):
    """The names of the mutants that a check lets through: there must be none."""

    def passes(mutant):
        try:
            check(mutant)
        except (AssertionError, pytest.fail.Exception):
            return False
        return True

    return [name for name, mutant in mutants.items() if passes(mutant)]
