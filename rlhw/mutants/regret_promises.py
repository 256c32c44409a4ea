"""What `regret` and `running_means` refuse: chances that are none, rules without sense, and lengths that do not fit."""

from collections.abc import Callable

import numpy as np

from rlhw.laws import assert_close
from rlhw.mutants.refusals import refuses

NAN, INFINITY = float("nan"), float("inf")


def refuses_no_pulls(ucb1_bound: Callable) -> None:
    """The guarantee begins at one pull, which the law shows."""
    refuses("pulls", lambda: ucb1_bound(np.array([0.0, 0.3]), 0), lambda: ucb1_bound(np.array([0.0, 0.3]), -2))


def refuses_bad_chances(explore: Callable) -> None:
    """Every ε is a probability, also where that of another row is fine."""
    values = np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]])
    bad = (-0.01, 1.01, NAN, np.array([0.3, -0.5]), np.array([1.7, 0.3]))
    refuses("epsilon", *(lambda e=e: explore(values, e) for e in bad))
    assert_close(explore(values[0], 1.0), np.full(3, 1 / 3), "ε = 1 is fine")


def refuses_bad_bonuses(rule: Callable) -> None:
    """c is finite, and 0 or more; ε is refused when the rule is asked."""
    refuses("c must", *(lambda c=c: rule(c=c) for c in (-0.01, -1.0, NAN, INFINITY)))
    asked = rule(epsilon=lambda pull: 1.2)
    refuses("epsilon", lambda: asked(np.array([0.1, 0.2]), np.array([1, 1])))


def refuses_other_arms(expected_regret: Callable) -> None:
    """Two arms, and each pays with a probability: 0 and 1 too."""

    def even(estimates: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return np.full(estimates.shape, 0.5)

    bad = ([0.5], [0.2, 0.5, 0.7], [0.5, 1.2], [-0.1, 0.5], [1.5, -0.5], [0.5, NAN])
    refuses("means", *(lambda m=m: expected_regret(np.array(m), even, 2) for m in bad))
    assert_close(expected_regret(np.array([1.0, 0.0]), even, 2), [0.5, 1.0], "sure arms are arms")


def refuses_lengths_that_differ(running_estimates: Callable) -> None:
    """One step size for each reward; and step sizes lie in [0, 1], 0 and 1 included."""
    rewards = np.array([1.0, 2.0])
    bad = ([0.5, 1.1], [-0.1, 0.5], [0.5, NAN], [0.5], [0.5, 0.5, 0.5])
    refuses("step_sizes", *(lambda a=a: running_estimates(rewards, np.array(a)) for a in bad))
    assert_close(running_estimates(rewards, np.array([1.0, 0.0])), np.ones(2), "0 and 1 are step sizes")
    assert_close(running_estimates(rewards[:1], np.array([0.5])), [0.5], "the start is 0 unless said")


def refuses_negative_squares(squared_errors: Callable) -> None:
    """Step sizes lie in [0, 1]. Variance, start and drift are squares: each of them 0 or more."""
    steps = np.full(2, 0.5)
    refuses("step_sizes", *(lambda a=a: squared_errors(np.array(a), 1.0) for a in ([0.5, 1.1], [-0.1, 0.5])))
    bad = ((-0.1, 1.0, 1.0), (1.0, -0.1, 1.0), (1.0, 1.0, -0.1), (NAN, 0.0, 0.0))
    refuses("variance", *(lambda v=v, e=e, d=d: squared_errors(steps, v, start=e, drift=d) for v, e, d in bad))
    assert_close(squared_errors(steps, 0.0), np.zeros(2), "0 is fine, and what start and drift are unless said")


PROMISES: dict[str, Callable] = {
    "check_ucb1_bound": refuses_no_pulls,
    "check_explore": refuses_bad_chances,
    "check_rule": refuses_bad_bonuses,
    "check_expected_regret": refuses_other_arms,
    "check_running_estimates": refuses_lengths_that_differ,
    "check_squared_errors": refuses_negative_squares,
}
