"""Chapter B1 measured: races of rules on four arms, 1,000 players each. `python -m benchmarks.regret` writes the card."""

import time

import numpy as np

from rlhw import cards
from rlhw.bandits import BernoulliBandit
from rlhw.regret import (
    Rule,
    auer_epsilon,
    bernoulli_kl,
    decaying_epsilon,
    expected_regret,
    gaps,
    lai_robbins,
    race,
    rule,
    ucb1_bound,
)

BANDIT = BernoulliBandit(np.array([0.3, 0.5, 0.7, 0.4]))
PULLS, PLAYERS, SEEDS = 10_000, 200, range(5)
LEAST_GAP = 0.2
RULES: dict[str, Rule] = {
    "greedy": rule(),
    "constant": rule(epsilon=lambda pull: 0.1),
    "decaying_5": rule(epsilon=lambda pull: decaying_epsilon(pull, 5.0)),
    "decaying_20": rule(epsilon=lambda pull: decaying_epsilon(pull, 20.0)),
    "auer": rule(epsilon=lambda pull: auer_epsilon(pull, c=5.0, arms=4, gap=LEAST_GAP)),
    "ucb1": rule(c=2**0.5),
    "ucb_narrow": rule(c=0.5**0.5),
}
WORDS = {
    "greedy": "greedy",
    "constant": "ε = 0.1",
    "decaying_5": "ε = min(1, 5/t)",
    "decaying_20": "ε = min(1, 20/t)",
    "auer": "Auer's ε, c = 5, d = 0.2",
    "ucb1": "UCB1, c = √2",
    "ucb_narrow": "UCB, c = √½",
}
CONSTANT = lai_robbins(gaps(BANDIT.means), bernoulli_kl(BANDIT.means, BANDIT.means.max()))
# Two arms, few pulls: every history can be summed.
TWO, SHORT = np.array([0.65, 0.4]), 40
MANY, ERRORS = 20_000, 5.5


class OneSure(BernoulliBandit):
    """The first arm pays its mean every time; the others pay 0 or 1."""

    def pull(self, actions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(actions == 0, self.means[0], super().pull(actions, rng))


RUIN, RUIN_PULLS = OneSure(np.array([0.5, 0.6])), 400


def ruined(actions: np.ndarray) -> np.ndarray:
    """Who has left the coin for good: the last thirty pulls are all of the sure arm."""
    return np.all(actions[:, -30:] == 0, axis=1)


def long_races() -> dict[str, dict]:
    """Regret of each rule after 1,000 and 10,000 pulls, its growth between them, and how many players are lost."""
    metrics = {}
    for name, players_rule in RULES.items():
        middle, end, lost = [], [], []
        for seed in SEEDS:
            actions, _ = race(BANDIT, players_rule, PULLS, PLAYERS, np.random.default_rng(seed))
            cost = gaps(BANDIT.means)[actions]
            middle.append(cost[:, : PULLS // 10].sum(axis=1))
            end.append(cost.sum(axis=1))
            lost.append((actions[:, -PULLS // 10 :] != 2).mean(axis=1) > 0.5)
        words = WORDS[name]
        who = f"{words}, mean of {PLAYERS} players"
        metrics[f"middle_{name}"] = cards.metric(f"regret after 1,000 pulls, {who}", [x.mean() for x in middle])
        metrics[f"end_{name}"] = cards.metric(f"regret after 10,000 pulls, {who}", [x.mean() for x in end])
        growth = [(b - a).mean() / np.log(10) for a, b in zip(middle, end, strict=True)]
        metrics[f"growth_{name}"] = cards.metric(
            f"growth of the regret per unit of log T from 1,000 to 10,000 pulls, {who}", growth, known=CONSTANT
        )
        rate = [(b - a).mean() / (PULLS * 0.9) for a, b in zip(middle, end, strict=True)]
        known = {"known": 0.1 * float(gaps(BANDIT.means).mean())} if name == "constant" else {}
        metrics[f"rate_{name}"] = cards.metric(f"regret a pull from 1,000 to 10,000 pulls, {who}", rate, **known)
        singles = np.concatenate(end)
        metrics[f"typical_{name}"] = cards.metric(
            f"regret after 10,000 pulls, {words}, median of {len(singles)} players", float(np.median(singles))
        )
        metrics[f"worst_{name}"] = cards.metric(
            f"regret after 10,000 pulls, {words}, the unluckiest of {len(singles)} players", float(singles.max())
        )
        metrics[f"lost_{name}"] = cards.metric(
            f"players of {len(singles)} on a wrong arm for most of the last 1,000 pulls, {words}",
            float(np.concatenate(lost).sum()),
        )
        print(
            f"{words}: mean {np.mean(middle):.1f}, {singles.mean():.1f}; growth {np.median(growth):.1f}; "
            f"median {np.median(singles):.1f}, worst {singles.max():.0f}, lost {np.concatenate(lost).sum()}"
        )
    return metrics


def bounds() -> dict[str, dict]:
    """What the theorems say of the same four arms."""
    d = gaps(BANDIT.means)
    positive = d[d > 0]
    found = {
        "constant_c": ("the constant C of Lai and Robbins for the four arms", CONSTANT),
        "bound_1000": ("C log T at T = 1,000", CONSTANT * np.log(1000)),
        "bound_10000": ("C log T at T = 10,000", CONSTANT * np.log(10_000)),
        "guarantee_10000": ("UCB1's guarantee at T = 10,000", ucb1_bound(d, PULLS)),
        "slope_ucb1": (
            "2 times the sum of 1/gap: what UCB1's regret tends to, per unit of log T",
            2 * np.sum(1 / positive),
        ),
        "slope_ucb_narrow": ("half the sum of 1/gap, the same for c = √½", np.sum(1 / positive) / 2),
        "mean_gap": ("mean gap of the four arms: what an exploring pull costs", d.mean()),
    }
    for meaning, number in found.values():
        print(f"{meaning}: {number:.4g}")
    return {name: cards.metric(meaning, float(number)) for name, (meaning, number) in found.items()}


def known_answers() -> dict[str, dict]:
    """Races whose mean is known: a sum over all histories of two arms, and a gambler's ruin."""
    metrics, farthest = {}, 0.0
    for name in ("greedy", "constant", "decaying_5", "ucb1"):
        exact = float(expected_regret(TWO, RULES[name], SHORT)[-1])
        means = []
        for seed in SEEDS:
            actions, _ = race(BernoulliBandit(TWO), RULES[name], SHORT, MANY, np.random.default_rng(100 + seed))
            cost = gaps(TWO)[actions].sum(axis=1)
            means.append(cost.mean())
            farthest = max(farthest, abs(cost.mean() - exact) / (cost.std() / MANY**0.5))
        meaning = f"regret of two arms after {SHORT} pulls, {WORDS[name]}, mean of {MANY} players"
        metrics[f"exact_{name}"] = cards.metric(meaning, means, known=exact)
        print(f"{meaning}: {np.median(means):.4f}, by summing all histories {exact:.4f}")
    met = bool(farthest <= ERRORS)
    metrics["farthest"] = cards.metric(
        "farthest of the 20 measured means from its exact one, in standard errors", farthest,
        bound=f"at most {ERRORS} (false alarm below 1e-6)", met=met,
    )  # fmt: skip
    print(f"farthest mean: {farthest:.2f} standard errors (bound {ERRORS}): {'met' if met else 'SHORT'}")
    shares = []
    for seed in SEEDS:
        actions, _ = race(RUIN, rule(), RUIN_PULLS, MANY // 5, np.random.default_rng(200 + seed))
        shares.append(float(ruined(actions).mean()))
    off = max(abs(share - 2 / 3) for share in shares) / (2 / 9 / (MANY // 5)) ** 0.5
    metrics["ruined"] = cards.metric(
        f"share of greedy players that leave the better arm for good, {RUIN_PULLS} pulls, {MANY // 5} players a seed",
        shares, known=2 / 3, bound=f"within {ERRORS} standard errors of 2/3", met=bool(off <= ERRORS),
    )  # fmt: skip
    print(
        f"ruined: {np.median(shares):.4f}, exact 0.6667, off by {off:.2f} errors: {'met' if off <= ERRORS else 'SHORT'}"
    )
    return metrics


if __name__ == "__main__":
    start = time.perf_counter()
    metrics = bounds() | known_answers() | long_races()
    cards.write(
        "regret",
        "Regret of rules on four arms, 1,000 players each",
        metrics,
        seconds=time.perf_counter() - start,
        command="python -m benchmarks.regret",
        modules=["rlhw.bandits", "rlhw.regret", "benchmarks.regret"],
    )
