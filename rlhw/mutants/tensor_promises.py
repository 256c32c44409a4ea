"""What our formulas on tensors promise beyond their law: refusals and defaults. torch is imported when one is held."""

from collections.abc import Callable

import numpy as np

from rlhw.laws import assert_close
from rlhw.mutants.refusals import refuses

NAN, INFINITY = float("nan"), float("inf")


def _mask(*rows: str) -> object:
    """A mask from rows such as "110"."""
    import torch

    return torch.tensor([[letter == "1" for letter in row] for row in rows])


def refuses_empty_rows(masked_mean: Callable) -> None:
    """A mean over nothing has no value, be it in one row only."""
    import torch

    values = torch.ones(2, 3)
    refuses("mask", lambda: masked_mean(values, _mask("110", "000")), lambda: masked_mean(values, _mask("000", "000")))
    assert_close(masked_mean(values, _mask("100", "111")), np.ones(2), "one entry is enough for a mean")


class _TwoRanks:
    """An engine as it is where a second process holds the same numbers: a sum over processes is twice the own one."""

    def reduce(self, tensor: object, reduction: str) -> object:
        return {"sum": 2 * tensor, "mean": tensor}[reduction]

    def backward(self, loss: object) -> None: ...

    def clip_grad_norm_(self, parameters: object, max_norm: float) -> None: ...


def whitens_over_ranks(whiten: Callable) -> None:
    """An empty mask is refused; one entry alone is zero; a second process with the same numbers changes nothing."""
    import torch

    values = torch.tensor([[0.5, -2.0, 1.5], [3.0, 0.0, 1.0]], dtype=torch.float64)
    refuses("mask", lambda: whiten(values, _mask("000", "000")))
    assert_close(whiten(values, _mask("010", "000")), np.zeros((2, 3)), "one entry alone is whitened to zero")
    mask = _mask("110", "101")
    both = whiten(values=values, mask=mask, engine=_TwoRanks())
    assert_close(both, whiten(values, mask), "two processes with the same numbers whiten as one does")


def refuses_other_kinds(kl_estimate: Callable) -> None:
    """k1, k2, k3 and nothing else; k1 unless said."""
    import torch

    p, q = torch.tensor([-0.5, -1.2]).double(), torch.tensor([-0.7, -0.4]).double()
    refuses("kind", *(lambda kind=kind: kl_estimate(p, q, kind) for kind in ("k0", "k15", "k25", "k4", "", "K1")))
    assert_close(kl_estimate(p, q), p - q, "the kind is k1 unless said")


def refuses_empty_answers(last_token: Callable) -> None:
    """An answer of no token has no last one, be it one among others."""
    import torch

    refuses("mask", lambda: last_token(torch.ones(1, 2, 3), _mask("110", "000")[None]))


def refuses_bad_rankings(plackett_luce_loss: Callable) -> None:
    """Each candidate once in every row."""
    import torch

    bad = ([[0, 1, 2], [0, 1, 1]], [[0, 1, 2], [1, 2, 3]], [[2, 1, 0], [-1, 0, 1]])
    refuses("ranking", *(lambda rows=rows: plackett_luce_loss(torch.ones(2, 3), torch.tensor(rows)) for rows in bad))


def refuses_bad_wins(pairwise_loss: Callable) -> None:
    """Votes that are negative, not finite, of a candidate over itself, or none: the sentence names the prompt."""
    import torch

    def spoil(*entry: float, place: tuple = (1, 0, 2)) -> Callable:
        wins = torch.ones(3, 3, 3) - torch.eye(3)
        wins[place] = torch.tensor(entry)
        return lambda: pairwise_loss(torch.ones(3, 3), wins)

    cases = [spoil(bad) for bad in (-0.5, NAN, INFINITY, -INFINITY)]
    cases += [spoil(0.5, place=(1, 2, 2)), spoil(0.0, place=(1,))]
    refuses("wins: prompt 1", *cases)


def draws_what_is_possible(invert: Callable) -> None:
    """Where rounding would run past the end, or onto a token of probability zero, the likeliest is drawn."""
    import torch

    probabilities = torch.tensor([[0.6, 0.0, 0.4], [0.3, 0.7, 0.0], [0.4, 0.35, 0.25]])
    law = "a u of one draws the last token, or the likeliest where that is impossible"
    assert_close(invert(probabilities, torch.ones(3)), np.array([2, 1, 2]), law)


def refuses_unscored_answers(shaped_rewards: Callable) -> None:
    """A score needs a last token to stand at, be it of one answer among others."""
    import torch

    tokens = -torch.ones(2, 3)
    bad = (_mask("110", "000"), _mask("000", "111"))
    refuses("mask", *(lambda m=m: shaped_rewards(torch.ones(2), tokens, tokens, m, 0.1) for m in bad))


def refuses_single_answers(rloo_advantages: Callable) -> None:
    """K = 1 and K = 0 leave nothing to compare with."""
    import torch

    refuses("rewards", *(lambda k=k: rloo_advantages(torch.ones(3, k)) for k in (1, 0)))


def keeps_small_groups_small(group_advantages: Callable) -> None:
    """K = 1 is refused; 1e-6 stands beside the deviation; what is equal is zero to the last bit, at any size and in float32."""
    refuses_single_answers(group_advantages)
    import torch

    close = torch.tensor([[2e-6, -1e-6, -1e-6]], dtype=torch.float64)
    law = "one in a million stands beside the deviation"
    assert_close(group_advantages(close), close.numpy() / (3**0.5 * 1e-6 + 1e-6), law)
    for k in (3, 7, 11):
        for reward in (3.3, 1000.1, 10000.3, -37.7):
            got = group_advantages(torch.full((1, k), reward))
            assert_close(got, np.zeros((1, k)), "rewards that are all equal give zero", tolerance=0.0)


PROMISES: dict[str, Callable[[Callable], None]] = {
    "check_masked_mean": refuses_empty_rows,
    "check_whiten": whitens_over_ranks,
    "check_kl_estimate": refuses_other_kinds,
    "check_last_token": refuses_empty_answers,
    "check_plackett_luce_loss": refuses_bad_rankings,
    "check_pairwise_loss": refuses_bad_wins,
    "check_shaped_rewards": refuses_unscored_answers,
    "check_rloo_advantages": refuses_single_answers,
    "check_group_advantages": keeps_small_groups_small,
    "check_invert": draws_what_is_possible,
}
