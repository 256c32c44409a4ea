"""Chapter 6: the objective and its optimum, rewards of tokens, the surrogate and its clip, GAE, and the KL as value and as loss."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, logsumexp

from rlhw.laws import assert_close, numerical_gradient
from rlhw.logprobs import kl_estimate
from rlhw.ppo import AdaptiveKL, clipped_policy_loss, gae, shaped_rewards

TOLERANCE = 1e-6
# A small language: symbols 0 and 1, the end mark 2, three tokens at most. A row of logits for each prefix that goes on.
END, LENGTH = 2, 3
ROWS_OF = {prefix: n for n, prefix in enumerate(p for size in range(LENGTH) for p in product((0, 1), repeat=size))}
ANSWERS = [
    answer
    for size in range(1, LENGTH + 1)
    for answer in product((0, 1, 2), repeat=size)
    if END not in answer[:-1] and (answer[-1] == END or size == LENGTH)
]
MASK = np.array([[t < len(answer) for t in range(LENGTH)] for answer in ANSWERS])
TOKENS = np.array([[*answer, *[0] * (LENGTH - len(answer))] for answer in ANSWERS])
PLACES = np.array([[ROWS_OF.get(answer[:t], 0) for t in range(LENGTH)] for answer in ANSWERS])


def token_logs(theta):
    """log π(y_t|x, y_<t) of each token of each answer, "A T"; 0 behind an answer's end."""
    rows = log_softmax(theta.reshape(len(ROWS_OF), 3), axis=1)
    return np.where(MASK, rows[PLACES, TOKENS], 0.0)


def answer_logs(theta):
    return token_logs(theta).sum(1)


def scores(theta):
    """∇ log π(y_t|x, y_<t) of each token, "A T D": what happened less what was expected, on the token's row."""
    p = np.exp(log_softmax(theta.reshape(len(ROWS_OF), 3), axis=1))
    found = np.zeros((*MASK.shape, len(ROWS_OF), 3))
    for a, t in zip(*np.nonzero(MASK), strict=True):
        found[a, t, PLACES[a, t]] = np.eye(3)[TOKENS[a, t]] - p[PLACES[a, t]]
    return found.reshape(*MASK.shape, -1)


def problems(seed=6, count=3):
    """Logits of a policy, of a reference and of another policy, a reward for each answer, and β."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield (
            *rng.standard_normal((3, 3 * len(ROWS_OF))),
            1.3 * rng.standard_normal(len(ANSWERS)),
            rng.uniform(0.2, 1.1),
        )


def objective(theta, ref, rewards, beta):
    logs = answer_logs(theta)
    return float(np.exp(logs) @ (rewards - beta * (logs - answer_logs(ref))))


def kl(first, second):
    return float(np.exp(first) @ (first - second))


def token_rewards(theta, ref, rewards, beta):
    """By a loop over the answers: the price at each token, the reward at the last."""
    prices = -beta * (token_logs(theta) - token_logs(ref))
    for a, answer in enumerate(ANSWERS):
        prices[a, len(answer) - 1] += rewards[a]
    return prices


def to_go(values):
    """Σ_{s ≥ t} of a row."""
    return np.where(MASK, values[:, ::-1].cumsum(1)[:, ::-1], 0.0)


def expected_given(theta, values, after):
    """E[values of column t | the first t + after tokens], "A T", by summing over the answers that begin so."""
    chances, found = np.exp(answer_logs(theta)), np.zeros(MASK.shape)
    for a, t in zip(*np.nonzero(MASK), strict=True):
        same = [b for b, answer in enumerate(ANSWERS) if answer[: t + after] == ANSWERS[a][: t + after]]
        found[a, t] = chances[same] @ values[same, t] / chances[same].sum()
    return found


def advantages_of(theta, rewards):
    """What is expected after each token less what was expected before it."""
    return expected_given(theta, to_go(rewards), 1) - expected_given(theta, to_go(rewards), 0)


def tensors(*arrays):
    return [torch.from_numpy(np.asarray(array, dtype=float)) for array in arrays]


@pytest.mark.equation("eq-example-tilt", way="closed form")
def test_example_tilt(equation):
    ref, rewards = np.array([0.5, 0.25, 0.25]), np.log([1, 2, 4])

    def check(numbers):
        policies = ref, np.array([0, 0, 1.0]), np.array([0.25, 0.25, 0.5])
        earned = [
            sum(p * (r - math.log(p / q)) for p, q, r in zip(pi, ref, rewards, strict=True) if p) for pi in policies
        ]
        assert np.allclose(numbers, earned, atol=5e-4)

    equation.holds(check, [0.520, 0.0, 0.693])
    equation.holds(check, [0.75 * math.log(2), math.log(4) - math.log(4), 1.25 * math.log(2) - 0.25 * math.log(2)])
    equation.rejects("no price", check, [0.520, 1.386, 0.866])
    equation.rejects("the KL of the other direction", check, [0.520, 0.0, 0.693 + 0.02])


@pytest.mark.equation("eq-kl-objective", way="enumeration")
def test_kl_objective(equation):
    def check(formula):
        for theta, ref, _, rewards, beta in problems():
            expected = objective(theta, ref, rewards, beta)
            law = "reward less the price of the divergence"
            assert_close(formula(answer_logs(theta), answer_logs(ref), rewards, beta), expected, law, TOLERANCE)

    equation.holds(check, lambda p, q, r, beta: np.exp(p) @ r - beta * kl(p, q))
    equation.rejects("forward KL", check, lambda p, q, r, beta: np.exp(p) @ r - beta * kl(q, p))
    equation.rejects("paid for leaving", check, lambda p, q, r, beta: np.exp(p) @ r + beta * kl(p, q))
    equation.rejects("the reference's reward", check, lambda p, q, r, beta: np.exp(q) @ r - beta * kl(p, q))


@pytest.mark.equation("eq-pi-star", way="enumeration")
def test_pi_star(equation):
    def check(formula):
        """No policy near it, far from it or between it and the reference earns more."""
        rng = np.random.default_rng(1)
        for _, ref, _, rewards, beta in problems():
            q = answer_logs(ref)
            best = formula(q, rewards, beta)
            assert abs(np.exp(best).sum() - 1) < 1e-9

            def earned(logs, q=q, rewards=rewards, beta=beta):
                return np.exp(logs) @ (rewards - beta * (logs - q))

            for size in (1e-3, 0.1, 2.0):
                for _ in range(20):
                    rival = log_softmax(best + size * rng.standard_normal(len(best)))
                    assert earned(rival) < earned(best)
            assert earned(q) < earned(best)

    equation.holds(check, lambda q, r, beta: q + r / beta - logsumexp(q + r / beta))
    equation.rejects("β times the reward", check, lambda q, r, beta: log_softmax(q + r * beta))
    equation.rejects("without the reference", check, lambda q, r, beta: log_softmax(r / beta))
    equation.rejects("no normaliser", check, lambda q, r, beta: q + r / beta)


@pytest.mark.equation("eq-j-star", way="enumeration")
def test_j_star(equation):
    def check(formula):
        for _, ref, _, rewards, beta in problems():
            q = answer_logs(ref)
            best = log_softmax(q + rewards / beta)
            earned = np.exp(best) @ (rewards - beta * (best - q))
            assert_close(formula(q, rewards, beta), float(earned), "what the best policy earns", TOLERANCE)

    equation.holds(check, lambda q, r, beta: beta * math.log(np.exp(q) @ np.exp(r / beta)))
    equation.rejects("the log of the mean reward", check, lambda q, r, beta: np.exp(q) @ r)
    equation.rejects("without β in front", check, lambda q, r, beta: math.log(np.exp(q) @ np.exp(r / beta)))
    equation.rejects("the largest reward", check, lambda q, r, beta: r.max())


@pytest.mark.equation("eq-j-gap", way="enumeration")
def test_j_gap(equation):
    def check(formula):
        for theta, ref, _, rewards, beta in problems():
            q = answer_logs(ref)
            best = log_softmax(q + rewards / beta)
            jstar = beta * logsumexp(q + rewards / beta)
            short = jstar - objective(theta, ref, rewards, beta)
            assert_close(formula(answer_logs(theta), best, q, beta), short, "the shortfall of a policy", TOLERANCE)

    equation.holds(check, lambda p, best, q, beta: beta * kl(p, best))
    equation.rejects("the other direction", check, lambda p, best, q, beta: beta * kl(best, p))
    equation.rejects("from the reference", check, lambda p, best, q, beta: beta * kl(p, q))
    equation.rejects("without β", check, lambda p, best, q, beta: kl(p, best))


@pytest.mark.equation("eq-objective-gradient", way="finite difference")
def test_objective_gradient(equation):
    def check(weight):
        for theta, ref, _, rewards, beta in problems():
            p, q = answer_logs(theta), answer_logs(ref)
            got = (np.exp(p) * weight(p, q, rewards, beta)) @ scores(theta).sum(1)
            slope = numerical_gradient(lambda t, a=(ref, rewards, beta): objective(t, *a), theta)
            assert_close(got, slope, "the gradient of the objective", TOLERANCE)

    equation.holds(check, lambda p, q, r, beta: r - beta * (p - q))
    equation.holds(check, lambda p, q, r, beta: r - beta * (p - q) - beta)
    equation.rejects("reward alone", check, lambda p, q, r, beta: r)
    equation.rejects("sign of the price", check, lambda p, q, r, beta: r + beta * (p - q))
    equation.rejects("twice the price", check, lambda p, q, r, beta: r - 2 * beta * (p - q))


@pytest.mark.equation("eq-token-rewards", way="enumeration")
def test_token_rewards(equation):
    def check(rewards_of):
        for theta, ref, _, rewards, beta in problems():
            whole = rewards - beta * (answer_logs(theta) - answer_logs(ref))
            got = rewards_of(theta, ref, rewards, beta)
            assert_close(np.where(MASK, got, 0.0).sum(1), whole, "the rewards of an answer's tokens add up", TOLERANCE)

    def library(theta, ref, rewards, beta):
        parts = tensors(rewards, token_logs(theta), token_logs(ref))
        return shaped_rewards(*parts, torch.from_numpy(MASK), beta).numpy()

    def at_each(theta, ref, rewards, beta):
        return -beta * (token_logs(theta) - token_logs(ref)) + rewards[:, None]

    def at_the_edge(theta, ref, rewards, beta):
        return -beta * (token_logs(theta) - token_logs(ref)) + rewards[:, None] * (np.arange(LENGTH) == LENGTH - 1)

    equation.holds(check, token_rewards)
    equation.holds(check, library)
    equation.rejects("score at each token", check, at_each)
    equation.rejects("score at a pad", check, at_the_edge)
    equation.rejects("discounted", check, lambda *a: token_rewards(*a) * 0.9 ** np.arange(LENGTH))


@pytest.mark.equation("eq-example-shaped", way="closed form")
def test_example_shaped(equation):
    def check(numbers):
        assert np.allclose(numbers[:3], [-0.1 * 0.5, 0.1 * 0.2, 1 - 0.1 * 0.7])
        assert math.isclose(sum(numbers[:3]), numbers[3])
        assert math.isclose(numbers[3], 1 - 0.1 * (0.5 - 0.2 + 0.7))

    ratios, zeros = torch.tensor([[0.5, -0.2, 0.7]], dtype=torch.float64), torch.zeros(1, 3).double()
    shaped = shaped_rewards(torch.ones(1).double(), ratios, zeros, torch.ones(1, 3, dtype=torch.bool), 0.1)[0].tolist()
    equation.holds(check, [-0.05, 0.02, 0.93, 0.9])
    equation.holds(check, [*shaped, sum(shaped)])
    equation.rejects("paid for leaving", check, [0.05, -0.02, 1.07, 1.1])
    equation.rejects("score at the first token", check, [0.95, 0.02, -0.07, 0.9])


@pytest.mark.equation("eq-token-gradient", way="finite difference")
def test_token_gradient(equation):
    def check(weights):
        for theta, ref, _, rewards, beta in problems():
            w = np.where(MASK, weights(token_rewards(theta, ref, rewards, beta)), 0.0)
            got = np.einsum("a,at,atd->d", np.exp(answer_logs(theta)), w, scores(theta))
            slope = numerical_gradient(lambda t, a=(ref, rewards, beta): objective(t, *a), theta)
            assert_close(got, slope, "the gradient of the objective, token by token", TOLERANCE)

    equation.holds(check, to_go)
    equation.holds(check, lambda r: np.broadcast_to(r.sum(1, keepdims=True), r.shape))
    equation.rejects("a token's own reward", check, lambda r: r)
    equation.rejects("rewards up to the token", check, lambda r: r.cumsum(1))
    equation.rejects("rewards after the token", check, lambda r: to_go(r) - r)
    equation.rejects("discounted", check, lambda r: np.stack([r[:, t:] @ 0.9 ** np.arange(3 - t) for t in range(3)], 1))


@pytest.mark.equation("eq-importance", way="enumeration")
def test_importance(equation):
    def check(weight):
        for theta, old, _, values, _ in problems():
            new, before = answer_logs(theta), answer_logs(old)
            got = np.exp(before) @ (weight(np.exp(new), np.exp(before)) * values)
            assert_close(float(got), float(np.exp(new) @ values), "a mean under the new policy", TOLERANCE)

    equation.holds(check, lambda new, old: new / old)
    equation.rejects("upside down", check, lambda new, old: old / new)
    equation.rejects("no weight", check, lambda new, old: 1 + 0 * new)
    equation.rejects("normalised twice", check, lambda new, old: new / old / (new / old).sum())


def surrogate_slope(each, old, advantages):
    """∇ of the mean over the old policy's answers of `each`(ρ, A), at θ_old, by central differences."""
    before = token_logs(old)

    def value(theta):
        ratio = np.exp(token_logs(theta) - before)
        return float(np.exp(before.sum(1)) @ np.where(MASK, each(ratio, advantages), 0.0).sum(1))

    return numerical_gradient(value, old)


@pytest.mark.equation("eq-surrogate-gradient", way="finite difference")
def test_surrogate_gradient(equation):
    def check(each):
        for old, ref, _, rewards, beta in problems():
            slope = numerical_gradient(lambda t, a=(ref, rewards, beta): objective(t, *a), old)
            advantages = advantages_of(old, token_rewards(old, ref, rewards, beta))
            middle = np.einsum("a,at,atd->d", np.exp(answer_logs(old)), advantages, scores(old))
            assert_close(middle, slope, "advantage times score of each token", TOLERANCE)
            got = surrogate_slope(each, old, advantages)
            assert_close(got, slope, "the surrogate's gradient at the old policy", 1e-5)

    equation.holds(check, lambda ratio, a: ratio * a)
    equation.holds(check, lambda ratio, a: np.minimum(ratio * a, ratio.clip(0.8, 1.2) * a))
    equation.rejects("upside down", check, lambda ratio, a: a / ratio)
    equation.rejects("mean over tokens", check, lambda ratio, a: ratio * a / MASK.sum(1, keepdims=True))
    equation.rejects("the neighbour's advantage", check, lambda ratio, a: ratio * np.roll(a, 1, axis=1))


@pytest.mark.equation("eq-performance-difference", way="enumeration")
def test_performance_difference(equation):
    def check(formula):
        for theta, ref, old, rewards, beta in problems():
            advantages = advantages_of(old, token_rewards(old, ref, rewards, beta))
            gained = objective(theta, ref, rewards, beta) - objective(old, ref, rewards, beta)
            got = formula(answer_logs(theta), answer_logs(old), advantages.sum(1), beta)
            assert_close(float(got), gained, "what a new policy gains over the old one", TOLERANCE)

    equation.holds(check, lambda new, old, a, beta: np.exp(new) @ a - beta * kl(new, old))
    equation.rejects("rewards frozen", check, lambda new, old, a, beta: np.exp(new) @ a)
    equation.rejects("the other direction", check, lambda new, old, a, beta: np.exp(new) @ a - beta * kl(old, new))
    equation.rejects("the old answers", check, lambda new, old, a, beta: np.exp(old) @ a - beta * kl(new, old))


@pytest.mark.equation("eq-clip-gradient", way="finite difference")
def test_clip_gradient(equation):
    def check(formula):
        rng = np.random.default_rng(2)
        for clip in (0.1, 0.3):
            for ratio, advantage in zip(rng.uniform(0.2, 2.0, 60), rng.standard_normal(60), strict=True):
                if min(abs(ratio - 1 - clip), abs(ratio - 1 + clip)) < 1e-3:
                    continue
                value = lambda r, a=advantage, c=clip: float(min(r[0] * a, np.clip(r[0], 1 - c, 1 + c) * a))  # noqa: E731
                slope = numerical_gradient(value, np.array([ratio]))[0]
                x = torch.tensor([ratio], dtype=torch.float64, requires_grad=True)
                loss = clipped_policy_loss(x.log(), torch.zeros(1).double(), torch.tensor([advantage]).double(), clip)
                (library,) = torch.autograd.grad(-loss.sum(), x)
                assert_close(library.item(), slope, "the library's loss has this gradient", TOLERANCE)
                assert_close(formula(ratio, advantage, clip), slope, "the gradient by the ratio", TOLERANCE)

    def page(ratio, a, clip):
        return 0.0 if (a > 0 and ratio > 1 + clip) or (a < 0 and ratio < 1 - clip) else a

    equation.holds(check, page)
    equation.rejects("zero wherever outside", check, lambda r, a, c: 0.0 if abs(r - 1) > c else a)
    equation.rejects("zero on the wrong side", check, lambda r, a, c: -page(r, -a, c))
    equation.rejects("no clip", check, lambda r, a, c: a)


@pytest.mark.equation("eq-td-is-advantage", way="enumeration")
def test_td_is_advantage(equation):
    def check(errors):
        for theta, ref, _, rewards, beta in problems():
            r = token_rewards(theta, ref, rewards, beta)
            values = expected_given(theta, to_go(r), 0)
            assert_close(errors(r, values), advantages_of(theta, r), "the TD error of a right critic", TOLERANCE)

    def following(values):
        return np.where(MASK, np.pad(values[:, 1:], ((0, 0), (0, 1))), 0.0)

    equation.holds(check, lambda r, v: np.where(MASK, r + following(v) - v, 0.0))
    equation.rejects("critic at zero", check, lambda r, v: r)
    equation.rejects("value not subtracted", check, lambda r, v: np.where(MASK, r + following(v), 0.0))
    equation.rejects("value of the state before", check, lambda r, v: r)
    equation.rejects("a critic that is off", check, lambda r, v: np.where(MASK, r + 0.5 * following(v) - 0.5 * v, 0.0))


def episodes(seed=8):
    """Rewards and values of episodes of one to six steps, γ and λ."""
    rng = np.random.default_rng(seed)
    for length in (1, 2, 4, 6):
        yield rng.standard_normal(length), np.append(rng.standard_normal(length), 0.0), *rng.uniform(0.3, 1.0, 2)


def n_step(r, v, t, n, gamma):
    return sum(gamma**k * r[t + k] for k in range(n)) + gamma**n * v[t + n] - v[t]


@pytest.mark.equation("eq-n-step", way="enumeration")
def test_n_step(equation):
    def check(formula):
        for r, v, gamma, _ in episodes():
            deltas = r + gamma * v[1:] - v[:-1]
            for t in range(len(r)):
                for n in range(1, len(r) - t + 1):
                    got = formula(deltas[t : t + n], gamma)
                    assert_close(float(got), float(n_step(r, v, t, n, gamma)), "n steps telescope", TOLERANCE)

    equation.holds(check, lambda d, gamma: sum(gamma**k * x for k, x in enumerate(d)))
    equation.rejects("not discounted", check, lambda d, gamma: d.sum())
    equation.rejects("one power too many", check, lambda d, gamma: sum(gamma ** (k + 1) * x for k, x in enumerate(d)))
    equation.rejects("from the back", check, lambda d, gamma: sum(gamma**k * x for k, x in enumerate(d[::-1])))


@pytest.mark.equation("eq-gae", way="enumeration")
def test_gae_is_the_average_of_n_step_estimators(equation):
    def average(r, v, t, gamma, lam):
        left = len(r) - t
        weights = [(1 - lam) * lam ** (n - 1) for n in range(1, left)] + [lam ** (left - 1)]
        assert math.isclose(sum(weights), 1.0)
        assert min(weights) >= 0
        return sum(w * n_step(r, v, t, n, gamma) for n, w in enumerate(weights, 1))

    def check(formula):
        for r, v, gamma, lam in episodes():
            deltas = r + gamma * v[1:] - v[:-1]
            for factor in (lam, 0.0, 1.0):
                expected = [float(average(r, v, t, gamma, factor)) for t in range(len(r))]
                got = [float(formula(deltas[t:], gamma, factor)) for t in range(len(r))]
                assert_close(got, expected, "the weighted mean of the n-step estimators", TOLERANCE)
                mask = torch.ones(1, len(r), dtype=torch.bool)
                library = gae(*tensors(r[None], v[None, :-1]), mask, gamma, factor)[0][0]
                assert_close(library.numpy(), expected, "the library's recursion", TOLERANCE)

    def recursion(d, gamma, lam):
        return d[0] + (gamma * lam * recursion(d[1:], gamma, lam) if len(d) > 1 else 0.0)

    equation.holds(check, lambda d, gamma, lam: sum((gamma * lam) ** k * x for k, x in enumerate(d)))
    equation.holds(check, recursion)
    equation.rejects("λ without γ", check, lambda d, gamma, lam: sum(lam**k * x for k, x in enumerate(d)))
    equation.rejects(
        "the weights of the estimators on the errors", check,
        lambda d, gamma, lam: sum((1 - lam) * (gamma * lam) ** k * x for k, x in enumerate(d)),
    )  # fmt: skip
    equation.rejects("the first error alone", check, lambda d, gamma, lam: d[0])


@pytest.mark.equation("eq-example-gae", way="closed form")
def test_example_gae(equation):
    rewards, values = np.array([-0.05, 0.02, 0.93]), np.array([0.4, 0.6, 0.8, 0.0])

    def check(numbers):
        deltas = [rewards[t] + values[t + 1] - values[t] for t in range(3)]
        assert np.allclose(numbers[:3], deltas)
        assert np.allclose(numbers[3:], [sum(0.5**k * d for k, d in enumerate(deltas[t:])) for t in range(3)])

    mask = torch.ones(1, 3, dtype=torch.bool)
    zero, half = (gae(*tensors(rewards[None], values[None, :3]), mask, 1.0, lam)[0][0].tolist() for lam in (0.0, 0.5))
    equation.holds(check, [0.15, 0.22, 0.13, 0.2925, 0.285, 0.13])
    equation.holds(check, [*zero, *half])
    equation.rejects("forward sums", check, [0.15, 0.22, 0.13, 0.15, 0.295, 0.2775])
    equation.rejects("λ = 1", check, [0.15, 0.22, 0.13, 0.5, 0.35, 0.13])


@pytest.mark.equation("eq-adaptive-kl", way="closed form")
def test_adaptive_kl(equation):
    def check(formula):
        """At the target nothing moves; small errors move in proportion, large ones by a fifth; as the library does."""
        for beta, target, horizon, n in ((0.2, 6.0, 1e4, 512), (0.05, 3.0, 2e3, 128)):
            move = lambda seen, a=(target, beta, n, horizon): float(formula(seen, *a)) / a[1] - 1  # noqa: E731
            assert abs(move(target)) < 1e-12
            for share, expected in ((1.1, 0.1), (0.95, -0.05), (1.9, 0.2), (0.1, -0.2)):
                assert_close(move(share * target), expected * n / horizon, "the step of β", TOLERANCE)
                control = AdaptiveKL(beta, target, horizon)
                control.update(share * target, float(n))
                assert_close(
                    float(formula(share * target, target, beta, n, horizon)), control.beta, "library", TOLERANCE
                )

    def page(seen, target, beta, n, horizon):
        return beta * (1 + np.clip(seen / target - 1, -0.2, 0.2) * n / horizon)

    equation.holds(check, page)
    equation.rejects("not clamped", check, lambda s, g, b, n, h: b * (1 + (s / g - 1) * n / h))
    equation.rejects("upside down", check, lambda s, g, b, n, h: b * (1 + np.clip(g / s - 1, -0.2, 0.2) * n / h))
    equation.rejects("difference for ratio", check, lambda s, g, b, n, h: b * (1 + np.clip(s - g, -0.2, 0.2) * n / h))


@pytest.mark.equation("eq-example-controller", way="closed form")
def test_example_controller(equation):
    def check(beta):
        error = min(max((9 - 6) / 6, -0.2), 0.2)
        assert abs(beta - (0.2 + 0.2 * error * 512 / 10_000)) < 5e-5

    control = AdaptiveKL(0.2, 6.0, 10_000.0)
    control.update(9.0, 512.0)
    equation.holds(check, 0.2020)
    equation.holds(check, control.beta)
    equation.rejects("not clamped", check, 0.2 * (1 + 0.5 * 0.0512))
    equation.rejects("the wrong way", check, 0.2 * (1 - 0.2 * 0.0512))


@pytest.mark.equation("eq-k-values", way="enumeration")
def test_k_values(equation):
    def check(estimate):
        for theta, ref, *_ in problems():
            p, q = answer_logs(theta), answer_logs(ref)
            assert_close(float(np.exp(p) @ estimate(p - q)), kl(p, q), "the mean of the estimate", TOLERANCE)

    def library(kind):
        return lambda d: kl_estimate(*tensors(d, 0 * d), kind).numpy()

    equation.holds(check, lambda d: d)
    equation.holds(check, lambda d: np.exp(-d) - 1 + d)
    equation.holds(check, library("k1"))
    equation.holds(check, library("k3"))
    equation.rejects("k2", check, lambda d: d**2 / 2)
    equation.rejects("k3 upside down", check, lambda d: np.exp(d) - 1 - d)


@pytest.mark.equation("eq-k3-upside-down", way="enumeration")
def test_k3_upside_down(equation):
    def check(formula):
        for theta, ref, *_ in problems():
            p, q = answer_logs(theta), answer_logs(ref)
            mean = float(np.exp(p) @ (np.exp(p - q) - 1 - (p - q)))
            assert_close(float(formula(p, q)), mean, "k3 the wrong way up", TOLERANCE)

    equation.holds(check, lambda p, q: np.exp(p) @ np.exp(p - q) - 1 - kl(p, q))
    equation.rejects("the KL", check, kl)
    equation.rejects("χ² of the other direction", check, lambda p, q: np.exp(q) @ np.exp(q - p) - 1 - kl(p, q))
    equation.rejects("χ² alone", check, lambda p, q: np.exp(p) @ np.exp(p - q) - 1)


def mean_slope(theta, ref, estimate):
    """The mean gradient of an estimate as a loss: central differences, with the law of the samples held fast."""
    chances, q = np.exp(answer_logs(theta)), answer_logs(ref)
    return numerical_gradient(lambda t: float(chances @ estimate(answer_logs(t) - q)), theta)


def kl_slope(theta, ref, swapped=False):
    q = answer_logs(ref)
    return numerical_gradient(lambda t: kl(q, answer_logs(t)) if swapped else kl(answer_logs(t), q), theta)


K1, K2, K3 = (lambda d: d), (lambda d: d**2 / 2), (lambda d: np.exp(-d) - 1 + d)


@pytest.mark.equation("eq-k1-loss", way="finite difference")
def test_k1_loss(equation):
    def check(estimate):
        for theta, ref, *_ in problems():
            assert_close(mean_slope(theta, ref, estimate), 0 * theta, "no gradient in the mean", TOLERANCE)

    equation.holds(check, K1)
    equation.rejects("k2", check, K2)
    equation.rejects("k3", check, K3)


@pytest.mark.equation("eq-k2-loss", way="finite difference")
def test_k2_loss(equation):
    def check(estimate):
        for theta, ref, *_ in problems():
            assert_close(mean_slope(theta, ref, estimate), kl_slope(theta, ref), "the gradient of KL(π‖ref)", TOLERANCE)

    equation.holds(check, K2)
    equation.rejects("k1", check, K1)
    equation.rejects("k3", check, K3)
    equation.rejects("without the half", check, lambda d: d**2)


@pytest.mark.equation("eq-k3-loss", way="finite difference")
def test_k3_loss(equation):
    def check(estimate):
        for theta, ref, *_ in problems():
            other = kl_slope(theta, ref, swapped=True)
            assert_close(mean_slope(theta, ref, estimate), other, "the gradient of KL(ref‖π)", TOLERANCE)

    equation.holds(check, K3)
    equation.rejects("k2", check, K2)
    equation.rejects("upside down", check, lambda d: np.exp(d) - 1 - d)


@pytest.mark.equation("eq-kl-to-go", way="finite difference")
def test_kl_to_go(equation):
    def check(weights):
        for theta, ref, *_ in problems():
            w = np.where(MASK, weights(token_logs(theta) - token_logs(ref)), 0.0)
            got = np.einsum("a,at,atd->d", np.exp(answer_logs(theta)), w, scores(theta))
            assert_close(got, kl_slope(theta, ref), "the gradient of KL(π‖ref)", TOLERANCE)

    equation.holds(check, to_go)
    equation.rejects("a token's own log-ratio", check, lambda d: d)
    equation.rejects("token-summed k3", check, lambda d: 1 - np.exp(-d))
    equation.rejects("from the front", check, lambda d: d.cumsum(1))
