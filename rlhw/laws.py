"""Laws: what must hold of any implementation, and the oracles that say so.

`check_<name>(fn)` takes an implementation and raises AssertionError with a sentence that names the broken law. The same
laws hold our own functions, reject the mutants in `rlhw.mutants`, and judge learners' answers. Nothing of rlhw is
imported here: an oracle that calls what it judges judges nothing.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from jaxtyping import Float

Array = np.ndarray
TOLERANCE = 1e-9


def numerical_gradient(f: Callable[[Array], float], x: Array, step: float = 1e-6) -> Array:
    """Gradient of a scalar function by central differences, (f(x + h e_i) - f(x - h e_i)) / 2h, error O(h²).

    x must be float64: in float32 the difference drowns in rounding, so that raises TypeError.

    >>> numerical_gradient(lambda x: float(x @ x), np.array([1.0, -2.0])).round(6)
    array([ 2., -4.])
    """
    if x.dtype != np.float64:
        raise TypeError(f"x must be a float64 array; got {x.dtype}. Use x.astype(float).")
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (f(up) - f(down)) / (2 * step)
    return gradient


def enumerate_sequences(symbols: int, length: int) -> Iterator[tuple[int, ...]]:
    """All `symbols ** length` sequences, in lexicographic order: the sum over them is an exact expectation.

    >>> list(enumerate_sequences(2, 2))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return product(range(symbols), repeat=length)


def as_numpy(fn: Callable) -> Callable:
    """Dress a function of torch tensors as one of arrays: tensors go in (float64), a float64 array comes out.

    With it the laws below hold torch implementations as they hold numpy ones. torch is imported on the first call.
    """

    def dressed(*inputs: object, **settings: object) -> Array:
        import torch

        tensors = [torch.as_tensor(a, dtype=torch.float64) if np.asarray(a).dtype.kind == "f" else a for a in inputs]
        return fn(*tensors, **settings).detach().numpy()

    return dressed


def torch_gradient(fn: Callable, x: Array) -> Array:
    """The autograd gradient of a scalar torch function at x (float64), as an array; torch is imported when called."""
    import torch

    leaf = torch.as_tensor(x, dtype=torch.float64).clone().requires_grad_()
    fn(leaf).backward()
    return leaf.grad.numpy()


def assert_close(got: object, expected: object, law: str, tolerance: float = TOLERANCE) -> None:
    """AssertionError "<law>; yours …" unless shapes agree and each entry is within `tolerance` · max(1, |expected|)."""
    got, expected = np.asarray(got), np.asarray(expected, dtype=float)
    assert got.dtype.kind in "fiu", f"{law}; yours gives {got.dtype} values instead of numbers."
    assert got.shape == expected.shape, f"{law}; yours has shape {got.shape} instead of {expected.shape}."
    assert np.all(np.isfinite(got)), f"{law}; yours has an entry that is not finite."
    gap = np.abs(got - expected) - tolerance * np.maximum(1.0, np.abs(expected))
    if gap.size and gap.max() > 0:
        where = np.unravel_index(int(gap.argmax()), gap.shape)
        place = f" at index {tuple(int(i) for i in where)}" if where else ""
        raise AssertionError(f"{law}; yours differs{place}: {got[where]:.6g} instead of {expected[where]:.6g}.")


def policies(seed: int = 0) -> Iterator[tuple[Float[Array, " A"], np.random.Generator]]:
    """Logits that are not special: 2 to 5 arms, uncentred, some steep; with the generator for what else is drawn."""
    rng = np.random.default_rng(seed)
    for arms in (2, 3, 3, 4, 5):
        for scale in (0.3, 2.0):
            yield scale * rng.standard_normal(arms) + rng.normal(), rng


def probabilities_of(logits: Float[Array, " A"]) -> Float[Array, " A"]:
    """Softmax by its definition, in extended precision: the oracle of every law about a policy."""
    weights = np.exp(np.asarray(logits, dtype=np.longdouble))
    return (weights / weights.sum()).astype(float)


def expected_value(logits: Float[Array, " A"], values: Float[Array, " A *N"]) -> Float[Array, "*N"]:
    """Σ_y p_y values_y, by enumeration."""
    return np.asarray(sum(p * v for p, v in zip(probabilities_of(logits), values, strict=True)))


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


def check_greedy(greedy: Callable) -> None:
    """All probability on the best arm, shared equally when several are best."""
    counts = np.array([4, 4, 4, 4])
    assert_close(greedy(np.array([0.1, 0.7, -2.0, 0.3]), counts), np.array([0, 1, 0, 0]), "the best arm gets it all")
    tied = greedy(np.array([-0.5, -1.0, -0.5, -0.5]), counts)
    assert_close(tied, np.array([1, 0, 1, 1]) / 3, "the best arms share equally")


def check_epsilon_greedy(epsilon_greedy: Callable) -> None:
    """Probabilities sum to one, also with ties; every arm has at least ε/A; ε = 0 is greedy and ε = 1 uniform."""
    counts = np.array([1, 2, 3, 4])
    for estimates, best in (([0.2, 0.9, 0.1, 0.4], [1]), ([0.9, 0.1, 0.9, 0.4], [0, 2]), ([0.5] * 4, [0, 1, 2, 3])):
        for epsilon in (0.0, 0.12, 1.0):
            p = epsilon_greedy(epsilon)(np.array(estimates), counts)
            expected = np.full(4, epsilon / 4)
            expected[best] += (1 - epsilon) / len(best)
            assert_close(p, expected, f"with ε = {epsilon} each arm gets ε/A, and the best ({best}) share 1 - ε")


def check_ucb(ucb: Callable) -> None:
    """Untried arms first, then the greatest estimate + c sqrt(log t / N)."""
    rng = np.random.default_rng(2)
    for counts in ([3, 0, 0], [1, 0, 0], [0, 0, 0], [0, 5, 5]):
        untried = np.equal(counts, 0)
        got = ucb(1.3)(np.array([9.0, 0.0, 0.0]), np.array(counts))
        assert_close(got, untried / untried.sum(), "arms that were never pulled come first, all equally likely")
    for _ in range(40):
        counts, c, arm = rng.integers(1, 60, size=4), float(rng.uniform(0.2, 2.0)), int(rng.integers(4))
        bonus = np.array([c * (np.log(np.sum(counts)) / n) ** 0.5 for n in counts])
        # The estimates make all bounds equal but one, which is a hair above: a bonus of another form picks another arm.
        estimates = 1.0 - bonus + 1e-3 * np.eye(4)[arm]
        assert_close(ucb(c)(estimates, counts), np.eye(4)[arm], "the arm with the greatest upper bound is pulled")


def check_regret(regret: Callable) -> None:
    """The running sum of the best mean minus the mean of the arm pulled."""
    rng = np.random.default_rng(3)
    for arms in ([0, 1, 2, 3], [1, 2]):  # the second player never finds the best arm, which is arm 0
        means, actions = np.array([1.9, 0.4, -0.3, 1.1]), rng.choice(arms, size=30)
        expected, total = [], 0.0
        for action in actions:
            total += max(means) - means[action]
            expected.append(total)
        law = "regret adds up the best mean of all arms minus the mean of the arm pulled"
        assert_close(regret(means, actions), np.array(expected), law)
