"""Chapter 1: every display equation against sums and central differences, and wrong forms of each that must fail."""

import numpy as np
import pytest
import sympy as sp
from small_world import SmallWorld

from rlhw import laws, symbolic
from rlhw.laws import assert_close, numerical_gradient, probabilities_of
from rlhw.policy_gradient import cloning_gradient, exact_gradient, log_softmax, score

WORLDS = [SmallWorld(seed) for seed in range(3)]
TOLERANCE = 1e-6


def vanishing(residuals) -> None:
    """Assert that each residual is zero for all symbols."""
    for residual in residuals:
        assert symbolic.is_zero(residual), f"the residual {residual} is not zero"


def in_every_world(left, right) -> None:
    """Assert that left(world) equals right(world) in each small world."""
    for world in WORLDS:
        assert_close(right(world), np.asarray(left(world)), "the two sides agree", TOLERANCE)


@pytest.mark.equation("eq-example-value", way="closed form")
def test_example_value(equation):
    def check(weights):
        assert sum(w * r for w, r in zip(weights, (1, 0, 2), strict=True)) == sp.Rational(3, 4)

    quarter, half = sp.Rational(1, 4), sp.Rational(1, 2)
    equation.holds(check, (quarter, half, quarter))
    equation.rejects("mean without probabilities", check, (sp.Rational(1, 3),) * 3)


@pytest.mark.equation("eq-example-gradient", way="finite difference")
def test_example_gradient(equation):
    logits, rewards = np.log([1.0, 2.0, 1.0]), np.array([1.0, 0.0, 2.0])

    def check(numbers):
        slope = numerical_gradient(lambda z: float(probabilities_of(z) @ rewards), logits)
        assert_close(np.array(numbers), slope, "the example's gradient", TOLERANCE)

    equation.holds(check, [1 / 16, -3 / 8, 5 / 16])
    equation.rejects("advantages without probabilities", check, [1 / 4, -3 / 4, 5 / 4])
    equation.rejects("sign flipped", check, [-1 / 16, 3 / 8, -5 / 16])


@pytest.mark.equation("eq-log-softmax", way="closed form")
def test_log_softmax(equation):
    equation.holds(laws.check_log_softmax, log_softmax)
    equation.rejects("sum not in the logarithm", laws.check_log_softmax, lambda z: z - np.exp(z).sum())
    equation.rejects("mean for sum", laws.check_log_softmax, lambda z: z - np.log(np.exp(z - z.max()).mean()) - z.max())


@pytest.mark.equation("eq-softmax-score", way="symbolic")
def test_softmax_score(equation):
    z = symbolic.logits_of(3)
    p = symbolic.softmax(z)

    def check(entry):
        pairs = [(y, k) for y in range(3) for k in range(3)]
        vanishing(sp.diff(sp.log(p[y]), z[k]) - entry(y, k) for y, k in pairs)

    equation.holds(check, lambda y, k: int(k == y) - p[k])
    equation.holds(laws.check_score, score)
    equation.rejects("sign flipped", check, lambda y, k: p[k] - int(k == y))
    equation.rejects("probability of the action", check, lambda y, k: int(k == y) - p[y])
    equation.rejects("gradient of the probability", check, lambda y, k: p[y] * (int(k == y) - p[k]))


@pytest.mark.equation("eq-cloning-gradient", way="finite difference")
def test_cloning_gradient(equation):
    def left(world):
        return world.gradient(lambda pi: world.expectation(world.teacher, np.log(pi)))

    equation.holds(in_every_world, left, lambda w: w.expectation(w.teacher, w.scores()))
    own = lambda w: w.expectation(w.policy(w.theta), w.scores())  # noqa: E731
    equation.rejects("answers from the policy", in_every_world, left, own)
    equation.rejects("sign flipped", in_every_world, left, lambda w: -w.expectation(w.teacher, w.scores()))


@pytest.mark.equation("eq-cloning-softmax", way="symbolic")
def test_cloning_softmax(equation):
    z, q = symbolic.logits_of(3), list(sp.symbols("q1:3", positive=True))
    q.append(1 - sum(q))
    p = symbolic.softmax(z)
    objective = sum(q[y] * sp.log(p[y]) for y in range(3))

    def check(entry):
        vanishing(sp.diff(objective, z[k]) - entry(k) for k in range(3))

    equation.holds(check, lambda k: q[k] - p[k])
    equation.holds(laws.check_cloning_gradient, cloning_gradient)
    equation.rejects("sign flipped", check, lambda k: p[k] - q[k])
    equation.rejects("teacher alone", check, lambda k: q[k])


@pytest.mark.equation("eq-example-cloning", way="finite difference")
def test_example_cloning(equation):
    logits, teacher = np.log([1.0, 2.0, 1.0]), np.array([0.5, 0.25, 0.25])

    def check(numbers):
        slope = numerical_gradient(lambda z: float(teacher @ np.log(probabilities_of(z))), logits)
        assert_close(np.array(numbers), slope, "the example's cloning gradient", TOLERANCE)

    equation.holds(check, [1 / 4, -1 / 4, 0])
    equation.rejects("sign flipped", check, [-1 / 4, 1 / 4, 0])
    equation.rejects("teacher alone", check, [1 / 2, 1 / 4, 1 / 4])


@pytest.mark.equation("eq-cloning-kl", way="enumeration")
def test_cloning_is_forward_kl(equation):
    def left(world):
        return world.expectation(world.teacher, np.log(world.policy(world.theta)))

    def divergence(law, other):
        return (law * np.log(law / other)).sum(axis=1)

    def right(world, forward=True, entropy_sign=-1.0):
        pi = world.policy(world.theta)
        kl = divergence(world.teacher, pi) if forward else divergence(pi, world.teacher)
        entropy = -(world.teacher * np.log(world.teacher)).sum(axis=1)
        return world.mean_over_questions(-kl + entropy_sign * entropy)

    equation.holds(in_every_world, left, right)
    equation.rejects("reverse KL", in_every_world, left, lambda w: right(w, forward=False))
    equation.rejects("entropy added", in_every_world, left, lambda w: right(w, entropy_sign=1.0))
    equation.rejects("entropy left out", in_every_world, left, lambda w: right(w, entropy_sign=0.0))


@pytest.mark.equation("eq-log-derivative", way="finite difference")
def test_log_derivative(equation):
    def left(world):
        return np.array([world.gradient(lambda pi, y=y: pi[1, y]) for y in range(4)])

    pi = lambda w: w.policy(w.theta)[1][:, None]  # noqa: E731
    equation.holds(in_every_world, left, lambda w: pi(w) * w.scores()[1])
    equation.rejects("probability left out", in_every_world, left, lambda w: w.scores()[1])
    equation.rejects("divided by the probability", in_every_world, left, lambda w: w.scores()[1] / pi(w))


@pytest.mark.equation("eq-policy-gradient-proof", way="finite difference")
def test_policy_gradient_proof(equation):
    x = 1

    def left(world):
        return world.gradient(lambda pi: pi[x] @ world.rewards[x])

    def derivatives(world):
        return np.array([world.gradient(lambda pi, y=y: pi[x, y]) for y in range(4)])

    def law(world):
        return world.policy(world.theta)[x]

    equation.holds(in_every_world, left, lambda w: w.rewards[x] @ derivatives(w))
    equation.holds(in_every_world, left, lambda w: (law(w) * w.rewards[x]) @ w.scores()[x])
    equation.rejects("π counted twice", in_every_world, left, lambda w: (law(w) * w.rewards[x]) @ derivatives(w))
    equation.rejects("reward differentiated", in_every_world, left, lambda w: np.zeros_like(w.theta))
    equation.rejects("π lost in the second line", in_every_world, left, lambda w: w.rewards[x] @ w.scores()[x])


def reward_gradient(world):
    """∇ J_RL by central differences."""
    return world.gradient(lambda pi: world.expectation(pi, world.rewards))


def weighted(world, weights):
    """E_x E_y∼π [weights · g], by enumeration."""
    return world.expectation(world.policy(world.theta), weights[..., None] * world.scores())


@pytest.mark.equation("eq-policy-gradient", way="finite difference")
def test_policy_gradient(equation):
    equation.holds(in_every_world, reward_gradient, lambda w: weighted(w, w.rewards))
    vanishing(symbolic.policy_gradient(3))
    teacher = lambda w: w.expectation(w.teacher, w.rewards[..., None] * w.scores())  # noqa: E731
    equation.rejects("answers from the teacher", in_every_world, reward_gradient, teacher)
    equation.rejects("reward left out", in_every_world, reward_gradient, lambda w: weighted(w, np.ones((3, 4))))


@pytest.mark.equation("eq-exact-gradient", way="symbolic")
def test_exact_gradient(equation):
    z, r = symbolic.logits_of(3), sp.symbols("r1:4", real=True)
    p = symbolic.softmax(z)
    value = sum(p[j] * r[j] for j in range(3))

    def check(entry):
        vanishing(sp.diff(value, z[k]) - entry(k) for k in range(3))

    equation.holds(check, lambda k: p[k] * (r[k] - value))
    equation.holds(laws.check_exact_gradient, exact_gradient)
    equation.rejects("value left out", check, lambda k: p[k] * r[k])
    equation.rejects("probability left out", check, lambda k: r[k] - value)
    equation.rejects("plain mean for V", check, lambda k: p[k] * (r[k] - sum(r) / 3))


@pytest.mark.equation("eq-score-identity", way="symbolic")
def test_score_identity(equation):
    z = symbolic.logits_of(3)
    p = symbolic.softmax(z)

    def check(law):
        vanishing(sum(law[y] * sp.diff(sp.log(p[y]), z[k]) for y in range(3)) for k in range(3))

    equation.holds(check, p)
    equation.holds(in_every_world, lambda w: np.zeros_like(w.theta), lambda w: weighted(w, np.ones((3, 4))))
    assert symbolic.score_identity_general() == 0
    equation.rejects("another policy's probabilities", check, [sp.Rational(1, 2), sp.Rational(1, 4), sp.Rational(1, 4)])
    equation.rejects("probabilities squared", check, [q**2 for q in p])


@pytest.mark.equation("eq-baseline", way="enumeration")
def test_baseline(equation):
    b = np.array([0.7, -2.0, 3.0])

    equation.holds(in_every_world, lambda w: weighted(w, w.rewards), lambda w: weighted(w, w.rewards - b[:, None]))
    vanishing(symbolic.baseline_invariance(3))
    by_answer = lambda w: weighted(w, w.rewards - np.array([0.7, -2.0, 3.0, 1.0]))  # noqa: E731
    equation.rejects("baseline of the answer", in_every_world, lambda w: weighted(w, w.rewards), by_answer)
    under_teacher = lambda w: (  # noqa: E731
        weighted(w, w.rewards) - w.expectation(w.teacher, b[:, None, None] * w.scores())
    )
    equation.rejects("teacher's law", in_every_world, lambda w: weighted(w, w.rewards), under_teacher)


@pytest.mark.equation("eq-advantage-gradient", way="finite difference")
def test_advantage_gradient(equation):
    def value(world):
        return (world.policy(world.theta) * world.rewards).sum(axis=1, keepdims=True)

    equation.holds(in_every_world, reward_gradient, lambda w: weighted(w, w.rewards - value(w)))
    equation.rejects(
        "advantage upside down", in_every_world, reward_gradient, lambda w: weighted(w, value(w) - w.rewards)
    )
    divided = lambda w: weighted(w, w.rewards / value(w))  # noqa: E731
    equation.rejects("divided by the value", in_every_world, reward_gradient, divided)


@pytest.mark.equation("eq-action-baseline", way="enumeration")
def test_action_baseline(equation):
    b = np.random.default_rng(5).standard_normal((3, 4))

    def left(world):
        return weighted(world, world.rewards - b)

    equation.holds(in_every_world, left, lambda w: reward_gradient(w) - weighted(w, b))
    equation.rejects("no bias", in_every_world, left, reward_gradient)
    equation.rejects("bias added", in_every_world, left, lambda w: reward_gradient(w) + weighted(w, b))


@pytest.mark.equation("eq-cloning-as-reinforce", way="enumeration")
def test_cloning_as_reinforce(equation):
    def left(world):
        return world.gradient(lambda pi: world.expectation(world.teacher, np.log(pi)))

    def ratio(world):
        return world.teacher / world.policy(world.theta)

    equation.holds(in_every_world, left, lambda w: weighted(w, ratio(w)))
    equation.rejects("ratio upside down", in_every_world, left, lambda w: weighted(w, 1.0 / ratio(w)))
    equation.rejects("logarithm of the ratio", in_every_world, left, lambda w: weighted(w, np.log(ratio(w))))


@pytest.mark.equation("eq-head-gradient", way="finite difference")
def test_head_gradient(equation):
    rng = np.random.default_rng(7)
    cases = [(rng.standard_normal((3, 4)), rng.standard_normal(4), y) for y in range(3)]

    def log_probability(head, features, y):
        return float(np.log(probabilities_of(head @ features)[y]))

    def check(by_head, by_features):
        for head, features, y in cases:
            slope = numerical_gradient(lambda m, h=features, y=y: log_probability(m, h, y), head)
            surprise = np.eye(3)[y] - probabilities_of(head @ features)
            assert_close(by_head(surprise, features), slope, "the gradient of the head", TOLERANCE)
            slope = numerical_gradient(lambda h, m=head, y=y: log_probability(m, h, y), features)
            assert_close(by_features(surprise, head), slope, "the gradient of the features", TOLERANCE)

    equation.holds(check, np.outer, lambda s, m: m.T @ s)
    equation.rejects("sign flipped", check, lambda s, h: -np.outer(s, h), lambda s, m: m.T @ s)
    equation.rejects("transposed", check, lambda s, h: np.outer(h, s), lambda s, m: m.T @ s)
    equation.rejects("sign of the features' gradient", check, np.outer, lambda s, m: -m.T @ s)


@pytest.mark.equation("eq-example-head", way="finite difference")
def test_example_head(equation):
    features = np.array([1.0, 2.0])
    # Logits with 1_y - p = (3/4, -1/2, -1/4) for the first answer: p = (1/4, 1/2, 1/4), from a head that is not special.
    head = np.column_stack([np.log([1.0, 2.0, 1.0]) - 2 * np.array([0.3, -0.7, 1.1]), [0.3, -0.7, 1.1]])

    def check(table):
        slope = numerical_gradient(lambda m: float(np.log(probabilities_of(m @ features)[0])), head)
        assert_close(np.array(table), slope, "the example's gradient of the head", TOLERANCE)

    equation.holds(check, [[3 / 4, 3 / 2], [-1 / 2, -1], [-1 / 4, -1 / 2]])
    equation.rejects("sign flipped", check, [[-3 / 4, -3 / 2], [1 / 2, 1], [1 / 4, 1 / 2]])
    equation.rejects("features exchanged", check, [[3 / 2, 3 / 4], [-1, -1 / 2], [-1 / 2, -1 / 4]])


@pytest.mark.equation("eq-backprop", way="finite difference")
def test_backprop(equation):
    rng = np.random.default_rng(8)
    weights, below, above = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal(3)

    def objective(u):
        return float(above @ np.tanh(u) ** 2)

    def check(rule):
        slope = numerical_gradient(lambda m: objective(m @ below), weights)
        at_layer = numerical_gradient(objective, weights @ below)
        assert_close(rule(at_layer, below, weights), slope, "the gradient of a layer's weights", TOLERANCE)

    equation.holds(check, lambda d, h, m: np.outer(d, h))
    equation.rejects("features after the layer", check, lambda d, h, m: np.outer(d, np.tanh(m @ h)[:1].repeat(4)))
    equation.rejects("weights in place of the gradient", check, lambda d, h, m: np.outer(m @ h, h))


@pytest.mark.equation("eq-residual", way="finite difference")
def test_residual(equation):
    rng = np.random.default_rng(9)
    inner, target, below = rng.standard_normal((4, 4)), rng.standard_normal(4), rng.standard_normal(4)

    def block(h):
        return np.tanh(inner @ h)

    def objective(h):
        return float(np.sum(target * h**2))

    def check(rule):
        slope = numerical_gradient(lambda h: objective(h + block(h)), below)
        above = numerical_gradient(objective, below + block(below))
        jacobian = np.stack([numerical_gradient(lambda h, i=i: float(block(h)[i]), below) for i in range(4)])
        assert_close(rule(above, jacobian), slope, "the gradient below a residual block", TOLERANCE)

    equation.holds(check, lambda d, j: d + j.T @ d)
    equation.rejects("road through the block only", check, lambda d, j: j.T @ d)
    equation.rejects("free road only", check, lambda d, j: d)
    equation.rejects("not transposed", check, lambda d, j: d + j @ d)


@pytest.mark.equation("eq-surrogate", way="finite difference")
def test_surrogate(equation):
    samples = np.array([2, 0, 2, 3, 1])

    def left(world):
        return world.gradient(lambda pi: np.mean(world.rewards[1, samples] * np.log(pi[1, samples])))

    def right(world):
        return np.mean(world.rewards[1, samples, None] * world.scores()[1, samples], axis=0)

    equation.holds(in_every_world, left, right)
    equation.rejects("sum for mean", in_every_world, left, lambda w: len(samples) * right(w))
    reward_only = lambda w: w.gradient(lambda pi: np.mean(w.rewards[1, samples]))  # noqa: E731
    equation.rejects("the reward as loss", in_every_world, left, reward_only)


@pytest.mark.equation("eq-own-samples", way="finite difference")
def test_own_samples(equation):
    def left(world):
        return world.gradient(lambda pi: pi[2] @ np.log(pi[2]))

    def right(world):
        pi = world.policy(world.theta)[2]
        return (pi * np.log(pi)) @ world.scores()[2]

    equation.holds(in_every_world, left, right)
    equation.rejects("score alone", in_every_world, left, lambda w: w.policy(w.theta)[2] @ w.scores()[2])
    equation.rejects("sign flipped", in_every_world, left, lambda w: -right(w))
