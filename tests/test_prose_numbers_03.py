"""Chapter 3: the numbers that its prose works out in passing, and the exact law of the sharpened teacher behind its table."""

import numpy as np
import pytest
from test_prose_numbers import text_of

from benchmarks.one_update import NEW_TOKENS
from benchmarks.teacher_law import EOS, next_words
from benchmarks.tempered import expected_reward, sharpened
from rlhw import cards
from rlhw.language_model import load
from rlhw.tiny_tldr import VALUES, Teacher, best_summary, gold_reward, sample_post

CHAPTER = "book/03_behavior_cloning.md"
# Hardly ever wrong; circumstances and question three times in ten, the old story seven times in ten.
HABIT = Teacher(error=0.02, name=0.3, ask=0.3, old=0.7)


def posts(count: int) -> list:
    rng = np.random.default_rng(0)
    return [sample_post(rng) for _ in range(count)]


def mean_reward(temperature: float, teacher: Teacher) -> float:
    return float(np.mean([expected_reward(post, temperature, teacher) for post in posts(200)]))


def test_a_bad_habit_becomes_a_rule():
    assert "earns 2.87 at temperature 1 and only 2.36 at temperature 0.05" in text_of(CHAPTER)
    assert mean_reward(1.0, HABIT) == pytest.approx(2.87, abs=0.005)
    assert mean_reward(0.05, HABIT) == pytest.approx(2.36, abs=0.005)


def test_the_teachers_entropy():
    assert "about 6.6 nats a summary" in text_of(CHAPTER)
    assert np.mean([Teacher().entropy(post) for post in posts(2000)]) == pytest.approx(6.6, abs=0.1)


def test_the_teacher_is_as_the_page_says():
    text, teacher = text_of(CHAPTER), Teacher()
    for words, probability in (
        ("gets a value wrong with probability 0.15", teacher.error),
        ("names a circumstance of the post, and its question, with probability 0.6", teacher.name),
        ("names a circumstance of the post, and its question, with probability 0.6", teacher.ask),
        ("makes up a circumstance that the post does not tell with probability 0.08", teacher.invent),
        ("repeats the old story with probability 0.12", teacher.old),
    ):
        assert words in text
        assert float(words.split()[-1]) == probability


def test_the_gold_reward_is_as_the_page_says():
    text = text_of(CHAPTER)
    post = next(post for post in posts(100) if post.old_story and post.day is None)
    main = f"my {post.who} {post.did} my {post.thing}."
    worth = gold_reward(post, main)
    assert "One point for each fact of the post that it names" in text
    assert "0.04 off for each word" in text
    assert worth == pytest.approx(3 - 5 * 0.04)
    wrong = next(thing for thing in VALUES["thing"] if thing != post.thing)
    assert "minus one for a fact that is wrong, made up or named again" in text
    assert gold_reward(post, main.replace(f"my {post.thing}", f"my {wrong}")) == pytest.approx(2 - 1 - 5 * 0.04)
    assert gold_reward(post, f"{main[:-1]} on monday.") == pytest.approx(3 - 1 - 7 * 0.04)
    assert gold_reward(post, f"{main} {main}") == pytest.approx(3 - 3 - 10 * 0.04)
    assert "and for a sentence that is none of a summary" in text
    assert gold_reward(post, f"{main} nothing else.") == pytest.approx(worth - 1 - 2 * 0.04)
    assert "minus a half for the old story, told right" in text
    old = "also, our {} {} our {}.".format(*post.old_story)
    assert gold_reward(post, f"{main} {old}") == pytest.approx(worth - 0.5 - 6 * 0.04)


def test_a_text_without_a_full_stop_is_one_wrong_sentence():
    text = text_of(CHAPTER)
    assert "counts as *one* wrong sentence, however long" in text
    assert "saying nothing at all would earn 0" in text
    assert "of 44 allowed" in text
    (post,) = posts(1)
    for words in (1, 20, NEW_TOKENS):
        assert gold_reward(post, " ".join(["the"] * words)) == pytest.approx(-1 - 0.04 * words)
    assert gold_reward(post, "the the. the the.") == pytest.approx(-2 - 0.04 * 4)
    assert gold_reward(post, "") == 0
    assert NEW_TOKENS == 44


def test_without_demonstrations_only_the_sentences_are_unlearned():
    """The card of the cold start tells what the page makes of it, on every seed."""
    figures = cards.read("cold_start")["metrics"]
    assert figures["reward_0"]["high"] < figures["reward_16"]["low"]
    assert figures["reward_16"]["high"] < 0
    assert figures["possible_0"]["high"] == figures["possible_16"]["high"] == 0
    assert figures["ends_16"]["high"] < 0.1 < 5 < figures["ends_0"]["low"]
    assert figures["tokens_16"]["value"] > figures["tokens_0"]["high"]


def test_what_the_bound_on_a_clones_reward_is_worth():
    assert "at a KL of 0.2 nats the root is still 0.32, a third of the whole range" in text_of(CHAPTER)
    assert np.sqrt(0.2 / 2) == pytest.approx(0.32, abs=0.005)
    assert np.sqrt(0.2 / 2) == pytest.approx(1 / 3, abs=0.02)


def test_the_figures_are_described_with_the_numbers_of_their_cards():
    text = text_of(CHAPTER)
    cloning, update = (cards.read(name)["metrics"] for name in ("cloning", "one_update"))
    assert "0.86 nats at 2,048 demonstrations over 0.36 at 8,192 to 0.2 at 43,200" in text
    for count, stated in ((2048, 0.86), (8192, 0.36), (43200, 0.2)):
        assert cloning[f"gap_{count}"]["value"] == pytest.approx(stated, abs=0.005)
    assert "near 13.6 nats" in text
    assert cloning["bigram"]["value"] * cloning["gap_43200"]["value"] == pytest.approx(13.6, abs=0.05)
    assert (
        "from about 2.5 at temperature 1 to about 4.7 at 0.2; the dots of the clone follow it 0.3 to 0.6 below" in text
    )
    assert update["teacher_100"]["value"] == pytest.approx(2.5, abs=0.05)
    assert update["teacher_20"]["value"] == pytest.approx(4.7, abs=0.05)
    gaps = [update[f"teacher_{t}"]["value"] - update[f"clone_{t}"]["value"] for t in (100, 80, 60, 40, 20)]
    assert min(gaps) == pytest.approx(0.3, abs=0.05)
    assert max(gaps) == pytest.approx(0.6, abs=0.05)


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
