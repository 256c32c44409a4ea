"""The laws of DPO, IPO and KTO accept what others have written (torch, scipy, TRL's formulas by hand), and see autograd's traps."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch.nn import functional

from rlhw import laws
from rlhw.laws import preference_optimization


def by_cross_entropy(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing=0.0):
    """torch's classification of which of the two was chosen: its own label smoothing s spreads s over both classes."""
    rewards = beta * torch.stack([chosen - ref_chosen, rejected - ref_rejected], -1)
    first = torch.zeros(chosen.numel(), dtype=torch.int64)
    loss = functional.cross_entropy(rewards.flatten(0, -2), first, reduction="none", label_smoothing=2 * smoothing)
    return loss.reshape(chosen.shape)


def by_binary_targets(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing=0.0):
    margin = beta * ((chosen - rejected) - (ref_chosen - ref_rejected))
    target = torch.full_like(margin, 1 - smoothing)
    return functional.binary_cross_entropy_with_logits(margin, target, reduction="none")


def by_logistic_law(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing=0.0):
    margin = beta * (chosen - ref_chosen - rejected + ref_rejected)
    law = scipy.stats.logistic
    return -(1 - smoothing) * law.logcdf(margin) - smoothing * law.logsf(margin)


def ipo_by_mse(chosen, rejected, ref_chosen, ref_rejected, beta):
    gap = (chosen - rejected) - (ref_chosen - ref_rejected)
    return functional.mse_loss(gap, torch.full_like(gap, 0.5 / beta), reduction="none")


def kto_one_by_one(ratios, desirable, kl, beta):
    """In the words of Ethayarajh et al. (2024): 1 - v, v = σ(β (r - z)) or σ(β (z - r))."""
    rows = zip(ratios.flat, desirable.flat, strict=True)
    values = [scipy.special.expit(beta * (r - kl) if good else beta * (kl - r)) for r, good in rows]
    return 1 - np.array(values).reshape(ratios.shape)


def kto_by_tanh(ratios, desirable, kl, beta):
    """σ(x) = (1 + tanh(x/2))/2."""
    sign = torch.where(desirable, 1.0, -1.0).to(ratios)
    return (1 - torch.tanh(sign * beta * (ratios - kl.detach()) / 2)) / 2


def kto_pairs_flat(chosen, rejected, ref_chosen, ref_rejected, beta):
    """All answers in one row, each with its kind; then the two losses of each pair are brought together again."""
    ratios = torch.cat([(chosen - ref_chosen).flatten(), (rejected - ref_rejected).flatten()])
    kinds = torch.arange(len(ratios)) < len(ratios) // 2
    with torch.no_grad():
        kl = torch.relu(ratios.mean())
    return kto_by_tanh(ratios, kinds, kl, beta).unflatten(0, (2, *chosen.shape)).mean(0)


OTHERS = {
    "check_implicit_reward": [
        lambda logprobs, ref, beta: np.log((np.exp(logprobs) / np.exp(ref)) ** beta),
        laws.as_numpy(lambda logprobs, ref, beta: torch.sub(logprobs, ref).mul(beta)),
    ],
    "check_dpo_loss": [laws.as_numpy(by_cross_entropy), laws.as_numpy(by_binary_targets), by_logistic_law],
    "check_ipo_loss": [laws.as_numpy(ipo_by_mse)],
    "check_kto_loss": [kto_one_by_one, laws.as_numpy(kto_by_tanh)],
    "check_kto_pair_loss": [laws.as_numpy(kto_pairs_flat)],
}


@pytest.mark.parametrize("law", OTHERS)
def test_the_laws_accept_other_peoples_functions(law):
    for fn in OTHERS[law]:
        getattr(laws, law)(fn)


WRONG_GRADIENTS = {
    "the chosen answer held fast": (
        "check_dpo_loss",
        lambda c, r, p, q, b, s=0.0: by_binary_targets(c.detach(), r, p, q, b, s),
        "the gradient is -β times the probability of the other vote",
    ),
    "a log that underflows, its value mended": (
        "check_dpo_loss",
        lambda c, r, p, q, b, s=0.0: torch.nan_to_num(
            -(1 - s) * (b * (c - p - r + q)).sigmoid().log()
            - (s * (b * (r - q - c + p)).sigmoid().log() if s else 0.0),
            posinf=3000.0,
        ),
        "the gradient far out",
    ),
    "the margin held fast": (
        "check_ipo_loss",
        lambda c, r, p, q, b: ipo_by_mse(c.detach(), r.detach(), p, q, b),
        "the gradient is that of the square",
    ),
    "the reference point moves": (
        "check_kto_loss",
        lambda x, d, k, b: (1 - torch.tanh(torch.where(d, 1.0, -1.0).to(x) * b * (x - k) / 2)) / 2,
        "no gradient flows through the reference point",
    ),
    "the reference point of the pairs moves": (
        "check_kto_pair_loss",
        lambda c, r, p, q, b: (
            (
                (b * ((r - q) - torch.relu((c - p + r - q).mean() / 2))).sigmoid()
                + (-b * ((c - p) - torch.relu((c - p + r - q).mean() / 2))).sigmoid()
            )
            / 2
        ),
        "each answer is pulled by its own term alone",
    ),
}


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_the_laws_see_wrong_gradients(name):
    law, fn, sentence = WRONG_GRADIENTS[name]
    with pytest.raises(AssertionError, match=sentence):
        getattr(laws, law)(laws.as_numpy(fn))


def test_the_best_policy_is_found_by_a_maximiser_too():
    """scipy climbs E[r] - β KL(π‖π_ref) over softmax policies and ends where `best_policy` says."""
    for ref, rewards, beta, rng in preference_optimization.worlds():

        def shortfall(logits, ref=ref, rewards=rewards, beta=beta):
            log_policy = scipy.special.log_softmax(logits)
            return -float(np.exp(log_policy) @ (rewards - beta * (log_policy - ref)))

        found = scipy.optimize.minimize(shortfall, rng.standard_normal(len(ref)), tol=1e-12)
        best = preference_optimization.best_policy(ref, rewards, beta)
        np.testing.assert_allclose(scipy.special.softmax(found.x), np.exp(best), atol=1e-5)


def test_the_pull_on_answers_is_zero_at_the_best_policy_only():
    """Against autograd of the summed loss; at the reference, and at π* of another β, something pulls."""
    ref, rewards, beta, rng = list(preference_optimization.worlds())[2]
    votes = preference_optimization.sigmoid((rewards[:, None] - rewards) / 0.6)
    law = laws.as_numpy(by_binary_targets)

    def pull(log_policy):
        return preference_optimization.pull_on_answers(law, log_policy, ref, votes, beta / 0.6)

    assert np.abs(pull(preference_optimization.best_policy(ref, rewards, beta))).max() < 1e-12
    assert np.abs(pull(preference_optimization.best_policy(ref, rewards, 2 * beta))).max() > 1e-2
    elsewhere = laws.log_probabilities_of(rng.standard_normal(len(ref)))

    def total(x):
        four = x[:, None], x[None], torch.tensor(ref)[:, None], torch.tensor(ref)[None]
        off = torch.tensor(votes * (1 - np.eye(len(ref))))
        return (off * by_binary_targets(*torch.broadcast_tensors(*four), beta / 0.6)).sum()

    np.testing.assert_allclose(pull(elsewhere), laws.torch_gradient(total, elsewhere), atol=1e-12)


def test_the_cases_are_not_special():
    for ref, rewards, beta, _ in preference_optimization.worlds():
        assert np.exp(ref).sum() == pytest.approx(1.0, abs=1e-12)
        assert len(set(rewards.round(3))) == len(rewards)
        assert beta != 1.0
    shapes = {four[0].shape for four, _, _ in preference_optimization.pairs_of_answers()}
    assert {len(shape) for shape in shapes} == {1, 2}
    margins = np.concatenate(
        [
            np.ravel(np.subtract(*preference_optimization.ratios_of(f)))
            for f, _, _ in preference_optimization.pairs_of_answers()
        ]
    )
    assert (margins > 0).any()
    assert (margins < 0).any()
