"""What `groups` and `dialogue` refuse: groups of one answer, chances that are none, and variances that are not above zero."""

from collections.abc import Callable

import numpy as np

from rlhw.laws import assert_close
from rlhw.mutants.refusals import refuses

NAN = float("nan")


def refuses_one_answer(rloo_variance: Callable) -> None:
    """Two answers are a group."""
    two = np.zeros(2), np.array([1.0, 0.0])
    refuses("k must", *(lambda k=k: rloo_variance(*two, k) for k in (1, 0)))
    assert_close(rloo_variance(*two, 2), 0.125, "two answers are a group")


def refuses_no_variance(best_group_size: Callable) -> None:
    """Both variances are above 0, however little."""
    refuses("others must", *(lambda v=v: best_group_size(v, 1.0) for v in (0.0, -1.0, NAN)))
    refuses("between must", *(lambda v=v: best_group_size(1.0, v) for v in (0.0, -1.0, NAN)))
    assert_close(best_group_size(0.25, 1.0), 1.5, "a variance below 1 is one")


def refuses_sure_prompts(of_prompt: Callable) -> None:
    """p lies inside (0, 1), and K is 2 or more; two answers are a group."""
    refuses("p must", *(lambda p=p: of_prompt(p, 4) for p in (0.0, 1.0, -0.1, 1.1, NAN)))
    refuses("k must", *(lambda k=k: of_prompt(0.3, k) for k in (1, 0)))
    assert np.isfinite(of_prompt(0.3, 2)), "two answers are a group"


def refuses_no_chances(lost_shares: Callable) -> None:
    """Both are probabilities; 0 and 1 too."""
    refuses("error must", *(lambda e=e: lost_shares(e, 0.5, 2) for e in (-0.1, 1.1, NAN)))
    refuses("repair must", *(lambda q=q: lost_shares(0.5, q, 2) for q in (-0.1, 1.1, NAN)))
    assert_close(lost_shares(0.0, 0.0, 2), np.zeros(2), "0 is a probability")
    assert_close(lost_shares(1.0, 1.0, 2), [1.0, 0.0], "1 is a probability")


def refuses_no_chances_added_up(expected_lost: Callable) -> None:
    """As for the shares; their sum is a number where both are 0, and where both are 1."""
    refuses("error must", *(lambda e=e: expected_lost(e, 0.5, 2) for e in (-0.1, 1.1, NAN)))
    refuses("repair must", *(lambda q=q: expected_lost(0.5, q, 2) for q in (-0.1, 1.1, NAN)))
    assert_close(expected_lost(0.0, 0.0, 2), 0.0, "0 is a probability")
    assert_close(expected_lost(1.0, 1.0, 2), 1.0, "1 is a probability")


PROMISES: dict[str, Callable] = {
    "check_rloo_variance": refuses_one_answer,
    "check_best_group_size": refuses_no_variance,
    "check_scaled_weight": refuses_sure_prompts,
    "check_tied_share": refuses_sure_prompts,
    "check_lost_shares": refuses_no_chances,
    "check_expected_lost": refuses_no_chances_added_up,
}
