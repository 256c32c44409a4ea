"""Chapter 5: losses on comparisons, what they make of many votes, read-outs, yardsticks and calibration."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from transformers import GPT2Config, GPT2Model

from rlhw.laws import assert_close, numerical_gradient
from rlhw.reward_model import bradley_terry_loss, freeze, last_token, pairwise_loss, sum_of_tokens

TOLERANCE = 1e-7
LN2 = math.log(2)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))


def entropy(p):
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


def questions(seed=5):
    """Gold rewards of K answers, temperatures, and how often each pair is asked: a chain at least."""
    rng = np.random.default_rng(seed)
    for k in (2, 3, 4):
        asked = np.triu(rng.random((k, k)) * (rng.random((k, k)) < 0.5), 1) + np.diag(0.2 + rng.random(k - 1), 1)
        yield rng.standard_normal(k), float(rng.uniform(0.3, 1.4)), asked / asked.sum()


def expected_loss(learned, gold, tau, asked):
    """By enumeration of pairs and of the two votes on each."""
    total = 0.0
    for i, j in zip(*np.nonzero(asked), strict=True):
        for winner, loser in ((i, j), (j, i)):
            chance = sigmoid((gold[winner] - gold[loser]) / tau)
            total -= asked[i, j] * chance * np.log(sigmoid(learned[winner] - learned[loser]))
    return float(total)


@pytest.mark.equation("eq-example-pair", way="closed form")
def test_example_pair(equation):
    def check(numbers):
        odds = math.exp(1.2) / math.exp(0.4)
        loss = lambda chosen: math.log(1 + math.exp(0.4 - chosen))  # noqa: E731
        slope = (loss(1.2 + 1e-6) - loss(1.2 - 1e-6)) / 2e-6
        assert np.allclose(numbers, [odds / (1 + odds), loss(1.2), slope], atol=5e-4)

    chosen, rejected = torch.tensor([1.2], dtype=torch.float64, requires_grad=True), torch.tensor([0.4]).double()
    loss = bradley_terry_loss(chosen, rejected)
    loss.sum().backward()
    equation.holds(check, [0.690, 0.371, -0.310])
    equation.holds(check, [math.exp(-loss.item()), loss.item(), chosen.grad.item()])
    equation.rejects("gradient of the other choice", check, [0.690, 0.371, -0.690])
    equation.rejects("loss in bits", check, [0.690, 0.371 / LN2, -0.310])
    equation.rejects("winner and loser swapped", check, [0.310, 1.171, -0.690])


@pytest.mark.equation("eq-pair-gradient", way="finite difference")
def test_pair_gradient(equation):
    rng = np.random.default_rng(3)

    def reward(theta, features):
        return np.tanh(features @ theta) + (features @ theta) ** 2

    def check(formula):
        for _ in range(6):
            parameters, won, lost = rng.standard_normal((3, 4))
            loss = lambda theta, won=won, lost=lost: -np.log(sigmoid(reward(theta, won) - reward(theta, lost)))  # noqa: E731
            gradients = [numerical_gradient(lambda t, f=f: float(reward(t, f)), parameters) for f in (won, lost)]
            margin = reward(parameters, won) - reward(parameters, lost)
            law = "the gradient of the loss of one comparison"
            assert_close(formula(margin, *gradients), numerical_gradient(loss, parameters), law, 1e-6)

    equation.holds(check, lambda margin, won, lost: -(1 - sigmoid(margin)) * (won - lost))
    equation.rejects("sign flipped", check, lambda margin, won, lost: (1 - sigmoid(margin)) * (won - lost))
    equation.rejects("sigma for one minus sigma", check, lambda margin, won, lost: -sigmoid(margin) * (won - lost))
    equation.rejects("loser left out", check, lambda margin, won, lost: -(1 - sigmoid(margin)) * won)


@pytest.mark.equation("eq-loss-and-accuracy", way="enumeration")
def test_loss_and_accuracy(equation):
    def check(least, most_if_all_right):
        """Both bounds hold for all patterns of margins, and margins come as near to them as one likes."""
        near, far = 1e-9, 60.0
        for n in (1, 3, 4):
            for signs in product((-1, 0, 1), repeat=n):
                accuracy = np.mean([{1: 1.0, 0: 0.5, -1: 0.0}[s] for s in signs])
                lowest = np.mean([math.log1p(math.exp(-{1: far, 0: 0.0, -1: -near}[s])) for s in signs])
                assert lowest > least(accuracy) - 1e-12
                if 0 not in signs:
                    assert abs(lowest - least(accuracy)) < 1e-6
                for size in (0.03, 1.1, 5.0):
                    loss = np.mean([math.log1p(math.exp(-s * size)) for s in signs])
                    assert loss > least(accuracy) - 1e-12
                    if accuracy == 1:
                        assert loss < most_if_all_right
            assert abs(np.mean([math.log1p(math.exp(-near))] * n) - most_if_all_right) < 1e-6

    equation.holds(check, lambda accuracy: (1 - accuracy) * LN2, LN2)
    equation.rejects("accuracy for one minus accuracy", check, lambda accuracy: accuracy * LN2, LN2)
    equation.rejects("in bits", check, lambda accuracy: 1 - accuracy, 1.0)
    equation.rejects("half of the bound", check, lambda accuracy: (1 - accuracy) * LN2 / 2, LN2)
    equation.rejects("no bound where all are right", check, lambda accuracy: (1 - accuracy) * LN2, math.inf)


@pytest.mark.equation("eq-prompt-gradient", way="finite difference")
def test_prompt_gradient(equation):
    rng = np.random.default_rng(4)

    def check(formula):
        for k in (2, 3, 5):
            rewards, wins = rng.standard_normal(k), np.triu(rng.integers(2, size=(k, k)), 1).astype(float)
            wins = wins + np.tril(1 - wins.T, -1)

            def loss(r, k=k, wins=wins):
                pairs = [(i, j) if wins[i, j] else (j, i) for i in range(k) for j in range(i)]
                return float(np.mean([np.log1p(np.exp(r[lost] - r[won])) for won, lost in pairs]))

            library = pairwise_loss(torch.from_numpy(rewards)[None], torch.from_numpy(wins)[None])
            assert_close(float(library), loss(rewards), "the library's loss is the mean over pairs", TOLERANCE)
            expected = sigmoid(rewards[:, None] - rewards) * (1 - np.eye(k))
            law = "the gradient of a prompt's loss"
            assert_close(formula(expected, wins, k), numerical_gradient(loss, rewards), law, TOLERANCE)

    equation.holds(check, lambda p, v, k: (p - v).sum(1) / math.comb(k, 2))
    equation.rejects("sign flipped", check, lambda p, v, k: (v - p).sum(1) / math.comb(k, 2))
    equation.rejects("divided by the answers", check, lambda p, v, k: (p - v).sum(1) / k)
    equation.rejects("averaged twice", check, lambda p, v, k: (p - v).sum(1) / math.comb(k, 2) ** 2)
    equation.rejects("losses for wins", check, lambda p, v, k: (p - v.T).sum(1) / math.comb(k, 2))


@pytest.mark.equation("eq-head-bias", way="enumeration")
def test_head_bias(equation):
    def check(last, summed):
        generator, bias = torch.Generator().manual_seed(6), 0.7
        for lengths in product((1, 2, 5), repeat=2):
            scores = torch.randn(1, 2, 5, generator=generator, dtype=torch.float64)
            mask = (torch.arange(5) < torch.tensor(lengths)[:, None])[None]
            by_hand = {
                last_token: lambda row, n: float(row[n - 1]),
                sum_of_tokens: lambda row, n: sum(row[:n].tolist()),
            }
            for read, change in ((last_token, last), (sum_of_tokens, summed)):
                margins = []
                for table in (scores, scores + bias):
                    won, lost = (by_hand[read](row, n) for row, n in zip(table[0], lengths, strict=True))
                    margins.append(won - lost)
                    ours = read(table, mask)[0]
                    assert_close(float(ours[0] - ours[1]), won - lost, "the library reads the same", TOLERANCE)
                law = "what a bias of the head does to the margin"
                assert_close(margins[1] - margins[0], change(bias, *lengths), law, TOLERANCE)

    none, paid = lambda bias, won, lost: 0.0, lambda bias, won, lost: bias * (won - lost)
    equation.holds(check, none, paid)
    equation.rejects("it cancels in the sum too", check, none, none)
    equation.rejects("it stays at the last token", check, lambda bias, won, lost: bias, paid)
    equation.rejects("lengths swapped", check, none, lambda bias, won, lost: bias * (lost - won))


@pytest.mark.equation("eq-free-share", way="enumeration")
def test_free_share(equation):
    def check(embeddings, block, norm, free):
        with torch.device("meta"):
            model = GPT2Model(GPT2Config())
        share = freeze(model, 0.75)
        counted = [sum(p.numel() for p in part.parameters()) for part in (model.wte, model.wpe, model.h[0], model.ln_f)]
        assert [embeddings, block, norm] == [counted[0] + counted[1], *counted[2:]]
        # The three last of twelve blocks, and what is in no block.
        trains = [
            p.numel()
            for name, p in model.named_parameters()
            if not name.startswith("h.") or int(name.split(".")[1]) > 8
        ]
        assert_close(
            sum(trains) / sum(p.numel() for p in model.parameters()), share, "what `freeze` returns", TOLERANCE
        )
        stated = (embeddings + free * block + norm) / (embeddings + 12 * block + norm)
        assert_close(stated, share, "the share of GPT-2's parameters that train", TOLERANCE)
        assert abs(stated - 0.487) < 5e-4

    equation.holds(check, 39_383_808, 7_087_872, 1536, 3)
    equation.rejects("places left out", check, 38_597_376, 7_087_872, 1536, 3)
    equation.rejects("biases left out", check, 39_383_808, 12 * 768**2, 1536, 3)
    equation.rejects("floor(0.7 · 12) frozen", check, 39_383_808, 7_087_872, 1536, 4)


@pytest.mark.equation("eq-excess-loss", way="enumeration")
def test_excess_loss(equation):
    rng = np.random.default_rng(8)

    def check(formula):
        for gold, tau, asked in questions():
            learned = rng.standard_normal(len(gold))
            p, said = sigmoid((gold[:, None] - gold) / tau), sigmoid(learned[:, None] - learned)
            law = "the expected loss is entropy and divergence"
            known = expected_loss(learned, gold, tau, asked)
            assert_close(float((asked * formula(p, said)).sum()), known, law, TOLERANCE)

    def divergence(p, q):
        return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))

    equation.holds(check, lambda p, said: entropy(p) + divergence(p, said))
    equation.rejects("divergence the other way round", check, lambda p, said: entropy(p) + divergence(said, p))
    equation.rejects("entropy of the model", check, lambda p, said: entropy(said) + divergence(p, said))
    equation.rejects("entropy left out", check, lambda p, said: divergence(p, said))


@pytest.mark.equation("eq-reward-optimum", way="closed form")
def test_reward_optimum(equation):
    """Against a minimiser that knows nothing but the enumerated loss."""

    def check(optimum):
        for gold, tau, asked in questions():
            start = np.random.default_rng(1).standard_normal(len(gold))
            found = minimize(lambda r: expected_loss(r, gold, tau, asked), start, tol=1e-14, options={"gtol": 1e-9})  # noqa: B023
            ours = optimum(gold, tau)
            gap = (found.x - found.x.mean()) - (ours - ours.mean())
            assert np.abs(gap).max() < 1e-4, "the minimum lies elsewhere"
            excess = expected_loss(ours + 3.7, gold, tau, asked) - float(found.fun)
            assert abs(excess) < 1e-8, "the loss there is not the least"

    equation.holds(check, lambda gold, tau: gold / tau)
    equation.rejects("gold itself", check, lambda gold, tau: gold)
    equation.rejects("times the temperature", check, lambda gold, tau: gold * tau)
    equation.rejects("sign flipped", check, lambda gold, tau: -gold / tau)


@pytest.mark.equation("eq-loss-curvature", way="finite difference")
def test_loss_curvature(equation):
    rng = np.random.default_rng(9)

    def check(form):
        for gold, tau, asked in questions():
            learned, a = rng.standard_normal((2, len(gold)))
            line = lambda t: expected_loss(learned + t * a, gold, tau, asked)  # noqa: E731, B023
            h = 1e-3
            # Five points: exact up to h⁴.
            bend = (-line(2 * h) + 16 * line(h) - 30 * line(0) + 16 * line(-h) - line(-2 * h)) / (12 * h**2)
            said = sigmoid(learned[:, None] - learned)
            value = float((asked * form(said) * (a[:, None] - a) ** 2).sum())
            assert_close(value, bend, "the curvature along a direction", 1e-6)
            assert value > 0
            assert_close(expected_loss(learned + 2.5, gold, tau, asked), line(0), "a shift changes nothing", TOLERANCE)

    equation.holds(check, lambda said: said * (1 - said))
    equation.rejects("sigma for its derivative", check, lambda said: said)
    equation.rejects("squared", check, lambda said: (said * (1 - said)) ** 2)
    equation.rejects("twice, for both orders", check, lambda said: 2 * said * (1 - said))


@pytest.mark.equation("eq-example-share", way="enumeration")
def test_example_share(equation):
    def check(share):
        chances = [0.9, 0.6]
        rules = [
            np.mean([c if says else 1 - c for c, says in zip(chances, rule, strict=True)])
            for rule in product((0, 1), repeat=2)
        ]
        assert abs(share(0.70, max(rules)) - 0.8) < 1e-12

    equation.holds(check, lambda accuracy, bayes: (accuracy - 0.5) / (bayes - 0.5))
    equation.rejects("ratio of the accuracies", check, lambda accuracy, bayes: accuracy / bayes)
    equation.rejects("ceiling of one", check, lambda accuracy, bayes: (accuracy - 0.5) / 0.5)
    agreement = 0.5 * (0.81 + 0.01 + 0.36 + 0.16)
    equation.rejects("two annotators' agreement", check, lambda accuracy, bayes: (accuracy - 0.5) / (agreement - 0.5))


@pytest.mark.equation("eq-one-of-seven", way="enumeration")
def test_one_of_seven(equation):
    def check(chance):
        tosses = [sum(coins) <= 1 for coins in product((0, 1), repeat=7)]
        assert chance == sum(tosses) / len(tosses)

    equation.holds(check, sum(math.comb(7, k) for k in (0, 1)) / 2**7)
    equation.holds(check, 0.0625)
    equation.rejects("exactly one", check, 7 / 128)
    equation.rejects("less than one", check, 1 / 128)


@pytest.mark.equation("eq-temperature-optimum", way="closed form")
def test_temperature_optimum(equation):
    """At the temperature that a search over the loss finds, and at no other one."""
    rng = np.random.default_rng(10)

    def best_factor(margins, votes):
        def loss(b):
            return float(np.mean(np.logaddexp(0, margins * b[0]) - votes * margins * b[0]))

        return minimize(loss, [1.0], tol=1e-14, options={"gtol": 1e-10}).x[0]

    def check(condition):
        # Too sure of itself, and not sure enough.
        for scale in (0.4, 3.0):
            margins = 2.0 * rng.standard_normal(400)
            votes = (rng.random(400) < sigmoid(margins / scale)).astype(float)
            best = best_factor(margins, votes)
            assert abs(condition(votes, margins, 1 / best)) < 1e-6
            assert abs(condition(votes, margins, 1.3 / best)) > 1e-3

    equation.holds(check, lambda v, d, t: np.mean((v - sigmoid(d / t)) * d))
    equation.rejects("not weighed by the margins", check, lambda v, d, t: np.mean(v - sigmoid(d / t)))
    equation.rejects("multiplied by the temperature", check, lambda v, d, t: np.mean((v - sigmoid(d * t)) * d))
    equation.rejects("weighed by their size", check, lambda v, d, t: np.mean((v - sigmoid(d / t)) * np.abs(d)))
