"""Laws of policy optimisation: shaped rewards, generalised advantages, the two clipped losses, answers that are each other's
baseline. Rows are answers: `mask` says which tokens are theirs, from the left, and what stands elsewhere is spoiled.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from rlhw.laws.oracles import (
    Array,
    TorchFunction,
    assert_close,
    expected_value,
    gradient_of,
    numerical_gradient,
    policies,
    probabilities_of,
)
from rlhw.laws.sequences import SPOILS


def answers(seed: int = 22) -> Iterator[tuple[Array, Array, np.random.Generator]]:
    """Values "B K R" and the masks of answers: from the left, of one token to the whole width, as an answer that was cut."""
    rng = np.random.default_rng(seed)
    for width, lengths in ((4, [[1, 4, 2], [3, 2, 4]]), (4, [[2], [4], [1]]), (1, [[1, 1]])):
        mask = np.arange(width) < np.array(lengths)[..., None]
        yield 2.0 * rng.standard_normal(mask.shape) + 1.0, mask, rng


def check_shaped_rewards(shaped_rewards: Callable) -> None:
    """(scores, logprobs, ref_logprobs, mask, beta) -> a reward for each token: minus beta times the log-ratio, and the score
    at the last one; together score - beta log pi(y)/pi_ref(y); zero under the mask, whatever stands there.
    """
    for (values, mask, rng), beta in product(answers(), (0.13, 1.7)):
        scores = rng.standard_normal(mask.shape[:-1]) + 2.0
        logprobs, ref_logprobs = -np.abs(values), -rng.exponential(size=mask.shape)
        log_ratios = np.where(mask, logprobs - ref_logprobs, 0.0)
        rewards = shaped_rewards(scores, logprobs, ref_logprobs, mask, beta)
        law = "an answer's rewards add up to its score less beta times its log-ratio"
        kept = np.where(mask, rewards, 0.0).sum(-1)
        assert_close(kept, scores - beta * log_ratios.sum(-1), law)
        raised = shaped_rewards(scores + 1.0, logprobs, ref_logprobs, mask, beta)
        last = mask & (np.cumsum(mask, -1) == mask.sum(-1, keepdims=True))
        law = "the score comes at the answer's last token, and nowhere else"
        assert_close(np.where(mask, raised, 0.0) - np.where(mask, rewards, 0.0), last, law)
        expected = np.where(last, scores[..., None], 0.0) - beta * log_ratios
        law = "a token's reward is minus beta times its log-ratio"
        assert_close(np.where(mask, rewards, 0.0), expected, law)
        for spoil in SPOILS:
            spoiled = shaped_rewards(
                scores, np.where(mask, logprobs, spoil), np.where(mask, ref_logprobs, -1.0), mask, beta
            )
            assert_close(spoiled, expected, "there is no reward under the mask, whatever stands there")
            spoiled = shaped_rewards(scores, logprobs, np.where(mask, ref_logprobs, spoil), mask, beta)
            assert_close(spoiled, expected, "there is no reward under the mask, whatever stands there")


def advantages_by_definition(rewards: Array, values: Array, gamma: float, lam: float) -> Array:
    """Of one answer, its own tokens only: sum over l of (gamma lambda)^l delta_{t+l}, with V = 0 after the last token."""
    after = np.append(values[1:], 0.0)
    deltas = rewards + gamma * after - values
    steps = range(len(deltas))
    return np.array([sum((gamma * lam) ** (later - t) * deltas[later] for later in steps[t:]) for t in steps])


def returns_by_definition(rewards: Array, gamma: float) -> Array:
    """Of one answer: the discounted sum of its rewards from each token on."""
    steps = range(len(rewards))
    return np.array([sum(gamma ** (later - t) * rewards[later] for later in steps[t:]) for t in steps])


def by_answer(fn: Callable, mask: Array, *tables: Array) -> Array:
    """`fn` of each answer's own tokens, zeros behind them."""
    whole = np.zeros(mask.shape)
    for row in np.ndindex(mask.shape[:-1]):
        whole[row][mask[row]] = fn(*(table[row][mask[row]] for table in tables))
    return whole


def check_gae(gae: Callable) -> None:
    """(rewards, values, mask, gamma, lam) -> (advantages, returns): the sum over l of (gamma lam)^l delta_{t+l}, and that plus
    the value; V is 0 after the last token, also where the answer was cut; zero under the mask, whatever stands there.
    """
    for (values, mask, rng), gamma in product(answers(), (1.0, 0.8)):
        rewards = rng.standard_normal(mask.shape) - 0.5
        advantages, _ = gae(rewards, values, mask, gamma, 0.0)
        after = np.zeros(mask.shape)
        after[..., :-1] = np.where(mask, values, 0.0)[..., 1:]
        errors = rewards + gamma * after - values
        law = "with lambda = 0 the advantage is the TD error, and the value after an answer's last token is 0"
        assert_close(np.where(mask, advantages, 0.0), np.where(mask, errors, 0.0), law)
        advantages, _ = gae(rewards, values, mask, gamma, 1.0)
        monte_carlo = by_answer(lambda r, v, gamma=gamma: returns_by_definition(r, gamma) - v, mask, rewards, values)
        law = "with lambda = 1 the advantage is the Monte Carlo return minus the value"
        assert_close(np.where(mask, advantages, 0.0), monte_carlo, law)
        for lam in (0.35, 0.95):
            _between(gae, rewards, values, mask, gamma, lam)


def _between(gae: Callable, rewards: Array, values: Array, mask: Array, gamma: float, lam: float) -> None:
    """The definition, the returns, what stands under the mask, and where no gradient goes."""
    advantages, returns = gae(rewards, values, mask, gamma, lam)
    expected = by_answer(lambda r, v: advantages_by_definition(r, v, gamma, lam), mask, rewards, values)
    law = "the advantage is the sum over l of (gamma lambda)^l times the TD error l tokens later"
    assert_close(np.where(mask, advantages, 0.0), expected, law)
    targets = np.where(mask, expected + values, 0.0)
    assert_close(np.where(mask, returns, 0.0), targets, "the returns are the advantages plus the values")
    for spoil in SPOILS:
        bad = gae(np.where(mask, rewards, spoil), np.where(mask, values, spoil), mask, gamma, lam)
        for got, clean in zip(bad, (expected, targets), strict=True):
            assert_close(got, clean, "what stands under the mask changes nothing, and there all is zero")
    if isinstance(gae, TorchFunction):
        weights = np.ones((2, *mask.shape))
        gradient = gradient_of(gae, rewards, values, mask, gamma, lam, weights=weights, argument=1)
        assert_close(gradient, np.zeros(mask.shape), "no gradient flows to the values", tolerance=0.0)


def ratios_and_advantages(clip: float) -> tuple[Array, Array]:
    """Every ratio on either side of 1 - clip, 1 and 1 + clip, with advantages of both signs, as two "R A" tables."""
    ratios = np.array([0.05, 1 - 1.6 * clip, 1 - 0.4 * clip, 1.0, 1 + 0.4 * clip, 1 + 1.6 * clip, 7.0])
    advantages = np.array([-2.3, -0.4, 0.0, 0.7, 1.9])
    return np.broadcast_arrays(ratios[:, None], advantages)


def check_clipped_policy_loss(clipped_policy_loss: Callable) -> None:
    """(logprobs, old_logprobs, advantages, clip) -> a loss for each token: minus the lesser of ratio and clipped ratio times
    the advantage. Its gradient is -ratio A, but zero exactly where A > 0 and ratio > 1 + clip, or A < 0 and ratio < 1 - clip.
    """
    rng = np.random.default_rng(18)
    for clip in (0.1, 0.2, 0.45):
        ratios, advantages = ratios_and_advantages(clip)
        old = -rng.exponential(size=ratios.shape) - 0.1
        weights = rng.standard_normal(ratios.shape)
        law = "at the old policy the loss of a token is minus its advantage"
        assert_close(clipped_policy_loss(old, old, advantages, clip), -advantages, law)
        at_old = gradient_of(clipped_policy_loss, old, old, advantages, clip, weights=weights)
        law = "at the old policy the gradient is that of the policy, -A grad log pi"
        assert_close(at_old, -weights * advantages, law, tolerance=1e-7)
        new = old + np.log(ratios)
        # Case by case, without a minimum: with A > 0 only 1 + clip can bind, with A < 0 only 1 - clip.
        far = np.where(advantages > 0, ratios > 1 + clip, ratios < 1 - clip)
        bound = np.where(advantages > 0, 1 + clip, 1 - clip)
        law = "the loss is minus the lesser of ratio times A and clipped ratio times A"
        assert_close(clipped_policy_loss(new, old, advantages, clip), -np.where(far, bound, ratios) * advantages, law)
        slope = gradient_of(clipped_policy_loss, new, old, advantages, clip, weights=weights)
        expected = np.where(far, 0.0, -weights * ratios * advantages)
        law = "the gradient is zero where A > 0 and the ratio is above 1 + clip, or A < 0 and it is below 1 - clip"
        assert_close(slope[far], expected[far], law, tolerance=1e-7)
        law = (
            "elsewhere the gradient is -ratio A, also where A > 0 and the ratio is below 1 - clip: there it pulls back"
        )
        assert_close(slope[~far], expected[~far], law, tolerance=1e-7)


def check_clipped_value_loss(clipped_value_loss: Callable) -> None:
    """(values, old_values, returns, clip) -> half the greater of two squares, with V and with V held within clip of V_old;
    the gradient is V - R, but zero where V is more than clip away from V_old and the held one is the worse.
    """
    rng = np.random.default_rng(19)
    for clip in (0.15, 0.6):
        steps = clip * np.array([-2.7, -1.4, -0.5, 0.0, 0.3, 1.3, 3.1])
        # Returns behind, between and beyond the values, none of them where the two squares are equal.
        gaps = clip * np.array([-4.3, -1.8, -0.7, 0.2, 0.9, 2.1, 5.7])
        old = rng.standard_normal((7, 7))
        values, returns = old + steps[:, None], old + gaps
        near = old + np.clip(steps, -clip, clip)[:, None]
        held = np.abs(near - returns) > np.abs(values - returns)
        law = "within clip of the old value the loss is half the squared error"
        inside = np.abs(steps) < clip
        loss = clipped_value_loss(values, old, returns, clip)
        assert_close(loss[inside], (values - returns)[inside] ** 2 / 2, law)
        law = "beyond it the loss is half the greater of the two squared errors"
        assert_close(loss, np.where(held, near - returns, values - returns) ** 2 / 2, law)
        weights = rng.standard_normal(old.shape)
        slope = gradient_of(clipped_value_loss, values, old, returns, clip, weights=weights)
        law = "the gradient is V - R, and zero where the held value is the worse"
        assert_close(slope, np.where(held, 0.0, weights * (values - returns)), law, tolerance=1e-7)


def groups(seed: int = 20) -> Iterator[Array]:
    """Rewards "*B K" of 2 to 6 answers, uncentred, of different spread from prompt to prompt."""
    rng = np.random.default_rng(seed)
    for shape in ((2,), (3, 3), (2, 2, 4), (4, 6)):
        spread = rng.uniform(0.5, 3.0, size=(*shape[:-1], 1))
        yield spread * rng.standard_normal(shape) + 3.0 * rng.standard_normal((*shape[:-1], 1)) + 1.0


def mean_estimate(advantages_of: Callable, logits: Array, rewards: Array, k: int) -> Array:
    """E over K answers of (1/K) sum A_i grad log pi(y_i), by enumeration of all tuples of arms of a softmax policy."""
    p, arms = probabilities_of(logits), range(len(logits))
    scores = np.eye(len(logits)) - p
    tuples = np.array(list(product(arms, repeat=k)))
    advantages = np.asarray(advantages_of(rewards[tuples]))
    return np.einsum("n,nk,nka->a", p[tuples].prod(-1), advantages, scores[tuples]) / k


def check_rloo_advantages(rloo_advantages: Callable) -> None:
    """Rewards "*B K" -> each less the mean of the others, K/(K - 1) (r - mean): they sum to zero, and the mean over all samples
    of (1/K) sum A_i grad log pi(y_i) is the policy gradient, by enumeration.
    """
    for rewards in groups():
        k = rewards.shape[-1]
        advantages = rloo_advantages(rewards)
        others = np.stack([np.delete(rewards, i, -1).mean(-1) for i in range(k)], -1)
        assert_close(advantages, rewards - others, "an answer's advantage is its reward less the mean of the others")
        assert_close(np.sum(advantages, -1), np.zeros(rewards.shape[:-1]), "the advantages of a prompt sum to zero")
        assert_close(rloo_advantages(rewards + 4.0), advantages, "a number added to all rewards changes nothing")
    for (logits, rng), k in zip(policies(seed=21), (2, 3, 4, 3, 2, 3, 2, 3, 2, 2), strict=True):
        rewards = rng.standard_normal(len(logits)) + 2.0
        exact = numerical_gradient(lambda z, r=rewards: float(expected_value(z, r)), logits)
        law = "the estimate is unbiased: its mean over all samples is the policy gradient"
        assert_close(mean_estimate(rloo_advantages, logits, rewards, k), exact, law, tolerance=1e-7)


def check_group_advantages(group_advantages: Callable) -> None:
    """Rewards "*B K" and scale=True -> mean 0 and standard deviation 1 (with K - 1) in each group, to 1e-3: a small number may
    stand beside the deviation; zero where all are equal; scale=False takes off the mean only.
    """
    for rewards in groups():
        plain = group_advantages(rewards, scale=False)
        means = rewards.mean(-1, keepdims=True)
        assert_close(plain, rewards - means, "without the scale the advantage is the reward less the mean of its group")
        advantages = np.asarray(group_advantages(rewards))
        assert_close(advantages.mean(-1), np.zeros(rewards.shape[:-1]), "the advantages of a group have mean zero")
        law = "the advantages of a group have standard deviation one, with K - 1 in the denominator"
        assert_close(advantages.std(-1, ddof=1), np.ones(rewards.shape[:-1]), law, tolerance=1e-3)
        law = "the scaled advantage is the reward less the mean of its group, over its deviation"
        expected = (rewards - means) / rewards.std(-1, ddof=1, keepdims=True)
        assert_close(advantages, expected, law, tolerance=1e-3)
        shifted = group_advantages(3.0 * rewards - 4.0, scale=True)
        law = "rewards in other units, from another zero, give the same advantages"
        assert_close(shifted, advantages, law, tolerance=1e-3)
    equal = np.array([[0.25, 0.25, 0.25], [-3.5, -3.5, -3.5]])
    for scale in (True, False):
        law = "where all rewards of a group are equal there is nothing to learn: zero"
        assert_close(group_advantages(equal, scale=scale), np.zeros((2, 3)), law)
