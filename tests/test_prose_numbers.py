"""Numbers and directions that the prose works out in passing: each is computed here, and its sentence must still stand."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reinforce_bandit import BANDIT, LOGITS
from rlhw.laws import numerical_gradient, probabilities_of
from rlhw.policy_gradient import gradient_variance

ROOT = Path(__file__).resolve().parents[1]
TWO = np.log([0.9, 0.1]), np.array([1.0, 0.0])


def noise_term_at_uniform() -> float:
    """tr(∇²J Cov ĝ) at the uniform policy of the five arms, without a baseline: by enumeration and differences."""
    z, p = np.zeros(5), np.full(5, 0.2)

    def slope(z, i):
        return float(numerical_gradient(lambda u: float(probabilities_of(u) @ BANDIT.means), z, 1e-4)[i])

    bend = np.stack([numerical_gradient(lambda u, i=i: slope(u, i), z, 1e-4) for i in range(5)])
    scores = np.eye(5) - p
    moment = sum(0.2 * (r**2 + BANDIT.sd**2) * np.outer(g, g) for r, g in zip(BANDIT.means, scores, strict=True))
    gradient = p * (BANDIT.means - BANDIT.means.mean())
    return float(np.trace(bend @ (moment - np.outer(gradient, gradient))))


def score_length(p, y) -> float:
    return float(np.linalg.norm(np.eye(len(p))[y] - np.array(p)))


CHAPTER_1, CHAPTER_2 = "book/01_policy_gradient.md", "book/02_reinforce_bandit.md"
NOTEBOOK_1 = "notebooks/01_policy_gradient.ipynb"
CLAIMS = [
    (CHAPTER_1, r"\approx 0.144", lambda: 0.5 * np.log(2) + 0.5 * np.log(2 / 3), 0.144, 5e-4),
    (CHAPTER_2, "64 times *worse*", lambda: gradient_variance(*TWO, 0.9) / gradient_variance(*TWO, 0.0), 64, 1e-6),
    (CHAPTER_2, "which give the best arm 58 %", lambda: probabilities_of(LOGITS)[1], 0.58, 5e-3),
    (CHAPTER_2, "pays 0.76 a pull on average, so 760", lambda: 5 - BANDIT.means.mean(), 0.76, 1e-9),
    (NOTEBOOK_1, "about 0.012 to 0.014", lambda: score_length([0.99, 0.005, 0.005], 0), 0.012, 5e-4),
    (NOTEBOOK_1, "about 0.012 to 0.014", lambda: score_length([0.99, 0.01, 0.0], 0), 0.014, 5e-4),
    (NOTEBOOK_1, "at least 1.2", lambda: score_length([0.01, 0.495, 0.495], 0), 1.21, 5e-3),
]


def text_of(path: str) -> str:
    text = (ROOT / path).read_text(encoding="utf8")
    if path.endswith(".ipynb"):
        return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return " ".join(text.split())


@pytest.mark.parametrize(("path", "words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(path, words, number, stated, tolerance):
    assert words in text_of(path)
    assert abs(number() - stated) <= tolerance


def test_noise_can_help_far_from_the_optimum():
    assert "at the uniform policy of the five arms the noise term is even positive" in text_of(CHAPTER_2)
    assert noise_term_at_uniform() == pytest.approx(0.221, abs=1e-3)
