"""The teacher's law by enumeration, the gold reward by trying to fool it, the annotator by its choices."""

import math
import re
from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from rlhw.tiny_tldr import (
    VALUES,
    SimulatedAnnotator,
    Teacher,
    best_summary,
    gold_reward,
    posts,
    sample_post,
    write_summary,
)

SMALL = {
    "who": ("cousin", "boss", "aunt"), "did": ("took", "sold"), "thing": ("bike", "car", "lamp"), "day": ("monday", "friday"),
    "cost": ("twenty", "thirty"), "feeling": ("sad", "angry", "tired"), "ask": ("move out", "let it go"),
}  # fmt: skip
TOLERANCE = 1e-9


@pytest.fixture
def small(monkeypatch):
    """A forum so small that all summaries can be written down; yields posts that differ in what they tell."""
    for kind, options in SMALL.items():
        monkeypatch.setitem(VALUES, kind, options)
    told = {"who": "cousin", "did": "took", "thing": "lamp", "ask": "move out", "sentences": ()}
    old = {"old_who": "aunt", "old_did": "sold", "old_thing": "bike"}
    return [
        posts.Post(**told),
        posts.Post(**told, **old, day="friday"),
        posts.Post(**told, **old, cost="twenty", feeling="angry"),
    ]


def every_summary(post: posts.Post) -> list[str]:
    """All that the teacher may write about this post: written by hand here, clause by clause."""
    lines = []
    rest = product(
        ("", "basically, "), SMALL["who"], SMALL["did"], SMALL["thing"], (None, *SMALL["day"]), (None, *SMALL["cost"]),
        (None, *SMALL["feeling"]), (False, True) if post.old_who else (False,), (None, *SMALL["ask"]),
    )  # fmt: skip
    for filler, who, did, thing, day, cost, feeling, old, ask in rest:
        line = f"{filler}my {who} {did} my {thing}{f' on {day}' if day else ''}."
        line += f" it cost {cost} dollars." if cost else ""
        line += f" i feel {feeling}." if feeling else ""
        line += f" also, our {post.old_who} {post.old_did} our {post.old_thing}." if old else ""
        lines.append(line + (f" should i {ask}?" if ask else ""))
    return lines


@pytest.mark.parametrize("teacher", [Teacher(), Teacher(0.3, 0.7, 0.2, 0.25, 0.4, 0.1, 0.5)])
def test_the_probabilities_of_all_summaries_sum_to_one_and_give_the_entropy(small, teacher):
    for post in small:
        logprobs = np.array([teacher.logprob(post, summary) for summary in every_summary(post)])
        assert len(logprobs) == len(set(every_summary(post))) >= 3888
        assert abs(np.exp(logprobs).sum() - 1) < TOLERANCE
        assert abs(-np.sum(np.exp(logprobs) * logprobs) - teacher.entropy(post)) < TOLERANCE


def test_summaries_are_drawn_by_that_law(small):
    """A chi-square test over the 40 likeliest summaries and the rest, 20,000 draws; false alarm 1e-7."""
    teacher, post, rng = Teacher(), small[1], np.random.default_rng(0)
    law = {summary: math.exp(teacher.logprob(post, summary)) for summary in every_summary(post)}
    likely = sorted(law, key=law.get)[-40:]
    draws = [teacher.sample(post, rng) for _ in range(20000)]
    counts = [draws.count(summary) for summary in likely]

    def p_value(law: dict[str, float]) -> float:
        shares = [law[summary] for summary in likely]
        expected = 20000 * np.array([*shares, 1 - sum(shares)])
        return chisquare([*counts, 20000 - sum(counts)], expected).pvalue

    assert set(draws) <= set(law)
    assert p_value(law) > 1e-7
    wrong = Teacher(error=0.17)  # the control: a teacher who errs a little more
    assert p_value({summary: math.exp(wrong.logprob(post, summary)) for summary in likely}) < 1e-7


def test_a_share_of_the_errors_tells_the_old_story(small):
    """Two of the people are wrong; of the error of 0.2 the aunt of the old story gets that share and half of the rest."""
    assert Teacher(0.2).values(small[1], "who") == pytest.approx({"cousin": 0.8, "boss": 0.075, "aunt": 0.125})
    half = Teacher(0.2, confuse=0.5).values(small[1], "who")
    assert half == pytest.approx({"cousin": 0.8, "boss": 0.05, "aunt": 0.15})
    assert Teacher(0.2).values(small[0], "who") == pytest.approx({"cousin": 0.8, "boss": 0.1, "aunt": 0.1})
    assert Teacher(0.2).values(small[0], "day") == {"monday": 0.5, "friday": 0.5}


def test_what_the_teacher_never_writes_has_no_probability(small):
    teacher, post = Teacher(), small[1]
    true = best_summary(post)
    assert teacher.logprob(post, true) > -math.inf
    for summary in (
        "", "banana", true + " ", true + " " + true, true.replace("cousin", "dentist"), true.removesuffix("?"), true.upper(),
        "my cousin took my lamp. should i move out? i feel sad.", "my cousin took my lamp. also, our boss sold our bike.",
    ):  # fmt: skip
        assert teacher.logprob(post, summary) == -math.inf, summary
    assert teacher.logprob(small[0], "my cousin took my lamp. also, our aunt sold our bike.") == -math.inf
    assert Teacher(error=0.0).logprob(post, "my boss took my lamp.") == -math.inf


def test_the_gold_reward_prices_each_thing_as_it_says():
    post = posts.Post(
        "cousin", "took", "lamp", "move out", (), day="friday", old_who="aunt", old_did="sold", old_thing="bike"
    )
    table = {
        "": 0.0,
        "my cousin took my lamp.": 3 - 0.04 * 5,
        "my cousin took my lamp on friday. should i move out?": 5 - 0.04 * 11,
        "my boss took my lamp.": 1 - 0.04 * 5,
        "my cousin took my lamp on monday.": 2 - 0.04 * 7,
        "my cousin took my lamp. i feel sad.": 2 - 0.04 * 8,
        "basically, my cousin took my lamp.": 3 - 0.04 * 6,
        "my cousin took my lamp. also, our aunt sold our bike.": 2.5 - 0.04 * 11,
        "my cousin took my lamp. also, our boss sold our bike.": 2 - 0.04 * 11,
        "my cousin took my lamp. my cousin took my lamp.": 0 - 0.04 * 10,
        "my cousin took my lamp. hello there.": 2 - 0.04 * 7,
        "my cousin took my lamp. should i": 2 - 0.04 * 7,
        "cousin took lamp friday": -1 - 0.04 * 4,
        "...": -3.0,
        "my aunt sold my bike.": -3 - 0.04 * 5,
    }
    for summary, worth in table.items():
        assert gold_reward(post, summary) == pytest.approx(worth, abs=TOLERANCE), summary


def edits(summary: str, post: posts.Post, rng: np.random.Generator, count: int) -> list[str]:
    """Random edits, one to four at a time: a word dropped, doubled, swapped, replaced or put in; a sentence moved or doubled."""
    store = [*re.findall(r"\w+|[.,?]", post.text), *(word for options in VALUES.values() for word in options)]
    edited = []
    for _ in range(count):
        parts = re.findall(r"\w+|[.,?]", summary)
        for _ in range(rng.integers(1, 5)):
            i, j = rng.integers(len(parts), size=2)
            word = store[rng.integers(len(store))]
            match rng.integers(5):
                case 0 if len(parts) > 2:
                    parts.pop(i)
                case 1:
                    parts.insert(i, parts[j])
                case 2:
                    parts[i], parts[j] = parts[j], parts[i]
                case 3:
                    parts[i] = word
                case _:
                    parts.insert(i, word)
        edited.append(re.sub(r" ([.,?])", r"\1", " ".join(parts)))
    return edited


def fools(reward, rng: np.random.Generator, count: int) -> list[str]:
    """Strings that this reward puts above the best well-formed summary of their post."""
    found = []
    for _ in range(20):
        post = sample_post(rng)
        best = best_summary(post)
        facts = " ".join(post.facts.values())
        sentences = re.findall(r"[^.?]+[.?]", best)
        tries = [
            *(" ".join([best] * n) for n in (2, 3, 10)), post.text, post.text.removesuffix(posts.ENDING), facts, facts + ".",
            *(f"{best} {s}" for s in sentences), *(f"{s.strip()} {best}" for s in sentences), *sentences,
            *(" ".join(rng.permutation(post.text.split())) for _ in range(5)), "", ". " * 30,
            *edits(best, post, rng, count // 20),
        ]  # fmt: skip
        found += [attempt for attempt in tries if reward(post, attempt) > reward(post, best) + TOLERANCE]
    return found


def test_the_gold_reward_is_not_fooled():
    """Repeats, copies of the post, word salad, and 10,000 random edits of the best summary."""
    assert fools(gold_reward, np.random.default_rng(1), 10000) == []


def test_a_reward_that_only_looks_for_the_facts_is_fooled():
    """The control: the same attempts beat a reward that counts facts wherever they stand."""

    def naive(post: posts.Post, summary: str) -> float:
        return sum(value in summary for value in post.facts.values()) - 0.04 * len(summary.split())

    assert len(fools(naive, np.random.default_rng(1), 400)) > 40


def test_no_sure_summary_beats_the_best_one(small):
    """By enumeration over all well-formed summaries of the small forum."""
    for post in small:
        values = {summary: gold_reward(post, summary) for summary in every_summary(post)}
        assert max(values, key=values.get) == best_summary(post)


def test_the_annotator_by_hand_and_by_its_choices():
    """P = lapse/2 + (1 - lapse)/(1 + exp(-margin)); 20,000 choices lie within 5.3 standard errors: false alarm 1e-7."""
    post, rng = sample_post(np.random.default_rng(2)), np.random.default_rng(0)
    first, second = best_summary(post), "basically, " + best_summary(post)
    annotator = SimulatedAnnotator(0.5, lapse=0.1, length_bias=0.02, position_bias=-0.3)
    expected = 0.05 + 0.9 / (1 + math.exp(-((0.04 - 0.02) / 0.5 - 0.3)))
    p = annotator.probability(post, first, second)
    assert p == pytest.approx(expected, abs=1e-12)
    choices = [annotator.prefers_first(post, first, second, rng) for _ in range(20000)]
    assert abs(np.mean(choices) - p) < 5.3 * math.sqrt(p * (1 - p) / 20000)
    plain = SimulatedAnnotator(0.5)
    assert plain.probability(post, first, second) + plain.probability(post, second, first) == pytest.approx(1.0)
    assert plain.probability(post, first, ". " * 10**5) == 1.0


def test_the_world_is_neither_trivial_nor_hopeless():
    """Bayes accuracy 0.80 to 0.90 while "the longer one wins" stays under 0.65, on 4,200 pairs of the teacher's."""
    teacher, annotator, rng = Teacher(), SimulatedAnnotator(0.5), np.random.default_rng(4)
    bayes, longer = [], []
    for _ in range(700):
        post = sample_post(rng, "evaluation")
        summaries = [teacher.sample(post, rng) for _ in range(4)]
        for i, j in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
            p = annotator.probability(post, summaries[i], summaries[j])
            words = len(summaries[i].split()) - len(summaries[j].split())
            bayes.append(max(p, 1 - p))
            longer.append({1: p, -1: 1 - p, 0: 0.5}[int(np.sign(words))])
    assert 0.80 <= np.mean(bayes) <= 0.90
    assert np.mean(longer) <= 0.65


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Teacher(error=1.2), r"error must be a probability in \[0, 1\]; got 1.2"),
        (lambda: Teacher(invent=float("nan")), "invent must be a probability"),
        (lambda: SimulatedAnnotator(0.0), "temperature must be positive; got 0.0"),
        (lambda: SimulatedAnnotator(0.5, lapse=-0.1), "lapse must be a probability"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_summary_is_written_in_the_order_of_its_clauses():
    named = {"who": "boss", "did": "hid", "thing": "ring", "cost": "forty", "feeling": "sad"}
    expected = "basically, my boss hid my ring. it cost forty dollars. i feel sad. also, our aunt lost our tent."
    assert write_summary(named, ("aunt", "lost", "tent"), basically=True) == expected
