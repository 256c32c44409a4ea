"""Laws of schedules of visit counts, of epsilon-soft policies, and of the MDP in which the world explores."""

from collections.abc import Callable

import numpy as np

from rlhw.laws.oracles import assert_close

Array = np.ndarray


def check_inverse_visits(inverse_visits: Callable) -> None:
    """The n-th visit explores with probability c/n, or for sure where that is above 1."""
    for c in (0.7, 1.0, 6.5):
        visits = np.array([1, 2, 3, 7, 40, 1000])
        expected = np.array([min(1.0, c / n) for n in visits])
        assert_close(
            inverse_visits(c)(visits), expected, f"with c = {c} the n-th visit explores with the smaller of 1 and c/n"
        )


def check_power(power: Callable) -> None:
    """The n-th step has the size n to the minus exponent."""
    for exponent in (0.6, 0.85, 1.0):
        visits = np.array([1, 2, 3, 7, 40, 1000])
        expected = np.exp(-exponent * np.log(visits))
        assert_close(power(exponent)(visits), expected, f"the n-th step is n to the power -{exponent}, the first one 1")


def check_epsilon_soft(epsilon_soft: Callable) -> None:
    """Each action has ε/A, the m best share 1 - ε; each row has its own ε."""
    rng = np.random.default_rng(3)
    tables = rng.integers(0, 4, size=(3, 5, 4)).astype(float)
    epsilon = rng.uniform(0, 1, size=(3, 5))
    epsilon[0, :2] = 0.0, 1.0
    expected = np.empty_like(tables)
    for index in np.ndindex(3, 5):
        row, e = tables[index], epsilon[index]
        best = [a for a in range(4) if row[a] == max(row)]
        expected[index] = [e / 4 + ((1 - e) / len(best) if a in best else 0.0) for a in range(4)]
    law = "each action has ε/A and the best actions share 1 - ε, row by row"
    assert_close(epsilon_soft(tables, epsilon), expected, law)


def check_softened(softened: Callable) -> None:
    """Under any policy its model is that of the ε-soft policy in the model given: same transitions, same rewards, γ, start.

    softened takes (transitions, rewards, gamma, start, epsilon) and gives the first four anew.
    """
    rng = np.random.default_rng(4)
    transitions, rewards = rng.dirichlet(np.ones(4), size=(4, 3)), rng.standard_normal((4, 3))
    transitions[3], rewards[3] = np.eye(4)[3], 0.0
    start = np.array([0.2, 0.5, 0.3, 0.0])
    for epsilon in (0.0, 0.3, 1.0):
        got = softened(transitions, rewards, 0.8, start, epsilon)
        for policy in (rng.dirichlet(np.ones(3), size=4), np.eye(3)[[2, 0, 1, 1]]):
            soft = (1 - epsilon) * policy + epsilon / 3
            chain = np.einsum("sa,sat->st", soft, transitions)
            law = "a policy moves there as its ε-soft version does here"
            assert_close(np.einsum("sa,sat->st", policy, got[0]), chain, law)
            law = "a policy earns there what its ε-soft version does here"
            assert_close((policy * got[1]).sum(axis=1), (soft * rewards).sum(axis=1), law)
        assert_close(got[2], 0.8, "the discount stays as it was")
        assert_close(got[3], start, "the law of the first state stays as it was")
