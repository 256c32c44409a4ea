"""Chapter 10: numbers that its sentences work out in passing, and directions that they read off the cards."""

import inspect
import math

import numpy as np
import pytest
import torch

from rlhw import cards
from rlhw.batches import PLAIN
from rlhw.pipeline.precision import LossScale
from rlhw.scaling import cache_bytes, spacing
from rlhw.training import warmup_decay
from tests.test_prose_numbers import text_of

CHAPTER = "book/10_scaling_out.md"
PARAMETERS = 124_439_808


def most_tokens(length: int) -> float:
    """At the right end of the figure, with 1,024 texts: tokens a reading of the weights."""
    weights = 2 * PARAMETERS
    return 1024 * weights / (weights + cache_bytes(12, 768, length, 1024))


def ratios_around_one() -> int:
    """How many ratios from 0.75 to 1.3 an answer at -30 has in bfloat16."""
    numbers = torch.arange(-30.4, -29.7, 1e-4, dtype=torch.float64).bfloat16().double().unique()
    ratios = (numbers + 30.0).exp()
    return int(((ratios > 0.75) & (ratios < 1.3)).sum())


CLAIMS = [
    ("each rounding is worth up to $e^{1/16} - 1$, 6.4 %", lambda: 100 * math.expm1(spacing(-30, 8) / 2), 6.4, 0.05),
    ("bfloat16's gap is $\\frac18$", lambda: spacing(-30.0, 8), 1 / 8, 0),
    ("of up to $2^{-8}$, 0.4 %", lambda: 100 * 2**-8, 0.4, 0.02),
    ("is kept within 1 %", lambda: 100 * math.expm1(spacing(-2.0, 8) / 2), 1, 0.25),
    ("that is two parts in a thousand", lambda: 1000 * 2**-9, 2, 0.1),
    ("has half a dozen of them around 1", ratios_around_one, 6, 2),
    (r"$2\cdot12\cdot768\cdot2 = 36{,}864$", lambda: 2 * 12 * 768 * 2, 36_864, 0),
    ("texts of 128 tokens at about 50, of 512 at about 13, of 1024 at about 7", lambda: most_tokens(128), 50, 1),
    ("texts of 128 tokens at about 50, of 512 at about 13, of 1024 at about 7", lambda: most_tokens(512), 13, 0.5),
    ("texts of 128 tokens at about 50, of 512 at about 13, of 1024 at about 7", lambda: most_tokens(1024), 7, 0.5),
    ("three half rings instead of two, half as much again", lambda: 3 / 2, 1.5, 0),
    ("float16 rounds eight times more finely", lambda: spacing(1.0, 8) / spacing(1.0, 11), 8, 0),
    ("32,768 tokens a second", lambda: 64 * 512, 32_768, 0),
    ("the exact numbers are 8 and 32", lambda: 8 * 4, 32, 0),
    (
        "after 2,000 steps without one it is doubled",
        lambda: inspect.signature(LossScale).parameters["patience"].default,
        2000,
        0,
    ),
    (
        "with $2^{16}$, where torch's scaler begins",
        lambda: LossScale(PLAIN).scale,
        torch.amp.GradScaler("cpu").get_scale(),
        0,
    ),
]


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_the_number_in_the_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def entry(card: str, name: str, side: str = "value") -> float:
    return cards.read(card)["metrics"][name][side]


def test_the_prepared_schedule_is_where_it_should_be_after_twenty():
    assert "where it should be after 20" in text_of(CHAPTER)
    factor = warmup_decay(2, 40)
    assert entry("slips_10", "prepared_scheduler") == pytest.approx(factor(20), rel=1e-9)
    assert entry("slips_10", "prepared_scheduler", "known") == pytest.approx(factor(10), rel=1e-9)


def test_a_thousand_steps_move_nothing():
    """1 + 2^-9 = 1 in bfloat16, a thousand times."""
    assert "a thousand such steps in one direction move nothing" in text_of(CHAPTER)
    weight = torch.tensor(1.0, dtype=torch.bfloat16)
    for _ in range(1000):
        weight = weight + torch.tensor(2.0**-9, dtype=torch.bfloat16)
    assert weight == 1.0


def test_the_same_step_and_its_controls():
    """In the table all rows are rounding errors but those of the last column."""
    metrics = cards.read("scaling")["metrics"]
    same = [m["value"] for name, m in metrics.items() if name.startswith(("ddp_", "fsdp_", "uneven_"))]
    assert len(same) == 12
    assert max(same) < 1e-9
    assert min(m["value"] for name, m in metrics.items() if name.startswith("control_")) > 1e-4


def test_what_sixteen_bits_do():
    """bfloat16 leaves most weights where they are, float32 moves them; scaling keeps what vanished; answers are further off."""
    assert entry("scaling", "unmoved_bfloat16") > 0.5 > entry("scaling", "unmoved_float32")
    assert entry("scaling", "vanished") > entry("scaling", "vanished_scaled")
    assert entry("scaling", "overflowed_first") > entry("scaling", "overflowed_scaled")
    assert entry("scaling", "autocast_answer") > entry("scaling", "autocast_error")


def test_zero_deals_out_whole_tensors():
    assert "so one process has a little more" in text_of(CHAPTER)
    assert 1.0 < entry("scaling", "bytes_zero1") / entry("scaling", "bytes_zero1", "known") < 1.01
    for method in ("ddp", "fsdp"):
        assert np.isclose(entry("scaling", f"bytes_{method}"), entry("scaling", f"bytes_{method}", "known"), rtol=1e-3)
