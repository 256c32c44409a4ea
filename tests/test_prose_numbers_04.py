"""Chapter 4: numbers that its sentences work out in passing, and the export that it reads line by line."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit

from rlhw.language_model import load
from rlhw.preferences import ELO_PER_NAT, expected_score, from_label_studio, to_label_studio
from tests.test_prose_numbers import text_of

CHAPTER = "book/04_human_preferences.md"
FOUR = np.array([0.83, 0.55, 0.30, 0.98])
VOTES = [(0, 0)] * 9 + [(0, 1)] * 2 + [(1, 0)] * 4 + [(1, 1)] * 5


def fleiss_of_two() -> float:
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    return fleiss_kappa(aggregate_raters(np.array(VOTES))[0])


def kappa_of_four() -> float:
    """By the joint law of two labels, not by the formula of the page."""
    law = np.mean([np.outer([p, 1 - p], [p, 1 - p]) for p in FOUR], axis=0)
    chance = law.sum(axis=0) @ law.sum(axis=1)
    return float((np.trace(law) - chance) / (1 - chance))


def wilson_reach() -> float:
    """Half of Wilson's interval for 50 of 100, by the equation of its ends: (share - 1/2)² = z² share (1 - share)/100."""
    z = 1.959964
    return brentq(lambda d: d**2 - z**2 * (0.5 + d) * (0.5 - d) / 100, 0.01, 0.3)


CLAIMS = [
    ("about 17 prefer the worse one", lambda: 100 * expit(-1.6), 17, 0.5),
    ("the worse summary wins 17 times of a hundred", lambda: 100 * expit(-1.6), 17, 0.5),
    ("the agreement is 0.691 and kappa 0.306", lambda: np.mean(FOUR**2 + (1 - FOUR) ** 2), 0.691, 5e-4),
    ("the agreement is 0.691 and kappa 0.306", kappa_of_four, 0.306, 5e-4),
    ("agree on $0.9^2 + 0.1^2 = 0.82$", lambda: 0.9**2 + 0.1**2, 0.82, 1e-12),
    ("In the table above it is $0.375$", fleiss_of_two, 0.375, 1e-9),
    ("better than 83.6 %", lambda: 50 * (1 + np.sqrt(2 * 0.726 - 1)), 83.6, 0.05),
    ("of one half reaches 0.096 to either side", wilson_reach, 0.096, 5e-4),
    ("At $\\xi = 0.3$ the log-odds never exceed 1.73", lambda: np.log(0.85 / 0.15), 1.73, 5e-3),
    (r"at most $\log_2 24 \approx 4.6$ bits", lambda: np.log2(math.factorial(4)), 4.6, 5e-2),
    (r"\approx 173.7$ points", lambda: ELO_PER_NAT, 173.7, 0.05),
    ("a lead of 100 points wins 64 %", lambda: 100 * expected_score(1100.0, 1000.0), 64, 0.5),
    ("the step size is 0.184", lambda: 32 / ELO_PER_NAT, 0.184, 5e-4),
    ("the missing quarter", lambda: 1 - 6 / 8, 0.25, 1e-12),
    ("6 for $K = 4$", lambda: 4 * 3 / 2, 6, 1e-12),
]


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def export_on_the_page() -> list[dict]:
    page = (Path(__file__).resolve().parents[1] / CHAPTER).read_text(encoding="utf8")
    (block,) = re.findall(r"^```json\n(.*?)^```$", page, re.M | re.S)
    return json.loads(block)


def test_export_on_the_page_is_read_as_the_page_says():
    found = from_label_studio(export_on_the_page())
    assert [(one.choice, one.annotator, one.seconds) for one in found.comparisons] == [
        ("first", "1", 6.5),
        ("tie", "3", 3.5),
    ]
    assert dict(found.left_out) == {"skipped": 1, "choice is neither left nor right": 1, "not labelled": 1}
    assert (
        "reads this export as 2 comparisons and says what it left out: 1 skipped, 1 that is neither left nor right"
        in text_of(CHAPTER)
    )


def test_export_on_the_page_uses_the_tags_of_our_own_config():
    config, _ = to_label_studio([("post", "one", "two")], ties=True)
    results = [r for task in export_on_the_page() for one in task["annotations"] for r in one["result"]]
    assert {r["from_name"] for r in results} == {"preference", "tie"}
    assert all(f'name="{r["from_name"]}"' in config for r in results)


def test_max_length_counts_the_prompt():
    """The sentence on transformers' `generate`, by running it: where the prompt is as long as `max_length` no answer is left."""
    assert "Its `max_length` counts the prompt as well" in text_of(CHAPTER)
    model, tokenizer = load("tiny")
    prompt = torch.tensor([tokenizer("my boss sold my bike. should i move out? TL;DR:")["input_ids"]])
    inputs = {"attention_mask": torch.ones_like(prompt), "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    assert model.generate(prompt, max_length=prompt.shape[1] + 3, **inputs).shape[1] == prompt.shape[1] + 3
    assert model.generate(prompt, max_new_tokens=5, **inputs).shape[1] == prompt.shape[1] + 5
