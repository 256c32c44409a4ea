"""Chapter 3: the numbers that its prose works out in passing, and the exact law of the sharpened teacher behind its table."""

import numpy as np
import pytest
from test_prose_numbers import text_of

from benchmarks.teacher_law import EOS, next_words
from benchmarks.tempered import expected_reward, sharpened
from rlhw.language_model import load
from rlhw.tiny_tldr import Teacher, best_summary, gold_reward, sample_post

CHAPTER = "book/03_behavior_cloning.md"
# Hardly ever wrong; circumstances and question three times in ten, the old story seven times in ten.
HABIT = Teacher(error=0.02, name=0.3, ask=0.3, old=0.7)


def posts(count: int) -> list:
    rng = np.random.default_rng(0)
    return [sample_post(rng) for _ in range(count)]


def mean_reward(temperature: float, teacher: Teacher) -> float:
    return float(np.mean([expected_reward(post, temperature, teacher) for post in posts(200)]))


def test_a_bad_habit_becomes_a_rule():
    assert "earns 2.87 at temperature 1 and only 2.36 near zero" in text_of(CHAPTER)
    assert mean_reward(1.0, HABIT) == pytest.approx(2.87, abs=0.03)
    assert mean_reward(0.05, HABIT) == pytest.approx(2.36, abs=0.03)


def test_the_teachers_entropy():
    assert "about 6.6 nats a summary" in text_of(CHAPTER)
    assert np.mean([Teacher().entropy(post) for post in posts(2000)]) == pytest.approx(6.6, abs=0.1)


def test_the_small_model_is_as_the_page_says():
    assert "3 layers, 128 features, a vocabulary of 233 words" in text_of(CHAPTER)
    config = load("tiny")[0].config
    assert (config.n_layer, config.n_embd, config.vocab_size) == (3, 128, 233)


def check_sharpened_teacher(reward):
    """At temperature 1 the mean reward of 4,000 summaries, within six standard errors; near zero that of the best summary."""
    rng, teacher = np.random.default_rng(2), Teacher()
    for post in posts(6):
        earned = np.array([gold_reward(post, teacher.sample(post, rng)) for _ in range(4000)])
        assert abs(reward(post, 1.0) - earned.mean()) < 6 * earned.std() / len(earned) ** 0.5
        assert reward(post, 0.02) == pytest.approx(gold_reward(post, best_summary(post)), abs=1e-6)


def test_the_sharpened_teacher_is_exact():
    check_sharpened_teacher(expected_reward)


def sharpened_summary(post, temperature: float, rng: np.random.Generator) -> str:
    """A summary drawn word by word from the sharpened laws of the next word, which know nothing of clauses."""
    words: tuple[str, ...] = ()
    while not words or words[-1] != EOS:
        law = next_words(Teacher(), post, words)
        words += (str(rng.choice(list(law), p=sharpened(np.array(list(law.values())), temperature))),)
    text = " ".join(words[:-1])
    return text.replace(" .", ".").replace(" ,", ",").replace(" ?", "?")


def check_between(reward):
    """At temperature 0.6, where neither sampling nor the best summary tells: 300 summaries, within six standard errors."""
    rng = np.random.default_rng(3)
    for post in posts(2):
        earned = np.array([gold_reward(post, sharpened_summary(post, 0.6, rng)) for _ in range(300)])
        assert abs(reward(post, 0.6) - earned.mean()) < 6 * earned.std() / len(earned) ** 0.5


def test_the_sharpened_teacher_is_the_one_of_the_next_words():
    check_between(expected_reward)
    with pytest.raises(AssertionError):
        check_between(lambda post, temperature: expected_reward(post, 1.0))


WRONG = {
    "temperature upside down": lambda post, temperature: expected_reward(post, 1 / temperature),
    "a word too many": lambda post, temperature: expected_reward(post, temperature) - 0.04,
    "never sharpened": lambda post, temperature: expected_reward(post, 1.0),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_law_is_rejected(name):
    with pytest.raises(AssertionError):
        check_sharpened_teacher(WRONG[name])


def test_sharpening_is_the_power_of_the_page():
    np.testing.assert_allclose(sharpened(np.array([0.5, 0.25, 0.25]), 0.5), [2 / 3, 1 / 6, 1 / 6], atol=1e-15)
    np.testing.assert_allclose(sharpened(np.array([0.0, 0.4, 0.6]), 0.01), [0.0, 0.0, 1.0], atol=1e-12)
