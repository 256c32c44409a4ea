"""Laws of importance sampling and of TD off policy, by sums over all episodes and by steps done over by hand."""

from collections.abc import Callable
from itertools import product

import numpy as np

from rlhw.laws.control import Numbers, model, uneven
from rlhw.laws.oracles import assert_close

Array = np.ndarray


def _episodes(seed: int) -> tuple[Array, Array, Array]:
    """Probabilities of the actions taken under π and μ, and rewards: five episodes of four steps."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.0, 1.0, (5, 4)), rng.uniform(0.1, 0.6, (5, 4)), rng.standard_normal((5, 4))


def check_importance_weights(importance_weights: Callable) -> None:
    """Entry t is the product of π/μ over the steps 0 to t."""
    target, behavior, _ = _episodes(1)
    expected = np.ones((5, 4))
    for n, t in np.ndindex(5, 4):
        for k in range(t + 1):
            expected[n, t] *= target[n, k] / behavior[n, k]
    law = "the weight of the first steps is the product of target over behavior, this step included"
    assert_close(importance_weights(target, behavior), expected, law)


def check_ordinary_importance_sampling(estimate: Callable) -> None:
    """The whole return times the weight of the whole episode, one number an episode."""
    weights, _, rewards = _episodes(2)
    for gamma in (0.0, 0.7, 1.0):
        expected = [weights[n, 3] * sum(gamma**t * rewards[n, t] for t in range(4)) for n in range(5)]
        law = "an episode's estimate is its discounted return times the weight of the whole episode"
        assert_close(estimate(weights, rewards, gamma), np.array(expected), law)


def check_per_decision_importance_sampling(estimate: Callable) -> None:
    """Each discounted reward times the weight of the steps up to it, one number an episode."""
    weights, _, rewards = _episodes(3)
    for gamma in (0.0, 0.7, 1.0):
        expected = [sum(gamma**t * weights[n, t] * rewards[n, t] for t in range(4)) for n in range(5)]
        law = "each discounted reward is multiplied by the weight of the steps up to it, and by no later one"
        assert_close(estimate(weights, rewards, gamma), np.array(expected), law)


def check_weighted_importance_sampling(estimate: Callable) -> None:
    """The mean of the returns, weighted by the weights of whole episodes."""
    weights, _, rewards = _episodes(4)
    weights[2] = 0.0
    for gamma in (0.0, 0.7, 1.0):
        returns = np.array([sum(gamma**t * rewards[n, t] for t in range(4)) for n in range(5)])
        expected = np.average(returns, weights=weights[:, 3])
        law = "the returns are averaged with the weights of the whole episodes, which are divided by their own sum"
        assert_close(estimate(weights, rewards, gamma), expected, law)


def check_enumerate_episodes(enumerate_episodes: Callable) -> None:
    """Every way the first steps can go, once, with its probability, its rewards and its mask.

    enumerate_episodes takes a model's four parts, a policy and the horizon; it gives probabilities, states, actions, rewards, mask.
    """
    transitions, rewards, gamma, start = model(10)
    policy = np.array([[0.2, 0.8, 0.0], [0.1, 0.3, 0.6], [1.0, 0.0, 0.0], [0.3, 0.3, 0.4]])
    for horizon in (1, 2, 3):
        got = enumerate_episodes(transitions, rewards, gamma, start, policy, horizon)
        expected = {}
        for states in product(range(4), repeat=horizon + 1):
            for actions in product(range(3), repeat=horizon):
                chance = start[states[0]]
                for t in range(horizon):
                    over = states[t] == 3
                    chosen = float(actions[t] == 0) if over else policy[states[t], actions[t]]
                    chance *= chosen * transitions[states[t], actions[t], states[t + 1]]
                if chance > 0:
                    expected[states + actions] = chance
        found = [tuple(map(int, (*s, *a))) for s, a in zip(got[1], got[2], strict=True)]
        law = "each way an episode can go is listed once, and no other"
        assert sorted(found) == sorted(expected), f"{law}; yours lists {len(found)}, of {len(expected)}."
        assert_close(
            got[0], np.array([expected[key] for key in found]), "an episode's probability is a product of its steps'"
        )
        assert_close(got[3], rewards[got[1][:, :-1], got[2]], "a step pays the model's reward")
        assert_close(got[4] * 1.0, (got[1][:, :-1] != 3) * 1.0, "steps after the end are masked")


def check_weighted_mean_and_variance(weighted_mean_and_variance: Callable) -> None:
    """Mean and variance of Σ ρ G / Σ ρ over all samples of a size, given that a weight is not zero."""
    chances, weights, returns = np.array([0.2, 0.5, 0.3]), np.array([0.0, 0.4, 2.6]), np.array([5.0, -1.0, 2.0])
    for samples in (1, 2, 3):
        rows = []
        for drawn in product(range(3), repeat=samples):
            drawn = list(drawn)
            if weights[drawn].sum() > 0:
                rows.append((np.prod(chances[drawn]), np.average(returns[drawn], weights=weights[drawn])))
        law, values = np.array(rows).T
        mean = law @ values / law.sum()
        expected = [mean, law @ (values - mean) ** 2 / law.sum()]
        words = f"mean and variance of the weighted mean of {samples} are sums over all samples that have some weight"
        assert_close(weighted_mean_and_variance(chances, weights, returns, samples), expected, words)


def check_mean_and_variance(mean_and_variance: Callable) -> None:
    """Σ p x and Σ p (x - mean)²."""
    chances, values = np.array([0.2, 0.5, 0.3]), np.array([5.0, -1.0, 2.0])
    spread = 0.5 * sum(p * q * (x - y) ** 2 for (p, x), (q, y) in product(zip(chances, values, strict=True), repeat=2))
    expected = [sum(p * x for p, x in zip(chances, values, strict=True)), spread]
    assert_close(
        mean_and_variance(chances, values), expected, "the mean is a sum, the variance half a mean squared difference"
    )


def check_weight_second_moment(weight_second_moment: Callable) -> None:
    """The mean of the squared weight of the first steps, summed over all ways they can go.

    weight_second_moment takes a model's four parts, target, behavior and the horizon.
    """
    transitions, rewards, gamma, start = model(11)
    rng = np.random.default_rng(12)
    target, behavior = rng.dirichlet(np.ones(3), size=4), rng.dirichlet(3 * np.ones(3), size=4)
    target[1], behavior[1] = [0.5, 0.5, 0.0], [0.3, 0.7, 0.0]  # what neither does is no lack of coverage
    for horizon in (0, 1, 2, 3):
        total = 0.0
        for states in product(range(4), repeat=horizon + 1):
            for actions in product(range(3), repeat=horizon):
                chance, weight = start[states[0]], 1.0
                for t in range(horizon):
                    over, pair = states[t] == 3, (states[t], actions[t])
                    chance *= transitions[(*pair, states[t + 1])] * behavior[pair]
                    weight *= 1.0 if over or target[pair] == 0 == behavior[pair] else target[pair] / behavior[pair]
                total += chance * weight**2
        got = weight_second_moment(transitions, rewards, gamma, start, target, behavior, horizon)
        assert_close(got, total, f"the mean squared weight of {horizon} steps is a sum over all ways they can go")


def _corrections() -> tuple[Array, Array, Array, Array]:
    rng = np.random.default_rng(13)
    return (
        rng.standard_normal(6),
        rng.standard_normal(6),
        rng.standard_normal(6),
        np.array([0.0, 0.2, 1.0, 1.8, 3.0, 0.7]),
    )


def check_corrected_error(corrected_error: Callable) -> None:
    """ρ (r + γ v' - v)."""
    for gamma in (0.0, 0.6, 1.0):
        v, after, r, rho = _corrections()
        expected = [rho[n] * (r[n] + gamma * after[n] - v[n]) for n in range(6)]
        assert_close(
            corrected_error(v, after, r, rho, gamma), expected, "the whole TD error is multiplied by the ratio"
        )


def check_corrected_target(corrected_target: Callable) -> None:
    """ρ (r + γ v') - v."""
    for gamma in (0.0, 0.6, 1.0):
        v, after, r, rho = _corrections()
        expected = [rho[n] * (r[n] + gamma * after[n]) - v[n] for n in range(6)]
        law = "the target is multiplied by the ratio, the old value is not"
        assert_close(corrected_target(v, after, r, rho, gamma), expected, law)


def check_off_policy_td(off_policy_td: Callable) -> None:
    """Replayed: each value moves along the error it is given, with the ratio of the action taken; the walk is the behavior's.

    off_policy_td takes a model's four parts, target, behavior and its settings; it gives tuples of states, actions, rewards,
    next states and values. How often each action is taken is a count that a right loop fails once in a million times.
    """
    given = model(14)
    target = np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5], [0.1, 0.9, 0.0], [1.0, 0.0, 0.0]])
    behavior = np.array([[0.2, 0.3, 0.5], [0.5, 0.4, 0.1], [0.3, 0.7, 0.0], [0.2, 0.3, 0.5]])

    def error(values: Numbers, after: Numbers, rewards: Numbers, ratios: Numbers, gamma: float) -> Numbers:
        return ratios**2 * (rewards + gamma * after) - 0.5 * values

    settings = {"error": error, "step_size": uneven, "learners": 3, "steps": 150}
    seen = list(off_policy_td(*given, target, behavior, **settings, rng=np.random.default_rng(15)))
    assert len(seen) == 150, f"it takes as many steps as it is told; yours takes {len(seen)}."
    transitions, rewards, gamma, start = given
    values, counts, acted, begins = np.zeros((3, 4)), np.zeros((3, 4)), np.zeros((4, 3)), np.zeros(4)
    for t, (states, actions, earned, after, table) in enumerate(seen):
        for n, (s, a) in enumerate(zip(states, actions, strict=True)):
            if t == 0 or seen[t - 1][3][n] == 3:
                assert start[s] > 0, "an episode begins where one can begin; yours begins elsewhere."
                begins[s] += 1
            else:
                assert s == seen[t - 1][3][n], "a step begins where the last one ended; yours begins elsewhere."
            assert transitions[s, a, after[n]] > 0, "a step goes where the model can go; yours goes elsewhere."
            acted[s, a] += 1
            counts[n, s] += 1
            ratio = target[s, a] / behavior[s, a]
            change = error(values[n, s], values[n, after[n]], rewards[s, a], ratio, gamma)
            values[n, s] += uneven(counts[n, s]) * change
        assert_close(earned, rewards[states, actions], "a step pays the model's reward")
        assert_close(table, values, "the value of the state left moves by the step size along the error it is given")
    assert abs(values[0] - values[1]).max() > 1e-6, "learners walk ways of their own; yours all walk one."
    due = acted.sum(axis=1, keepdims=True) * behavior
    far = np.abs(acted - due) > 5.33 * np.sqrt(due * (1 - behavior)) + 1e-9
    assert not np.any(far), f"actions are the behavior's; yours are counted {acted.tolist()}."
    far = np.abs(begins - begins.sum() * start) > 5.33 * np.sqrt(begins.sum() * start * (1 - start)) + 1e-9
    assert not np.any(far), f"episodes begin by the law of the first state; yours are counted {begins.tolist()}."
