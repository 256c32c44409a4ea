"""What TokenByToken shows, held against the shipped model, the teacher's exact law, and the log-probabilities of the library."""

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
import traitlets

from benchmarks.teacher_law import EOS, next_words
from benchmarks.tiny_runs import CONTEXT, TEACHER
from benchmarks.token_by_token import DATA, KINDS, LAWS, divergence, examples, model_laws, rounded, step, teacher_laws
from rlhw import cards
from rlhw.batches import collate
from rlhw.language_model import load
from rlhw.logprobs import sequence_logprobs
from rlhw.tiny_tldr import Teacher, read_post, sample_post
from rlhw.widgets.token_by_token import EXAMPLES, TokenByToken

TOLERANCE = 1e-3  # on probabilities: they are stored in parts of 1/10,000
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["kind"])


@pytest.fixture(scope="module")
def tiny():
    return load("tiny")


def words_of(example: dict) -> list[str]:
    return [entry["word"] for entry in example["steps"]]


def sum_of_conditionals(teacher: Teacher, post, words: list[str]) -> float:
    return sum(math.log(next_words(teacher, post, tuple(words[:t]))[word]) for t, word in enumerate(words))


def test_the_teacher_s_next_word_law_is_that_of_its_summaries(tiny):
    """The chain rule: log conditionals sum to Teacher.logprob, to 1e-9; with another teacher's law they do not."""
    rng, tokenizer = np.random.default_rng(3), tiny[1]
    others = [replace(TEACHER, confuse=0.0), replace(TEACHER, invent=0.09), replace(TEACHER, basically=0.25)]
    apart = [0, 0, 0]
    for _ in range(30):
        post = sample_post(rng)
        summary = TEACHER.sample(post, rng)
        words = [*tokenizer.tokenize(summary), EOS]
        exact = TEACHER.logprob(post, summary)
        assert abs(sum_of_conditionals(TEACHER, post, words) - exact) < 1e-9
        apart = [
            n + (abs(sum_of_conditionals(t, post, words) - exact) > 1e-3) for n, t in zip(apart, others, strict=True)
        ]
    assert min(apart) >= 5, "a wrong law would pass"


def test_the_teacher_s_next_word_law_sums_to_one_at_every_word(tiny):
    rng = np.random.default_rng(4)
    for _ in range(10):
        post = sample_post(rng)
        words = (*tiny[1].tokenize(TEACHER.sample(post, rng)), EOS)
        for t in range(len(words)):
            law = next_words(TEACHER, post, words[:t])
            assert abs(sum(law.values()) - 1) < 1e-12
            assert min(law.values()) > 0


def test_words_that_the_teacher_never_writes_are_refused():
    post = sample_post(np.random.default_rng(5))
    with pytest.raises(
        ValueError, match=r"before: no summary of this post that the teacher writes goes on after 'hi'\."
    ):
        next_words(TEACHER, post, ("hi",))


def test_the_posts_are_held_out_and_chosen_by_rule():
    chosen = examples()
    assert [example["kind"] for example in EXAMPLES] == list(KINDS) == list(chosen)
    for example in EXAMPLES:
        post = read_post(example["post"])
        assert post.split == "evaluation"
        assert (post, example["summary"]) == chosen[example["kind"]]
        assert KINDS[example["kind"]](post, example["summary"])
    assert sum(read_post(example["post"]).old_story is not None for example in EXAMPLES) >= 1


@every_example
def test_before_cloning_is_the_shipped_model(example, tiny):
    model, tokenizer = tiny
    laws = model_laws(model, tokenizer, read_post(example["post"]), example["summary"])
    assert same_numbers(example, "before", laws, tokenizer) == []
    # a model that reads one word less of the answer is not the same
    assert len(same_numbers(example, "before", np.roll(laws, 1, 0), tokenizer)) > len(laws) / 2


@every_example
def test_the_teacher_is_exact(example, tiny):
    post, words = read_post(example["post"]), words_of(example)
    laws = teacher_laws(tiny[1], post, words)
    assert same_numbers(example, "teacher", laws, tiny[1]) == []
    assert abs(sum_of_conditionals(TEACHER, post, words) - TEACHER.logprob(post, example["summary"])) < 1e-9


def same_numbers(example: dict, law: str, laws: np.ndarray, tokenizer) -> list[str]:
    """Where the stored probabilities and log-probabilities of this law differ from `laws` "T V" by more than rounding."""
    place, different = LAWS.index(law), []
    for entry, exact in zip(example["steps"], laws, strict=True):
        ids, at = tokenizer.convert_tokens_to_ids(entry["words"]), tokenizer.convert_tokens_to_ids(entry["word"])
        near = np.allclose(entry[law], exact[ids], rtol=0, atol=TOLERANCE)
        # float32 logits differ a little between processors: by some 1e-4 where a word is very unlikely
        if not near or abs(entry["logprobs"][place] - np.log(exact[at])) > TOLERANCE:
            different.append(entry["word"])
    return different


@every_example
def test_running_sums_end_at_the_library_s_log_probability(example, tiny):
    """Σ log π over the tokens is `sequence_logprobs`, which knows nothing of tables; and Teacher.logprob for the teacher."""
    model, tokenizer = tiny
    batch = collate([{"prompt": example["post"], "completion": example["summary"]}], tokenizer, CONTEXT)
    sums = np.sum([entry["logprobs"] for entry in example["steps"]], 0)
    rounding = 1e-4 * len(example["steps"])
    assert abs(sums[LAWS.index("before")] - sequence_logprobs(model, batch).item()) < 1e-3 + rounding
    assert abs(sums[LAWS.index("teacher")] - TEACHER.logprob(read_post(example["post"]), example["summary"])) < rounding
    assert tokenizer.convert_tokens_to_ids(words_of(example)) == batch.responses[0, 0].tolist()


@every_example
def test_the_laws_leave_no_less_than_nothing_for_other_words(example):
    for entry in example["steps"]:
        assert len(entry["words"]) == len(set(entry["words"])) == 8
        assert entry["word"] in entry["words"]
        for place, law in enumerate(LAWS):
            assert all(p >= 0 for p in entry[law])
            assert sum(entry[law]) <= 1 + 1e-12
            assert entry[law][entry["words"].index(entry["word"])] == pytest.approx(
                math.exp(entry["logprobs"][place]), abs=2e-4
            )
        assert min(entry["kl"]) >= 0


def test_rounding_keeps_the_sum_and_moves_nothing_by_a_part():
    rng = np.random.default_rng(6)
    for _ in range(200):
        law = rng.dirichlet(np.full(20, 10 ** rng.uniform(-2, 1)))
        shown = rounded(law[:8])
        assert np.abs(shown - law[:8]).max() < 1e-4 + 1e-9
        assert sum(shown) <= 1 + 1e-12
    assert rounded(np.array([1.0, 0.0])) == [1.0, 0.0]


def test_the_words_shown_are_the_likeliest_and_the_one_that_follows():
    likely = np.array([[0.0, 0.2, 0.1, 0.69, *[0.0] * 7, 0.01], [0.0, 0.3, 0.1, 0.59, *[0.0] * 7, 0.01]])
    laws = np.vstack([likely, np.full(12, 1 / 12)])
    found = step(11, laws, [f"w{v}" for v in range(12)])
    assert found["words"][:3] == ["w3", "w1", "w2"]
    assert "w11" in found["words"]
    assert found["kl"] == [round(float(divergence(laws[0], law)), 4) for law in laws[1:]]


def test_the_divergence_is_never_negative_and_zero_at_home():
    rng = np.random.default_rng(7)
    teacher, model = rng.dirichlet(np.ones(6), 50), rng.dirichlet(np.ones(6), 50)
    assert divergence(teacher, model).min() > 0
    assert np.abs(divergence(teacher, teacher)).max() < 1e-12
    by_hand = divergence(np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.25, 0.5]]))
    assert by_hand == pytest.approx([math.log(2)])


def test_the_card_speaks_of_these_data():
    card = cards.read("token_by_token")
    entries = [entry for example in EXAMPLES for entry in example["steps"]]
    assert hashlib.sha256(DATA.read_bytes()).hexdigest() in card["metrics"]["tokens"]["note"]
    assert card["metrics"]["tokens"]["value"] == len(entries)
    for place, name in enumerate(("kl_after", "kl_before")):
        assert card["metrics"][name]["value"] == pytest.approx(np.median([entry["kl"][place] for entry in entries]))
    assert card["metrics"]["kl_after"]["value"] < 0.1 * card["metrics"]["kl_before"]["value"]
    assert DATA.stat().st_size < 60_000


def test_a_position_beyond_the_summary_is_refused():
    short, long = len(EXAMPLES[2]["steps"]), len(EXAMPLES[4]["steps"])
    assert short < long == max(len(example["steps"]) for example in EXAMPLES)
    beyond = f"TokenByToken: position must be a whole number from 1 to {short} in post 2; got {{}}."
    with pytest.raises(traitlets.TraitError) as refused:
        TokenByToken(post=2, position=short + 1)
    assert str(refused.value) == beyond.format(short + 1)
    with pytest.raises(traitlets.TraitError, match=f"position must be a whole number from 1 to {long}; got 0"):
        TokenByToken(position=0)
    widget = TokenByToken(post=4, position=long)
    with pytest.raises(traitlets.TraitError) as refused:
        widget.post = 2
    assert str(refused.value) == beyond.format(long)
    assert repr(widget) == f"TokenByToken(post=4, position={long})"
    # what the page sends when the reader turns to a shorter summary: both at once
    widget.set_state({"post": 2, "position": short})
    assert repr(widget) == f"TokenByToken(post=2, position={short})"
