"""Laws of action rules and of regret. Rules take (estimates, pull counts) and give probabilities."""

from collections.abc import Callable

import numpy as np

from rlhw.laws.oracles import assert_close


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
