"""The laws of policy optimisation accept what others have written (scipy, torch, TRL), and reject wrong gradients."""

from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.special
import scipy.stats
import torch
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence, unpad_sequence

from rlhw import laws
from rlhw.laws import policy_optimization


def shaped_by_unpadding(scores, logprobs, ref_logprobs, mask, beta):
    """Each answer cut out by torch, its log-ratios from scipy's x log(x/y), the score added to the last entry."""
    parts = (
        unpad_sequence(t.flatten(0, 1), mask.flatten(0, 1).sum(-1), batch_first=True) for t in (logprobs, ref_logprobs)
    )
    answers = []
    for score, p, q in zip(scores.flatten(), *parts, strict=True):
        rewards = -beta * torch.as_tensor(scipy.special.rel_entr(p.exp().numpy(), q.exp().numpy())) / p.exp()
        rewards[-1] += score
        answers.append(rewards)
    padded = pad_sequence(answers, batch_first=True)
    return functional.pad(padded, (0, mask.shape[-1] - padded.shape[-1])).reshape(mask.shape)


def gae_of_rows(discounted):
    """GAE from a function (TD errors of one answer, γλ) -> their discounted sums."""

    def gae(rewards, values, mask, gamma, lam):
        advantages = np.zeros(mask.shape)
        for row in np.ndindex(mask.shape[:-1]):
            r, v = rewards[row][mask[row]], values[row][mask[row]]
            advantages[row][mask[row]] = discounted(r + gamma * np.append(v[1:], 0.0) - v, gamma * lam)
        return advantages, np.where(mask, advantages + values, 0.0)

    return gae


def lfilter(deltas, factor):
    """The filter y_t = x_t + γλ y_{t-1}, run from the end."""
    return scipy.signal.lfilter([1.0], [1.0, -factor], deltas[::-1])[::-1]


def triangle(deltas, factor):
    """One upper triangular system: A_t - γλ A_{t+1} = δ_t."""
    return scipy.linalg.solve_triangular(np.eye(len(deltas)) - factor * np.eye(len(deltas), k=1), deltas)


def torch_gae(rewards, values, mask, gamma, lam):
    """Powers of γλ in a matrix, the values detached at the end only."""
    rewards, values = (t.masked_fill(~mask, 0.0).detach() for t in (rewards, values))
    deltas = rewards + gamma * functional.pad(values[..., 1:], (0, 1)) - values
    distance = torch.arange(mask.shape[-1])[None] - torch.arange(mask.shape[-1])[:, None]
    advantages = deltas @ torch.where(distance >= 0, (gamma * lam) ** distance.clamp(min=0).double(), 0.0).T
    return torch.stack([advantages, (advantages + values).masked_fill(~mask, 0.0)])


def clipped_by_cases(logprobs, old_logprobs, advantages, clip):
    """min(ρ A, g(A)) with g = (1 + ε) A where A >= 0, else (1 - ε) A: the other way to write it."""
    bound = torch.where(advantages >= 0, (1 + clip) * advantages, (1 - clip) * advantages)
    return -torch.min((logprobs - old_logprobs).exp() * advantages, bound)


def squared_by_torch(values, old_values, returns, clip):
    near = torch.clamp(values, old_values - clip, old_values + clip)
    losses = [functional.mse_loss(v, returns, reduction="none") for v in (values, near)]
    return 0.5 * torch.max(*losses)


def others_by_matrix(rewards):
    k = rewards.shape[-1]
    return rewards @ (np.eye(k) - (np.ones((k, k)) - np.eye(k)) / (k - 1))


def zscores(rewards, scale=True):
    if not scale:
        return scipy.signal.detrend(rewards, type="constant")
    return np.nan_to_num(scipy.stats.zscore(rewards, axis=-1, ddof=1))


OTHERS = {
    "check_shaped_rewards": [laws.as_numpy(shaped_by_unpadding)],
    "check_gae": [gae_of_rows(lfilter), gae_of_rows(triangle), laws.as_numpy(torch_gae)],
    "check_clipped_policy_loss": [laws.as_numpy(clipped_by_cases)],
    "check_clipped_value_loss": [laws.as_numpy(squared_by_torch)],
    "check_rloo_advantages": [others_by_matrix],
    "check_group_advantages": [zscores],
}


@pytest.mark.parametrize("law", OTHERS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_laws_accept_other_peoples_functions(law):
    for fn in OTHERS[law]:
        getattr(laws, law)(fn)


def trl_loss(logprobs, old_logprobs, advantages, clip):
    """The loss of TRL's RLOO trainer, one answer of one token at a time."""
    from trl.trainer.rloo_trainer import RLOOTrainer

    same = SimpleNamespace(reduce=lambda tensor, reduction: tensor, gather=lambda tensor: tensor)
    losses = []
    for new, old, advantage in zip(logprobs.flatten(), old_logprobs.flatten(), advantages.flatten(), strict=True):
        trainer = SimpleNamespace(
            aux_loss_enabled=False, epsilon_low=clip, epsilon_high=clip, model=SimpleNamespace(training=False),
            accelerator=same, _metrics=defaultdict(lambda: defaultdict(list)),
            _get_per_token_logps_and_entropies=lambda *a, new=new, **k: (new.view(1, 1), torch.zeros(1, 1), None),
        )  # fmt: skip
        one = torch.ones(1, 1, dtype=torch.long)
        inputs = {"prompt_ids": one, "prompt_mask": one, "completion_ids": one, "completion_mask": one}
        inputs |= {"old_logps": old.view(1), "advantages": advantage.view(1)}
        losses.append(RLOOTrainer._compute_loss(trainer, None, inputs))
    return torch.stack(losses).view(logprobs.shape)


def trl_groups(rewards, scale=True):
    """As in TRL's GRPO trainer, with its own deviation and its 1e-4."""
    from trl.trainer.utils import nanstd

    deviations = rewards - torch.nanmean(rewards, dim=-1, keepdim=True)
    return deviations / (nanstd(rewards, dim=-1).unsqueeze(-1) + 1e-4) if scale else deviations


def test_the_laws_accept_trl():
    laws.check_clipped_policy_loss(laws.as_numpy(trl_loss))
    laws.check_group_advantages(laws.as_numpy(trl_groups))


def with_gradient(value, gradient):
    """The value of one function, the gradient of another."""

    def mixed(*inputs):
        follower = gradient(*inputs)
        return value(*inputs).detach() + follower - follower.detach()

    return mixed


def ratio_times(logprobs, old_logprobs, advantages, clip):
    return -(logprobs - old_logprobs).exp() * advantages


def stopped_outside(logprobs, old_logprobs, advantages, clip):
    """No gradient outside the range, also where it would pull back."""
    ratio = (logprobs - old_logprobs).exp()
    return torch.where((ratio - 1).abs() > clip, ratio.detach(), ratio) * -advantages


def gae_with_gradient(rewards, values, mask, gamma, lam):
    advantages, returns = torch_gae(rewards, values, mask, gamma, lam)
    live = torch.where(mask, values, 0.0)
    return torch.stack([advantages - live + live.detach(), returns])


WRONG_GRADIENTS = {
    "values not detached": ("check_gae", gae_with_gradient, "no gradient flows to the values"),
    "returns not detached": (
        "check_gae",
        lambda r, v, m, gamma, lam: torch.stack([torch_gae(r, v, m, gamma, lam)[0],
                                                 torch_gae(r, v, m, gamma, lam)[1] + torch.where(m, v - v.detach(), 0.0)]),
        "no gradient flows to the values",
    ),
    "ratio held fast": (
        "check_clipped_policy_loss",
        lambda p, q, a, clip: clipped_by_cases(p.detach(), q, a, clip),
        "at the old policy the gradient",
    ),
    "gradient through the clip": (
        "check_clipped_policy_loss",
        with_gradient(clipped_by_cases, ratio_times),
        "the gradient is zero where A > 0 and the ratio is above",
    ),
    "no gradient outside, be it to pull back": (
        "check_clipped_policy_loss",
        with_gradient(clipped_by_cases, stopped_outside),
        "elsewhere the gradient is -ratio A, also where A > 0 and the ratio is below",
    ),
    "value gradient through the clip": (
        "check_clipped_value_loss",
        with_gradient(squared_by_torch, lambda v, old, r, clip: (v - r).square() / 2),
        "zero where the held value is the worse",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_the_laws_see_wrong_gradients(name):
    law, fn, sentence = WRONG_GRADIENTS[name]
    with pytest.raises(AssertionError, match=sentence):
        getattr(laws, law)(laws.as_numpy(fn))


def test_advantages_by_definition_are_the_filter_and_the_returns_a_polynomial():
    rng = np.random.default_rng(0)
    rewards, values = rng.standard_normal((2, 6))
    deltas = rewards + 0.9 * np.append(values[1:], 0.0) - values
    got = policy_optimization.advantages_by_definition(rewards, values, 0.9, 0.7)
    np.testing.assert_allclose(got, lfilter(deltas, 0.9 * 0.7), atol=1e-12)
    by_powers = [np.polynomial.Polynomial(rewards[t:])(0.9) for t in range(6)]
    np.testing.assert_allclose(policy_optimization.returns_by_definition(rewards, 0.9), by_powers, atol=1e-12)


def test_the_mean_over_all_samples_is_that_of_autograd_and_a_group_mean_shrinks_it():
    """What check_rloo_advantages stands on; with itself in the mean the estimate is (K - 1)/K of the gradient, no more."""
    logits, rewards = torch.tensor([0.4, -1.0, 0.9], dtype=torch.float64, requires_grad=True), np.array([2.0, 3.5, 1.0])
    value = (torch.softmax(logits, 0) * torch.as_tensor(rewards)).sum()
    (exact,) = torch.autograd.grad(value, logits)
    for k in (2, 4):
        for fn, factor in ((others_by_matrix, 1.0), (lambda r: zscores(r, scale=False), (k - 1) / k)):
            got = policy_optimization.mean_estimate(fn, logits.detach().numpy(), rewards, k)
            np.testing.assert_allclose(got, factor * exact.numpy(), atol=1e-12)
        scaled = policy_optimization.mean_estimate(
            lambda r: r - r.max(-1, keepdims=True), logits.detach().numpy(), rewards, k
        )
        assert np.abs(scaled - exact.numpy()).max() > 1e-2, "the best of all, itself included, is no baseline"


def test_the_cases_are_not_special():
    masks = [mask for _, mask, _ in policy_optimization.answers()]
    assert {mask.shape[-1] for mask in masks} == {1, 4}
    masks = np.concatenate([mask.reshape(-1, 4) for mask in masks if mask.shape[-1] == 4])
    assert set(masks.sum(-1)) == {1, 2, 3, 4}, "answers of one token, and cut ones as long as the row"
    assert (np.diff(masks.astype(int), axis=-1) <= 0).all(), "a run from the left"
    for clip in (0.1, 0.2, 0.45):
        ratios, advantages = policy_optimization.ratios_and_advantages(clip)
        pairs = zip(ratios.flat, advantages.flat, strict=True)
        zones = {(int(np.sign(a)), int(ratio > 1 + clip) - int(ratio < 1 - clip)) for ratio, a in pairs}
        assert len(zones) == 9, "each sign of the advantage below, within and above the range"
        kinks = np.minimum(np.abs(ratios - 1 - clip), np.abs(ratios - 1 + clip))
        assert kinks.min() > 0.03, "differences stay on one side of a kink"
    assert {rewards.shape[-1] for rewards in policy_optimization.groups()} == {2, 3, 4, 6}
