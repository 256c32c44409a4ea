"""What dynamic programming promises beyond its laws: policies that never end and errors that cannot be reached are refused."""

from collections.abc import Callable

import numpy as np

from rlhw.laws import assert_close
from rlhw.mdp import MDP
from rlhw.mutants.refusals import refuses

NAN = float("nan")


def waiting_room(pay: float, gamma: float) -> MDP:
    """States: hall, room, end. Action 0 stays (and earns `pay`); action 1 goes one state on, at a cost of 1."""
    stay, on = np.eye(3), np.eye(3)[[1, 2, 2]]
    return MDP(np.stack([stay, on], axis=1), np.array([[pay, -1.0], [pay, -1.0], [0.0, 0.0]]), gamma, np.eye(3)[0])


GO, STAY_IN_ROOM, STAY = (np.eye(2)[actions] for actions in ([1, 1, 0], [1, 0, 0], [0, 0, 0]))


def refuses_policies_that_never_end(solve: Callable) -> None:
    """For solve_policy, discounted_visits and, with a tolerance, policy_evaluation: only where gamma is 1."""
    room = waiting_room(-1.0, 1.0)
    refuses("policy never ends from state 0", *(lambda p=p: solve(room, p) for p in (STAY, STAY_IN_ROOM)))
    half = np.array([[0.0, 1.0], [0.999, 0.001], [0.5, 0.5]])
    for policy in (GO, half):
        assert np.all(np.isfinite(solve(room, policy))), "a policy that ends, however late, is fine"
    assert np.all(np.isfinite(solve(waiting_room(-1.0, 0.5), STAY))), "with gamma below 1 a policy need not end"
    refuses("policy", lambda: solve(room, GO / 2), lambda: solve(room, GO[:2]))


def refuses_bad_sweeps(policy_evaluation: Callable) -> None:
    """The same, and a tolerance that is not positive or that so many sweeps do not reach."""
    refuses_policies_that_never_end(lambda mdp, policy: policy_evaluation(mdp, policy, 1e-3)[0])
    room = waiting_room(-1.0, 0.5)
    _refuses_bad_tolerances(lambda tolerance, *most: policy_evaluation(room, STAY, tolerance, *most))


def refuses_bad_iterations(value_iteration: Callable) -> None:
    """The same tolerances; for gamma = 1 no rewards without end, and no best policy that stays for ever."""
    room = waiting_room(-1.0, 0.5)
    _refuses_bad_tolerances(lambda tolerance, *most: value_iteration(room, tolerance, *most))
    refuses("policy never ends from state 0", lambda: value_iteration(waiting_room(0.0, 1.0), 1e-9))
    refuses("tolerance", lambda: value_iteration(waiting_room(1.0, 1.0), 1e-9, 100))
    assert_close(
        value_iteration(waiting_room(-2.0, 1.0), 1e-9)[0], [-2.0, -1.0, 0.0], "a best policy that ends is fine"
    )


def refuses_bad_rounds(policy_iteration: Callable) -> None:
    """Rewards without end, and too few rounds; where staying is free, the best way out is found all the same."""
    refuses("policy never ends from state", lambda: policy_iteration(waiting_room(1.0, 1.0)))
    room = waiting_room(-1.0, 0.5)
    rounds = policy_iteration(room)[2]
    refuses("max_rounds", *(lambda n=n: policy_iteration(room, n) for n in range(rounds)))
    assert policy_iteration(room, rounds)[2] == rounds, "as many rounds as are allowed may be used"
    best = policy_iteration(waiting_room(0.0, 1.0))[0]
    assert_close(best, [-2.0, -1.0, 0.0], "of the policies that end, the best")


def _refuses_bad_tolerances(sweep: Callable) -> None:
    refuses("tolerance must", *(lambda t=t: sweep(t) for t in (0.0, -1.0, NAN)))
    needed = sweep(1e-3)[-1]
    refuses("tolerance", *(lambda n=n: sweep(1e-3, n) for n in range(needed)))
    assert sweep(1e-3, needed)[-1] == needed, "as many sweeps as are allowed may be used"


PROMISES: dict[str, Callable[[Callable], None]] = {
    "check_solve_policy": refuses_policies_that_never_end,
    "check_discounted_visits": refuses_policies_that_never_end,
    "check_policy_evaluation": refuses_bad_sweeps,
    "check_value_iteration": refuses_bad_iterations,
    "check_policy_iteration": refuses_bad_rounds,
}
