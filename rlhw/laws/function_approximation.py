"""Laws of linear values: projections, closed forms and errors, by normal equations, loops and repeated application."""

from collections.abc import Callable, Iterator

import numpy as np

from rlhw.laws.oracles import Array, assert_close, numerical_gradient

LOOSE = 1e-7


def chains(seed: int) -> Iterator[tuple[Array, Array, Array, float, Array]]:
    """(P, r, Φ, γ, d): chains of 4 to 6 states with 1 to 3 features that are not special, d stationary under P."""
    rng = np.random.default_rng(seed)
    for states, number in ((4, 1), (5, 2), (6, 3), (6, 2)):
        kernel = rng.dirichlet(np.full(states, 0.7), size=states)
        stationary = np.linalg.matrix_power(kernel, 4096)[0]
        features, rewards = rng.standard_normal((states, number)) + 0.3, rng.standard_normal(states)
        yield kernel, rewards, features, float(rng.uniform(0.3, 0.9)), stationary / stationary.sum()


def check_projection(projection: Callable) -> None:
    """ΠV is linear in the features, and what is left is orthogonal to each of them under the weights."""
    rng = np.random.default_rng(5)
    for _, _, features, _, _ in chains(5):
        states, number = features.shape
        weights = rng.uniform(0.05, 1.0, states)
        weights[-1] = 0.0
        matrix = np.asarray(projection(features, weights))
        assert_close(matrix @ features, features, "a projection leaves linear values where they are", LOOSE)
        values = rng.standard_normal(states)
        projected = matrix @ values
        outside = features @ np.linalg.solve(features.T @ features, features.T @ projected) - projected
        assert_close(outside, np.zeros(states), "projected values are linear in the features", LOOSE)
        left = [
            sum(weights[s] * features[s, i] * (values - projected)[s] for s in range(states)) for i in range(number)
        ]
        law = "what the projection leaves out is orthogonal to every feature, states weighted by d"
        assert_close(left, np.zeros(number), law, LOOSE)
    wide = rng.standard_normal((2, 4))
    law = "with more features than states every value is linear"
    assert_close(projection(wide, np.array([0.3, 0.7])), np.eye(2), law, LOOSE)


def check_least_squares_mc(least_squares_mc: Callable) -> None:
    """The slope of Σ d (G - wᵀh)² is zero at the answer; with several answers it is the shortest."""
    rng = np.random.default_rng(6)
    for _, returns, features, _, _ in chains(6):
        weights = rng.uniform(0.1, 1.0, len(returns))

        def loss(w: Array, h: Array = features, g: Array = returns, d: Array = weights) -> float:
            return float(sum(d[n] * (g[n] - w @ h[n]) ** 2 for n in range(len(g))))

        w = np.asarray(least_squares_mc(features, returns, weights), dtype=float)
        slope = numerical_gradient(loss, w)
        assert_close(slope, np.zeros(features.shape[1]), "the weighted squared error is lowest at least squares", 1e-6)
    wide = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
    w = least_squares_mc(wide, np.array([1.0, -2.0]), np.array([0.4, 0.6]))
    assert_close(wide @ w, [1.0, -2.0], "with enough features the fit is exact")
    assert_close(w @ np.array([2.0, -1.0, -1.0]), 0.0, "of several best weights the shortest is given")


def _system(features: Array, rewards: Array, after: Array, gamma: float, weights: Array) -> tuple[Array, Array]:
    """A and b, added up row by row."""
    size = features.shape[-1]
    matrix, vector = np.zeros((size, size)), np.zeros(size)
    for n in np.ndindex(rewards.shape):
        matrix += weights[n] * np.outer(features[n], features[n] - gamma * after[n])
        vector += weights[n] * rewards[n] * features[n]
    return matrix, vector


def check_td_system(td_system: Callable) -> None:
    """A = Σ d h(h - γh')ᵀ and b = Σ d r h, also over samples with a batch axis."""
    rng = np.random.default_rng(7)
    for shape in ((5,), (3, 2)):
        features, after = rng.standard_normal((*shape, 3)), rng.standard_normal((*shape, 3))
        rewards, weights = rng.standard_normal(shape), rng.uniform(0.1, 2.0, shape)
        matrix, vector = td_system(features, rewards, after, 0.7, weights)
        known = _system(features, rewards, after, 0.7, weights)
        assert_close(matrix, known[0], "A adds up the outer products of h and h - γh', each with its weight")
        assert_close(vector, known[1], "b adds up reward times features, each with its weight")


def check_lstd(lstd: Callable) -> None:
    """On-policy: the values that the projected Bellman operator leads to; under any weights: TD's expected step is zero."""
    rng = np.random.default_rng(8)
    for kernel, rewards, features, gamma, stationary in chains(8):
        gram = features.T @ (stationary[:, None] * features)
        values = np.zeros(len(rewards))
        for _ in range(400):
            target = rewards + gamma * kernel @ values
            values = features @ np.linalg.solve(gram, features.T @ (stationary * target))
        w = lstd(features, rewards, kernel @ features, gamma, stationary)
        assert_close(features @ w, values, "LSTD is the fixed point of the projected Bellman operator", LOOSE)
        other = rng.uniform(0.2, 1.0, len(rewards))
        matrix, vector = _system(features, rewards, kernel @ features, gamma, other)
        w = lstd(features, rewards, kernel @ features, gamma, other)
        assert_close(matrix @ w, vector, "at LSTD's weights the expected TD step is zero under any weights", LOOSE)
    wide = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
    w = lstd(wide, np.array([1.0, -2.0]), np.zeros((2, 3)), 0.9, np.array([0.4, 0.6]))
    assert_close(w @ np.array([2.0, -1.0, -1.0]), 0.0, "of several fixed points the shortest is given", LOOSE)


def check_value_error(value_error: Callable) -> None:
    """Σ_s d(s) (v(s) - V(s))²."""
    for _, truth, features, _, stationary in chains(9):
        known = sum(stationary[s] * (truth[s] - features[s, 0]) ** 2 for s in range(len(truth)))
        law = "the value error is the mean squared difference, states weighted by d"
        assert_close(value_error(features[:, 0], truth, stationary), known, law)


def check_bellman_error(bellman_error: Callable) -> None:
    """Σ_s d(s) (r + γPV - V)²(s); zero at the true values when these are linear."""
    for kernel, rewards, features, gamma, d in chains(10):
        w = np.linspace(0.5, -0.8, features.shape[1])
        values, known = features @ w, 0.0
        for s in range(len(d)):
            known += d[s] * (rewards[s] + gamma * sum(kernel[s] * values) - values[s]) ** 2
        law = "the Bellman error is the mean square of the expected TD error, states weighted by d"
        assert_close(bellman_error(features, rewards, kernel @ features, gamma, d, w), known, law)


def check_projected_bellman_error(projected_bellman_error: Callable) -> None:
    """The mean square of the expected TD errors less what is left of them when the features have explained their part."""
    rng = np.random.default_rng(11)
    for kernel, rewards, features, gamma, _ in chains(11):
        d, w = rng.uniform(0.1, 1.0, len(rewards)), rng.standard_normal(features.shape[1])
        errors = rewards + gamma * kernel @ features @ w - features @ w
        fit = np.linalg.lstsq(np.sqrt(d)[:, None] * features, np.sqrt(d) * errors)[0]
        known = d @ errors**2 - d @ (errors - features @ fit) ** 2
        got = projected_bellman_error(features, rewards, kernel @ features, gamma, d, w)
        assert_close(got, known, "the projected Bellman error is what the features explain of the TD errors", LOOSE)


def check_on_policy_weights(on_policy_weights: Callable) -> None:
    """Of (transitions "S A S", policy "S A", start "S"): the long-run share of time in each state, ends left out."""
    rng = np.random.default_rng(12)
    transitions = rng.dirichlet(np.ones(5), size=(5, 2))
    policy, start = rng.dirichlet(np.ones(2), size=5), rng.dirichlet(np.ones(5))
    for ends in ([], [0, 3]):
        for end in ends:
            transitions[end] = np.eye(5)[end]
        chain = np.array([sum(policy[s, a] * transitions[s, a] for a in range(2)) for s in range(5)])
        live = np.array([s not in ends for s in range(5)])
        total, here = np.zeros(5), start * live
        for step in range(4000):
            # Without an end the first steps still know the start; with one they are what is counted.
            total += here if ends or step >= 400 else 0.0
            here = (here @ chain) * live
        law = "the weights are the share of time in each state in the long run, ends left out"
        assert_close(on_policy_weights(transitions, policy, start), total / total.sum(), law, 1e-6)
    turns = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    law = "a chain that alternates between two states is in each half of the time"
    assert_close(on_policy_weights(turns, np.ones((2, 1)), np.array([1.0, 0.0])), [0.5, 0.5], law)


def _stream(seed: int) -> tuple[Array, ...]:
    """(w, h, r, h', η, ρ): five steps of two streams at once."""
    rng = np.random.default_rng(seed)
    features, after = rng.standard_normal((5, 2, 3)), rng.standard_normal((5, 2, 3))
    w, rewards, steps = rng.standard_normal((2, 3)), rng.standard_normal((5, 2)), rng.uniform(0.05, 0.3, 5)
    return w, features, rewards, after, steps, rng.uniform(0.0, 2.0, (5, 2))


def check_gradient_mc(gradient_mc: Callable) -> None:
    """Each step is η times the downward slope of half the squared error of its sample."""
    w, features, returns, _, steps, _ = _stream(13)
    path = np.array(gradient_mc(w.copy(), features, returns, steps))
    alone = gradient_mc(w[0].copy(), features[:, 0], returns[:, 0], steps)
    assert_close(alone, path[:, 0], "a stream alone learns what it learns beside others")
    assert_close(path[0], w, "the path begins with the weights that were given")
    for t in range(5):
        for b in range(2):
            loss = lambda x, t=t, b=b: float((returns[t, b] - x @ features[t, b]) ** 2) / 2  # noqa: E731
            w[b] = w[b] - steps[t] * numerical_gradient(loss, w[b])
        assert_close(path[t + 1], w, "gradient Monte Carlo steps down half the squared error of the return", 1e-6)


def check_semi_gradient_td(semi_gradient_td: Callable) -> None:
    """Each step is η ρ times the downward slope of half the squared error of a target that is held fixed."""
    w, features, rewards, after, steps, ratios = _stream(14)
    path = np.array(semi_gradient_td(w.copy(), features, rewards, after, 0.8, steps, ratios))
    alone = semi_gradient_td(w[0].copy(), features[:, 0], rewards[:, 0], after[:, 0], 0.8, steps, ratios[:, 0])
    assert_close(alone, path[:, 0], "a stream alone learns what it learns beside others")
    assert_close(path[0], w, "the path begins with the weights that were given")
    for t in range(5):
        for b in range(2):
            target = rewards[t, b] + 0.8 * w[b] @ after[t, b]
            loss = lambda x, t=t, b=b, target=target: float((target - x @ features[t, b]) ** 2) / 2  # noqa: E731
            w[b] = w[b] - steps[t] * ratios[t, b] * numerical_gradient(loss, w[b])
        assert_close(path[t + 1], w, "semi-gradient TD steps by η ρ δ h with the target held fixed", 1e-6)


def check_gradient_correction(gradient_correction: Callable) -> None:
    """Both lines as published, with the old w and u, one stream at a time."""
    w, features, rewards, after, steps, ratios = _stream(15)
    second = np.array([0.4, 0.1, 0.3, 0.2, 0.5])
    path = np.array(gradient_correction(w, features, rewards, after, 0.8, steps, second, ratios))
    one = (x[:, 0] for x in (features, rewards, after))
    alone = gradient_correction(w[0], *one, 0.8, steps, second, ratios[:, 0])
    assert_close(alone, path[:, 0], "a stream alone learns what it learns beside others")
    assert_close(path[0], w, "the path begins with the weights that were given")
    for b in range(2):
        main, u = w[b], np.zeros(3)
        for t in range(5):
            h, then, rho = features[t, b], after[t, b], ratios[t, b]
            error = rewards[t, b] + 0.8 * main @ then - main @ h
            step = rho * (error * h - 0.8 * then * (u @ h))
            u = u + second[t] * rho * (error - u @ h) * h
            main = main + steps[t] * step
            law = "TDC steps by η ρ (δh - γh' uᵀh), and u by ζ ρ (δ - uᵀh) h"
            assert_close(path[t + 1, b], main, law)


def check_growth_rate(growth_rate: Callable) -> None:
    """The fastest exponential rate of dw/dt = -Aw, for matrices with known rates, some of them turning."""
    rng = np.random.default_rng(16)
    for low, high, turn in ((-0.4, 0.9, 0.0), (0.2, 0.7, 2.0), (-1.3, -0.1, 0.5)):
        blocks = np.zeros((3, 3))
        blocks[:2, :2] = [[low, turn], [-turn, low]]
        blocks[2, 2] = high
        basis = rng.standard_normal((3, 3)) + 2 * np.eye(3)
        matrix = basis @ blocks @ np.linalg.inv(basis)
        assert_close(growth_rate(matrix), -min(low, high), "the rate is minus the least real part of A's eigenvalues")
