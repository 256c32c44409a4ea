"""Simulated annotators against their known answers: `python -m benchmarks.annotation` writes results/annotation.json (a minute).

Every probability is known, so agreement, kappa and the shares of first and of longer answers have exact values; each is measured
as it would be on labels of people, by `rlhw.preferences`, and stands beside its exact value.
"""

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from rlhw import cards
from rlhw.preferences import (
    ELO_PER_NAT,
    Comparison,
    agreement,
    bradley_terry_ratings,
    elo,
    expected_score,
    length_bias,
    player_wins,
    position_bias,
)
from rlhw.tiny_tldr import Post, SimulatedAnnotator, Teacher, gold_reward, sample_post

Pair = tuple[Post, str, str]

SEEDS = (0, 1, 2, 3, 4)
PAIRS, SESSIONS, SESSION = 2000, 400, 100
ANNOTATORS = {
    "careful": SimulatedAnnotator(0.5),
    "lapsing": SimulatedAnnotator(0.5, lapse=0.3),
    "wordy": SimulatedAnnotator(0.5, length_bias=0.15),
    "left": SimulatedAnnotator(0.5, position_bias=1.0),
    "counting": SimulatedAnnotator(0.3, length_bias=1.0),
}
FAULTS = {
    "careful": "temperature 0.5",
    "lapsing": "lapse 0.3",
    "wordy": "length bias 0.15 a word",
    "left": "position bias 1",
    "counting": "length bias 1 a word, temperature 0.3",
}
# Two people with the same taste and opposite habits.
OPPOSED = SimulatedAnnotator(0.5, position_bias=2.0), SimulatedAnnotator(0.5, position_bias=-2.0)
PLAYERS, ORDERS = {"careful": 1.0, "plain": 0.5, "hasty": 0.0}, 200


def words(text: str) -> int:
    """The length that a length bias is about."""
    return len(text.split())


def teacher_pairs(count: int, seed: int, split: str = "evaluation") -> list[Pair]:
    """(post, first, second) for so many different posts: two different summaries of the teacher's, in the order they were drawn."""
    rng, teacher, found = np.random.default_rng(seed), Teacher(), {}
    while len(found) < count:
        post = sample_post(rng, split)
        first, second = teacher.sample(post, rng), teacher.sample(post, rng)
        if first != second:
            found.setdefault(post.text, (post, first, second))
    return list(found.values())


def probabilities(annotator: SimulatedAnnotator, pairs: list[Pair]) -> np.ndarray:
    """The exact P(first preferred) for each pair."""
    return np.array([annotator.probability(*pair) for pair in pairs])


def label(pairs: list[Pair], p: np.ndarray, name: str, rng: np.random.Generator) -> list[Comparison]:
    """One label for each pair, drawn by these probabilities."""
    return [
        Comparison(post.text, first, second, "first" if u < chance else "second", name)
        for (post, first, second), chance, u in zip(pairs, p, rng.random(len(p)), strict=True)
    ]


def kappa_of(p: np.ndarray, q: np.ndarray) -> float:
    """Cohen's kappa in the limit of many labels of these pairs: (p_o - p_e)/(1 - p_e) with the exact shares."""
    observed = float(np.mean(p * q + (1 - p) * (1 - q)))
    chance = float(p.mean() * q.mean() + (1 - p.mean()) * (1 - q.mean()))
    return (observed - chance) / (1 - chance)


def gold_accuracy(pairs: list[Pair], p: np.ndarray) -> float:
    """The share of labels that choose the answer of greater gold reward, expected; equal rewards count one half."""
    better = np.array([gold_reward(post, first) - gold_reward(post, second) for post, first, second in pairs])
    return float(np.where(better > 0, p, np.where(better < 0, 1 - p, 0.5)).mean())


def longer_share(pairs: list[Pair], p: np.ndarray) -> float:
    """The share of labels that choose the longer answer, expected, among pairs of different lengths."""
    longer = np.array([words(first) - words(second) for _, first, second in pairs])
    return float(np.where(longer > 0, p, 1 - p)[longer != 0].mean())


def gold_hits(labels: list[Comparison], pairs: list[Pair]) -> float:
    """The share of these labels that choose the answer of greater gold reward."""
    return gold_accuracy(pairs, np.array([float(one.choice == "first") for one in labels]))


def one_annotator(name: str, pairs: list[Pair]) -> Iterator[tuple[str, dict]]:
    """The metrics of one annotator, who labels all pairs twice with each seed, as two people of one kind would."""
    p, fault = probabilities(ANNOTATORS[name], pairs), FAULTS[name]
    rows = []
    for seed in SEEDS:
        rng = np.random.default_rng((seed, list(ANNOTATORS).index(name)))
        labels, others = label(pairs, p, "a", rng), label(pairs, p, "b", rng)
        both = agreement(labels + others)
        first, longer = position_bias(labels), length_bias(labels, words)
        rows.append((both.raw, both.kappa, first.share, longer.share, gold_hits(labels, pairs)))
    raw, kappa, first, longer, gold = (list(column) for column in zip(*rows, strict=True))
    agree = float(np.mean(p**2 + (1 - p) ** 2))
    yield f"agree_{name}", cards.metric(f"raw agreement of two with {fault}", raw, known=agree)
    yield f"kappa_{name}", cards.metric(f"Cohen's kappa of two with {fault}", kappa, known=kappa_of(p, p))
    yield f"first_{name}", cards.metric(f"share of first answers, {fault}", first, known=float(p.mean()))
    yield f"longer_{name}", cards.metric(f"share of longer answers, {fault}", longer, known=longer_share(pairs, p))
    yield (
        f"gold_{name}",
        cards.metric(f"labels that follow the gold reward, {fault}", gold, known=gold_accuracy(pairs, p)),
    )
    yield (
        f"bayes_{name}",
        cards.metric(f"Bayes accuracy on the labels, exact, {fault}", float(np.maximum(p, 1 - p).mean())),
    )


def opposed(pairs: list[Pair]) -> dict[str, dict]:
    """Agreement and accuracy of two annotators with opposite position biases."""
    p, q = (probabilities(annotator, pairs) for annotator in OPPOSED)
    raw, kappa, gold = [], [], []
    for seed in SEEDS:
        rng = np.random.default_rng((seed, 99))
        labels, others = label(pairs, p, "a", rng), label(pairs, q, "b", rng)
        both = agreement(labels + others)
        raw.append(both.raw)
        kappa.append(both.kappa)
        gold.append((gold_hits(labels, pairs) + gold_hits(others, pairs)) / 2)
    agree = float(np.mean(p * q + (1 - p) * (1 - q)))
    known = (gold_accuracy(pairs, p) + gold_accuracy(pairs, q)) / 2
    return {
        "agree_opposed": cards.metric("raw agreement of two with position biases 2 and -2", raw, known=agree),
        "kappa_opposed": cards.metric("Cohen's kappa of the same two", kappa, known=kappa_of(p, q)),
        "gold_opposed": cards.metric("labels of the two that follow the gold reward", gold, known=known),
    }


def covered(pairs: list[Pair], name: str, known: float, share: Callable, seed: int) -> float:
    """The share of sessions of 100 labels whose 95 % interval holds the exact value."""
    p, rng, hits = probabilities(ANNOTATORS[name], pairs), np.random.default_rng((seed, 7)), 0
    for _ in range(SESSIONS):
        some = rng.choice(len(pairs), SESSION, replace=False)
        found = share(label([pairs[i] for i in some], p[some], "a", rng))
        hits += found.low <= known <= found.high
    return hits / SESSIONS


def games(seed: int, count: int = 100) -> list[tuple[str, str, str]]:
    """So many games of each two players, drawn by Bradley-Terry's law for these strengths, in nats."""
    rng, names, played = np.random.default_rng(seed), list(PLAYERS), []
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            chance = expected_score(ELO_PER_NAT * PLAYERS[a], ELO_PER_NAT * PLAYERS[b])
            played += [(a, b, "first" if u < chance else "second") for u in rng.random(count)]
    return played


def elo_gaps() -> dict[str, dict]:
    """Elo's gap between best and worst after the same games in several orders, beside that of greatest likelihood."""
    played = games(seed=0)
    players, wins = player_wins(played)
    strengths = dict(zip(players, ELO_PER_NAT * bradley_terry_ratings(wins), strict=True))
    known = float(strengths["careful"] - strengths["hasty"])
    gaps = []
    for order in range(ORDERS):
        ratings = elo([played[i] for i in np.random.default_rng(order).permutation(len(played))])
        gaps.append(ratings["careful"] - ratings["hasty"])
    meaning = f"Elo's gap (k = 32) between best and worst of three, {len(played)} games in {ORDERS} orders"
    return {"elo_gap": cards.metric(meaning, gaps, known=known, unit="points")}


def main() -> int:
    start = time.perf_counter()
    pairs = teacher_pairs(PAIRS, seed=4)
    metrics = {}
    for name in ANNOTATORS:
        metrics |= dict(one_annotator(name, pairs))
    metrics |= opposed(pairs)
    for name, known, share in (
        ("left", float(probabilities(ANNOTATORS["left"], pairs).mean()), position_bias),
        ("wordy", longer_share(pairs, probabilities(ANNOTATORS["wordy"], pairs)), lambda c: length_bias(c, words)),
    ):
        hits = [covered(pairs, name, known, share, seed) for seed in SEEDS]
        meaning = f"95 % intervals of {SESSION} labels that hold the exact share, {FAULTS[name]}, of {SESSIONS}"
        metrics[f"covered_{name}"] = cards.metric(meaning, hits, bound=">= 0.92", met=min(hits) >= 0.92)
    metrics |= elo_gaps()
    cards.write(
        "annotation", f"Simulated annotators on {PAIRS:,} pairs of the small forum, beside their exact values", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.annotation",
        modules=[
            "rlhw.tiny_tldr.posts", "rlhw.tiny_tldr.summaries", "rlhw.preferences.annotators", "rlhw.preferences.ratings",
            "benchmarks.annotation",
        ],
    )  # fmt: skip
    print(cards.table("annotation"))
    return 0 if cards.report("annotation") else 1


if __name__ == "__main__":
    sys.exit(main())
