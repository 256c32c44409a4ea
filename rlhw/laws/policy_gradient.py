"""Laws of policies, their gradients and the estimates of these."""

from collections.abc import Callable

import numpy as np

from rlhw.laws.oracles import Array, assert_close, expected_value, numerical_gradient, policies, probabilities_of


def check_softmax(softmax: Callable) -> None:
    """p_i = exp(z_i)/Σ exp(z_j); a shift of all logits changes nothing; logits of a thousand are no danger."""
    for logits, rng in policies():
        shift = 700.0 + 300.0 * rng.random()
        assert_close(softmax(logits), probabilities_of(logits), "softmax is exp(z_i) over the sum of exp(z_j)")
        assert_close(
            softmax(logits + shift), probabilities_of(logits), "adding one number to all logits changes no probability"
        )
        assert_close(softmax(logits - shift), probabilities_of(logits), "very negative logits are as good as others")
    law = "logits a thousand apart give the greatest all the probability"
    assert_close(softmax(np.array([0.0, 2000.0, 1000.0])), np.array([0.0, 1.0, 0.0]), law)


def check_log_softmax(log_softmax: Callable) -> None:
    """log p_i, finite where p_i underflows."""
    for logits, _ in policies():
        assert_close(log_softmax(logits), np.log(probabilities_of(logits)), "log-softmax is the log of the softmax")
        assert_close(log_softmax(logits + 900.0), np.log(probabilities_of(logits)), "a common shift changes nothing")
    far = log_softmax(np.array([0.0, 1000.0, 2000.0]))
    assert_close(far, np.array([-2000.0, -1000.0, 0.0]), "the log of a probability that underflows is still finite")


def check_score(score: Callable) -> None:
    """∂ log p_y/∂z, by central differences; its expectation under p is zero."""
    for logits, _ in policies():
        for action in range(len(logits)):
            slope = numerical_gradient(lambda s, y=action: float(np.log(probabilities_of(s)[y])), logits)
            assert_close(score(logits, action), slope, "the score is the gradient of log p_y", tolerance=1e-7)
        mean = expected_value(logits, np.array([score(logits, action) for action in range(len(logits))]))
        assert_close(mean, np.zeros(len(logits)), "the expectation of the score under its own policy is zero")


def check_cloning_gradient(cloning_gradient: Callable) -> None:
    """The gradient of Σ_y teacher_y log p_y, by central differences."""
    for logits, rng in policies():
        teacher = rng.dirichlet(np.ones(len(logits)))
        slope = numerical_gradient(lambda s, q=teacher: float(q @ np.log(probabilities_of(s))), logits)
        assert_close(
            cloning_gradient(logits, teacher), slope, "cloning ascends the teacher's expected log p", tolerance=1e-7
        )


def check_exact_gradient(exact_gradient: Callable) -> None:
    """The gradient of Σ_y p_y r_y, by central differences; it does not change when all rewards rise by one number."""
    for logits, rng in policies():
        rewards = 3.0 * rng.standard_normal(len(logits))
        slope = numerical_gradient(lambda s, r=rewards: float(probabilities_of(s) @ r), logits)
        plain = exact_gradient(logits, rewards)
        assert_close(plain, slope, "the gradient is that of the expected reward", tolerance=1e-7)
        lifted = exact_gradient(logits, rewards + 5.0)
        assert_close(lifted, slope, "a constant added to every reward does not change the gradient", tolerance=1e-7)


def check_sample_actions(sample_actions: Callable) -> None:
    """The action is the first whose cumulative probability exceeds u: just below, just above and right on the edges."""
    for logits, _ in policies():
        edges = np.cumsum(probabilities_of(logits))[:-1]
        just_below, just_above = edges - 1e-9, edges + 1e-9
        got = sample_actions(logits, np.concatenate([[0.0], just_below, just_above, [1 - 1e-16]]))
        arms = np.arange(len(logits))
        expected = np.concatenate([[0], arms[:-1], arms[1:], [arms[-1]]])
        assert_close(got, expected, "a sample is the first action whose cumulative probability exceeds u")
    # Four equal arms have edges that are exact in binary, so u can lie right on one.
    on_the_edges = sample_actions(np.full(4, 0.7), np.array([0.25, 0.5, 0.75]))
    assert_close(on_the_edges, np.array([1, 2, 3]), "a u equal to a cumulative probability belongs to the arm above it")


def check_weighted_scores(weighted_scores: Callable) -> None:
    """Row n is w_n times the gradient of log p_{y_n}, by central differences."""
    for logits, rng in policies():
        actions = rng.integers(len(logits), size=4)
        weights = rng.standard_normal(4)
        rows = [
            numerical_gradient(lambda s, y=y, w=w: float(w * np.log(probabilities_of(s)[y])), logits)
            for y, w in zip(actions, weights, strict=True)
        ]
        got = weighted_scores(logits, actions, weights)
        assert_close(got, np.array(rows), "each row is a weight times the score of its own action", tolerance=1e-7)


def check_reinforce_estimates(reinforce_estimates: Callable) -> None:
    """Unbiased for every baseline: the expectation over actions, by enumeration, is the gradient of Σ_y p_y r_y."""
    for logits, rng in policies():
        rewards = 3.0 * rng.standard_normal(len(logits))
        slope = numerical_gradient(lambda s, r=rewards: float(probabilities_of(s) @ r), logits)
        actions = np.arange(len(logits))
        for baseline in (0.0, float(rng.normal()), 4.0):
            rows = reinforce_estimates(logits, rewards, actions, baseline)
            square = (len(logits), len(logits))
            assert np.shape(rows) == square, f"one row a sample, one column a logit; yours has shape {np.shape(rows)}."
            law = f"with the baseline {baseline:.3g} the mean of the estimates is the exact gradient"
            assert_close(expected_value(logits, rows), slope, law, tolerance=1e-7)
        again = reinforce_estimates(logits, rewards, actions[::-1], baseline)
        assert_close(again[::-1], rows, "each row takes the reward of its own action, in whatever order they come")
        for action in actions:
            still = reinforce_estimates(logits, rewards, np.array([action]), float(rewards[action]))
            assert_close(still, np.zeros((1, len(logits))), "a reward equal to the baseline moves nothing")


def check_leave_one_out(leave_one_out: Callable) -> None:
    """b_n is the mean of the other rewards: changing r_n leaves b_n, and the whole is symmetric."""
    rng = np.random.default_rng(1)
    for n in (2, 3, 7):
        rewards = rng.standard_normal(n)
        others = np.array([np.mean(np.delete(rewards, i)) for i in range(n)])
        assert_close(leave_one_out(rewards), others, "each baseline is the mean of the other rewards")


def check_gradient_variance(gradient_variance: Callable) -> None:
    """The trace of the covariance of (r_y - b)(1_y - p), by enumeration; noise adds noise · E|1_y - p|²."""
    for logits, rng in policies():
        rewards, baseline, noise = rng.standard_normal(len(logits)), float(rng.normal()), float(rng.random())
        p = probabilities_of(logits)
        rows = (rewards - baseline)[:, None] * (np.eye(len(p)) - p)
        spread = expected_value(logits, ((rows - expected_value(logits, rows)) ** 2).sum(axis=1))
        law = "the total variance is the expected squared distance of the estimate from its mean"
        assert_close(gradient_variance(logits, rewards, baseline), spread, law)
        extra = noise * expected_value(logits, ((np.eye(len(p)) - p) ** 2).sum(axis=1))
        law = "noise of variance v in the reward adds v times the mean squared score"
        assert_close(gradient_variance(logits, rewards, baseline, noise), spread + extra, law)


def check_optimal_baseline(optimal_baseline: Callable) -> None:
    """No other number gives a smaller variance: the variance is a parabola in b, and this is its lowest point."""
    for logits, rng in policies():
        rewards = rng.standard_normal(len(logits))
        p = probabilities_of(logits)
        squares = ((np.eye(len(p)) - p) ** 2).sum(axis=1)

        def spread(b: float, p: Array = p, r: Array = rewards, squares: Array = squares) -> float:
            return float(sum(p * (r - b) ** 2 * squares))

        left, middle, right = spread(-1.0), spread(0.0), spread(1.0)
        lowest = (left - right) / (2 * (left - 2 * middle + right))
        law = "the optimal baseline is where the variance, a parabola in b, is lowest"
        assert_close(optimal_baseline(logits, rewards), lowest, law)
    sure = optimal_baseline(np.array([0.0, 2000.0]), np.array([3.0, -2.0]))
    assert_close(sure, -2.0, "a policy so sure that its scores are zero has its value as baseline")


def check_squared_score_norms(squared_score_norms: Callable) -> None:
    """|1_y - p|² for each y, by building the vector."""
    for logits, _ in policies():
        p = probabilities_of(logits)
        norms = np.array([sum((float(i == y) - p[i]) ** 2 for i in range(len(p))) for y in range(len(p))])
        assert_close(squared_score_norms(logits), norms, "entry y is the squared length of 1_y - p")


def check_entropy(entropy: Callable) -> None:
    """-Σ p log p in nats; log A when uniform; no danger where a probability underflows."""
    for logits, _ in policies():
        p = probabilities_of(logits)
        assert_close(entropy(logits), float(-sum(p * np.log(p))), "entropy is minus the expected log-probability")
    assert_close(entropy(np.full(5, 3.0)), np.log(5.0), "the uniform policy over A arms has entropy log A")
    assert_close(entropy(np.array([0.0, 2000.0])), 0.0, "a sure policy has entropy zero")
