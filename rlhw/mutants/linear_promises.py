"""Promises of the closed forms of linear values: what they refuse, and in which words."""

from collections.abc import Callable

import numpy as np

from rlhw.laws import assert_close
from rlhw.mutants.refusals import refuses

NAN, INFINITY = float("nan"), float("inf")
BAD_WEIGHTS = ([1.0, -0.5], [NAN, 1.0], [INFINITY, 1.0], [0.0, 0.0])
FEATURES, REWARDS = np.array([[1.0], [2.0]]), np.array([1.0, 0.0])


def refuses_bad_projection_weights(projection: Callable) -> None:
    """Weights are finite, none below 0, not all 0; a single one is enough."""
    refuses("weights", *(lambda d=d: projection(FEATURES, np.array(d)) for d in BAD_WEIGHTS))
    assert_close(projection(FEATURES, np.array([1.0, 0.0])), [[1.0, 0.0], [2.0, 0.0]], "a weight of 0 is a weight")


def refuses_bad_fit_weights(least_squares_mc: Callable) -> None:
    """The same guard."""
    refuses("weights", *(lambda d=d: least_squares_mc(FEATURES, REWARDS, np.array(d)) for d in BAD_WEIGHTS))


def refuses_bad_td_weights(fn: Callable) -> None:
    """The same guard, for td_system and lstd."""
    refuses("weights", *(lambda d=d: fn(FEATURES, REWARDS, FEATURES, 0.5, np.array(d)) for d in BAD_WEIGHTS))


def refuses_systems_without_a_solution(lstd: Callable) -> None:
    """Where γ times the expected next feature is the feature itself, no weights give a step of zero."""
    refuses_bad_td_weights(lstd)
    refuses("transitions", lambda: lstd(FEATURES, REWARDS, 2 * FEATURES, 0.5, np.array([0.5, 0.5])))
    small = 1e-4 * REWARDS
    refuses("transitions", lambda: lstd(FEATURES, small, 2 * FEATURES, 0.5, np.array([0.5, 0.5])))
    rng = np.random.default_rng(0)
    chain = rng.standard_normal((9, 3)), rng.standard_normal(9), rng.standard_normal((9, 3))
    known = lstd(*chain, 0.4, np.ones(9))
    assert_close(lstd(chain[0], 1e12 * chain[1], chain[2], 0.4, np.ones(9)), 1e12 * known, "units do not matter", 1e-6)
    nothing = lstd(FEATURES, np.zeros(2), 2 * FEATURES, 0.5, np.array([0.5, 0.5]))
    assert_close(nothing, [0.0], "without rewards the shortest solution is zero")


def refuses_chains_in_parts(on_policy_weights: Callable) -> None:
    """Two states that each keep to themselves: the shares depend on the start. And a policy that sums to two."""
    from rlhw.mdp import MDP

    parts = MDP(np.eye(2)[:, None], np.ones((2, 1)), 0.9, np.array([0.5, 0.5]))
    whole = MDP(np.array([[[0.0, 1.0]], [[1.0, 0.0]]]), np.ones((2, 1)), 0.9, np.array([0.5, 0.5]))
    refuses(
        "policy",
        lambda: on_policy_weights(parts, np.ones((2, 1))),
        lambda: on_policy_weights(whole, 2 * np.ones((2, 1))),
    )


def refuses_ragged_streams(learner: Callable) -> None:
    """Every array has one row a time step. A row too few anywhere is refused."""
    full = {name: np.ones((3, 1)) if "features" in name else np.ones(3) for name in LEARNERS[learner.__name__]}
    settings = {"gamma": 0.5} if "rewards" in full else {}
    learner(np.ones(1), **full, **settings)
    for name in full:
        ragged = full | {name: full[name][:2]}
        said = ""
        try:
            learner(np.ones(1), **ragged, **settings)
        except ValueError as error:
            said = str(error)
        assert name in said, f"{name} with a row too few must be refused by name; it says {said!r}."


LEARNERS = {
    "gradient_mc": ("features", "returns", "steps"),
    "semi_gradient_td": ("features", "rewards", "next_features", "steps", "ratios"),
    "gradient_correction": ("features", "rewards", "next_features", "steps", "second_steps", "ratios"),
}
PROMISES: dict[str, Callable[[Callable], None]] = {
    "check_projection": refuses_bad_projection_weights,
    "check_least_squares_mc": refuses_bad_fit_weights,
    "check_td_system": refuses_bad_td_weights,
    "check_lstd": refuses_systems_without_a_solution,
    "check_on_policy_weights": refuses_chains_in_parts,
    "check_gradient_mc": refuses_ragged_streams,
    "check_semi_gradient_td": refuses_ragged_streams,
    "check_gradient_correction": refuses_ragged_streams,
}
