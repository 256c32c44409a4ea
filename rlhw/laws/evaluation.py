"""Laws of what a policy is measured by: π*, J*, best of n, the frontier of reward and KL, win rates and intervals.

Answers are few enough to be enumerated: a best of n is a sum over all n-tuples of them, and an objective a sum over answers.
"""

from collections.abc import Callable, Iterator
from itertools import product
from statistics import NormalDist

import numpy as np

from rlhw.laws.oracles import Array, assert_close


def worlds(seed: int = 30) -> Iterator[tuple[Array, Array, float, np.random.Generator]]:
    """Probabilities "A" of all answers under a reference, their rewards "A", and β; with the generator."""
    rng = np.random.default_rng(seed)
    for answers, beta in ((2, 0.8), (4, 0.3), (5, 2.5)):
        yield rng.dirichlet(np.full(answers, 2.0)), 1.0 + 1.5 * rng.standard_normal(answers), beta, rng


def divergence(p: Array, q: Array) -> float:
    """KL(p‖q) in nats; terms with p = 0 are 0."""
    here = p > 0
    return float(np.sum(p[here] * np.log(p[here] / q[here])))


def objective(policy: Array, ref: Array, rewards: Array, beta: float) -> float:
    """J(π) = E_π[r] - β KL(π‖π_ref)."""
    return float(policy @ rewards) - beta * divergence(policy, ref)


def optimum(ref: Array, rewards: Array, beta: float) -> float:
    """J* = β log Σ_y π_ref(y) exp(r(y)/β), in extended precision."""
    z = np.sum(ref * np.exp(np.asarray(rewards, dtype=np.longdouble) / beta))
    return float(beta * np.log(z))


def rivals(policy: Array, ref: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Policies near a policy, between it and the reference, and far from both."""
    for share in (0.01, 0.3, 1.0):
        for other in (ref, rng.dirichlet(np.ones(len(ref))), rng.dirichlet(np.ones(len(ref)))):
            yield (1 - share) * policy + share * other


def check_tilted(tilted: Callable) -> None:
    """π*(y) ∝ π_ref(y) exp(r(y)/β): no policy has a greater J, and a policy's J falls short by β KL(π‖π*)."""
    for ref, rewards, beta, rng in worlds():
        best = tilted(ref, rewards, beta)
        assert_close(np.sum(best), 1.0, "the probabilities of all answers sum to one")
        weights = ref * np.exp(np.asarray(rewards, dtype=np.longdouble) / beta)
        law = "an answer's probability is in proportion to the reference's times exp(r/β)"
        assert_close(best, (weights / weights.sum()).astype(float), law)
        assert_close(objective(best, ref, rewards, beta), optimum(ref, rewards, beta), "its J is J*")
        for other in rivals(best, ref, rng):
            short = optimum(ref, rewards, beta) - objective(other, ref, rewards, beta)
            law = "any other policy falls short of J* by β times its KL from this one"
            assert_close(short, beta * divergence(other, best), law)
        lifted = tilted(ref, rewards + 7.0, beta)
        assert_close(lifted, best, "a number added to all rewards changes nothing")
    rows, rewards = np.array([[0.2, 0.8], [0.5, 0.5]]), np.array([[1.0, 0.0], [0.0, 3.0]])
    one_by_one = np.stack([tilted(*row, 0.7) for row in zip(rows, rewards, strict=True)])
    assert_close(tilted(rows, rewards, 0.7), one_by_one, "each row is a prompt of its own, normalised by itself")
    never = tilted(np.array([0.0, 0.3, 0.7]), np.array([9.0, 1.0, 1.0]), 0.5)
    assert_close(never, np.array([0.0, 0.3, 0.7]), "what the reference never says keeps the probability zero")
    far = tilted(np.array([0.9, 0.1]), np.array([0.0, 30.0]), 0.01)
    assert_close(far, np.array([0.0, 1.0]), "rewards of thousands of β are no danger")


def _of_one_prompt(attainable: Callable, rewards: Array, beta: float, log_weights: Array | None = None) -> float:
    """J* as estimated for one prompt: the prompt is given twice, for a single one has no standard error."""
    if log_weights is not None:
        log_weights = np.stack([log_weights] * 2)
    return attainable(np.stack([rewards] * 2), beta, log_weights)[0]


def check_attainable(attainable: Callable) -> None:
    """J* exact where all answers are given with their weights, above every J(π); unbiased in Z; the standard error."""
    for ref, rewards, beta, rng in worlds(seed=31):
        best = _of_one_prompt(attainable, rewards, beta, np.log(ref * len(ref)))
        law = "with every answer given once, weighted by π_ref over its share, J* is exact"
        assert_close(best, optimum(ref, rewards, beta), law)
        for policy in rivals(ref, ref, rng):
            gap, beyond = best - objective(policy, ref, rewards, beta), 1e-9
            assert gap >= -beyond, f"no policy has a greater J than J*; yours is {-gap:.6g} below one that is known."
        _unbiased(attainable, ref, rewards, beta)
    shares, beta = np.array([1, 4, 3]), 0.4
    samples = np.repeat([2.0, -1.0, 0.5], shares)
    law = "samples that hold each answer as often as the reference says it need no weights"
    exact = optimum(shares / 8, np.array([2.0, -1.0, 0.5]), beta)
    assert_close(_of_one_prompt(attainable, samples, beta), exact, law)
    levels = np.array([[3.0] * 4, [-1.0] * 4, [2.5] * 4])
    j_star, error = attainable(levels, 0.3)
    assert_close(j_star, 1.5, "where all samples of a prompt earn the same, J* is the mean over the prompts")
    deviation = np.sqrt(((levels[:, 0] - 1.5) ** 2).sum() / 2)
    law = "the standard error is the prompts' standard deviation, over one less than their number, by the root of that number"
    assert_close(error, deviation / np.sqrt(3.0), law)
    far = attainable(np.array([[30.0, 0.0], [0.0, 30.0]]), 0.01)
    assert_close(far, (30.0 - 0.01 * np.log(2.0), 0.0), "rewards of thousands of β are no danger")


def _unbiased(attainable: Callable, ref: Array, rewards: Array, beta: float) -> None:
    """Samples of the mixture q = ½ π_ref + ½ π, all pairs of them: the mean of exp(J/β) under q is Z."""
    mixture = ref / 2 + np.roll(ref, 1) / 2
    mean = 0.0
    for draws in product(range(len(ref)), repeat=2):
        drawn = np.array(draws)
        estimate = _of_one_prompt(attainable, rewards[drawn], beta, np.log(ref[drawn] / mixture[drawn]))
        mean += np.prod(mixture[drawn]) * np.exp(estimate / beta)
    law = "for samples of a mixture, weighted by π_ref over it, exp(J*/β) has the mean Z"
    assert_close(mean, np.exp(optimum(ref, rewards, beta) / beta), law)


def check_effective_samples(effective_samples: Callable) -> None:
    """(Σ w)²/Σ w²: k equal weights among ones that do not count are k samples; N at most, 1 at least."""
    for equal in (1, 3, 6):
        rewards = np.full((2, 6), -400.0)
        rewards[:, :equal] = [[1.0], [5.0]]
        law = "where some samples are equal and the others do not count, it is the number of the equal ones"
        assert_close(effective_samples(rewards, 0.3), np.full(2, float(equal)), law)
    rng = np.random.default_rng(32)
    for beta in (0.4, 3.0):
        rewards, log_weights = rng.standard_normal((2, 3, 7))
        for weights in (None, log_weights):
            exponents = rewards / beta + (0.0 if weights is None else weights)
            shares = np.exp(exponents) / np.exp(exponents).sum(axis=1, keepdims=True)
            law = "it is one over the chance that two draws in proportion to the weights are the same sample"
            assert_close(effective_samples(rewards, beta, weights), 1 / (shares**2).sum(axis=1), law)
    far = effective_samples(np.array([[50.0, 50.0, -50.0]]), 0.01)
    assert_close(far, np.array([2.0]), "rewards of thousands of β are no danger")


def best_of_n(probs: Array, rewards: Array, n: int) -> Array:
    """The law of the best of n samples, ties broken at random: the sum over all n-tuples of answers."""
    law = np.zeros(len(probs))
    for draws in product(range(len(probs)), repeat=n):
        drawn = np.array(draws)
        best = drawn[rewards[drawn] == rewards[drawn].max()]
        np.add.at(law, best, np.prod(probs[drawn]) / len(best))
    return law


def contests() -> Iterator[tuple[Array, Array, int]]:
    """Probabilities and rewards of answers with and without ties, in no order, one answer impossible; and n."""
    rng = np.random.default_rng(33)
    for rewards in ([0.7, -1.0, 2.0], [1.0, 3.0, 1.0, 0.5], [2.0, 2.0], [0.3, 5.0, -2.0, 0.3]):
        probs = rng.dirichlet(np.full(len(rewards), 2.0))
        if rewards[1] == 5.0:
            probs = np.array([0.4, 0.0, 0.35, 0.25])
        for n in (1, 2, 3, 5):
            yield probs, np.array(rewards), n


def check_best_of_n_kl(best_of_n_kl: Callable) -> None:
    """KL(best of n‖π_ref) by enumeration, ties too; 0 at n = 1; at most log n - (n - 1)/n, reached by many answers."""
    for probs, rewards, n in contests():
        found, exact = best_of_n_kl(probs, rewards, n), divergence(best_of_n(probs, rewards, n), probs)
        law = "it is the KL of the best of n from the reference, ties broken at random"
        assert_close(found, exact, law)
        bound = np.log(n) - (n - 1) / n
        assert found <= bound + 1e-9, f"log n - (n - 1)/n is an upper bound; yours is {found:.6g} above {bound:.6g}."
    many = best_of_n_kl(np.full(20_000, 1 / 20_000), np.arange(20_000.0)[::-1], 7)
    law = "with very many answers and no ties it is log n - (n - 1)/n"
    assert_close(many, np.log(7.0) - 6 / 7, law, tolerance=1e-3)
    assert_close(best_of_n_kl(np.full(5, 0.2), np.ones(5), 9), 0.0, "where all rewards are equal nothing is chosen")


def check_best_of_n_reward(best_of_n_reward: Callable) -> None:
    """E[the greatest of n rewards], by enumeration; E[r] at n = 1."""
    for probs, rewards, n in contests():
        exact = best_of_n(probs, rewards, n) @ rewards
        law = "it is the expected greatest reward of n samples"
        assert_close(best_of_n_reward(probs, rewards, n), exact, law)


def check_frontier(frontier: Callable) -> None:
    """(KL(π*‖π_ref), E_{π*}[r]) at each β, in their order: no policy lies above, and the slope of the curve is β."""
    for ref, rewards, _, rng in worlds(seed=34):
        betas = np.array([0.9, 0.25, 4.0])
        kls, earned = frontier(ref, rewards, betas)
        assert_close(np.shape(kls) + np.shape(earned), (3, 3), "there is one point, a KL and a reward, for each β")
        for kl, reward, beta in zip(kls, earned, betas, strict=True):
            weights = ref * np.exp((rewards - rewards.max()) / beta)
            best = weights / weights.sum()
            assert_close(kl, divergence(best, ref), "the first number is KL(π*‖π_ref)")
            assert_close(reward, best @ rewards, "the second number is the reward that π* earns")
            for other in rivals(best, ref, rng):
                above = objective(other, ref, rewards, beta) - (reward - beta * kl)
                assert above <= 1e-9, (
                    f"no policy lies above the frontier; yours is {above:.6g} below one that is known."
                )
        beyond = frontier(np.append(ref, 0.0), np.append(rewards, 9.0), betas)
        assert_close(beyond, (kls, earned), "what the reference never says is out of reach, whatever it would earn")
        near = frontier(ref, rewards, np.array([0.9 + 1e-4, 0.9 - 1e-4]))
        slope = float(np.diff(near[1])[0] / np.diff(near[0])[0])
        assert_close(slope, 0.9, "along the frontier a nat of KL is worth β", tolerance=1e-5)


def wilson(share: float, n: int, confidence: float) -> Array:
    """The two p that are just as many standard errors √(p(1 - p)/n) away from the share as `confidence` says."""
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2 / n
    return np.sort(np.roots([1 + z2, -(2 * share + z2), share**2]).real)


def check_win_rate(win_rate: Callable) -> None:
    """(wins + ties/2)/n between the ends of Wilson's interval; an odd tie is lost at the low end and won at the high one."""
    for wins, losses, ties in (
        (6, 1, 0),
        (1, 6, 0),
        (0, 5, 0),
        (40, 21, 0),
        (3, 4, 8),
        (2, 7, 5),
        (0, 0, 1),
        (310, 250, 33),
    ):
        n = wins + losses + ties
        rate, low, high = win_rate(wins, losses, ties)
        assert_close(rate, (wins + ties / 2) / n, "the rate is the share of wins, a tie counting one half")
        law = "the low end is Wilson's, with half of the ties won, rounded down"
        assert_close(low, wilson((wins + ties // 2) / n, n, 0.95)[0], law, tolerance=1e-7)
        law = "the high end is Wilson's, with half of the ties won, rounded up"
        assert_close(high, wilson((wins + (ties + 1) // 2) / n, n, 0.95)[1], law, tolerance=1e-7)
    law = "another confidence has an interval of its own"
    assert_close(win_rate(9, 4, 2, 0.5)[1:], wilson(10 / 15, 15, 0.5), law, tolerance=1e-7)


def check_bootstrap_interval(bootstrap_interval: Callable) -> None:
    """Of a mean the ends are 1.96 standard errors away, to a quarter of one: with 5,000 resamples a false alarm of 1e-5."""
    rng = np.random.default_rng(35)
    half = rng.standard_normal(100)
    values = 5.0 + 2.0 * np.concatenate([half, -half])  # symmetric, so that no correction for skewness is due
    error = values.std() / np.sqrt(200.0)
    for confidence in (0.95, 0.5):
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        ends = bootstrap_interval(values, np.random.default_rng(1), confidence=confidence)
        law = f"with a confidence of {confidence} the ends are {z:.2f} standard errors of the mean away from it"
        assert_close((np.array(ends) - 5.0) / error, np.array([-z, z]), law, tolerance=0.25 / max(1.0, z))
    again = bootstrap_interval(values, np.random.default_rng(1))
    assert_close(again, bootstrap_interval(values, np.random.default_rng(1)), "the same generator gives the same ends")
    other = bootstrap_interval(values, np.random.default_rng(2))
    assert other != again, "the resamples come from the generator; yours are the same whatever it is."
    low, high = bootstrap_interval(values, np.random.default_rng(3), statistic=np.var)
    variance = np.var(values)
    error = np.sqrt((np.mean((values - 5.0) ** 4) - variance**2) / 200.0)
    assert low < variance < high, f"the interval is that of the statistic asked for; yours is {low:.3g} to {high:.3g}."
    law = "the interval of a variance is about four of its standard errors wide"
    assert_close((high - low) / error, 3.92, law, tolerance=0.2)
    equal = bootstrap_interval(np.full(6, 3.0), np.random.default_rng(4))
    assert_close(equal, (3.0, 3.0), "values that are all equal leave no doubt")
    spread = bootstrap_interval(np.full(6, 3.0), np.random.default_rng(4), statistic=np.var)
    assert_close(spread, (0.0, 0.0), "of equal values, too, the interval is that of the statistic asked for")
