"""Chapter 7, second half: DPO's loss, its gradient and optimum, what falls, and the optima of IPO, smoothing, KTO and means."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from rlhw.dpo import dpo_loss, implicit_reward, ipo_loss, kto_loss
from rlhw.laws import assert_close, numerical_gradient

TOLERANCE = 1e-7


def worlds(seed=17):
    """(reference, rewards, beta, tau) of K answers."""
    rng = np.random.default_rng(seed)
    for k in (2, 3, 5):
        yield (
            rng.dirichlet(2 * np.ones(k)),
            rng.standard_normal(k),
            float(rng.uniform(0.3, 1.2)),
            float(rng.uniform(0.4, 1.5)),
        )


def best_of(reference, rewards, beta):
    """By a minimiser of -J over logits that knows no formula."""

    def cost(z):
        p = softmax(z)
        return -float(p @ rewards) + beta * float(p @ (log_softmax(z) - np.log(reference)))

    return softmax(minimize(cost, np.zeros(len(reference)), tol=1e-16, options={"gtol": 1e-11}).x)


def fitted(loss_of_pair, reference, chances):
    """The law of least mean loss over all pairs: `loss_of_pair(ratio_won, ratio_lost, i, j)` in shares `chances`."""
    k = len(reference)

    def cost(z):
        ratios = log_softmax(z) - np.log(reference)
        return sum(
            chances[i, j] * float(loss_of_pair(ratios[i], ratios[j], i, j))
            for i in range(k)
            for j in range(k)
            if i != j
        )

    return softmax(minimize(cost, np.log(reference), tol=1e-16, options={"gtol": 1e-10, "maxiter": 2000}).x)


def votes(rewards, tau):
    return expit((rewards[:, None] - rewards) / tau)


@pytest.mark.equation("eq-z-cancels", way="enumeration")
def test_z_cancels(equation):
    def check(formula):
        for reference, rewards, beta, _ in worlds():
            best = best_of(reference, rewards, beta)
            for i in range(len(rewards)):
                for j in range(len(rewards)):
                    law = "the difference of two rewards"
                    assert_close(
                        formula(best[i], best[j], reference[i], reference[j], beta), rewards[i] - rewards[j], law, 1e-5
                    )

    def library(p, q, ref_p, ref_q, beta):
        values = torch.tensor([[p, q], [ref_p, ref_q]], dtype=torch.float64).log()
        ours = implicit_reward(values[0], values[1], beta)
        return float(ours[0] - ours[1])

    equation.holds(check, lambda p, q, a, b, beta: beta * math.log(p / a) - beta * math.log(q / b))
    equation.holds(check, library)
    equation.rejects("reference left out", check, lambda p, q, a, b, beta: beta * math.log(p / q))
    equation.rejects("added", check, lambda p, q, a, b, beta: beta * math.log(p / a) + beta * math.log(q / b))
    equation.rejects("over beta", check, lambda p, q, a, b, beta: (math.log(p / a) - math.log(q / b)) / beta)


@pytest.mark.equation("eq-implicit-normalised", way="enumeration")
def test_implicit_normalised(equation):
    def check(weight):
        rng = np.random.default_rng(3)
        for reference, _, beta, _ in worlds():
            policy = rng.dirichlet(np.ones(len(reference)))
            implicit = implicit_reward(torch.from_numpy(policy).log(), torch.from_numpy(reference).log(), beta).numpy()
            assert_close(float(reference @ weight(implicit, beta)), 1.0, "the reward's J* is zero", TOLERANCE)

    equation.holds(check, lambda r, beta: np.exp(r / beta))
    equation.rejects("times beta", check, lambda r, beta: np.exp(r * beta))
    equation.rejects("the mean reward is zero", check, lambda r, beta: 1 + r)
    equation.rejects("sign flipped", check, lambda r, beta: np.exp(-r / beta))


@pytest.mark.equation("eq-dpo-optimum", way="closed form")
def test_dpo_optimum(equation):
    """Against a minimiser of the enumerated loss, and against the best policy found at the price tau times beta_DPO."""

    def loss(beta):
        def of_pair(won, lost, *_):
            return dpo_loss(*(torch.tensor(float(v), dtype=torch.float64) for v in (won, lost, 0.0, 0.0)), beta)

        return of_pair

    def check(exponent, price):
        for reference, rewards, beta, tau in worlds():
            found = fitted(loss(beta), reference, votes(rewards, tau))
            stated = reference * np.exp(exponent(rewards, tau, beta))
            assert np.abs(found - stated / stated.sum()).max() < 1e-5
            assert np.abs(found - best_of(reference, rewards, price(tau, beta))).max() < 1e-5

    product = lambda tau, beta: tau * beta  # noqa: E731
    equation.holds(check, lambda r, tau, beta: r / (tau * beta), product)
    equation.rejects("tau forgotten", check, lambda r, tau, beta: r / beta, product)
    equation.rejects("tau over beta", check, lambda r, tau, beta: r * tau / beta, product)
    equation.rejects("another price", check, lambda r, tau, beta: r / (tau * beta), lambda tau, beta: beta / tau)
    equation.rejects("sign flipped", check, lambda r, tau, beta: -r / (tau * beta), product)


@pytest.mark.equation("eq-dpo-gradient", way="finite difference")
def test_dpo_gradient(equation):
    rng = np.random.default_rng(5)

    def logs(theta, features):
        return log_softmax(np.tanh(features @ theta) + (features @ theta) ** 2)

    def check(formula):
        for _ in range(5):
            features, theta, beta = rng.standard_normal((4, 3)), rng.standard_normal(3), 0.7
            reference = log_softmax(rng.standard_normal(4))

            def loss(t, features=features, reference=reference):
                ratios = logs(t, features) - reference
                return float(np.log1p(np.exp(-0.7 * (ratios[1] - ratios[2]))))

            ratios = logs(theta, features) - reference
            scores = [numerical_gradient(lambda t, i=i, f=features: float(logs(t, f)[i]), theta) for i in (1, 2)]
            stated = formula(beta, ratios[1] - ratios[2], *scores)
            assert_close(stated, numerical_gradient(loss, theta), "the gradient of DPO's loss", 1e-6)

    equation.holds(check, lambda beta, d, won, lost: -beta * expit(-beta * d) * (won - lost))
    equation.rejects("sign flipped", check, lambda beta, d, won, lost: beta * expit(-beta * d) * (won - lost))
    equation.rejects("sigma of the margin", check, lambda beta, d, won, lost: -beta * expit(beta * d) * (won - lost))
    equation.rejects("beta forgotten in front", check, lambda beta, d, won, lost: -expit(-beta * d) * (won - lost))
    equation.rejects(
        "winner and loser swapped", check, lambda beta, d, won, lost: -beta * expit(-beta * d) * (lost - won)
    )


@pytest.mark.equation("eq-example-dpo", way="closed form")
def test_example_dpo(equation):
    def check(margin, loss, weight):
        odds = math.exp(0.5 * (0.5 - -0.3))
        value = lambda chosen: math.log(1 + math.exp(-0.5 * (chosen + 0.3)))  # noqa: E731
        slope = (value(0.5 - 1e-6) - value(0.5 + 1e-6)) / 2e-6
        assert np.allclose([margin, loss, weight], [math.log(odds), value(0.5), slope], atol=5e-4, rtol=0)

    equation.holds(check, 0.4, 0.513, 0.201)
    equation.rejects("weight of the right order", check, 0.4, 0.513, 0.299)
    equation.rejects("weight without beta", check, 0.4, 0.513, 0.401)
    equation.rejects("loser added", check, 0.1, 0.644, 0.238)


@pytest.mark.equation("eq-softmax-step", way="finite difference")
def test_softmax_step(equation):
    rng = np.random.default_rng(6)

    def check(bracket):
        for k in (2, 3, 6):
            z = rng.standard_normal(k)
            p, direction = softmax(z), np.eye(k)[0] - np.eye(k)[1]
            # The direction is the gradient of the difference of the logs, by finite differences.
            slope = numerical_gradient(lambda t: float(log_softmax(t)[0] - log_softmax(t)[1]), z)
            assert_close(direction, slope, "the normaliser drops out", TOLERANCE)
            change = (softmax(z + 1e-6 * direction) - softmax(z - 1e-6 * direction)) / 2e-6
            assert_close(p * bracket(np.eye(k)[0], np.eye(k)[1], p[0], p[1]), change, "change of the laws", 1e-6)
            assert change[0] > 0 > change[1]

    equation.holds(check, lambda won, lost, p, q: won - lost - p + q)
    equation.rejects("bystanders stand still", check, lambda won, lost, p, q: won - lost)
    equation.rejects("bystanders the other way", check, lambda won, lost, p, q: won - lost + p - q)
    equation.rejects("as in cloning", check, lambda won, lost, p, q: won - p)


@pytest.mark.equation("eq-falls-below-jstar", way="enumeration")
def test_falls_below_jstar(equation):
    def check(change):
        for reference, rewards, beta, _ in worlds():
            best = best_of(reference, rewards, beta)
            most = float(best @ rewards) - beta * float(best @ np.log(best / reference))
            assert_close(change(rewards, most, beta), np.log(best / reference), "how far each answer moves", 1e-5)

    equation.holds(check, lambda r, most, beta: (r - most) / beta)
    equation.rejects("above the mean reward", check, lambda r, most, beta: (r - r.mean()) / beta)
    equation.rejects("without beta", check, lambda r, most, beta: r - most)
    equation.rejects("sign flipped", check, lambda r, most, beta: (most - r) / beta)


@pytest.mark.equation("eq-mean-log-ratio", way="simulation", false_alarm=1e-6)
def test_mean_log_ratio(equation):
    """The mean over 200,000 samples of the reference, within five standard errors; and with both answers of a pair."""

    def check(formula):
        rng = np.random.default_rng(8)
        for reference, *_ in worlds():
            policy = rng.dirichlet(np.ones(len(reference)))
            ratios = np.log(policy / reference)
            pairs = ratios[rng.choice(len(reference), size=(100_000, 2), p=reference)]
            error = pairs.std() / math.sqrt(pairs.size)
            assert abs(pairs.mean() - formula(reference, policy)) < 5 * error
            assert formula(reference, policy) < 0

    equation.holds(check, lambda q, p: -float(q @ np.log(q / p)))
    equation.rejects("the KL that is paid for", check, lambda q, p: -float(p @ np.log(p / q)))
    equation.rejects("sign flipped", check, lambda q, p: float(q @ np.log(q / p)))
    equation.rejects("it is zero on average", check, lambda q, p: 0.0)


@pytest.mark.equation("eq-feature-step", way="finite difference")
def test_feature_step(equation):
    rng = np.random.default_rng(9)

    def check(formula):
        cases = [(rng.standard_normal((5, 3)), rng.standard_normal(3)) for _ in range(4)]
        cases.append((np.array([[1.0], [0.0], [3.0]]), np.zeros(1)))
        for features, theta in cases:
            logs = lambda t, f=features: log_softmax(f @ t)  # noqa: E731
            step = numerical_gradient(lambda t, logs=logs: float(logs(t)[0] - logs(t)[1]), theta)
            change = (logs(theta + 1e-6 * step)[0] - logs(theta - 1e-6 * step)[0]) / 2e-6
            mean = np.exp(logs(theta)) @ features
            assert_close(formula(features[0], features[1], mean), float(change), "change of the winner", 1e-6)
        # The example: winner, loser and a third one move by -1/3, -4/3 and 5/3.
        moves = (logs(theta + 1e-6 * step) - logs(theta - 1e-6 * step)) / 2e-6
        assert_close(moves, np.array([-1, -4, 5]) / 3, "the example of the text", 1e-6)

    equation.holds(check, lambda won, lost, mean: float((won - lost) @ (won - mean)))
    equation.rejects("mean forgotten", check, lambda won, lost, mean: float((won - lost) @ won))
    equation.rejects("loser's gradient", check, lambda won, lost, mean: float((won - lost) @ (lost - mean)))
    equation.rejects("as in cloning", check, lambda won, lost, mean: float((won - mean) @ (won - mean)))


@pytest.mark.equation("eq-ipo-optimum", way="closed form")
def test_ipo_optimum(equation):
    def check(optimum):
        for p, beta in ((0.8, 0.1), (0.35, 0.4), (1.0, 0.7), (0.5, 0.3)):

            def mean_loss(d, p=p, beta=beta):
                ours = [torch.tensor(float(v), dtype=torch.float64) for v in (d, 0.0, 0.0, 0.0)]
                first, second = ipo_loss(*ours, beta), ipo_loss(ours[1], ours[0], ours[2], ours[3], beta)
                return float(p * first + (1 - p) * second)

            found = minimize(lambda d, f=mean_loss: f(d[0]), [0.3], tol=1e-14, options={"gtol": 1e-8}).x[0]
            assert abs(optimum(p, beta) - found) < 1e-5

    equation.holds(check, lambda p, beta: (p - 0.5) / beta)
    equation.rejects("one vote's", check, lambda p, beta: 1 / (2 * beta))
    equation.rejects("half of it", check, lambda p, beta: (p - 0.5) / (2 * beta))
    equation.rejects("log-odds", check, lambda p, beta: math.log((p + 1e-9) / (1 - p + 1e-9)) / beta)


@pytest.mark.equation("eq-ipo-policy", way="closed form")
def test_ipo_policy(equation):
    def check(exponent):
        for reference, rewards, beta, tau in worlds():
            chances = votes(rewards, tau)
            found = fitted(lambda won, lost, *_, b=beta: (won - lost - 1 / (2 * b)) ** 2, reference, chances)
            stated = reference * np.exp(exponent(chances, beta))
            assert np.abs(found - stated / stated.sum()).max() < 1e-5

    equation.holds(check, lambda p, beta: p.mean(1) / beta)
    equation.rejects("sum for mean", check, lambda p, beta: p.sum(1) / beta)
    equation.rejects("without itself", check, lambda p, beta: (p.sum(1) - 0.5) / (len(p) - 1) / beta)
    equation.rejects("log-odds", check, lambda p, beta: np.log(p / (1 - p)).mean(1) / beta)


@pytest.mark.equation("eq-smoothed-optimum", way="closed form")
def test_smoothed_optimum(equation):
    def check(optimum):
        for p, s, beta in ((0.8, 0.1, 0.5), (1.0, 0.1, 0.3), (0.3, 0.25, 1.2)):

            def mean_loss(d, p=p, s=s, beta=beta):
                ours = [torch.tensor(float(v), dtype=torch.float64) for v in (d, 0.0)]
                zero = torch.zeros((), dtype=torch.float64)
                first, second = (dpo_loss(a, b, zero, zero, beta, s) for a, b in (ours, ours[::-1]))
                return float(p * first + (1 - p) * second)

            found = minimize(lambda d, f=mean_loss: f(d[0]), [0.1], tol=1e-14, options={"gtol": 1e-9}).x[0]
            assert abs(optimum(p, s) - beta * found) < 1e-5

    odds = lambda p: math.log(p / (1 - p))  # noqa: E731
    equation.holds(check, lambda p, s: odds((1 - s) * p + s * (1 - p)))
    equation.rejects("shrunk by a factor", check, lambda p, s: (1 - 2 * s) * odds(min(p, 1 - 1e-9)))
    equation.rejects("lapses taken out", check, lambda p, s: odds(min(max((p - s) / (1 - 2 * s), 1e-9), 1 - 1e-9)))
    equation.rejects("smoothed one way only", check, lambda p, s: odds((1 - s) * p))


@pytest.mark.equation("eq-kto-mean", way="enumeration")
def test_kto_mean(equation):
    def check(formula):
        for a in (0.0, 0.3, 0.51, 0.99):
            for ratio in (-3.0, 0.2, 2.5):
                thumbs = torch.tensor([True, False])
                losses = kto_loss(torch.full((2,), ratio).double(), thumbs, torch.tensor(0.6).double(), 0.7)
                mean = a * float(losses[0]) + (1 - a) * float(losses[1])
                # By hand too: 1 - σ(±v).
                v = 0.7 * (ratio - 0.6)
                by_hand = a / (1 + math.exp(v)) + (1 - a) / (1 + math.exp(-v))
                assert_close(mean, by_hand, "the library's loss", TOLERANCE)
                assert_close(formula(a, 1 / (1 + math.exp(-v))), mean, "the mean over thumbs", TOLERANCE)

    equation.holds(check, lambda a, s: a + (1 - 2 * a) * s)
    equation.rejects("sign flipped", check, lambda a, s: a - (1 - 2 * a) * s)
    equation.rejects("factor one", check, lambda a, s: a + (1 - a) * s)
    equation.rejects("thumbs exchanged", check, lambda a, s: 1 - a + (2 * a - 1) * s)


@pytest.mark.equation("eq-token-mean-optimum", way="closed form")
def test_mean_optimum(equation):
    """Against a minimiser of the enumerated loss of means over tokens."""

    def check(exponent):
        for reference, rewards, beta, tau in worlds():
            lengths = np.array([1, 3, 2, 4, 2])[: len(rewards)]

            def of_pair(won, lost, i, j, beta=beta, lengths=lengths):
                return np.log1p(np.exp(-beta * (won / lengths[i] - lost / lengths[j])))

            found = fitted(of_pair, reference, votes(rewards, tau))
            low, high = -50.0, 50.0
            for _ in range(200):
                middle = (low + high) / 2
                total = float((reference * np.exp(exponent(lengths, rewards / (tau * beta), middle))).sum())
                low, high = (middle, high) if total < 1 else (low, middle)
            stated = reference * np.exp(exponent(lengths, rewards / (tau * beta), low))
            assert np.abs(found - stated).max() < 1e-4

    equation.holds(check, lambda n, r, c: np.clip(n * (r + c), -700, 60))
    equation.rejects("the sum's optimum", check, lambda n, r, c: r + c)
    equation.rejects("divided by the length", check, lambda n, r, c: (r + c) / n)
    equation.rejects("shift not multiplied", check, lambda n, r, c: n * r + c)
