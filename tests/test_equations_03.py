"""Chapter 3: answers of several tokens, by enumeration of a small world whose joint law is a table of random numbers."""

from itertools import product

import numpy as np
import pytest
import sympy as sp
import torch

from rlhw.laws import assert_close, numerical_gradient, probabilities_of
from rlhw.logprobs import sequence_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers

# Three tokens, of which the last ends an answer; at most three of them.
V, EOS, LONGEST = 3, 2, 3
PREFIXES = [p for n in range(LONGEST) for p in product(range(V), repeat=n) if EOS not in p]
ANSWERS = [
    y for n in range(1, LONGEST + 1) for y in product(range(V), repeat=n)
    if EOS not in y[:-1] and (y[-1] == EOS or n == LONGEST)
]  # fmt: skip
TOLERANCE = 1e-9


def joint(seed: int) -> dict[tuple, float]:
    """A law over the fifteen answers: random numbers that sum to one, no policy behind them."""
    weights = np.random.default_rng(seed).exponential(size=len(ANSWERS)) + 0.02
    return dict(zip(ANSWERS, weights / weights.sum(), strict=True))


def next_token(law: dict[tuple, float], prefix: tuple) -> np.ndarray:
    """The law of the token after a prefix, by counting: a share of the answers that begin with it."""
    mass = np.array([sum(p for y, p in law.items() if y[: len(prefix) + 1] == (*prefix, v)) for v in range(V)])
    return mass / mass.sum()


def factors(law: dict[tuple, float], answer: tuple) -> np.ndarray:
    """The conditional probability of each token of an answer."""
    return np.array([next_token(law, answer[:t])[answer[t]] for t in range(len(answer))])


def law_of_rows(rows: dict[tuple, np.ndarray]) -> dict[tuple, float]:
    """The law of a policy with a row of logits for each prefix."""
    return {y: float(np.prod([probabilities_of(rows[y[:t]])[y[t]] for t in range(len(y))])) for y in ANSWERS}


def random_rows(seed: int) -> dict[tuple, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {prefix: 1.3 * rng.standard_normal(V) for prefix in PREFIXES}


def kl(p, q) -> float:
    return float(sum(a * np.log(a / b) for a, b in zip(p, q, strict=True)))


@pytest.mark.equation("eq-example-three-tokens", way="closed form")
def test_three_tokens(equation):
    shares = [sp.Rational(1, 2), sp.Rational(1, 4), sp.Rational(4, 5)]

    def check(total):
        assert total(shares) == sp.Rational(1, 10)
        assert float(sp.log(total(shares))) == pytest.approx(-2.303, abs=5e-4)
        assert float(sum(sp.log(p) for p in shares)) == pytest.approx(float(sp.log(total(shares))))

    equation.holds(check, lambda p: sp.prod(p))
    equation.rejects("the end left out", check, lambda p: sp.prod(p[:-1]))
    equation.rejects("probabilities added", check, lambda p: sum(p))


@pytest.mark.equation("eq-answer-logprob", way="enumeration")
def test_answer_logprob(equation):
    law = joint(0)

    def check(combine):
        for y, p in law.items():
            assert_close(combine(np.log(factors(law, y))), np.log(p), "the log-probability of an answer", TOLERANCE)

    equation.holds(check, np.sum)
    equation.rejects("mean over the tokens", check, np.mean)
    equation.rejects("the end left out", check, lambda logs: logs[:-1].sum())
    equation.rejects("first token only", check, lambda logs: logs[0])


@pytest.mark.equation("eq-answers-sum", way="enumeration")
def test_answers_sum(equation):
    question = torch.tensor([[0]])
    batch = enumerate_answers(question, torch.ones_like(question, dtype=torch.bool), V, LONGEST, EOS)

    def check(logprobs):
        for seed in range(3):
            model = TabularLM(V, 1 + LONGEST, generator=torch.Generator().manual_seed(seed)).double()
            assert_close(
                float(logprobs(model).exp().sum().detach()), 1.0, "the probabilities of all answers", TOLERANCE
            )

    ended = batch.response_mask.sum(-1)
    equation.holds(check, lambda model: sequence_logprobs(model, batch))
    equation.rejects("mean over the tokens", check, lambda model: sequence_logprobs(model, batch) / ended)
    endless = enumerate_answers(question, torch.ones_like(question, dtype=torch.bool), V, 2, None)
    cut = lambda model: sequence_logprobs(model, endless)[:, 1:]  # noqa: E731
    equation.rejects("an answer left out", check, cut)
    stopped = (batch.response_mask & (batch.responses == EOS)).any(-1)
    equation.rejects("only those that end by themselves", check, lambda model: sequence_logprobs(model, batch)[stopped])


@pytest.mark.equation("eq-position-score", way="finite difference")
def test_position_score(equation):
    def check(formula):
        for seed in range(2):
            rows = random_rows(seed)
            for y in ANSWERS:
                for prefix in PREFIXES:

                    def logprob(row, rows=rows, prefix=prefix, y=y):
                        return np.log(law_of_rows(rows | {prefix: row})[y])

                    slope = numerical_gradient(logprob, rows[prefix])
                    on_the_way = y[: len(prefix)] == prefix and len(y) > len(prefix)
                    expected = formula(y[len(prefix)], probabilities_of(rows[prefix])) if on_the_way else np.zeros(V)
                    assert_close(expected, slope, "the score at a position", 1e-7)

    equation.holds(check, lambda token, p: np.eye(V)[token] - p)
    equation.rejects("sign flipped", check, lambda token, p: p - np.eye(V)[token])
    equation.rejects("nothing expected", check, lambda token, p: np.eye(V)[token])


@pytest.mark.equation("eq-answer-score", way="finite difference")
def test_answer_score(equation):
    rng = np.random.default_rng(5)
    mix, theta = {prefix: rng.standard_normal((V, 4)) for prefix in PREFIXES}, rng.standard_normal(4)

    def row(prefix, theta):
        # All positions share θ, and no row is linear in it.
        return np.tanh(mix[prefix] @ theta) + (mix[prefix] @ theta) ** 2 / 5

    def check(form):
        term, total = form
        for y in ANSWERS:

            def logprob(theta, y=y):
                return sum(np.log(probabilities_of(row(y[:t], theta))[y[t]]) for t in range(len(y)))

            terms = []
            for t in range(len(y)):
                jacobian = np.stack(
                    [numerical_gradient(lambda u, i=i, t=t, y=y: row(y[:t], u)[i], theta) for i in range(V)]
                )
                terms.append(term(jacobian, np.eye(V)[y[t]], probabilities_of(row(y[:t], theta))))
            assert_close(
                total(np.array(terms), axis=0), numerical_gradient(logprob, theta), "the score of an answer", 1e-6
            )

    def right(jacobian, happened, p):
        return jacobian.T @ (happened - p)

    equation.holds(check, (right, np.sum))
    equation.rejects("nothing expected", check, (lambda jacobian, happened, p: jacobian.T @ happened, np.sum))
    equation.rejects("sign flipped", check, (lambda jacobian, happened, p: jacobian.T @ (p - happened), np.sum))
    equation.rejects("mean over positions", check, (right, np.mean))
    equation.rejects("last position only", check, (right, lambda terms, axis: terms[-1]))


@pytest.mark.equation("eq-position-mean", way="enumeration")
def test_position_mean(equation):
    teacher, rows = joint(1), random_rows(2)

    def check(formula):
        for prefix in PREFIXES:
            t, p = len(prefix), probabilities_of(rows[prefix])
            begun = {y: q for y, q in teacher.items() if y[:t] == prefix}
            mean = sum(q * (np.eye(V)[y[t]] - p) for y, q in begun.items()) / sum(begun.values())
            assert_close(formula(prefix, p), mean, "the mean at a position, given the prefix", TOLERANCE)

    equation.holds(check, lambda prefix, p: next_token(teacher, prefix) - p)
    equation.rejects("the teacher's first token everywhere", check, lambda prefix, p: next_token(teacher, ()) - p)
    equation.rejects("sign flipped", check, lambda prefix, p: p - next_token(teacher, prefix))


@pytest.mark.equation("eq-prompt-adds", way="enumeration")
def test_prompt_adds(equation):
    model = TabularLM(V, 4, generator=torch.Generator().manual_seed(2)).double()
    first = torch.log_softmax(model.table[0], -1).detach().numpy()

    def check(total):
        # Three-token texts whose first token is the prompt: their probabilities, read off the table by hand.
        for prompt in range(V):
            question = torch.tensor([[prompt]])
            batch = enumerate_answers(question, torch.ones_like(question, dtype=torch.bool), V, 2)
            inside = sequence_logprobs(model, batch).detach().numpy()[0]
            rows = torch.log_softmax(model.table, -1).detach().numpy()
            for answer, part in zip(batch.responses[0].tolist(), inside, strict=True):
                one = 1 + prompt
                whole = rows[0, prompt] + rows[one, answer[0]] + rows[V * one + answer[0] + 1, answer[1]]
                assert_close(total(first[prompt], part), whole, "the log-probability of the whole text", TOLERANCE)

    equation.holds(check, lambda question, answer: question + answer)
    equation.rejects("the prompt left out", check, lambda question, answer: answer)
    equation.rejects("counted twice", check, lambda question, answer: 2 * question + answer)


@pytest.mark.equation("eq-mean-optimum", way="finite difference")
def test_mean_optimum(equation):
    def check(optimum):
        for seed in range(3):
            teacher = joint(seed)
            claimed = {y: optimum(p, len(y)) for y, p in teacher.items()}
            total = sum(claimed.values())
            claimed = {y: p / total for y, p in claimed.items()}
            rows = {prefix: np.log(next_token(claimed, prefix)) for prefix in PREFIXES}
            for prefix in PREFIXES:

                def objective(row, rows=rows, prefix=prefix, teacher=teacher):
                    law = law_of_rows(rows | {prefix: row})
                    return sum(p * np.log(law[y]) / len(y) for y, p in teacher.items())

                # Concave in each law of a next token, so a flat point is the greatest value.
                slope = numerical_gradient(objective, rows[prefix])
                assert_close(slope, np.zeros(V), "the objective is flat at its optimum", 1e-7)

    equation.holds(check, lambda p, length: p / length)
    equation.rejects("the teacher", check, lambda p, length: p)
    equation.rejects("length upside down", check, lambda p, length: p * length)
    equation.rejects("length squared", check, lambda p, length: p / length**2)


@pytest.mark.equation("eq-example-mean", way="closed form")
def test_example_mean(equation):
    half = sp.Rational(1, 2)

    def check(weigh):
        weights = [weigh(half, 1), weigh(half, 3)]
        law = [w / sum(weights) for w in weights]
        assert law == [sp.Rational(3, 4), sp.Rational(1, 4)]
        assert float(sum(half * sp.log(half / q) for q in law)) == pytest.approx(0.144, abs=5e-4)

    equation.holds(check, lambda p, length: p / length)
    equation.rejects("sum over the tokens", check, lambda p, length: p)


@pytest.mark.equation("eq-floor", way="enumeration")
def test_floor(equation):
    def check(formula):
        for seed in range(3):
            teacher, student = joint(seed), law_of_rows(random_rows(seed))
            loss = -sum(p * np.log(student[y]) for y, p in teacher.items())
            entropy = -sum(p * np.log(p) for p in teacher.values())
            forward, reverse = kl(teacher.values(), student.values()), kl(student.values(), teacher.values())
            assert_close(formula(entropy, forward, reverse), loss, "the cross-entropy", TOLERANCE)

    equation.holds(check, lambda entropy, forward, reverse: entropy + forward)
    equation.rejects("the other direction", check, lambda entropy, forward, reverse: entropy + reverse)
    equation.rejects("no floor", check, lambda entropy, forward, reverse: forward)
    equation.rejects("sign of the entropy", check, lambda entropy, forward, reverse: forward - entropy)


def summed_along(prefixes_from, first, second):
    """Σ over prefixes of their chance under one law, times the KL of the next token."""
    total = 0.0
    for prefix in PREFIXES:
        chance = sum(p for y, p in prefixes_from.items() if y[: len(prefix)] == prefix)
        total += chance * kl(next_token(first, prefix), next_token(second, prefix))
    return total


@pytest.mark.equation("eq-kl-chain", way="enumeration")
def test_kl_chain(equation):
    def check(formula):
        for seed in range(3):
            teacher, student = joint(seed), joint(seed + 10)
            whole = kl(teacher.values(), student.values())
            assert_close(formula(teacher, student), whole, "the KL of whole answers", TOLERANCE)

    equation.holds(check, lambda teacher, student: summed_along(teacher, teacher, student))
    equation.rejects("the student's prefixes", check, lambda teacher, student: summed_along(student, teacher, student))
    equation.rejects("other direction inside", check, lambda teacher, student: summed_along(teacher, student, teacher))
    first = lambda teacher, student: kl(next_token(teacher, ()), next_token(student, ()))  # noqa: E731
    equation.rejects("first token only", check, first)


@pytest.mark.equation("eq-own-prefixes", way="enumeration")
def test_own_prefixes(equation):
    def check(formula):
        for seed in range(3):
            teacher, student = joint(seed), joint(seed + 10)
            whole = kl(student.values(), teacher.values())
            assert_close(formula(teacher, student), whole, "the KL from the student's side", TOLERANCE)

    equation.holds(check, lambda teacher, student: summed_along(student, student, teacher))
    equation.rejects("the teacher's prefixes", check, lambda teacher, student: summed_along(teacher, student, teacher))
    equation.rejects("other direction inside", check, lambda teacher, student: summed_along(student, teacher, student))


@pytest.mark.equation("eq-clone-reward", way="enumeration")
def test_clone_reward(equation):
    def check(bound):
        rng, closest = np.random.default_rng(8), 0.0
        for size in (2, 2, 5):
            for spread in (0.02, 0.1, 0.5, 2.0):
                for _ in range(60):
                    z = 0.3 * rng.standard_normal(size)
                    teacher, student = probabilities_of(z), probabilities_of(z + spread * rng.standard_normal(size))
                    rewards = 3.0 + 4.0 * (rng.random(size) < 0.5) if size == 2 else rng.normal(2, 3, size)
                    if np.ptp(rewards) == 0:
                        continue
                    gap, limit = abs((student - teacher) @ rewards), bound(np.ptp(rewards), kl(teacher, student))
                    assert gap <= limit * (1 + 1e-9), (
                        "a clone is farther from the teacher's reward than the bound allows"
                    )
                    closest = max(closest, gap / limit)
        assert closest > 0.98, "the bound is nowhere near: some constant is too large"

    equation.holds(check, lambda reach, divergence: reach * np.sqrt(divergence / 2))
    equation.rejects("root left out", check, lambda reach, divergence: reach * divergence / 2)
    equation.rejects("half outside the root", check, lambda reach, divergence: reach * np.sqrt(divergence) / 2)
    equation.rejects("half left out", check, lambda reach, divergence: reach * np.sqrt(divergence))


def tilted(p, sharpness):
    weights = p**sharpness
    return weights / weights.sum()


@pytest.mark.equation("eq-sharpening-slope", way="finite difference")
def test_sharpening_slope(equation):
    def check(formula):
        rng = np.random.default_rng(9)
        for size in (2, 3, 6):
            p, rewards = probabilities_of(rng.standard_normal(size)), rng.normal(1, 2, size)
            for sharpness in (0.6, 1.0, 2.5):
                slope = numerical_gradient(lambda w, p=p, r=rewards: float(tilted(p, w[0]) @ r), np.array([sharpness]))
                assert_close(
                    formula(p, tilted(p, sharpness), rewards), float(slope[0]), "the slope in the sharpness", 1e-7
                )

    def covariance(law, a, b):
        return float(law @ (a * b) - (law @ a) * (law @ b))

    equation.holds(check, lambda p, law, r: covariance(law, r, np.log(p)))
    equation.rejects("sign flipped", check, lambda p, law, r: -covariance(law, r, np.log(p)))
    equation.rejects("no mean subtracted", check, lambda p, law, r: float(law @ (r * np.log(p))))
    equation.rejects("under the policy itself", check, lambda p, law, r: covariance(p, r, np.log(p)))
    equation.rejects("probability for its log", check, lambda p, law, r: covariance(law, r, p))


@pytest.mark.equation("eq-example-sharpen", way="closed form")
def test_example_sharpen(equation):
    p = [sp.Rational(1, 2), sp.Rational(1, 4), sp.Rational(1, 4)]

    def check(power):
        weights = [q**power for q in p]
        law = [w / sum(weights) for w in weights]
        earned = [[sum(a * b for a, b in zip(q, r, strict=True)) for q in (p, law)] for r in ((2, 0, 1), (0, 2, 1))]
        assert earned == [[sp.Rational(5, 4), sp.Rational(3, 2)], [sp.Rational(3, 4), sp.Rational(1, 2)]]
        assert law == [sp.Rational(2, 3), sp.Rational(1, 6), sp.Rational(1, 6)]

    equation.holds(check, 2)
    equation.rejects("temperature for its inverse", check, sp.Rational(1, 2))


@pytest.mark.equation("eq-weight-variance", way="enumeration")
def test_weight_variance(equation):
    def check(formula):
        for seed in range(3):
            teacher, policy = (np.array(list(joint(s).values())) for s in (seed, seed + 20))
            weights = teacher / policy
            spread = float(policy @ (weights - policy @ weights) ** 2)
            assert_close(formula(teacher, policy), spread, "the variance of the weight", TOLERANCE)

    equation.holds(check, lambda teacher, policy: float((teacher**2 / policy).sum() - 1))
    equation.rejects("second moment", check, lambda teacher, policy: float((teacher**2 / policy).sum()))
    equation.rejects("ratio upside down", check, lambda teacher, policy: float((policy**2 / teacher).sum() - 1))
