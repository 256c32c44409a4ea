"""What our own functions promise beyond their law: the errors and the defaults that their docstrings state.

A law also judges torch's softmax and a learner's answer, which need not refuse bad input; ours must. So the mechanical
mutants of our source, guards included, are held to the law and to these.
"""

from collections.abc import Callable

import numpy as np

from rlhw.laws import assert_close
from rlhw.mutants import model_promises, tensor_promises
from rlhw.mutants.refusals import refuses

NAN, INFINITY = float("nan"), float("inf")
LOGITS, REWARDS, ACTIONS = np.array([0.2, -0.4, 1.1]), np.array([1.0, -2.0, 0.5]), np.array([2, 0, 0, 1])


def refuses_bad_logits(fn: Callable) -> None:
    """For softmax and log_softmax."""
    refuses("logits", *(lambda x=x: fn(np.array([0.0, x, 1.0])) for x in (NAN, INFINITY, -INFINITY)))


def refuses_bad_uniforms(sample_actions: Callable) -> None:
    """Uniforms lie in [0, 1)."""
    refuses("uniforms", *(lambda u=u: sample_actions(LOGITS, np.array([0.5, u])) for u in (-0.1, 1.0, 1.5, NAN)))


def refuses_bad_baselines(reinforce_estimates: Callable) -> None:
    """One finite number, and none of the things that see the action: an array, a list, a function."""
    bad = (NAN, INFINITY, np.array([0.5, 1.0, 0.2, 0.1]), [0.1] * 4, np.array([0.5]), lambda action: 0.5)
    refuses("baseline", *(lambda b=b: reinforce_estimates(LOGITS, REWARDS, ACTIONS, b) for b in bad))
    rows = reinforce_estimates(LOGITS, REWARDS, ACTIONS)
    assert_close(rows, reinforce_estimates(LOGITS, REWARDS, ACTIONS, 0.0), "without a baseline nothing is subtracted")


def refuses_bad_variance_baselines(gradient_variance: Callable) -> None:
    """The same guard, and the two defaults of zero."""
    bad = (NAN, INFINITY, np.array([0.5, 1.0, 0.2]), [0.1] * 3, lambda action: 0.5)
    refuses("baseline", *(lambda b=b: gradient_variance(LOGITS, REWARDS, b) for b in bad))
    plain = gradient_variance(LOGITS, REWARDS)
    assert_close(plain, gradient_variance(LOGITS, REWARDS, 0.0, 0.0), "baseline and noise are zero unless given")


def refuses_lonely_samples(leave_one_out: Callable) -> None:
    """With fewer than two samples there are no others."""
    refuses("rewards", lambda: leave_one_out(np.array([1.0])), lambda: leave_one_out(np.array([])))


def refuses_bad_epsilon(epsilon_greedy: Callable) -> None:
    """ε is a probability; 0 and 1 themselves are fine, which the law shows."""
    refuses("epsilon", *(lambda e=e: epsilon_greedy(e) for e in (-0.01, 1.01, NAN, INFINITY)))


def refuses_bad_widths(ucb: Callable) -> None:
    """c is positive and finite."""
    refuses("c must", *(lambda c=c: ucb(c) for c in (0.0, -1.0, NAN, INFINITY)))
    assert callable(ucb(0.01)), "a small positive c is fine"


PROMISES: dict[str, Callable[[Callable], None]] = (
    {
        "check_softmax": refuses_bad_logits,
        "check_log_softmax": refuses_bad_logits,
        "check_sample_actions": refuses_bad_uniforms,
        "check_reinforce_estimates": refuses_bad_baselines,
        "check_gradient_variance": refuses_bad_variance_baselines,
        "check_leave_one_out": refuses_lonely_samples,
        "check_epsilon_greedy": refuses_bad_epsilon,
        "check_ucb": refuses_bad_widths,
    }
    | tensor_promises.PROMISES
    | model_promises.PROMISES
)
