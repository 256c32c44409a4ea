"""Chapter 4: choices, their ceiling, agreement and ratings, by enumeration and closed forms."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from rlhw.laws import assert_close, numerical_gradient, probabilities_of
from rlhw.preferences import ELO_PER_NAT, bradley_terry_ratings, cohen_kappa, elo, expected_score, fleiss_kappa
from rlhw.tiny_tldr import SimulatedAnnotator, Teacher, gold_reward, sample_post

EXACT = 1e-12
FOUR = np.array([0.83, 0.55, 0.30, 0.98])


def chances(seed: int, count: int = 12, least: int = 2) -> Iterator[np.ndarray]:
    """Lists of probabilities of "first", of several lengths."""
    rng = np.random.default_rng(seed)
    for size in rng.integers(least, 9, count):
        yield rng.uniform(0.02, 0.98, size)


def forum_pairs(seed: int, count: int = 30) -> Iterator[tuple]:
    """(post, two different summaries of the teacher's)."""
    rng, teacher = np.random.default_rng(seed), Teacher()
    while count:
        post = sample_post(rng)
        first, second = teacher.sample(post, rng), teacher.sample(post, rng)
        if first != second:
            count -= 1
            yield post, first, second


def logit(p: float) -> float:
    return float(np.log(p) - np.log1p(-p))


@pytest.mark.equation("eq-example-choice", way="closed form")
def test_example_choice(equation):
    def check(margin: float, stated: float):
        # The softmax of the two rewards over the temperature, which knows no logistic function.
        p = probabilities_of(np.array([2.1, 1.3]) / 0.5)[0]
        assert_close(expit(margin), p, "the probability of the example", EXACT)
        assert_close(p, stated, "the number of the example", 5e-4)

    equation.holds(check, 1.6, 0.832)
    equation.rejects("multiplied by the temperature", check, 0.4, 0.832)
    equation.rejects("the worse one", check, -1.6, 0.832)
    equation.rejects("the probability of the worse one", check, 1.6, 0.168)


@pytest.mark.equation("eq-segment-difference", way="closed form")
def test_segment_difference(equation):
    def check(form: Callable):
        rng = np.random.default_rng(41)
        for length in (1, 3, 7):
            one, other = rng.normal(size=length), rng.normal(size=length)
            wins = np.exp(one.sum()) / (np.exp(one.sum()) + np.exp(other.sum()))
            assert_close(form(one, other), wins, f"segments of {length} steps", EXACT)

    equation.holds(check, lambda one, other: expit(one.sum() - other.sum()))
    equation.rejects("means for sums", check, lambda one, other: expit(one.mean() - other.mean()))
    equation.rejects("the other way round", check, lambda one, other: expit(other.sum() - one.sum()))
    equation.rejects("a mean over steps of probabilities", check, lambda one, other: expit(one - other).mean())


@pytest.mark.equation("eq-comparison-gradient", way="finite difference")
def test_comparison_gradient(equation):
    def check(gradient: Callable):
        for margin, w in product((-2.3, 0.4, 1.7), (0.0, 0.5, 1.0)):

            def loss(at, w=w):
                return float(w * np.logaddexp(0, -at[0]) + (1 - w) * np.logaddexp(0, at[0]))

            slope = numerical_gradient(loss, np.array([margin]))
            assert_close(np.array([gradient(margin, w)]), slope, f"the loss at margin {margin}, w = {w}", 1e-8)

    equation.holds(check, lambda margin, w: expit(margin) - w)
    equation.rejects("sign flipped", check, lambda margin, w: w - expit(margin))
    equation.rejects("brackets missing", check, lambda margin, w: -w * expit(-margin) - (1 - w) * expit(margin))
    equation.rejects("a tie taken for a win", check, lambda margin, w: expit(margin) - np.ceil(w))


@pytest.mark.equation("eq-shift-unseen", way="closed form")
def test_shift_unseen(equation):
    def check(shifted: Callable):
        for r1, r2, c, tau in ((2.1, 1.3, 4.0, 0.5), (-0.3, 0.9, -1.7, 1.8), (0.2, 0.1, 0.6, 0.07)):
            p = probabilities_of(np.array([r1, r2]) / tau)[0]
            assert_close(shifted(r1, r2, c, tau), p, "a shift leaves no trace", EXACT)

    equation.holds(check, lambda r1, r2, c, tau: expit(((r1 + c) - (r2 + c)) / tau))
    equation.rejects("only the first shifted", check, lambda r1, r2, c, tau: expit((r1 + c - r2) / tau))
    equation.rejects("a factor for a shift", check, lambda r1, r2, c, tau: expit((r1 * c - r2 * c) / tau))


@pytest.mark.equation("eq-recover-reward", way="closed form")
def test_recover_reward(equation):
    def check(recovered: Callable):
        for tau in (0.3, 0.5, 2.0):
            annotator = SimulatedAnnotator(tau)
            for post, one, other in forum_pairs(42):
                p, q = annotator.probability(post, one, other), annotator.probability(post, other, one)
                gap = gold_reward(post, one) - gold_reward(post, other)
                if abs(gap) / tau < 15:  # beyond, 1 - p has lost its digits
                    assert_close(recovered(p, q, tau), gap, "the difference of the rewards", 1e-6)

    equation.holds(check, lambda p, q, tau: tau * np.log(p / q))
    equation.rejects("temperature left out", check, lambda p, q, tau: np.log(p / q))
    equation.rejects("the other way round", check, lambda p, q, tau: tau * np.log(q / p))
    equation.rejects("probability for odds", check, lambda p, q, tau: tau * np.log(p))


@pytest.mark.equation("eq-bias-is-taste", way="closed form")
def test_bias_is_taste(equation):
    def check(taste: Callable):
        for tau, bias in ((0.5, 0.15), (1.5, -0.4)):
            annotator = SimulatedAnnotator(tau, length_bias=bias)
            for post, one, other in forum_pairs(43):
                first, second = (taste(gold_reward(post, a), len(a.split()), bias) for a in (one, other))
                margin = logit(annotator.probability(post, one, other))
                if abs(margin) < 15:
                    assert_close((first - second) / tau, margin, "the margin of a biased annotator", 1e-6)

    equation.holds(check, lambda r, length, bias: r + bias * length)
    equation.rejects("a price on length", check, lambda r, length, bias: r - bias * length)
    equation.rejects("length left out", check, lambda r, length, bias: r)


@pytest.mark.equation("eq-position-from-swap", way="closed form")
def test_position_from_swap(equation):
    def check(found: Callable):
        for position in (-1.4, 0.3, 1.0):
            annotator = SimulatedAnnotator(0.8, length_bias=0.1, position_bias=position)
            for post, one, other in forum_pairs(44):
                p, swapped = annotator.probability(post, one, other), annotator.probability(post, other, one)
                if abs(logit(p)) < 12:
                    assert_close(found(p, swapped), position, "the position bias", 1e-5)

    equation.holds(check, lambda p, swapped: (logit(p) + logit(swapped)) / 2)
    equation.rejects("difference for sum", check, lambda p, swapped: (logit(p) - logit(swapped)) / 2)
    equation.rejects("half left out", check, lambda p, swapped: logit(p) + logit(swapped))
    equation.rejects("one way round only", check, lambda p, swapped: logit(p))


@pytest.mark.equation("eq-rule-accuracy", way="enumeration")
def test_rule_accuracy(equation):
    def check(accuracy: Callable):
        for p in chances(45, count=4):
            for rule in product((0, 1), repeat=len(p)):
                f, expected = np.array(rule), 0.0
                for labels in product((0, 1), repeat=len(p)):
                    said = np.array(labels)
                    expected += np.prod(np.where(said, p, 1 - p)) * np.mean(said == f)
                assert_close(accuracy(f, p), expected, "the expected share of labels that a rule predicts", 1e-9)

    equation.holds(check, lambda f, p: np.mean(f * p + (1 - f) * (1 - p)))
    equation.rejects("second left out", check, lambda f, p: np.mean(f * p))
    equation.rejects("rule turned round", check, lambda f, p: np.mean(f * (1 - p) + (1 - f) * p))


@pytest.mark.equation("eq-bayes-accuracy", way="enumeration")
def test_bayes_accuracy(equation):
    def check(best: Callable):
        for p in chances(46):
            rules = (np.array(rule) for rule in product((0, 1), repeat=len(p)))
            found = max(float(np.mean(np.where(f == 1, p, 1 - p))) for f in rules)
            assert_close(best(p), found, "the best of all rules", EXACT)

    equation.holds(check, lambda p: np.mean(np.maximum(p, 1 - p)))
    equation.rejects("larger of the means", check, lambda p: max(np.mean(p), np.mean(1 - p)))
    equation.rejects("agreement of two", check, lambda p: np.mean(p**2 + (1 - p) ** 2))
    equation.rejects("p alone", check, lambda p: np.mean(p))


@pytest.mark.equation("eq-example-bayes", way="enumeration")
def test_example_bayes(equation):
    def check(terms: tuple[float, ...], stated: float):
        best = max(np.mean(np.where(np.array(rule) == 1, FOUR, 1 - FOUR)) for rule in product((0, 1), repeat=4))
        assert_close(sum(terms) / 4, best, "the four pairs", EXACT)
        assert_close(stated, best, "the number of the example", EXACT)

    equation.holds(check, (0.83, 0.55, 0.70, 0.98), 0.765)
    equation.rejects("always first", check, (0.83, 0.55, 0.30, 0.98), 0.665)
    equation.rejects("the right terms, summed up wrongly", check, (0.83, 0.55, 0.70, 0.98), 0.756)


@pytest.mark.equation("eq-mean-over-pairs", way="enumeration")
def test_mean_over_pairs(equation):
    """The right side picks every pair of every prompt once, each with the same weight."""

    def check(prompt_loss: Callable):
        rng = np.random.default_rng(47)
        for prompts, k in ((3, 2), (5, 4), (4, 9)):
            scores = rng.normal(size=(prompts, k))  # answers in the order of their ranking
            rows = [[np.logaddexp(0, s[j] - s[i]) for i, j in combinations(range(k), 2)] for s in scores]
            everything = np.mean([loss for row in rows for loss in row])
            mean = np.mean([prompt_loss(np.array(row), k) for row in rows])
            assert_close(mean, everything, f"{prompts} prompts with {k} answers", EXACT)

    equation.holds(check, lambda losses, k: losses.sum() / (k * (k - 1) / 2))
    equation.rejects("averaged twice", check, lambda losses, k: losses.mean() / (k * (k - 1) / 2))
    equation.rejects("ordered pairs counted", check, lambda losses, k: losses.sum() / (k * (k - 1)))
    equation.rejects("per answer", check, lambda losses, k: losses.sum() / k)


def ranking_probability(rewards: np.ndarray, ranking: tuple[int, ...]) -> float:
    """Plackett and Luce: each place is a softmax over the answers that are left."""
    left = [np.exp(rewards[i]) for i in ranking]
    return float(np.prod([left[i] / sum(left[i:]) for i in range(len(left))]))


@pytest.mark.equation("eq-luce-pairs", way="enumeration")
def test_luce_pairs(equation):
    def check(pair: Callable):
        rng = np.random.default_rng(48)
        for k in (2, 3, 4, 5):
            rewards = rng.normal(size=k)
            law = {ranking: ranking_probability(rewards, ranking) for ranking in permutations(range(k))}
            assert_close(sum(law.values()), 1.0, "the rankings' probabilities", EXACT)
            for i, j in permutations(range(k), 2):
                before = sum(p for ranking, p in law.items() if ranking.index(i) < ranking.index(j))
                assert_close(pair(rewards, i, j), before, f"answer {i} before {j} of {k}", EXACT)

    equation.holds(check, lambda r, i, j: expit(r[i] - r[j]))
    equation.rejects("the other way round", check, lambda r, i, j: expit(r[j] - r[i]))
    equation.rejects("the others in the sum", check, lambda r, i, j: np.exp(r[i]) / np.exp(r).sum())


@pytest.mark.equation("eq-example-composite", way="enumeration")
def test_example_composite(equation):
    pairs = list(combinations(range(3), 2))
    outcomes = [dict(zip(pairs, wins, strict=True)) for wins in product((True, False), repeat=3)]

    def is_ranking(outcome: dict) -> bool:
        """Some order of the three answers has exactly these outcomes."""
        orders = permutations(range(3))
        return any(all((o.index(i) < o.index(j)) == won for (i, j), won in outcome.items()) for o in orders)

    def check(rankings: int, each: Fraction, total: Fraction):
        found = [Fraction(1, 2) ** 3 for outcome in outcomes if is_ranking(outcome)]
        assert found == [each] * rankings, "rankings among the outcomes of three pairs"
        assert rankings * each == total == sum(found), "the products of the rankings' pairs"

    equation.holds(check, 6, Fraction(1, 8), Fraction(3, 4))
    equation.rejects("circles counted", check, 8, Fraction(1, 8), Fraction(1))
    equation.rejects("probability of a ranking", check, 6, Fraction(1, 6), Fraction(1))


@pytest.mark.equation("eq-cohen-chance", way="enumeration")
def test_cohen_chance(equation):
    """Drawing by lot, habits kept: the mean agreement over all orders of the second's labels."""

    def check(chance: Callable):
        rng = np.random.default_rng(49)
        for _ in range(5):
            one, other = rng.integers(0, 3, 6), rng.integers(0, 3, 6)
            lots = np.mean([np.mean(one == np.array(order)) for order in permutations(other)])
            u, v = (np.array([np.mean(labels == c) for c in range(3)]) for labels in (one, other))
            assert_close(chance(u, v), lots, "the agreement of habit and lot", EXACT)
            assert_close(cohen_kappa(one, other), (np.mean(one == other) - lots) / (1 - lots), "Cohen's kappa", EXACT)

    equation.holds(check, lambda u, v: np.sum(u * v))
    equation.rejects("pooled habits", check, lambda u, v: np.sum(((u + v) / 2) ** 2))
    equation.rejects("as many categories, as much chance", check, lambda u, v: 1 / 3)
    equation.rejects("one's habits alone", check, lambda u, v: np.sum(u * u))


def table_of(cells: list[tuple[int, int, int]]) -> np.ndarray:
    """Rows (one's label, other's label), each as often as the third number says."""
    return np.array([row[:2] for row in cells for _ in range(row[2])])


TWENTY = table_of([(0, 0, 9), (0, 1, 2), (1, 0, 4), (1, 1, 5)])


@pytest.mark.equation("eq-example-kappa", way="closed form")
def test_example_kappa(equation):
    from sklearn.metrics import cohen_kappa_score

    def check(observed: float, chance: float, stated: float):
        known = cohen_kappa_score(*TWENTY.T)
        assert_close((observed - chance) / (1 - chance), known, "kappa of the twenty pairs", EXACT)
        assert_close(stated, known, "the number of the example", 1e-3)

    equation.holds(check, 0.7, 0.515, 0.381)
    equation.rejects("even chance", check, 0.7, 0.5, 0.4)
    equation.rejects("pooled chance", check, 0.7, 0.52, 0.375)


@pytest.mark.equation("eq-example-habit", way="closed form")
def test_example_habit(equation):
    def check(observed: Fraction, kappa: Fraction):
        # 80 of 100 equal, and each says "first" 90 times: 80 both first, 10 and 10 apart, none both second.
        table = table_of([(0, 0, 80), (0, 1, 10), (1, 0, 10), (1, 1, 0)])
        assert_close(float(observed), float(np.mean(table[:, 0] == table[:, 1])), "raw agreement", EXACT)
        assert_close(float(kappa), cohen_kappa(*table.T), "kappa of two habits", EXACT)

    equation.holds(check, Fraction(8, 10), Fraction(-1, 9))
    equation.rejects("chance of one half", check, Fraction(8, 10), Fraction(6, 10))
    equation.rejects("sign lost", check, Fraction(8, 10), Fraction(1, 9))


@pytest.mark.equation("eq-fleiss-agreement", way="enumeration")
def test_fleiss_agreement(equation):
    def check(share: Callable):
        rng = np.random.default_rng(50)
        for raters in (2, 3, 5):
            labels = rng.integers(0, 3, (8, raters))
            counts = np.stack([(labels == c).sum(axis=1) for c in range(3)], axis=1)
            for row, count in zip(labels, counts, strict=True):
                equal = np.mean([a == b for a, b in combinations(row, 2)])
                assert_close(share(count, raters), equal, f"pairs of {raters} labels", EXACT)

    equation.holds(check, lambda n, raters: np.sum(n * (n - 1)) / (raters * (raters - 1)))
    equation.rejects("a label agrees with itself", check, lambda n, raters: np.sum(n**2) / raters**2)
    equation.rejects("share of the majority", check, lambda n, raters: n.max() / raters)


@pytest.mark.equation("eq-example-fleiss", way="closed form")
def test_example_fleiss(equation):
    from statsmodels.stats.inter_rater import fleiss_kappa as known_kappa

    counts = np.array([[3, 0], [2, 1], [0, 3], [1, 2]])

    def check(each: tuple[Fraction, ...], chance: Fraction, kappa: Fraction):
        observed = sum(each) / 4
        assert (observed - chance) / (1 - chance) == kappa
        assert_close(float(kappa), known_kappa(counts), "Fleiss' kappa of four pairs", EXACT)
        assert_close(fleiss_kappa(counts), known_kappa(counts), "ours", EXACT)
        assert observed == Fraction(2, 3)

    third = Fraction(1, 3)
    equation.holds(check, (Fraction(1), third, Fraction(1), third), Fraction(1, 2), third)
    equation.rejects("majority share", check, (1, 2 * third, 1, 2 * third), Fraction(1, 2), Fraction(2, 3))
    equation.rejects("no chance", check, (Fraction(1), third, Fraction(1), third), Fraction(0), Fraction(2, 3))


@pytest.mark.equation("eq-pooled-chance", way="enumeration")
def test_pooled_chance(equation):
    """The left side by enumeration: two labels drawn by lot from both people's together."""

    def check(right: Callable):
        rng = np.random.default_rng(51)
        for _ in range(6):
            one, other = rng.integers(0, 3, 7), rng.integers(0, 3, 7)
            pooled = np.concatenate([one, other])
            drawn = np.mean([a == b for a in pooled for b in pooled])
            u, v = (np.array([np.mean(labels == c) for c in range(3)]) for labels in (one, other))
            assert_close(right(u, v), drawn, "the pooled chance", EXACT)

    equation.holds(check, lambda u, v: np.sum(u * v) + np.sum(((u - v) / 2) ** 2))
    equation.rejects("difference not halved", check, lambda u, v: np.sum(u * v) + np.sum((u - v) ** 2))
    equation.rejects("Cohen's chance", check, lambda u, v: np.sum(u * v))
    equation.rejects("minus", check, lambda u, v: np.sum(u * v) - np.sum(((u - v) / 2) ** 2))


def two_labels(p: np.ndarray) -> np.ndarray:
    """The joint law of (one's label, other's label) of a pair drawn evenly, the labels independent given the pair."""
    return np.mean([np.outer([x, 1 - x], [x, 1 - x]) for x in p], axis=0)


@pytest.mark.equation("eq-expected-agreement", way="enumeration")
def test_expected_agreement(equation):
    def check(agreement: Callable):
        for p in chances(52):
            assert_close(agreement(p), np.trace(two_labels(p)), "the agreement of two labels", EXACT)

    equation.holds(check, lambda p: np.mean(p**2 + (1 - p) ** 2))
    equation.rejects("both first only", check, lambda p: np.mean(p**2))
    equation.rejects("of the mean probability", check, lambda p: np.mean(p) ** 2 + np.mean(1 - p) ** 2)
    equation.rejects("accuracy for agreement", check, lambda p: np.mean(np.maximum(p, 1 - p)))


@pytest.mark.equation("eq-kappa-variance", way="enumeration")
def test_kappa_variance(equation):
    def check(kappa: Callable):
        for p in chances(53):
            law = two_labels(p)
            chance = float(law.sum(axis=1) @ law.sum(axis=0))
            assert_close(kappa(p), (np.trace(law) - chance) / (1 - chance), "kappa of many labels", EXACT)

    equation.holds(check, lambda p: p.var() / (p.mean() * (1 - p.mean())))
    equation.rejects("deviation for variance", check, lambda p: p.std() / (p.mean() * (1 - p.mean())))
    equation.rejects("chance of one half", check, lambda p: 2 * np.mean(p**2 + (1 - p) ** 2) - 1)
    equation.rejects("variance of a sample", check, lambda p: p.var(ddof=1) / (p.mean() * (1 - p.mean())))


@pytest.mark.equation("eq-agreement-ceiling", way="enumeration")
def test_agreement_ceiling(equation):
    """Both bounds hold for any pairs, and each is attained by some."""

    def check(lower: Callable, upper: Callable):
        cases = [*chances(54, 40), np.array([0.3, 0.7, 0.3]), np.array([0.5, 1.0, 0.5, 0.0])]
        for p in cases:
            agree, best = float(np.trace(two_labels(p))), float(np.mean(np.maximum(p, 1 - p)))
            assert lower(agree) <= best + EXACT, "the lower bound"
            assert best <= upper(agree) + EXACT, "the upper bound"
        even, extreme = cases[-2:]
        assert_close(upper(np.trace(two_labels(even))), 0.7, "equal pairs attain the upper bound", EXACT)
        assert_close(lower(np.trace(two_labels(extreme))), 0.75, "sure and even ones attain the lower", EXACT)

    def root(agree):
        return (1 + np.sqrt(2 * agree - 1)) / 2

    equation.holds(check, lambda a: a, root)
    equation.rejects("exchanged", check, root, lambda a: a)
    equation.rejects("agreement as the ceiling", check, lambda a: a, lambda a: a)
    equation.rejects("root of the agreement", check, lambda a: a, np.sqrt)


@pytest.mark.equation("eq-elo-scale", way="closed form")
def test_elo_scale(equation):
    def check(points: Callable):
        for a, b in ((0.0, 1.0), (-0.7, 0.4), (2.0, -1.5)):
            gap = points(b) - points(a)
            assert_close(1 / (1 + 10 ** (gap / 400)), expit(a - b), "the same law on both scales", EXACT)
            assert_close(expected_score(points(a), points(b)), expit(a - b), "ours", EXACT)
        assert_close(points(np.log(10)) - points(0.0), 400.0, "ten to one is 400 points", 1e-9)
        assert_close(points(0.0), 1000.0, "the middle", EXACT)

    equation.holds(check, lambda nats: 1000 + 400 / np.log(10) * nats)
    equation.rejects("upside down", check, lambda nats: 1000 + np.log(10) / 400 * nats)
    equation.rejects("natural odds", check, lambda nats: 1000 + 400 * nats)
    equation.rejects("sign flipped", check, lambda nats: 1000 - 400 / np.log(10) * nats)


GAMES = [("a", "b", "first"), ("b", "a", "first"), ("a", "c", "tie"), ("c", "b", "second"), ("a", "b", "first")]
SCORES = {"first": 1.0, "second": 0.0, "tie": 0.5}


@pytest.mark.equation("eq-elo-update", way="finite difference")
def test_elo_update(equation):
    """A step along the numerical gradient of each game's log-likelihood, on the scale of nats."""

    def check(update: Callable):
        k, ratings, strengths = 24.0, dict.fromkeys("abc", 1000.0), dict.fromkeys("abc", 0.0)
        for one, other, choice in GAMES:
            w = SCORES[choice]

            def likelihood(nu, w=w):
                return float(-w * np.logaddexp(0, nu[1] - nu[0]) - (1 - w) * np.logaddexp(0, nu[0] - nu[1]))

            slope = numerical_gradient(likelihood, np.array([strengths[one], strengths[other]]))
            strengths[one] += k / ELO_PER_NAT * slope[0]
            strengths[other] += k / ELO_PER_NAT * slope[1]
            expected = 1 / (1 + 10 ** ((ratings[other] - ratings[one]) / 400))
            ratings[one], ratings[other] = update(ratings[one], ratings[other], k, w, expected)
            for name in "abc":
                law = f"the rating of {name} after a step of the gradient"
                assert_close(ratings[name], 1000 + ELO_PER_NAT * strengths[name], law, 1e-6)
        ours = elo(GAMES, k=k)
        assert_close(np.array([ours[n] for n in "abc"]), np.array([ratings[n] for n in "abc"]), "ours", 1e-9)

    equation.holds(check, lambda a, b, k, w, p: (a + k * (w - p), b - k * (w - p)))
    equation.rejects("sign flipped", check, lambda a, b, k, w, p: (a - k * (w - p), b + k * (w - p)))
    equation.rejects("expected score left out", check, lambda a, b, k, w, p: (a + k * (w - 0.5), b - k * (w - 0.5)))
    equation.rejects("the other does not lose", check, lambda a, b, k, w, p: (a + k * (w - p), b))


@pytest.mark.equation("eq-elo-gradient", way="finite difference")
def test_elo_gradient(equation):
    def check(first: Callable, second: Callable):
        for (a, b), w in product(((0.4, -0.3), (-1.2, 0.9)), (0.0, 0.5, 1.0)):

            def likelihood(nu, w=w):
                return float(-w * np.logaddexp(0, nu[1] - nu[0]) - (1 - w) * np.logaddexp(0, nu[0] - nu[1]))

            slope = numerical_gradient(likelihood, np.array([a, b]))
            assert_close(np.array([first(a, b, w), second(a, b, w)]), slope, "the gradient of a game", 1e-8)

    def right(a, b, w):
        return w - expit(a - b)

    equation.holds(check, right, lambda a, b, w: -right(a, b, w))
    equation.rejects("sign flipped", check, lambda a, b, w: -right(a, b, w), right)
    equation.rejects("same sign for both", check, right, right)
    equation.rejects("the other's chance", check, lambda a, b, w: w - expit(b - a), lambda a, b, w: expit(b - a) - w)


@pytest.mark.equation("eq-example-elo-order", way="closed form")
def test_example_elo_order(equation):
    def check(formula: float, first: float, second: float):
        played = elo([("a", "b", "first"), ("a", "b", "second")], k=32.0)
        assert_close(formula, played["a"], "who won first, after both games", 1e-9)
        assert_close(np.array([first, second]), np.array([played["a"], played["b"]]), "the numbers", 0.05)

    right = 1016 - 32 / (1 + 10 ** (-32 / 400))
    equation.holds(check, right, 998.5, 1001.5)
    equation.rejects("order does not matter", check, 1000.0, 1000.0, 1000.0)
    equation.rejects("the gap of one only", check, 1016 - 32 / (1 + 10 ** (-16 / 400)), 998.5, 1001.5)


@pytest.mark.equation("eq-likelihood-equations", way="closed form")
def test_likelihood_equations(equation):
    """The maximum is found by a general optimiser that knows nothing of these equations."""
    rng = np.random.default_rng(55)

    def check(residual: Callable):
        for players in (2, 3, 5):
            wins = rng.integers(1, 12, (players, players)) + 0.5 * rng.integers(0, 2, (players, players))
            np.fill_diagonal(wins, 0)

            def loss(nu, wins=wins):
                return float((wins * np.logaddexp(0, nu - nu[:, None])).sum() + nu.mean() ** 2)

            best = minimize(loss, np.zeros(players), method="BFGS", options={"gtol": 1e-9}).x
            strengths = bradley_terry_ratings(wins)
            assert_close(strengths, best - best.mean(), "ours beside a general optimiser", 1e-5)
            law = "won games are expected ones"
            assert_close(residual(wins, strengths), np.zeros(players), law, 1e-6)

    def expected(wins, nu):
        return ((wins + wins.T) * expit(nu[:, None] - nu)).sum(axis=1)

    equation.holds(check, lambda wins, nu: wins.sum(axis=1) - expected(wins, nu))
    equation.rejects("losses for wins", check, lambda wins, nu: wins.sum(axis=0) - expected(wins, nu))
    equation.rejects("strengths turned round", check, lambda wins, nu: wins.sum(axis=1) - expected(wins, -nu))
    equation.rejects(
        "won games only", check, lambda wins, nu: wins.sum(axis=1) - (wins * expit(nu[:, None] - nu)).sum(axis=1)
    )
