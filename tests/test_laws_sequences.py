"""The laws of sequences accept what others have written (torch, scipy, numpy, transformers), and reject autograd's traps."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch import masked
from torch.nn import functional
from torch.nn.utils.rnn import unpad_sequence

from rlhw import laws
from rlhw.laws import sequences


def cross_entropy(logits, tokens):
    return -functional.cross_entropy(logits.flatten(0, -2), tokens.flatten(), reduction="none").reshape(tokens.shape)


def numpy_masked(reduce):
    """A reduction of numpy's masked arrays."""
    return lambda values, mask: np.ma.getdata(reduce(np.ma.masked_array(values, ~mask)))


def batch_norm(values, mask):
    """torch's batch normalisation of the kept entries as one column."""
    kept = functional.batch_norm(values[mask][:, None], None, None, training=True, eps=1e-10)
    return torch.zeros_like(values).masked_scatter(mask, kept[:, 0])


def scipy_estimate(p, q, kind):
    """From scipy's pointwise divergences: rel_entr(x, y) = x log(x/y), kl_div(x, y) = x log(x/y) - x + y."""
    if kind == "k1":
        return scipy.special.rel_entr(np.exp(p), np.exp(q)) / np.exp(p)
    if kind == "k2":
        return (p - q) ** 2 / 2
    return scipy.special.kl_div(np.exp(p), np.exp(q)) / np.exp(p)


def unpadded(reduce):
    """What torch's own unpadding leaves of each answer, reduced."""

    def read(scores, mask):
        answers = unpad_sequence(scores.flatten(0, 1), mask.flatten(0, 1).sum(-1), batch_first=True)
        return torch.stack([reduce(answer) for answer in answers]).unflatten(0, scores.shape[:2])

    return laws.as_numpy(read)


OTHERS = {
    "check_token_logprobs": [
        laws.as_numpy(cross_entropy),
        laws.as_numpy(lambda z, t: torch.distributions.Categorical(logits=z).log_prob(t)),
    ],
    "check_masked_sum": [
        laws.as_numpy(lambda x, m: masked.sum(x, -1, mask=m)),
        numpy_masked(lambda x: x.sum(-1).filled(0.0) if x.ndim > 1 else x.sum(-1)),
    ],
    "check_masked_mean": [
        laws.as_numpy(lambda x, m: masked.mean(x, -1, mask=m)),
        numpy_masked(lambda x: np.ma.average(x, axis=-1)),
    ],
    "check_whiten": [laws.as_numpy(batch_norm)],
    "check_kl_estimate": [scipy_estimate],
    "check_bc_loss": [laws.as_numpy(lambda x, m: -masked.sum(x, -1, mask=m))],
    "check_sum_of_tokens": [unpadded(torch.sum), laws.as_numpy(lambda x, m: masked.sum(x, -1, mask=m))],
    "check_last_token": [unpadded(lambda answer: answer[-1])],
}


@pytest.mark.parametrize("law", OTHERS)
def test_the_laws_accept_other_peoples_functions(law):
    for fn in OTHERS[law]:
        getattr(laws, law)(fn)


def where_after(values, mask):
    """Right values; but the masked deviations meet the gradient of the deviation's root, and 0 · NaN is NaN."""
    mean = torch.where(mask, values, 0.0).sum() / mask.sum()
    variance = torch.where(mask, (values - mean) ** 2, 0.0).sum() / mask.sum()
    return torch.where(mask, (values - mean) * torch.rsqrt(variance + 1e-10), 0.0)


def exchanged_gradient(logits, tokens):
    """Right values, gradient of the probability itself."""
    value = cross_entropy(logits, tokens)
    return value.detach() + value.exp() - value.exp().detach()


WRONG_GRADIENTS = {
    "check_token_logprobs": (exchanged_gradient, "the gradient at a position is one at its token"),
    "check_masked_sum": (lambda x, m: torch.where(m, x, 0.0).sum(-1).detach(), "the gradient is that of this"),
    "check_masked_mean": (lambda x, m: (x * m).nansum(-1) / m.sum(-1), "what is kept is not hidden"),
    "check_whiten": (where_after, "the gradient under the mask is exactly zero"),
    "check_kl_estimate": (lambda p, q, kind: torch.from_numpy(scipy_estimate(p.detach().numpy(), q.detach().numpy(), kind)),
                          "the gradient of k1 is that of its formula"),
    "check_bc_loss": (lambda x, m: -torch.where(m, x, 0 * x).sum(-1), "what stands under the mask"),
    "check_last_token": (lambda x, m: x.detach().gather(-1, m.sum(-1, keepdim=True) - 1)[..., 0], "the gradient is that"),
}  # fmt: skip


@pytest.mark.parametrize("law", WRONG_GRADIENTS)
def test_the_laws_see_wrong_gradients_and_traps_under_the_mask(law):
    fn, sentence = WRONG_GRADIENTS[law]
    with pytest.raises(AssertionError, match=sentence):
        getattr(laws, law)(laws.as_numpy(fn))


def test_the_values_of_the_whitening_trap_alone_are_right():
    for values, mask, _ in sequences.masked_values():
        spoiled = torch.as_tensor(np.where(mask, values, np.nan))
        got = where_after(spoiled, torch.as_tensor(mask))[torch.as_tensor(mask)]
        np.testing.assert_allclose(got, scipy.stats.zscore(values[mask]), atol=1e-6)


def test_the_estimators_divergence_is_that_of_torch():
    """The enumeration that check_kl_estimate stands on, and the value that k3 upside down has instead: chi² - KL."""
    logits = torch.tensor([[0.3, -1.0, 0.8], [1.1, 0.2, -0.4]], dtype=torch.float64)
    p, q = (torch.distributions.Categorical(logits=row) for row in logits)
    k1, k3 = (laws.expected_value(logits[0].numpy(), estimate) for estimate in _estimates(p, q))
    divergence = float(torch.distributions.kl_divergence(p, q))
    assert k1 == pytest.approx(divergence, abs=1e-12)
    assert k3 == pytest.approx(divergence, abs=1e-12)
    upside_down = laws.expected_value(logits[0].numpy(), _estimates(p, q, upside_down=True)[1])
    chi2 = float(((p.probs - q.probs) ** 2 / q.probs).sum())
    assert upside_down == pytest.approx(chi2 - divergence, abs=1e-12)
    assert abs(upside_down - divergence) > 0.05


def _estimates(p, q, upside_down=False):
    log_p, log_q = p.logits.numpy(), q.logits.numpy()
    ratio = log_p - log_q if upside_down else log_q - log_p
    return log_p - log_q, np.exp(ratio) - 1 - ratio


@pytest.mark.parametrize(("cases", "runs"), [(sequences.masked_values, False), (sequences.whole_answers, True)])
def test_masks_are_not_special(cases, runs):
    rows = np.concatenate([mask.reshape(-1, mask.shape[-1]) for _, mask, _ in cases() if mask.ndim == 3])
    assert len(set(rows.sum(-1))) >= 3, "answers of different lengths"
    assert rows.any(axis=-1).all(), "no row is empty"
    falls = np.diff(rows.astype(int), axis=-1)
    assert (falls > 0).any() != runs, "masks have holes, but for those of answers"
