"""Homework 1 held against second implementations: its oracles against the library, the lines of its proof and its statements
against numbers, the examples of its texts against the printed solutions."""

import numpy as np
import pytest

from rlhw import exercises
from rlhw.exercises import contexts, hw1_compare, hw1_proof_puzzle, hw1_variance
from rlhw.exercises.question import draw_cases
from rlhw.laws import log_probabilities_of
from rlhw.policy_gradient import (
    cloning_gradient,
    exact_gradient,
    gradient_variance,
    optimal_baseline,
    sample_actions,
    score,
    softmax,
)


def all_cases(name, seeds=6):
    asked = exercises.question(name)
    return [case for seed in range(seeds) for group in draw_cases(asked, seed).values() for case in group]


def rows(fn, *tables):
    return np.stack([fn(*row) for row in zip(*tables, strict=True)])


def test_gradients_and_bias():
    expected = {
        name: exercises.question(f"hw1-{name}").expected for name in ("mle-gradient", "rl-gradient", "baseline-bias")
    }
    for name, library, sign in (
        ("mle-gradient", cloning_gradient, 1),
        ("rl-gradient", exact_gradient, 1),
        ("baseline-bias", exact_gradient, -1),
    ):
        for logits, question_probs, table in all_cases(f"hw1-{name}"):
            ours = sign * question_probs[:, None] * rows(library, logits, table)
            np.testing.assert_allclose(expected[name](logits, question_probs, table), ours, atol=2e-9)


def test_values():
    expected = exercises.question("hw1-value-and-advantage").expected
    for logits, rewards in all_cases("hw1-value-and-advantage"):
        values, advantages = expected(logits, rewards)
        np.testing.assert_allclose(values, [softmax(z) @ r for z, r in zip(logits, rewards, strict=True)], atol=1e-9)
        np.testing.assert_allclose(rows(lambda z, a: softmax(z) @ a, logits, advantages), 0.0, atol=1e-9)


@pytest.mark.parametrize("name", ["hw1-cloning-step", "hw1-reinforce-step"])
def test_steps(name):
    expected = exercises.question(name).expected
    for logits, question_probs, table, u, lr, *b in all_cases(name):
        x = int(sample_actions(np.log(question_probs), u[:1])[0])
        law = logits[x] if b else np.log(table[x])
        y = int(sample_actions(law, u[1:])[0])
        weight = table[x, y] - b[0][x] if b else 1.0
        ours = logits.copy()
        ours[x] += lr * weight * score(logits[x], y)
        np.testing.assert_allclose(expected(logits, question_probs, table, u, lr, *b), ours, rtol=1e-12, atol=2e-8)


def test_the_mean_step_follows_the_exact_gradient():
    """Over a fine grid of numbers, as question and answer are drawn by them: error of the order of one cell."""
    rng, cells = np.random.default_rng(5), 400
    logits, question_probs = contexts.draw_table(rng)
    rewards = rng.standard_normal(logits.shape)
    model = next(iter(exercises.question("hw1-reinforce-step").right.values()))
    grid = (np.arange(cells) + 0.5) / cells
    mean = np.zeros(logits.shape)
    for x, first in enumerate(np.cumsum(question_probs) - question_probs / 2):
        steps = [
            model(logits, question_probs, rewards, (first, second), 1.0, np.full(len(logits), 0.3)) for second in grid
        ]
        mean += question_probs[x] * (np.mean(steps, axis=0) - logits)
    exact = exercises.question("hw1-rl-gradient").expected(logits, question_probs, rewards)
    np.testing.assert_allclose(mean, exact, atol=10 / cells)
    assert np.abs(exact).max() > 20 / cells


def test_variance():
    """One question by the library; several by the variances inside the questions and between them."""
    expected = exercises.question("hw1-variance").expected
    for logits, question_probs, rewards, b in all_cases("hw1-variance"):
        tables = list(zip(logits, rewards, b, strict=True))
        if hw1_variance.asks_for_baselines(b):
            ours = [optimal_baseline(z, r) for z, r, _ in tables]
            np.testing.assert_allclose(expected(logits, question_probs, rewards, b)[1], ours, atol=1e-9)
            continue
        inside = question_probs @ [gradient_variance(z, r, float(c)) for z, r, c in tables]
        squares = (rows(exact_gradient, logits, rewards) ** 2).sum(axis=1)
        between = question_probs @ squares - question_probs**2 @ squares
        assert expected(logits, question_probs, rewards, b)[0] == pytest.approx(inside + between, rel=1e-10)


def test_no_baseline_does_better_than_the_best():
    asked = exercises.question("hw1-variance")
    model, rng = next(iter(asked.right.values())), np.random.default_rng(3)
    for logits, question_probs, rewards, b in all_cases("hw1-variance", seeds=2):
        best = model(logits, question_probs, rewards, b)[1]
        least = model(logits, question_probs, rewards, best)[0]
        for _ in range(20):
            assert model(logits, question_probs, rewards, best + 0.1 * rng.standard_normal(len(b)))[0] > least


HALF = np.array([0.25, 0.75])
ZEROS = np.zeros((2, 2))
EXAMPLES = {
    "hw1-mle-gradient": ((ZEROS, HALF, [[1, 0], [0.5, 0.5]]), [[1 / 8, -1 / 8], [0, 0]]),
    "hw1-cloning-step": ((ZEROS, HALF, [[1, 0], [0.5, 0.5]], [0.3, 0.6], 0.2), [[0, 0], [-0.1, 0.1]]),
    "hw1-rl-gradient": ((ZEROS, HALF, [[1, 0], [2, 2]]), [[1 / 16, -1 / 16], [0, 0]]),
    "hw1-reinforce-step": ((ZEROS, HALF, [[9, 9], [1, 3]], [0.3, 0.6], 0.1, [9, 2]), [[0, 0], [-0.05, 0.05]]),
    "hw1-value-and-advantage": (([[0, np.log(3)]], [[4, 0]]), ([1], [[3, -1]])),
    "hw1-baseline-bias": ((ZEROS, HALF, [[1, 0], [5, 5]]), [[-1 / 16, 1 / 16], [0, 0]]),
    "hw1-variance": ((ZEROS, HALF, [[1, 0], [0, 4]], [0, 0]), (247 / 128, [0.5, 2])),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_in_the_text(name):
    asked, (case, result) = exercises.question(name), EXAMPLES[name]
    arrays = [np.asarray(value, dtype=float) if np.ndim(value) else value for value in case]
    assert "Example:" in asked.text
    for answer in asked.right.values():
        assert asked.agrees(answer(*[np.copy(a) if np.ndim(a) else a for a in arrays]), result)


def world(seed=0):
    """π, its derivatives by the entries of a parameter matrix shared by all questions, p, r, b(x), b(x, y)."""
    rng = np.random.default_rng(seed)
    features, matrix = rng.standard_normal((3, 2)), rng.standard_normal((2, 4))

    def policy(theta):
        return np.exp(log_probabilities_of(features @ theta.reshape(matrix.shape)))

    step = 1e-6
    slopes = np.stack(
        [
            (policy(matrix.ravel() + step * e) - policy(matrix.ravel() - step * e)) / (2 * step)
            for e in np.eye(matrix.size)
        ]
    )
    pi = policy(matrix)
    return pi, slopes, slopes / pi, rng.dirichlet(np.ones(3)), *(rng.standard_normal((3, n)) for n in (4, 1, 4))


def test_the_true_lines_of_the_proof_hold_and_the_false_ones_do_not():
    pi, slopes, scores, p, r, b, peeking = world()
    p = p[:, None]
    gradient = (p * pi * r * scores).sum(axis=(1, 2))
    # What each line says the baseline's part is; and for the two kinds of conclusion, the difference they deny.
    parts = {
        "definition": (p * pi * b * scores).sum(axis=(1, 2)),
        "outside": ((p * b)[:, 0] * (pi * scores).sum(axis=2)).sum(axis=1),
        "logarithm": ((p * b)[:, 0] * slopes.sum(axis=2)).sum(axis=1),
        "exchange": ((p * b)[:, 0] * slopes.sum(axis=2)).sum(axis=1),
        "one": np.zeros(len(slopes)) + np.abs(pi.sum(axis=1) - 1).max(),
        "conclusion": (p * pi * (r - b) * scores).sum(axis=(1, 2)) - gradient,
        "weights lost": ((p * b)[:, 0] * scores.sum(axis=2)).sum(axis=1),
        "logarithm dropped": ((p * b)[:, 0] * (pi * slopes).sum(axis=2)).sum(axis=1),
        "centred": (p * b).sum(),
        "no score": scores,
        "peeks": (p * pi * (r - peeking) * scores).sum(axis=(1, 2)) - gradient,
        "no effect": (r - b) * scores - r * scores,
    }
    assert set(parts) == {*hw1_proof_puzzle.TRUE, *hw1_proof_puzzle.FALSE_STEPS, *hw1_proof_puzzle.FALSE_CONCLUSIONS}
    holds = {name for name, part in parts.items() if np.abs(part).max() < 1e-8}
    assert holds == set(hw1_proof_puzzle.TRUE)
    assert all(np.abs(part).max() > 1e-3 for name, part in parts.items() if name not in holds)


def test_each_false_line_has_its_hint():
    named = {line for given, _ in hw1_proof_puzzle.SLIPS.values() for line in given.split(",")}
    assert {*hw1_proof_puzzle.FALSE_STEPS, *hw1_proof_puzzle.FALSE_CONCLUSIONS, *hw1_proof_puzzle.TRUE} == named


def measured():
    """Of the statements that numbers can decide: (true of cloning, true of REINFORCE), from one world."""
    pi, _, scores, p, r, b, peeking = world()
    rng = np.random.default_rng(1)
    teacher = rng.dirichlet(np.ones(4), 3)
    p, other = p[:, None], world(2)[0]

    def small(value):
        return bool(np.abs(value).max() < 1e-8)

    def j_mle(policy):
        return (p * teacher * np.log(policy)).sum()

    def kl(policy):
        return (p * teacher * np.log(teacher / policy)).sum()

    def mean_update(law, weight):
        return (p * law * weight * scores).sum(axis=(1, 2))

    identity = np.eye(4) - pi[:, None, :]
    j_rl, surrogate = (p * pi * r).sum(), (p * pi * r * np.log(pi)).sum()
    # The first-order change of log π(y|x) along weight times its own score has the sign of the weight.
    grows_mle = ((scores**2).sum(axis=0) > 0).all()
    grows_rl = ((r - b) * (scores**2).sum(axis=0) > 0).all()
    best = np.eye(4)[r.argmax(axis=1)]
    return {
        "up to a number": (
            small(j_mle(pi) + kl(pi) - j_mle(other) - kl(other)),
            small(j_rl + kl(pi) - (p * other * r).sum() - kl(other)),
        ),
        "every sampled update": (bool(grows_mle), bool(grows_rl)),
        "the mean of weight times": (small((p * teacher * np.log(pi)).sum() - j_mle(pi)), small(surrogate - j_rl)),
        "where all answers earn the same": (small(mean_update(teacher, 1.0)), small(mean_update(pi, 1.0))),
        "where one answer is the best": (
            bool(j_mle(0.999 * best + 0.00025) > j_mle(teacher)),
            bool((p * best * r).sum() > (p * teacher * r).sum()),
        ),
        "the mean score under the law": (small(mean_update(teacher, 1.0)), small(mean_update(pi, 1.0))),
        "the entries of a sampled update": (small(identity.sum(axis=2)), small((r[:, :, None] * identity).sum(axis=2))),
        "subtracting from its weight": (
            small(mean_update(teacher, 1.0 - peeking) - mean_update(teacher, 1.0)),
            small(mean_update(pi, r - peeking) - mean_update(pi, r)),
        ),
    }


def test_statements_that_numbers_decide():
    says = {(True, True): "both", (True, False): "MLE", (False, True): "RL", (False, False): "neither"}
    for beginning, truth in measured().items():
        (statement,) = [s for s in hw1_compare.STATEMENTS if s[0].startswith(beginning)]
        assert statement[1] == says[truth], beginning


def test_statements_are_of_four_kinds_and_what_is_often_said_is_wrong():
    for name in hw1_compare.NAMES:
        assert sum(true == name for _, true, _, _ in hw1_compare.STATEMENTS) >= 4
    assert all(true != said and said in hw1_compare.NAMES for _, true, said, _ in hw1_compare.STATEMENTS)
    assert len({hint for *_, hint in hw1_compare.STATEMENTS}) == len(hw1_compare.STATEMENTS)
