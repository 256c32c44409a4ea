"""What our policy gradients and KL-limited steps promise beyond their law: refusals of bad input."""

from collections.abc import Callable

import numpy as np

from rlhw.mdp import MDP, Episodes
from rlhw.mutants.refusals import refuses

NAN, INFINITY = float("nan"), float("inf")


def refuses_bad_tables(state_softmax: Callable) -> None:
    """Every logit is finite; the sentence names the place of one that is not."""
    for bad in (NAN, INFINITY, -INFINITY):
        refuses("logits must be finite; logits[1, 0]", lambda x=bad: state_softmax(np.array([[0.0, 1.0], [x, x]])))


def refuses_worlds_without_an_end(actor_critic: Callable) -> None:
    """There is a terminal state; one is enough, which the law shows. Settings are named, lest two numbers change places."""
    endless = MDP(np.ones((1, 2, 1)), np.ones((1, 2)), 0.9, np.ones(1))
    settings = {"step_size": 0.1, "value_rate": 0.1, "runs": 1, "steps": 1, "rng": np.random.default_rng(0)}
    refuses("mdp", lambda: next(actor_critic(endless, **settings)))
    try:
        actor_critic(endless, *settings.values())
    except TypeError:
        return
    raise AssertionError("settings without their names must be refused")


def refuses_bad_discounts(reinforce_gradients: Callable) -> None:
    """gamma is in [0, 1], both ends included."""
    one = Episodes(np.array([[0, 1]]), np.array([[1]]), np.array([[3.0]]), np.array([[True]]))

    def call(gamma: float) -> object:
        return reinforce_gradients(np.full((2, 2), 0.5), one, gamma, np.zeros(2))

    refuses("gamma", *(lambda g=gamma: call(g) for gamma in (-0.1, 1.1, NAN)))
    for gamma in (0.0, 1.0):
        call(gamma)


def refuses_bad_weights(gae: Callable) -> None:
    """gamma and lam are in [0, 1], both ends included."""
    ones = np.ones(2)
    refuses("gamma", *(lambda x=bad: gae(ones, ones, ones > 0, x, 0.5) for bad in (-0.1, 1.1, NAN)))
    refuses("lam", *(lambda x=bad: gae(ones, ones, ones > 0, 0.5, x) for bad in (-0.1, 1.1, NAN)))
    for good in (0.0, 1.0):
        gae(ones, ones, ones > 0, good, good)


def refuses_bad_limits(kl_step: Callable) -> None:
    """The limit is positive and finite, and the direction moves the policy somewhere where it is."""
    table, way = np.zeros((2, 2)), np.array([[0.0, 1.0], [0.0, 0.0]])
    refuses("kl", *(lambda k=k: kl_step(np.ones(2), table, way, k) for k in (0.0, -0.1, NAN, INFINITY)))
    refuses("direction", lambda: kl_step(np.ones(2), np.log([[0.3, 0.7], [0.9, 0.1]]), np.ones((2, 2)), 0.1))
    refuses("direction", lambda: kl_step(np.array([0.0, 1.0]), table, way, 0.1))


PROMISES: dict[str, Callable[[Callable], None]] = {
    "check_state_softmax": refuses_bad_tables,
    "check_actor_critic": refuses_worlds_without_an_end,
    "check_reinforce_gradients": refuses_bad_discounts,
    "check_numpy_gae": refuses_bad_weights,
    "check_kl_step": refuses_bad_limits,
}
