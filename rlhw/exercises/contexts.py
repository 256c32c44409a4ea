"""What the questions of homework 1 share: several questions x, each with a few answers y, and a policy with a table of logits.

`logits` has X rows (questions) and A columns (answers); row x gives π(y|x), the softmax of that row. `question_probs` holds
p(x). The slips that all these questions invite are taken from here too: a softmax over the wrong numbers, or one that overflows.
"""

from collections.abc import Callable

import numpy as np

from rlhw.laws import log_probabilities_of

Array = np.ndarray
Rows = Callable[[Array], Array]

OVERFLOWS = (
    "Right for small logits, but the exponential of a thousand overflows, that of minus a thousand is 0, and both leave "
    "nan. Lower the logits of a question by their largest before the exponential: its probabilities stay the same."
)
WHOLE_MAXIMUM = (
    "You lower all logits by the largest of the whole table. A question whose own logits are all far below it is left "
    "with 0/0. Each row needs its own largest number: axis=1, keepdims=True."
)
NAN_ROW = (
    "Right for small logits, but the row that moves comes out as nan. Near -1000 all its exponentials are 0, and 0/0 is nan. "
    "Lower the logits of each question by its own largest one before the exponential: its probabilities stay the same."
)
OVER_THE_TABLE = (
    "Your probabilities sum to one over the whole table. A policy is asked one question at a time: they sum to one over "
    "the answers of each question, so the softmax goes row by row."
)
OVER_THE_QUESTIONS = (
    "Your softmax goes down the columns, over the questions. The rows are questions and the columns answers: for each "
    "question the probabilities of its answers sum to one."
)


def policy(logits: Array) -> Array:
    """π(y|x): the softmax of each row."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def without_maximum(logits: Array) -> Array:
    """The slip that overflows."""
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def whole_maximum(logits: Array) -> Array:
    """The slip that leaves 0/0 in rows far below the largest logit of the table."""
    weights = np.exp(logits - logits.max())
    return weights / weights.sum(axis=-1, keepdims=True)


def over_the_table(logits: Array) -> Array:
    """The slip of one softmax for all questions together."""
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def over_the_questions(logits: Array) -> Array:
    """The slip of a softmax down the columns."""
    return policy(logits.T).T


def by_log_sum(logits: Array) -> Array:
    """Right: through the logarithm of the sum."""
    return np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))


def by_differences(logits: Array) -> Array:
    """Right: π_k = 1 / Σ_j exp(z_j - z_k). An infinite sum gives the probability 0, as it should."""
    return 1.0 / np.exp(logits[..., None, :] - logits[..., :, None]).sum(axis=-1)


def by_rows(logits: Array) -> Array:
    """Right: one row after the other, with plain lists."""
    rows = []
    for row in np.atleast_2d(logits):
        weights = [float(np.exp(logit - max(row))) for logit in row]
        rows.append([weight / sum(weights) for weight in weights])
    return np.array(rows).reshape(np.shape(logits))


# Ways to compute π that a right answer may take.
WAYS: dict[str, Rows] = {"log of the sum": by_log_sum, "differences": by_differences, "lists": by_rows}


def written_as(answer: Callable[..., Array]) -> dict[str, Callable]:
    """The same right table, handed back in other forms."""
    return {
        "nested lists": lambda *case: answer(*case).tolist(),
        "tuple of tuples": lambda *case: tuple(map(tuple, answer(*case))),
        "list of arrays": lambda *case: list(answer(*case)),
        "column by column in memory": lambda *case: np.asfortranarray(answer(*case)),
    }


def draw_table(rng: np.random.Generator, fewest: int = 3, questions: int = 0) -> tuple[Array, Array]:
    """Logits and p(x) of two to four questions (or of so many), with `fewest` to five answers. There are never as many
    answers as questions, so that a product along the wrong axis cannot pass unnoticed."""
    questions = questions or int(rng.integers(2, 5))
    answers = int(rng.choice([n for n in range(fewest, 6) if n != questions]))
    question_probs = 0.6 * rng.dirichlet(np.ones(questions)) + 0.4 / questions
    return rng.standard_normal((questions, answers)), question_probs / question_probs.sum()


def draw_single(rng: np.random.Generator, fewest: int = 3) -> tuple[Array, Array]:
    """One question, asked with probability 1."""
    return draw_table(rng, fewest, questions=1)


def draw_large(rng: np.random.Generator, fewest: int = 3) -> tuple[Array, Array]:
    """The logits of one question lie near 1000, those of two or three others near -1000."""
    logits, question_probs = draw_table(rng, fewest, questions=int(rng.integers(3, 5)))
    logits = logits - 1000.0
    logits[rng.integers(len(logits))] += 2000.0
    return logits, question_probs


def first_above(probabilities: Array, u: float) -> int:
    """The answer that u draws, by adding up; the last one where rounding leaves u above the total."""
    reached = 0.0
    for index, probability in enumerate(probabilities):
        reached += probability
        if u < reached:
            return index
    return len(probabilities) - 1


def drawn(probabilities: Array, numbers: Array) -> Array:
    """What each of N numbers draws: from the same probabilities (A), or from a row of its own (N, A)."""
    below = (np.cumsum(probabilities, axis=-1) <= numbers[:, None]).sum(axis=1)
    return np.minimum(below, probabilities.shape[-1] - 1)


def clear(probabilities: Array, numbers: Array) -> Array:
    """Which of N numbers lie so far from the ends of the intervals that rounding cannot decide what they draw."""
    return (np.abs(np.cumsum(probabilities, axis=-1) - numbers[:, None]) > 1e-4).all(axis=1)


def uniformly(count: int, numbers: Array) -> Array:
    """What each number would draw if all `count` were equally likely."""
    return np.floor(numbers * count).astype(int)


def all_differ(*indices: Array) -> Array:
    """Where N indices of several kinds are all different, for each of the N."""
    ordered = np.sort(np.stack(indices), axis=0)
    return (np.diff(ordered, axis=0) > 0).all(axis=0)


def not_the_largest(logits: Array) -> Array:
    """For each question, whether its exponentials are lost beside the largest of the table, as all but one of `draw_large`
    are; with ordinary logits all count."""
    return logits.max(axis=1) < 500.0


def log_policy(logits: Array) -> Array:
    """log π(y|x) in extended precision: the oracle of these questions."""
    return log_probabilities_of(logits)


def slope(objective: Callable[[Array], Array], logits: Array, step: float = 1e-6) -> Array:
    """Central differences by each logit of an objective that knows them through log π only.

    `objective` takes tables of log π, one behind the other (N, X, A), and gives N numbers. Rows are centred first, which
    leaves π as it is, so that logits of a thousand lose no digits.
    """
    centred = logits - logits.max(axis=1, keepdims=True)
    moves = step * np.eye(logits.size).reshape(logits.size, *logits.shape)
    rise = objective(log_policy(centred + moves)) - objective(log_policy(centred - moves))
    return (rise / (2 * step)).reshape(logits.shape)
