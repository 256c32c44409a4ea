"""The slips of chapter 4, measured: `python -m benchmarks.slips_04` writes results/slips_04.json."""

import functools
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from benchmarks.annotation import ANNOTATORS, Pair, label, longer_share, probabilities, teacher_pairs
from benchmarks.slips import Slip, length, write_card
from rlhw.laws import numerical_gradient
from rlhw.pipeline.forum import compare
from rlhw.preferences import (
    ELO_PER_NAT,
    Comparison,
    bradley_terry_ratings,
    cohen_kappa,
    elo,
    from_label_studio,
    player_wins,
    raw_agreement,
    split_by_prompt,
)
from rlhw.tiny_tldr import Teacher, gold_reward, sample_post

Labels = list[Comparison]

FIRST_VOTES, SECOND_VOTES = 30, 70
ANSWERS = 4


@functools.cache
def some_pairs() -> list[Pair]:
    """2,000 pairs of the teacher's summaries, so that shares of them are known to a hundredth; of training posts, as those for
    evaluation are one in ten and take ten times as long.
    """
    return teacher_pairs(2000, seed=44, split="train")


def winners_that_are_worse(winner: Callable) -> float:
    """The share of winners that have the lower gold reward, for a rule that says of each pair whether the first has won."""
    gaps = [gold_reward(post, first) - gold_reward(post, second) for post, first, second in some_pairs()]
    won = winner(some_pairs())
    return float(np.mean([gap < 0 if first else gap > 0 for gap, first in zip(gaps, won, strict=True)]))


def the_label(pairs: list[Pair]) -> np.ndarray:
    """Whatever the careful annotator preferred."""
    labels = label(pairs, probabilities(ANNOTATORS["careful"], pairs), "a", np.random.default_rng(0))
    return np.array([one.choice == "first" for one in labels])


def the_gold(pairs: list[Pair]) -> np.ndarray:
    """The answer of greater gold reward: the careful annotator's more probable choice."""
    return probabilities(ANNOTATORS["careful"], pairs) > 0.5


def best_probability(loss: Callable) -> float:
    """The probability of "first" that makes a loss lowest, from 0.01 to 0.99, for 30 votes for first and 70 for second."""
    grid = np.linspace(0.01, 0.99, 99)
    return float(grid[np.argmin([loss(p) for p in grid])])


def share_of_gradient(average: Callable) -> float:
    """Length of the gradient of an average of -log P over all pairs of 4 answers to 5 prompts, as a share of the right one's."""
    scores = np.random.default_rng(5).standard_normal((5, ANSWERS))
    i, j = np.triu_indices(ANSWERS, 1)

    def gradient(average: Callable) -> np.ndarray:
        return numerical_gradient(lambda s: float(average(np.logaddexp(0, s[:, j] - s[:, i]))), scores)

    return length(gradient(average)) / length(gradient(lambda losses: losses.mean(axis=1).mean()))


def an_export() -> list[dict]:
    """Ten tasks as Label Studio exports them: three left, two right, a tie, two skipped, one without a choice, one unlabelled."""

    def task(number: int, *annotations: dict) -> dict:
        data = {"prompt": f"post {number}", "answer1": "one", "answer2": "two"}
        return {"id": number, "data": data, "annotations": list(annotations)}

    def chose(side: str) -> dict:
        result = {"type": "pairwise", "from_name": "preference", "value": {"selected": side}}
        return {"completed_by": 1, "was_cancelled": False, "result": [result]}

    tie = {"type": "choices", "from_name": "tie", "value": {"choices": ["tie"]}}
    skipped = {"completed_by": 1, "was_cancelled": True, "result": []}
    others = [{"was_cancelled": False, "result": [tie]}, skipped, skipped, {"was_cancelled": False, "result": []}]
    annotations = [chose(side) for side in ("left", "right", "left", "left", "right")] + others
    return [task(number, one) for number, one in enumerate(annotations)] + [task(9)]


def share_of_right(read: Callable) -> float:
    """The share of right among the comparisons that a reader takes from that export."""
    sides = read(an_export())
    return sum(side == "right" for side in sides) / len(sides)


def not_left_is_right(export: list[dict]) -> list[str]:
    """Every task is read, and what is not left is right; a reader that asks for result[0] stops at the first skipped task."""
    found = (json_path(task) for task in export)
    return ["left" if side == "left" else "right" for side in found]


def json_path(task: dict) -> object:
    """annotations[0].result[0].value.selected, or None where the path breaks off."""
    results = task["annotations"][0]["result"] if task["annotations"] else []
    return results[0]["value"].get("selected") if results else None


def checked(export: list[dict]) -> list[str]:
    """Only what somebody said."""
    sides = {"first": "left", "second": "right", "tie": "tie"}
    return [sides[one.choice] for one in from_label_studio(export).comparisons]


@functools.cache
def compared() -> Labels:
    """All six comparisons of four summaries each to 200 posts."""
    rng, teacher = np.random.default_rng(3), Teacher()
    posts = [sample_post(rng) for _ in range(200)]
    answers = [[teacher.sample(post, rng) for _ in range(ANSWERS)] for post in posts]
    return compare([post.text for post in posts], answers, 0.5, rng)


def table_accuracy(split: Callable) -> float:
    """Held-out accuracy of a table that holds, for each answer, its wins minus its losses: it knows nothing of other answers."""
    train, held_out = split(compared())
    table = defaultdict(int)
    for one in train:
        gain = 1 if one.choice == "first" else -1
        table[one.prompt, one.first] += gain
        table[one.prompt, one.second] -= gain
    right = 0.0
    for one in held_out:
        ahead = table[one.prompt, one.first] - table[one.prompt, one.second]
        right += 0.5 if ahead == 0 else (ahead > 0) == (one.choice == "first")
    return right / len(held_out)


def by_pair(comparisons: Labels) -> tuple[Labels, Labels]:
    """One in five comparisons held out, whatever their prompt."""
    held = np.random.default_rng(0).random(len(comparisons)) < 0.2
    return [c for c, out in zip(comparisons, held, strict=True) if not out], [
        c for c, out in zip(comparisons, held, strict=True) if out
    ]


def gap_of(ratings: Callable) -> float:
    """The gap, in points, between two players, of whom the first won 60 of 100 games, all of them before it lost 40."""
    return ratings([("a", "b", "first")] * 60 + [("a", "b", "second")] * 40)


def last_order(games: list) -> float:
    """Elo, k = 32."""
    found = elo(games)
    return found["a"] - found["b"]


def most_likely(games: list) -> float:
    """Greatest likelihood."""
    strengths = ELO_PER_NAT * bradley_terry_ratings(player_wins(games)[1])
    return float(strengths[0] - strengths[1])


def of_two_habits(statistic: Callable) -> float:
    """A statistic of two who say "first" nine times in ten, independently of each other and of the pair: exact shares."""
    cells = {(0, 0): 81, (0, 1): 9, (1, 0): 9, (1, 1): 1}
    return without_rounding(statistic(np.array([cell for cell, count in cells.items() for _ in range(count)])))


def kappa_of_columns(columns: Callable) -> float:
    """Cohen's kappa of two independent people, of whom one says "first" nine times in ten and the other once in ten."""
    cells = {(0, 0): 9, (0, 1): 81, (1, 0): 1, (1, 1): 9}
    table = np.array([cell for cell, count in cells.items() for _ in range(count)])
    return without_rounding(cohen_kappa(*columns(table).T))


def without_rounding(number: float) -> float:
    """What rounding leaves of a zero is zero, without a sign."""
    return round(number, 12) + 0.0


def mixed(table: np.ndarray) -> np.ndarray:
    """Whoever was quicker stands in the first column: of every two equal rows one is turned round."""
    turned = np.repeat(table, 2, axis=0)
    turned[::2] = turned[::2, ::-1]
    return turned


def nats_from(votes: Callable) -> float:
    """The gap in nats between two answers that got 6 votes, 2 votes and 12 ties."""
    for_one, for_other = votes(6.0, 2.0, 12.0)
    return float(np.log(for_one / for_other))


def longer_without_bias(share: Callable) -> float:
    """How often the careful annotator, who does not care for length, is expected to choose the longer answer."""
    return share(some_pairs(), probabilities(ANNOTATORS["careful"], some_pairs()))


SLIPS = {
    "preferred_is_better": Slip(
        "winners with the lower gold reward, by the careful annotator's labels (right: by the gold reward itself)",
        winners_that_are_worse,
        wrong=the_label,
        right=the_gold,
    ),
    "bracket_missing": Slip(
        "probability of first where -sum A log P + B log P' is lowest, 30 votes against 70 (right: with brackets)",
        best_probability,
        wrong=lambda p: -FIRST_VOTES * np.log(p) + SECOND_VOTES * np.log(1 - p),
        right=lambda p: -(FIRST_VOTES * np.log(p) + SECOND_VOTES * np.log(1 - p)),
    ),
    "averaged_twice": Slip(
        "gradient with 1/C(K,2) in front of a mean over pairs, K = 4, as a share of the right one",
        share_of_gradient,
        wrong=lambda losses: (losses / losses.shape[1]).mean(),
        right=lambda losses: (losses.sum(axis=1) / losses.shape[1]).mean(),
    ),
    "not_left_is_right": Slip(
        "share of right among what is read of ten tasks when all that is not left counts as right (right: checked import)",
        share_of_right,
        wrong=not_left_is_right,
        right=checked,
    ),
    "split_by_pair": Slip(
        "held-out accuracy of a table of the answers it has seen, split by pair (right: by prompt)",
        table_accuracy,
        wrong=by_pair,
        right=lambda comparisons: split_by_prompt(comparisons, 0.2, seed=0),
    ),
    "one_order": Slip(
        "Elo's gap after 60 wins and then 40 losses (right: greatest likelihood)",
        gap_of,
        wrong=last_order,
        right=most_likely,
        unit="points",
    ),
    "raw_is_high": Slip(
        "raw agreement of two who say first nine times in ten, whatever they are shown (right: Cohen's kappa)",
        of_two_habits,
        wrong=raw_agreement,
        right=lambda table: cohen_kappa(*table.T),
    ),
    "mixed_raters": Slip(
        "Cohen's kappa of two independent people when each column holds both (right: a column each)",
        kappa_of_columns,
        wrong=mixed,
        right=lambda table: table,
    ),
    "ties_dropped": Slip(
        "gap in nats after 6 wins, 2 losses and 12 ties, ties dropped (right: one half each)",
        nats_from,
        wrong=lambda wins, losses, ties: (wins, losses),
        right=lambda wins, losses, ties: (wins + ties / 2, losses + ties / 2),
        unit="nats",
    ),
    "longer_is_bias": Slip(
        "share of longer answers of an annotator without length bias, taken for one half (right: its exact share)",
        longer_without_bias,
        wrong=lambda pairs, p: 0.5,
        right=longer_share,
    ),
}

if __name__ == "__main__":
    modules = [
        "rlhw.tiny_tldr.posts", "rlhw.tiny_tldr.summaries", "rlhw.preferences.annotators", "rlhw.preferences.ratings",
        "rlhw.preferences.label_studio", "rlhw.preferences.comparison", "benchmarks.annotation", "benchmarks.slips_04",
    ]  # fmt: skip
    write_card("04", "The slips of chapter 4, measured", SLIPS, modules)
