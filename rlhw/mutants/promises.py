"""What our own functions promise beyond their law: the errors and the defaults that their docstrings state.

A law also judges torch's softmax and a learner's answer, which need not refuse bad input; ours must. So the mechanical
mutants of our source, guards included, are held to the law and to these.
"""

from collections.abc import Callable

import numpy as np

from rlhw.laws import assert_close
from rlhw.mutants import (
    actor_critic_promises,
    decision_promises,
    groups_promises,
    linear_promises,
    model_promises,
    prediction_promises,
    regret_promises,
    scaling_promises,
    tensor_promises,
)
from rlhw.mutants.control_promises import CONTROL_PROMISES
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


def refuses_bad_betas(tilted: Callable) -> None:
    """β is positive and finite: at 0 the best answer would take all, beyond every number nothing would change. Probabilities
    are none below 0 and sum to 1, to a rounding; rewards are finite, every one.
    """
    for wrong in ([1.5, -0.5], [-0.2, 1.2], [0.5, 0.4], [0.7, 0.7], [1.0, 1.0], [0.0, 0.0], [0.5, NAN]):
        refuses("probs", lambda p=wrong: tilted(np.array(p), np.ones(2), 1.0))
    refuses("rewards", *(lambda r=r: tilted(np.ones(2) / 2, np.array(r), 1.0) for r in ([1.0, NAN], [-INFINITY, 1.0])))
    assert_close(tilted(np.array([0.5, 0.5 + 1e-9]), np.ones(2), 1.0), np.ones(2) / 2, "a rounding is fine", 1e-6)
    refuses("beta", *(lambda b=b: tilted(np.ones(2) / 2, np.ones(2), b) for b in (0.0, -0.5, NAN, INFINITY)))
    assert_close(tilted(np.ones(2) / 2, np.ones(2), 0.01), np.ones(2) / 2, "a small positive beta is fine")


def refuses_bad_samples(attainable: Callable) -> None:
    """Two prompts or more, "B N", and weights of the same shape; for attainable's β the guard of tilted."""
    rewards = np.ones((2, 3))
    refuses("beta", *(lambda b=b: attainable(rewards, b) for b in (0.0, NAN)))
    refuses("rewards", *(lambda r=r: attainable(r, 1.0) for r in (np.ones((1, 3)), np.ones(3), np.ones((2, 3, 1)))))
    refuses("log_weights", *(lambda w=w: attainable(rewards, 1.0, w) for w in (np.ones((2, 1)), np.ones(3), [0.0])))
    refuses("rewards", lambda: attainable(np.ones((2, 0)), 1.0))
    assert_close(attainable(np.ones((2, 1)), 1.0), (1.0, 0.0), "one sample a prompt is a sample")
    assert_close(attainable(rewards, 1.0, np.zeros((2, 3))), (1.0, 0.0), "weights of one change nothing")


def refuses_bad_weights(effective_samples: Callable) -> None:
    """The same guards."""
    refuses("beta", lambda: effective_samples(np.ones((1, 3)), 0.0))
    refuses("log_weights", lambda: effective_samples(np.ones((1, 3)), 1.0, np.ones(3)))


def refuses_bad_policies(weight_variance: Callable) -> None:
    """Two laws over the same actions, the second nowhere zero where the first is not, and a step or more."""
    half = np.array([0.5, 0.5])
    for bad in ([0.5, 0.4], [0.7, 0.7], [1.0, 1.0], [1.5, -0.5], [0.5, NAN]):
        refuses("target must", lambda p=bad: weight_variance(np.array(p), half, 2))
        refuses("behavior must be", lambda p=bad: weight_variance(half, np.array(p), 2))
    refuses("behavior must give action 1", lambda: weight_variance(half, np.array([1.0, 0.0]), 2))
    three = np.array([0.5, 0.3, 0.2])
    refuses("target and", lambda: weight_variance(half, three, 2), lambda: weight_variance(three, half, 2))
    refuses("horizon", *(lambda t=t: weight_variance(half, half, t) for t in (0, -1)))
    assert_close(weight_variance(half, np.array([0.5, 0.5 + 1e-9]), 1), 0.0, "a rounding is fine", 1e-6)


def refuses_bad_policies_of(variance: Callable) -> None:
    """The same guards, in a function that also takes rewards."""
    refuses_bad_policies(lambda target, behavior, horizon: variance(target, behavior, np.ones(len(target)), horizon))
    half = np.array([0.5, 0.5])
    refuses("rewards", *(lambda n=n: variance(half, half, np.ones(n), 2) for n in (1, 3)))


def refuses_bad_contests(best_of_n: Callable) -> None:
    """For both best-of-n functions: n of 1 or more, one row each of probabilities that sum to one, and of rewards."""
    probs, rewards = np.array([0.25, 0.75]), np.array([1.0, 2.0])
    refuses("n must", *(lambda n=n: best_of_n(probs, rewards, n) for n in (0, -1)))
    bad = (probs / 2, 2 * probs, np.array([1.0]), np.array([[0.25], [0.75]]), np.array([0.2, 0.3, 0.5]))
    refuses("probs", *(lambda p=p: best_of_n(p, rewards, 2) for p in bad))
    refuses("probs", *(lambda x=x: best_of_n(x, x, 2) for x in (np.full((2, 2), 0.5), np.array(1.0))))
    law = "that the probabilities sum to one but for rounding is forgiven, be n ever so large"
    for off in (1e-8, -1e-8):
        nearly = np.array([0.25, 0.75 + off])
        assert_close(best_of_n(nearly, rewards, 10**9), best_of_n(probs, rewards, 10**9), law, tolerance=1e-6)


def refuses_bad_frontiers(frontier: Callable) -> None:
    """Every β is positive and finite."""
    refuses("beta", *(lambda b=b: frontier(np.ones(2) / 2, np.ones(2), np.array([0.5, b])) for b in (0.0, INFINITY)))


def refuses_bad_counts(win_rate: Callable) -> None:
    """There is a comparison, and no count is below zero; ties are none and confidence 0.95 unless said."""
    bad = ((0, 0, 0), (-1, 3, 0), (3, -1, 0), (3, 3, -1), (-1, 1, 0))
    refuses("wins", *(lambda c=c: win_rate(*c) for c in bad))
    assert_close(win_rate(3, 2), win_rate(3, 2, 0, 0.95), "no ties and a confidence of 0.95 unless said")


def refuses_bad_draws(bootstrap_interval: Callable) -> None:
    """Two or more finite numbers in one row; two are enough."""
    rng = np.random.default_rng(0)
    bad = ([1.0], [], 1.0, [[1.0, 2.0], [3.0, 4.0]], [1.0, NAN], [INFINITY, 2.0])
    refuses("values must", *(lambda x=x: bootstrap_interval(np.array(x), rng) for x in bad))
    refuses("values hardly", lambda: bootstrap_interval(np.array([0.0, 0.0, 0.0, 1.0]), rng, np.median))
    low, high = bootstrap_interval(np.array([1.0, 2.0]), rng)
    assert 1.0 <= low <= high <= 2.0, "an interval of a mean lies between the two values"


def refuses_bad_probabilities(bernoulli_kl: Callable) -> None:
    """Both are probabilities; one number or many."""
    refuses("p must", *(lambda p=p: bernoulli_kl(p, 0.5) for p in (-0.1, 1.1, NAN, np.array([0.5, 1.2]))))
    refuses("q must", *(lambda q=q: bernoulli_kl(0.5, q) for q in (-0.1, 1.1, NAN, np.array([-0.2, 0.5]))))


def refuses_bad_deviations(gaussian_kl: Callable) -> None:
    """sd is positive and finite."""
    refuses("sd must", *(lambda s=s: gaussian_kl(0.0, 1.0, s) for s in (0.0, -1.0, NAN, INFINITY)))


def refuses_arms_that_look_alike(lai_robbins: Callable) -> None:
    """An arm with a gap has a positive divergence."""
    bad = (np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, -0.1]), np.array([0.0, NAN, 1.0]))
    refuses("divergences", *(lambda d=d: lai_robbins(np.array([0.0, 0.3, 0.2]), d) for d in bad))


def refuses_bad_decays(decaying_epsilon: Callable) -> None:
    """c is positive and finite."""
    refuses("c must", *(lambda c=c: decaying_epsilon(3, c) for c in (0.0, -1.0, NAN, INFINITY)))


def refuses_bad_gaps(auer_epsilon: Callable) -> None:
    """The gap lies in (0, 1], and 1 itself is fine, which the law shows; c is positive."""
    refuses("gap must", *(lambda d=d: auer_epsilon(3, c=5.0, arms=2, gap=d) for d in (0.0, -0.1, 1.1, NAN)))
    refuses("c must", lambda: auer_epsilon(3, c=-5.0, arms=2, gap=0.5))


def refuses_bad_weighings(recency_weights: Callable) -> None:
    """Step sizes lie in [0, 1]."""
    refuses("step_sizes", lambda: recency_weights(np.array([0.5, 1.1])), lambda: recency_weights(np.array([-0.1])))


def warns_of_nothing(upper_bounds: Callable) -> None:
    """Arms never pulled, and the very first pull, divide nothing by zero and take no logarithm of it."""
    with np.errstate(all="raise"):
        for counts in ([0, 0], [0, 3]):
            upper_bounds(np.zeros(2), np.array(counts), 1.0)


def refuses_what_stands_still(best_constant_step: Callable) -> None:
    """Without noise the best step is 1, without moves there is no best constant."""
    bad = ((0.0, 1.0), (1.0, 0.0), (-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (NAN, 1.0))
    refuses("variance", *(lambda v=v, d=d: best_constant_step(v, d) for v, d in bad))


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
        "check_tilted": refuses_bad_betas,
        "check_attainable": refuses_bad_samples,
        "check_effective_samples": refuses_bad_weights,
        "check_weight_variance": refuses_bad_policies,
        "check_ordinary_variance": refuses_bad_policies_of,
        "check_weighted_variance": refuses_bad_policies_of,
        "check_per_decision_variance": refuses_bad_policies_of,
        "check_best_of_n_kl": refuses_bad_contests,
        "check_best_of_n_reward": refuses_bad_contests,
        "check_frontier": refuses_bad_frontiers,
        "check_win_rate": refuses_bad_counts,
        "check_bootstrap_interval": refuses_bad_draws,
        "check_bernoulli_kl": refuses_bad_probabilities,
        "check_gaussian_kl": refuses_bad_deviations,
        "check_lai_robbins": refuses_arms_that_look_alike,
        "check_decaying_epsilon": refuses_bad_decays,
        "check_auer_epsilon": refuses_bad_gaps,
        "check_upper_bounds": warns_of_nothing,
        "check_recency_weights": refuses_bad_weighings,
        "check_best_constant_step": refuses_what_stands_still,
    }
    | decision_promises.PROMISES
    | tensor_promises.PROMISES
    | model_promises.PROMISES
    | CONTROL_PROMISES
    | actor_critic_promises.PROMISES
    | prediction_promises.PROMISES
    | linear_promises.PROMISES
    | regret_promises.PROMISES
    | groups_promises.PROMISES
    | scaling_promises.PROMISES
)
