"""Laws of learning to predict. Targets are held to their definitions, term by term; learners to a plain account of their rule.

A learner is called with `walks`, N lists of K episodes (states "T+1", rewards "T") of unequal lengths, and gives its tables
after every episode, "K N S": each list is a learner of its own. `step_size` makes a step from the number of visits.
"""

from collections.abc import Callable, Iterator

import numpy as np

from rlhw.laws.oracles import Array, assert_close

Walk = tuple[Array, Array]
STATES = 4  # the last one is where episodes end
STEPS = (lambda visits: 0.3, lambda visits: 1 / visits**0.7)


def tables(seed: int = 31) -> Iterator[tuple[Array, Array]]:
    """Rewards and values, one more of these, of one trajectory and of several; the last value is not always that of an end."""
    rng = np.random.default_rng(seed)
    for shape, ends in (((5,), True), ((1,), False), ((2, 4), False), ((2, 2, 3), True)):
        rewards = rng.standard_normal(shape) + 0.5
        values = rng.standard_normal((*shape[:-1], shape[-1] + 1)) - 1.0
        values[..., -1] *= not ends
        yield rewards, values


def every_row(fn: Callable[[Array, Array], list], rewards: Array, values: Array) -> Array:
    """`fn` of each trajectory on its own."""
    found = np.zeros(rewards.shape)
    for row in np.ndindex(rewards.shape[:-1]):
        found[row] = fn(rewards[row], values[row])
    return found


def n_step_return(rewards: Array, values: Array, gamma: float, t: int, n: int) -> float:
    """By definition: rewards t … t + n - 1, each with its discount, and the value n steps on; fewer where the episode ends."""
    n = min(n, len(rewards) - t)
    return sum(gamma**i * rewards[t + i] for i in range(n)) + gamma**n * values[t + n]


def lambda_return(rewards: Array, values: Array, gamma: float, lam: float, t: int) -> float:
    """By definition: n-step returns with weights (1 - λ) λ^{n-1}, and all the rest of the weight on the longest."""
    left = len(rewards) - t
    short = sum((1 - lam) * lam ** (n - 1) * n_step_return(rewards, values, gamma, t, n) for n in range(1, left))
    return short + lam ** (left - 1) * n_step_return(rewards, values, gamma, t, left)


def check_returns(returns: Callable) -> None:
    """(rewards, gamma) -> from each step on, the discounted sum of the rewards to come, its own included."""
    law = "the return is the sum of the rewards from here on, the i-th of them times gamma to the i"
    for rewards, values in tables():
        for gamma in (0.0, 0.7, 1.0):

            def expected(r: Array, _: Array, gamma: float = gamma) -> list:
                return [sum(gamma ** (k - t) * r[k] for k in range(t, len(r))) for t in range(len(r))]

            assert_close(returns(rewards, gamma), every_row(expected, rewards, values), law)


def check_n_step_returns(n_step_returns: Callable) -> None:
    """(rewards, values, gamma, n) -> n rewards and the value n steps on; near the end, what is left and the last value."""
    law = "n discounted rewards, then the discounted value n steps on"
    for rewards, values in tables():
        for gamma, n in ((0.7, 1), (1.0, 2), (0.6, 3), (0.9, 9)):

            def expected(r: Array, v: Array, gamma: float = gamma, n: int = n) -> list:
                return [n_step_return(r, v, gamma, t, n) for t in range(len(r))]

            assert_close(n_step_returns(rewards, values, gamma, n), every_row(expected, rewards, values), law)


def check_lambda_returns(lambda_returns: Callable) -> None:
    """(rewards, values, gamma, lam) -> the n-step returns, averaged with weights that fall by lam a step and sum to one."""
    law = "the n-step returns with weights (1 - lam) lam^(n - 1), the rest of the weight on the longest"
    for rewards, values in tables():
        for gamma, lam in ((0.7, 0.0), (0.8, 0.6), (1.0, 0.3), (0.9, 1.0)):

            def expected(r: Array, v: Array, gamma: float = gamma, lam: float = lam) -> list:
                return [lambda_return(r, v, gamma, lam, t) for t in range(len(r))]

            assert_close(lambda_returns(rewards, values, gamma, lam), every_row(expected, rewards, values), law)


def check_backward_view(backward_view: Callable) -> None:
    """(states, rewards, values, gamma, lam) -> for each state, the sum over its visits of lambda return minus value."""
    law = "what the traces hand out, V held still, is the sum over visits of the lambda return minus the value"
    for walks, values in journeys(cut=True):
        for gamma, lam in ((0.8, 0.6), (1.0, 1.0), (0.9, 0.0)):
            for states, rewards in walks[0]:
                expected = np.zeros(STATES)
                for t, state in enumerate(states[:-1]):
                    expected[state] += lambda_return(rewards, values[states], gamma, lam, t) - values[state]
                assert_close(backward_view(states, rewards, values, gamma, lam), expected, law)


def journeys(cut: bool, seed: int = 32) -> Iterator[tuple[list[list[Walk]], Array]]:
    """Three learners with four episodes each, states met again and again, and first estimates; `cut`: some have no end."""
    rng = np.random.default_rng(seed)
    for _ in range(2):
        walks = []
        for _ in range(3):
            walks.append([])
            for length in rng.permutation([1, 3, 5, 7]):
                states = rng.integers(STATES - 1, size=length + 1)
                states[-1] = STATES - 1 if not cut or rng.random() < 0.5 else states[-1]
                walks[-1].append((states, rng.standard_normal(length) + 0.5))
        yield walks, np.append(rng.standard_normal(STATES - 1), 0.0)


def account(rule: Callable, walks: list[list[Walk]], values: Array, step_size: Callable) -> Array:
    """The tables of learners that follow `rule(V, states, rewards, move)`; move(state, error, count) makes one step."""
    found = np.zeros((len(walks[0]), len(walks), len(values)))
    for n, episodes in enumerate(walks):
        table, visits = values.copy(), [0] * len(values)

        def move(
            state: np.integer, error: float, count: bool = True, table: Array = table, visits: list[int] = visits
        ) -> None:
            visits[state] += count
            table[state] += step_size(visits[state]) * error

        for k, (states, rewards) in enumerate(episodes):
            rule(table, states, rewards, move)
            found[k, n] = table
    return found


def check_mc_prediction(mc_prediction: Callable) -> None:
    """(walks, values, gamma, step_size, every_visit=False) -> V moves towards the returns of first visits, or of all."""
    for walks, values in journeys(cut=False):
        for every in (False, True):
            for gamma, step_size in zip((0.8, 1.0), STEPS, strict=True):

                def rule(
                    v: Array, s: Array, r: Array, move: Callable, gamma: float = gamma, every: bool = every
                ) -> None:
                    for t, state in enumerate(s[:-1]):
                        if every or state not in s[:t]:
                            move(state, n_step_return(r, np.zeros(len(s)), gamma, t, len(r)) - v[state])

                visits = "every visit" if every else "the first visit of an episode, and no other,"
                law = f"{visits} moves the estimate towards the return from there"
                got = mc_prediction(walks, values, gamma, step_size, every_visit=every)
                assert_close(got, account(rule, walks, values, step_size), law)
    assert_close(mc_prediction(walks, values, 1.0, STEPS[0]), mc_prediction(walks, values, 1.0, STEPS[0], every_visit=False),
                 "first visits count unless every visit is asked for")  # fmt: skip


def check_td_prediction(td_prediction: Callable) -> None:
    """(walks, values, gamma, step_size) -> each step moves V(s) at once by the step times reward + gamma V(s') - V(s)."""
    law = "each step moves V(s) at once towards the reward plus gamma times the present V of the next state"
    for walks, values in journeys(cut=True):
        for gamma, step_size in zip((0.8, 1.0), STEPS, strict=True):

            def rule(v: Array, s: Array, r: Array, move: Callable, gamma: float = gamma) -> None:
                for t, reward in enumerate(r):
                    move(s[t], reward + gamma * v[s[t + 1]] - v[s[t]])

            got = td_prediction(walks, values, gamma, step_size)
            assert_close(got, account(rule, walks, values, step_size), law)


def check_n_step_td(n_step_td: Callable) -> None:
    """(walks, values, gamma, step_size, n=…) -> visits in order, each towards the n-step return with the V of that moment."""
    law = "visit after visit moves towards its n-step return, with the values as they are by then"
    for walks, values in journeys(cut=True):
        for n in (1, 2, 4, 20):
            for gamma, step_size in zip((0.8, 1.0), STEPS, strict=True):

                def rule(v: Array, s: Array, r: Array, move: Callable, gamma: float = gamma, n: int = n) -> None:
                    for t in range(len(r)):
                        move(s[t], n_step_return(r, v[s], gamma, t, n) - v[s[t]])

                got = n_step_td(walks, values, gamma, step_size, n=n)
                assert_close(got, account(rule, walks, values, step_size), law)


def check_td_lambda(td_lambda: Callable) -> None:
    """(walks, values, gamma, step_size, lam=…) -> each TD error moves every state so far, visit by visit, by (gamma lam)^age."""
    law = "each TD error moves every state visited so far by (gamma lam) to the age of each of its visits"
    for walks, values in journeys(cut=True):
        for lam in (0.0, 0.6, 1.0):
            for gamma, step_size in zip((0.8, 1.0), STEPS, strict=True):

                def rule(v: Array, s: Array, r: Array, move: Callable, gamma: float = gamma, lam: float = lam) -> None:
                    for t, reward in enumerate(r):
                        error = reward + gamma * v[s[t + 1]] - v[s[t]]
                        move(s[t], 0.0)  # counts the visit
                        for k in range(t + 1):
                            move(s[k], error * (gamma * lam) ** (t - k), count=False)

                got = td_lambda(walks, values, gamma, step_size, lam=lam)
                assert_close(got, account(rule, walks, values, step_size), law)
