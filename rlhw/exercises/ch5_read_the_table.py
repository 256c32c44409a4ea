"""Question ch5-read-the-table: what an overfitting table says, and what it does not."""

import math

from rlhw.exercises.question import Part, Question, Wrong

# epoch, training loss, validation loss, right of the validation pairs: invented for this exercise.
ROWS = ((1, 0.71, 0.81, 7), (2, 0.44, 0.86, 6), (3, 0.17, 1.02, 6), (4, 0.05, 1.27, 5), (5, 0.01, 1.54, 4))
TRAINING_PAIRS, VALIDATION_PAIRS, BATCH, WARM_UP = 20, 7, 2, 100

TEXT = r"""
A reward model was trained on 20 pairs in batches of 2. The learning rate was to rise in a straight line over the
first 100 steps, its warm-up, and then to stay at its peak. After each epoch the model was measured on all 20
training pairs and on 7 other pairs, for validation. The loss is the mean of $-\log\sigma(\Delta)$ in nats, where
$\Delta$ is the score of the chosen answer less that of the rejected one; a pair is right when $\Delta > 0$. The run
ended after epoch 5.

| epoch | training loss | validation loss | right of 7 |
|---|---|---|---|
TABLE

Worked: "A coin gets 4 or more of 7 pairs right with probability one half." Yes: 64 of the 128 equally likely results
have 4 or more right. So the count in the last row speaks neither for the model nor against it.

Say "yes" or "no" to each statement.

- **a**: a model that gives every answer the same score has a lower validation loss than every row
- **b**: early stopping, which keeps the row with the lowest validation loss, keeps a model that is better, by that
  loss, than equal scores
- **c**: 6 right of 7, taken alone, shows that the model is better than a coin: a coin gets 6 or more right with a
  probability below 5 %
- **d**: 7 right of 7, taken alone, shows it in this sense
- **e**: the validation loss and the count of epoch 1 can come from the same scores
- **f**: the validation loss and the count of epoch 2 can come from the same scores
- **g**: the learning rate reached its peak
- **h**: after epoch 5 all 20 training pairs are right

Answer with a dictionary from letters to "yes" or "no".
""".replace("TABLE", "\n".join(f"| {n} | {train:.2f} | {valid:.2f} | {right} |" for n, train, valid, right in ROWS))

STUB = """
answer = None  # such as {"a": "yes", "b": "no", ...}
"""


def at_least_by_a_coin(right, pairs):
    return sum(math.comb(pairs, k) for k in range(right, pairs + 1)) / 2**pairs


def possible(loss, right, pairs):
    """Can `right` of the pairs be right at this mean loss? A right pair costs (0, log 2), any other log 2 or more."""
    wrong = pairs - right
    return loss > wrong * math.log(2) / pairs and (wrong > 0 or loss < math.log(2))


def expected():
    """Each statement worked out from the numbers of the table."""
    equal_scores = -math.log(1 / (1 + math.exp(0)))
    validation = [row[2] for row in ROWS]
    truth = {
        "a": all(equal_scores < loss for loss in validation),
        "b": min(validation) < equal_scores,
        "c": at_least_by_a_coin(ROWS[1][3], VALIDATION_PAIRS) < 0.05,
        "d": at_least_by_a_coin(ROWS[0][3], VALIDATION_PAIRS) < 0.05,
        "e": possible(ROWS[0][2], ROWS[0][3], VALIDATION_PAIRS),
        "f": possible(ROWS[1][2], ROWS[1][3], VALIDATION_PAIRS),
        "g": ROWS[-1][0] * TRAINING_PAIRS / BATCH >= WARM_UP,
        # Even rounded down by half of its last digit the loss leaves no room for one pair at log 2.
        "h": TRAINING_PAIRS * (ROWS[-1][1] + 0.005) < math.log(2),
    }
    return {letter: "yes" if true else "no" for letter, true in truth.items()}


WORDS = {"true": "yes", "false": "no", "y": "yes", "n": "no"}


def tidy(answer):
    said = {str(key).strip().lower(): str(value).strip().lower() for key, value in dict(answer).items()}
    return {letter: WORDS.get(word, word) for letter, word in said.items()}


def agrees(got, known):
    try:
        return tidy(got) == tidy(known)
    except (TypeError, ValueError):
        return False


VALUE = {"a": "yes", "b": "no", "c": "no", "d": "yes", "e": "no", "f": "yes", "g": "no", "h": "yes"}
RIGHT = {
    "value": VALUE,
    "truth values": {letter: word == "yes" for letter, word in VALUE.items()},
    "capital letters": {letter.upper(): word.upper() for letter, word in VALUE.items()},
    "letters and another order": {letter: f" {VALUE[letter][0]}" for letter in reversed(VALUE)},
}

QUESTION = Question(
    name="ch5-read-the-table",
    title="Read the table",
    stars=1,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one statement is judged wrongly. Hold each loss against that of equal scores, each count against a coin, "
        "and count the steps."
    ),
    expected=expected,
    parts=(Part("eight statements", 6, cases=1),),
    right=RIGHT,
    wrong={
        "constant model is worse": Wrong(
            VALUE | {"a": "no"},
            "Look at a again: what probability does a model with equal scores give to every choice, and what does that cost?",
        ),
        "early stopping cures": Wrong(
            VALUE | {"b": "yes"},
            "Look at b again: the best row is the best of these five. Is it better than having learned nothing?",
        ),
        "early stopping as a cure for everything": Wrong(
            VALUE | {"a": "no", "b": "yes"},
            "Look at a and b again. You take the falling training loss for learning. Work out the loss of equal scores, and "
            "hold the validation losses against it.",
        ),
        "six of seven is enough": Wrong(
            VALUE | {"c": "yes"},
            "Look at c again: count the results with exactly 6 right as well as the one with 7, out of 128.",
        ),
        "seven pairs never suffice": Wrong(
            VALUE | {"d": "no"},
            "Look at d again: seven pairs are few, but how many of the 128 results have all of them right?",
        ),
        "loss and accuracy are two things": Wrong(
            VALUE | {"e": "yes"},
            "Look at e again: a pair that is right has a positive difference. How large can its loss be?",
        ),
        "a large loss means many wrong": Wrong(
            VALUE | {"f": "no"},
            "Look at f again: the loss of a single wrong pair has no upper limit.",
        ),
        "more epochs than warm-up": Wrong(
            VALUE | {"g": "yes"},
            "Look at g again: how many batches are there in an epoch, and in five?",
        ),
        "no loss without a mistake": Wrong(
            VALUE | {"h": "no"},
            "Look at h again: a training pair that is not right costs at least as much as equal scores do. Would the mean "
            "over 20 pairs have room for it?",
        ),
        "all turned round": Wrong(
            {letter: {"yes": "no", "no": "yes"}[word] for letter, word in VALUE.items()},
            "You have yes and no exchanged throughout.",
        ),
    },
    agrees=agrees,
)
