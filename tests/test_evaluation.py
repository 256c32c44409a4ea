"""Evaluation against what others have written (statsmodels, scipy, torch), its coverage, and J* on a table of answers."""

import math
from itertools import product

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from statsmodels.stats.proportion import proportion_confint

from rlhw import laws
from rlhw.evaluation import (
    attainable,
    best_of_n_kl,
    best_of_n_reward,
    bootstrap_interval,
    effective_samples,
    frontier,
    tilted,
    win_rate,
)
from rlhw.laws import evaluation
from rlhw.logprobs import sequence_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers


def statsmodels_rate(wins, losses, ties=0, confidence=0.95):
    n = wins + losses + ties
    low, _ = proportion_confint(wins + ties // 2, n, 1 - confidence, method="wilson")
    _, high = proportion_confint(wins + (ties + 1) // 2, n, 1 - confidence, method="wilson")
    return (wins + 0.5 * ties) / n, low, high


def percentile_bootstrap(values, rng, statistic=np.mean, confidence=0.95):
    rows = rng.choice(values, (5000, len(values)))
    return tuple(np.quantile(statistic(rows, axis=1), [(1 - confidence) / 2, (1 + confidence) / 2]))


def tilted_by_torch(ref, rewards, beta):
    logits = torch.tensor(ref).log() + torch.tensor(rewards) / beta
    return torch.distributions.Categorical(logits=logits).probs.numpy()


def attainable_by_torch(rewards, beta, log_weights=None):
    exponents = torch.tensor(rewards) / beta + (0.0 if log_weights is None else torch.tensor(log_weights))
    values = beta * (torch.logsumexp(exponents, 1) - math.log(exponents.shape[1]))
    return float(values.mean()), float(scipy.stats.sem(values.numpy()))


def kish(rewards, beta, log_weights=None):
    """Kish's N/(1 + squared coefficient of variation of the weights)."""
    weights = scipy.special.softmax(rewards / beta + (0.0 if log_weights is None else log_weights), axis=1)
    return weights.shape[1] / (1 + scipy.stats.variation(weights, axis=1) ** 2)


def order_statistic(probs, rewards, n):
    """Levels, the chance of each, and that of the greatest of n: of n uniform numbers the greatest is beta-distributed."""
    levels = np.unique(rewards)
    heaps = np.searchsorted(levels, rewards)
    share = np.zeros(len(levels))
    np.add.at(share, heaps, probs)
    return levels, share, np.diff(scipy.stats.beta(n, 1).cdf(np.append(0.0, share.cumsum())))


def kl_by_scipy(probs, rewards, n):
    _, share, best = order_statistic(probs, rewards, n)
    return float(scipy.special.rel_entr(best[share > 0], share[share > 0]).sum())


def reward_by_scipy(probs, rewards, n):
    levels, _, best = order_statistic(probs, rewards, n)
    return float(levels @ best)


def frontier_by_derivatives(probs, rewards, betas):
    """With A(t) = log E_ref[exp(t r)], t = 1/β: the reward is A'(t), the KL t A'(t) - A(t)."""
    points = []
    for t in 1 / betas:
        weights = probs * np.exp(t * rewards)
        slope = (weights @ rewards) / weights.sum()
        points.append((t * slope - np.log(weights.sum()), slope))
    return tuple(np.array(points).T)


OTHERS = {
    "check_tilted": [tilted_by_torch],
    "check_attainable": [attainable_by_torch],
    "check_effective_samples": [kish],
    "check_best_of_n_kl": [kl_by_scipy],
    "check_best_of_n_reward": [reward_by_scipy],
    "check_frontier": [frontier_by_derivatives],
    "check_win_rate": [statsmodels_rate],
    "check_bootstrap_interval": [percentile_bootstrap],
}


@pytest.mark.parametrize("law", OTHERS)
def test_the_laws_accept_other_peoples_functions(law):
    for fn in OTHERS[law]:
        with np.errstate(divide="ignore"):
            getattr(laws, law)(fn)


def test_win_rate_is_statsmodels_interval():
    for wins, losses in product((0, 1, 7, 60), (2, 19, 40)):
        for confidence in (0.95, 0.8):
            ours, theirs = (fn(wins, losses, 0, confidence) for fn in (win_rate, statsmodels_rate))
            assert ours == pytest.approx(theirs, abs=1e-9)
            wald = proportion_confint(wins, wins + losses, 1 - confidence, method="normal")
            assert ours[1:] != pytest.approx(wald, abs=1e-3)
    assert [round(x, 2) for win, loss in ((7, 0), (6, 1), (4, 3)) for x in win_rate(win, loss)[1:]] == [
        0.65, 1.0, 0.49, 0.97, 0.25, 0.84,
    ]  # fmt: skip


def coverage(interval, chances, n):
    """The exact chance that the interval of n comparisons holds p + ties/2: a sum over all counts of wins, losses, ties."""
    truth = chances[0] + chances[2] / 2
    held = 0.0
    for wins in range(n + 1):
        for losses in range(n + 1 - wins):
            ties = n - wins - losses
            _, low, high = interval(wins, losses, ties)
            held += (low <= truth <= high) * scipy.stats.multinomial.pmf([wins, losses, ties], n, chances)
    return held


def test_the_win_rate_s_interval_covers_and_ties_make_it_safe():
    assert coverage(win_rate, (0.45, 0.25, 0.3), 20) > 0.95
    assert coverage(win_rate, (0.45, 0.25, 0.3), 20) > coverage(win_rate, (0.6, 0.4, 0.0), 20) > 0.93
    ties_won = coverage(lambda wins, losses, ties: win_rate(wins + ties, losses), (0.45, 0.25, 0.3), 20)
    assert ties_won < 0.8


def covered(values, statistic, truth, interval):
    rng = np.random.default_rng(0)
    ends = [interval(row, rng, statistic) for row in values]
    return sum(low <= truth <= high for low, high in ends)


def test_the_bootstrap_s_interval_covers():
    """Of 150 intervals of a skewed law's mean, 40 draws each, at least 126 hold it: false alarm below 1e-4 where the coverage
    is 0.93, which the bias-corrected bootstrap reaches here."""
    assert scipy.stats.binom(150, 0.93).cdf(125) < 1e-4
    values = np.random.default_rng(1).exponential(2.0, (150, 40))
    assert covered(values, np.mean, 2.0, bootstrap_interval) >= 126

    def half(row, rng, statistic):
        low, high = bootstrap_interval(row, rng, statistic)
        return (3 * low + high) / 4, (low + 3 * high) / 4

    assert covered(values, np.mean, 2.0, half) < 126


def test_the_interval_of_equal_values_is_that_of_the_statistic():
    rng = np.random.default_rng(0)
    assert bootstrap_interval(np.full(5, 2.0), rng) == (2.0, 2.0)
    assert bootstrap_interval(np.full(5, 2.0), rng, statistic=np.sum) == (10.0, 10.0)
    assert bootstrap_interval(np.full(5, 2.0), rng, statistic=np.std) == (0.0, 0.0)


def test_the_bound_of_best_of_n_is_loose_where_answers_are_few():
    """n = 64 where the best of 12 answers has the probability 0.3: it cannot exceed log(1/0.3), and the bound is 3.17."""
    probs = scipy.special.softmax(np.random.default_rng(2).standard_normal(12))
    bound = math.log(64) - 63 / 64
    assert best_of_n_kl(probs, probs, 64) == pytest.approx(-math.log(probs.max()), abs=1e-6)
    assert -math.log(probs.max()) < bound - 1.5
    assert best_of_n_kl(np.full(10**5, 1e-5), np.arange(1e5), 64) == pytest.approx(bound, abs=1e-3)


def test_best_of_n_lies_on_or_below_the_frontier():
    probs, rewards = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.0, 1.0, 1.0, 3.0])
    kls, earned = frontier(probs, rewards, np.geomspace(0.05, 50, 400))
    order = np.argsort(kls)
    for n in (1, 2, 5, 30):
        most = np.interp(best_of_n_kl(probs, rewards, n), kls[order], earned[order])
        assert best_of_n_reward(probs, rewards, n) <= most + 1e-3


@pytest.fixture(scope="module")
def rare():
    """A table on which the best answer to each of 6 prompts has a probability of 1e-5: (π_ref, rewards), "B A"."""
    reference = TabularLM(6, 3, generator=torch.Generator().manual_seed(5)).double()
    prompts = torch.arange(6)[:, None]
    answers = enumerate_answers(prompts, torch.ones_like(prompts, dtype=torch.bool), vocab_size=6, length=2)
    with torch.no_grad():
        # The last symbol comes first with probability 1e-5, whatever the prompt; what follows it is all but sure.
        first = torch.log_softmax(reference.table[1:7, :5], 1)
        reference.table[1:7] = torch.cat([first + math.log(1 - 1e-5), torch.full((6, 1), math.log(1e-5))], 1)
        for prompt in range(6):
            reference.table[6 * (prompt + 1) + 6, :] = torch.tensor([0.0] * 5 + [30.0])
        probs = sequence_logprobs(reference, answers).exp().numpy()
    rewards = np.random.default_rng(3).standard_normal(probs.shape) / 2
    rewards[:, -1] = 7.0
    return probs, rewards


def drawn(law, rewards, ref, n, seed):
    """Rewards "B N" of n samples of each row of `law`, and the logs of π_ref/law at them."""
    rng = np.random.default_rng(seed)
    picks = np.stack([rng.choice(len(row), n, p=row) for row in law])
    return tuple(np.take_along_axis(part, picks, 1) for part in (rewards, np.log(ref / law)))


def test_samples_of_the_reference_miss_a_rare_best_answer_and_the_mixture_finds_it(rare):
    """6 prompts of 500 samples each: that one holds the answer has a chance of 3 %; with the mixture it is every second one."""
    ref, rewards = rare
    beta = 0.4
    assert ref[:, -1] == pytest.approx(np.full(6, 1e-5), rel=1e-6)
    np.testing.assert_allclose(ref.sum(1), 1.0, atol=1e-12)
    exact = float(np.mean([evaluation.optimum(p, r, beta) for p, r in zip(ref, rewards, strict=True)]))
    blind, _ = attainable(drawn(ref, rewards, ref, 500, seed=0)[0], beta)
    assert blind < exact - 1.5
    mixture = ref / 2 + tilted(ref, rewards, beta) / 2
    samples, log_weights = drawn(mixture, rewards, ref, 500, seed=0)
    found, _ = attainable(samples, beta, log_weights)
    assert found == pytest.approx(exact, abs=0.05)
    assert (effective_samples(samples, beta, log_weights) > 100).all()
    # The effective samples of the blind estimate give no warning: nobody counts what was not seen.
    assert (effective_samples(drawn(ref, rewards, ref, 500, seed=0)[0], beta) > 50).all()
    without_weights, _ = attainable(samples, beta)
    assert without_weights > exact + 1.0


def test_the_gap_to_j_star_is_beta_times_the_kl_from_the_best_policy(rare):
    ref, rewards = rare
    beta, policy = 0.4, np.random.default_rng(6).dirichlet(np.ones(36), size=6)
    best = tilted(ref, rewards, beta)
    with_all = np.log(ref * ref.shape[1])
    j_star, _ = attainable(rewards, beta, with_all)
    rows = list(zip(policy, ref, rewards, best, strict=True))
    earned = np.mean([evaluation.objective(p, q, r, beta) for p, q, r, _ in rows])
    kl = np.mean([scipy.stats.entropy(p, star) for p, _, _, star in rows])
    assert j_star - earned == pytest.approx(beta * kl, abs=1e-9)
    upside_down = np.mean([scipy.stats.entropy(star, p) for p, _, _, star in rows])
    assert abs(j_star - earned - beta * upside_down) > 0.1
