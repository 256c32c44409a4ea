"""What the functions of exploration and of off-policy learning refuse, and what they leave to their defaults."""

from collections.abc import Callable

import numpy as np

from rlhw.mutants.refusals import refuses

NAN, INFINITY = float("nan"), float("inf")


def refuses_bad_c(inverse_visits: Callable) -> None:
    """c is positive and finite."""
    refuses("c must", *(lambda c=c: inverse_visits(c) for c in (0.0, -1.0, NAN, INFINITY)))
    assert callable(inverse_visits(0.01)), "a small positive c is fine"


def refuses_bad_exponents(power: Callable) -> None:
    """Above a half, at most one."""
    refuses("exponent", *(lambda x=x: power(x) for x in (0.5, 0.4, 0.0, 1.01, 1.4, -0.8, NAN)))
    assert callable(power(0.51)), "a little more than a half is fine"


def refuses_bad_epsilons(epsilon_soft: Callable) -> None:
    """Each ε is a probability, in every row."""
    q = np.array([[1.0, 2.0], [0.0, 0.0]])
    refuses("epsilon", *(lambda e=e: epsilon_soft(q, np.array([0.5, e])) for e in (-0.01, 1.01, NAN)))


def refuses_a_bad_epsilon(softened: Callable) -> None:
    """ε is a probability; an end stays an end."""
    from rlhw.worlds import random_walk

    refuses("epsilon", *(lambda e=e: softened(random_walk(3), e) for e in (-0.01, 1.01, NAN)))
    # Three actions whose shares do not sum to exactly one in floating-point numbers.
    walk = random_walk(2)
    three = type(walk)(walk.transitions[:, [0, 1, 1]], walk.rewards[:, [0, 1, 1]], 1.0, walk.start)
    assert softened(three, 0.7).terminal.tolist() == three.terminal.tolist(), "an end stays an end"


def refuses_impossible_actions(importance_weights: Callable) -> None:
    """What was done, the behavior can do."""
    ones = np.ones((3, 3))
    for none in (0.0, -0.1):
        behavior = np.array([[1.0] * 3, [0.5, none, 0.5], [0.5, 0.5, none]])
        named = "behavior must be above 0 for actions that were taken; episode 1, step 1 has"
        refuses(named, lambda behavior=behavior: importance_weights(ones, behavior))
    small = importance_weights(0.1 * ones, np.full((3, 3), 0.2))
    assert small[0, 0] == 0.5, "a small probability is fine"


def refuses_empty_weights(weighted_importance_sampling: Callable) -> None:
    """Some episode is one that the target could have made."""
    refuses("weights", lambda: weighted_importance_sampling(np.zeros((2, 3)), np.ones((2, 3)), 1.0))
    assert weighted_importance_sampling(np.full((2, 3), 0.01), np.ones((2, 3)), 1.0) == 3.0, "small weights are fine"


def refuses_bare_actions(off_policy_td: Callable) -> None:
    """Both policies are policies, the behavior covers the target (the sentence names the first place), settings by name."""
    from rlhw.exploration import constant
    from rlhw.off_policy import corrected_error
    from rlhw.worlds import random_walk

    fair, right = np.full((4, 2), 0.5), np.array([[0.0, 1.0]] * 4)
    how = {"error": corrected_error, "step_size": constant(0.1), "learners": 1, "steps": 1}

    def run(target: np.ndarray, behavior: np.ndarray) -> list:
        return list(off_policy_td(random_walk(2), target, behavior, **how, rng=np.random.default_rng(0)))

    refuses("behavior must cover target; in state 0 target takes action 0", lambda: run(fair, right))
    refuses("policy", lambda: run(2 * fair, fair), lambda: run(fair, 2 * fair))
    assert len(run(right, fair)) == 1, "a target that leaves actions out is fine"
    wants_names(lambda mdp, *settings: off_policy_td(mdp, right, fair, corrected_error, *settings[1:]))


def refuses_bare_moments(weight_second_moment: Callable) -> None:
    """The behavior covers the target."""
    from rlhw.worlds import random_walk

    fair, right = np.full((4, 2), 0.5), np.array([[0.0, 1.0]] * 4)
    refuses("behavior must cover", lambda: weight_second_moment(random_walk(2), fair, right, 2))


def refuses_no_policy(enumerate_episodes: Callable) -> None:
    """Rows of a policy sum to one."""
    from rlhw.worlds import random_walk

    refuses("policy", lambda: enumerate_episodes(random_walk(2), np.ones((4, 2)), 2))


def wants_names(learn: Callable) -> None:
    """Settings are given by name: a step size in the place of an exploration is no slip of the pen."""
    from rlhw.exploration import constant
    from rlhw.worlds import random_walk

    try:
        learn(random_walk(2), constant(0.1), constant(0.2), 1, 1, np.random.default_rng(0))
    except TypeError:
        return
    raise AssertionError("settings without their names must be refused")


def knows_its_longest_episode(mc_control: Callable) -> None:
    """Settings by name; and a thousand steps cut an episode unless max_steps says otherwise."""
    from rlhw.exploration import constant
    from rlhw.worlds import random_mdp

    endless = random_mdp(2, 1, np.random.default_rng(0))
    how = {"epsilon": constant(0.0), "learners": 1, "rounds": 1}
    (only,) = mc_control(endless, **how, rng=np.random.default_rng(0))
    assert only.episodes.actions.shape == (1, 1000), "an episode is cut after a thousand steps"
    wants_names(mc_control)


CONTROL_PROMISES: dict[str, Callable[[Callable], None]] = {
    "check_inverse_visits": refuses_bad_c,
    "check_power": refuses_bad_exponents,
    "check_epsilon_soft": refuses_bad_epsilons,
    "check_softened": refuses_a_bad_epsilon,
    "check_sarsa": wants_names,
    "check_expected_sarsa": wants_names,
    "check_q_learning": wants_names,
    "check_mc_control": knows_its_longest_episode,
    "check_importance_weights": refuses_impossible_actions,
    "check_weighted_importance_sampling": refuses_empty_weights,
    "check_off_policy_td": refuses_bare_actions,
    "check_weight_second_moment": refuses_bare_moments,
    "check_enumerate_episodes": refuses_no_policy,
}
