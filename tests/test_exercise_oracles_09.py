"""Oracles of chapter 9's exercises held against the library."""

import numpy as np
import pytest
import torch
from test_exercise_oracles import all_cases

from rlhw import exercises
from rlhw.dialogue import enumerate_dialogues, mean_and_variance, to_go
from rlhw.groups import scaled_weight
from rlhw.grpo import rloo_advantages


def test_rloo():
    expected = exercises.question("ch9-rloo").expected
    for (rewards,) in all_cases("ch9-rloo"):
        assert expected(rewards) == pytest.approx(rloo_advantages(torch.from_numpy(rewards)).numpy(), abs=1e-9)


def test_scale_bias():
    expected = exercises.question("ch9-scale-bias").expected
    for p, k in all_cases("ch9-scale-bias"):
        assert expected(p, k) == pytest.approx(scaled_weight(p, k), abs=1e-9)


def test_two_turns():
    """The dialogue of the library, with a first turn of two replies, right or chatter."""
    expected = exercises.question("ch9-two-turns").expected
    for z, b, c in all_cases("ch9-two-turns", seeds=4):
        logits = np.zeros((2, 2, 3))
        logits[0, 0] = [z, -60.0, 0.0]
        logits[1, 0], logits[1, 1] = np.log([b, (1 - b) / 2, (1 - b) / 2]), np.log([(1 - c) / 2, c, (1 - c) / 2])
        every = enumerate_dialogues(logits)
        mean, _ = mean_and_variance(logits, every, to_go(every.rewards))
        own, _ = mean_and_variance(logits, every, every.rewards)
        found = every.chances @ every.rewards.sum(axis=1), mean[0, 0, 0], own[0, 0, 0]
        assert expected(z, b, c) == pytest.approx(found, abs=1e-7)


def test_recall():
    assert exercises.question("ch9-recall").expected() == pytest.approx((2.3333333, 0.4319456, -0.8), abs=1e-6)
