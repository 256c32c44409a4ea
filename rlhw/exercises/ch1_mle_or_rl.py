"""Question ch1-mle-or-rl: Cloning, REINFORCE, both or neither."""

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Say for each statement whether it is true of cloning ("MLE"), of REINFORCE ("RL"), of "both" or of "neither".

- **a**: the answers come from the policy that is being trained
- **b**: the answers come from a fixed data set of the teacher's
- **c**: the update is a weight times the score of the answer
- **d**: the reward is differentiated with respect to the answer
- **e**: the data stay valid, without correction, after the policy has changed
- **f**: its optimum, when it answers by its own probabilities, can earn more than the teacher
- **g**: a constant added to the weight of every sample leaves the expected update unchanged
- **h**: each token's target is known in advance

Answer with a dictionary from letters to names.
"""

STUB = """
answer = None  # such as {"a": "both", "b": "MLE", ...}
"""


def tidy(answer):
    return {str(key).strip().lower(): str(value).strip().lower() for key, value in dict(answer).items()}


def expected():
    return {"a": "RL", "b": "MLE", "c": "both", "d": "neither", "e": "MLE", "f": "RL", "g": "RL", "h": "MLE"}


def agrees(got, known):
    try:
        return tidy(got) == tidy(known)
    except (TypeError, ValueError):
        return False


RIGHT = {
    "value": {"a": "RL", "b": "MLE", "c": "both", "d": "neither", "e": "MLE", "f": "RL", "g": "RL", "h": "MLE"},
    "lower case": {"a": "rl", "b": "mle", "c": "both", "d": "neither", "e": "mle", "f": "rl", "g": "rl", "h": "mle"},
    "capital letters": {
        "A": "RL",
        "B": "MLE",
        "C": "BOTH",
        "D": "NEITHER",
        "E": "MLE",
        "F": "RL",
        "G": "RL",
        "H": "MLE",
    },
    "spaces and another order": {
        "h": "MLE",
        "g": "RL ",
        "f": " RL",
        "e": "MLE",
        "d": " neither ",
        "c": "Both",
        "b": "MLE",
        "a": "RL",
    },
}

QUESTION = Question(
    name="ch1-mle-or-rl",
    title="Cloning, REINFORCE, both or neither",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Ask of each statement: where do the answers come from, and what is the weight of the score?",
    expected=expected,
    parts=(Part("eight statements", 4, cases=1),),
    right=RIGHT,
    wrong={
        "all turned round": Wrong(
            {"a": "MLE", "b": "RL", "c": "both", "d": "neither", "e": "RL", "f": "MLE", "g": "MLE", "h": "RL"},
            "You have the two names exchanged throughout. MLE is cloning, which learns from the teacher's "
            "answers; RL is REINFORCE, which learns from its own.",
        ),
        "weight only in rl": Wrong(
            {"a": "RL", "b": "MLE", "c": "RL", "d": "neither", "e": "MLE", "f": "RL", "g": "RL", "h": "MLE"},
            "Look at c again: cloning has a weight too, the same for every answer. What is it?",
        ),
        "reward backpropagated": Wrong(
            {"a": "RL", "b": "MLE", "c": "both", "d": "RL", "e": "MLE", "f": "RL", "g": "RL", "h": "MLE"},
            "Look at d again: in REINFORCE the reward is a number that weighs the score. It is never "
            "differentiated, so it may come from a person.",
        ),
        "old data for both": Wrong(
            {"a": "RL", "b": "MLE", "c": "both", "d": "neither", "e": "both", "f": "RL", "g": "RL", "h": "MLE"},
            "Look at e again: the answers of REINFORCE were drawn from the policy as it was. When it has moved, "
            "they are samples of the wrong distribution.",
        ),
        "student beats teacher": Wrong(
            {"a": "RL", "b": "MLE", "c": "both", "d": "neither", "e": "MLE", "f": "both", "g": "RL", "h": "MLE"},
            "Look at f again: the best that cloning can do is to match the teacher, mistakes included. Only one "
            "of the two is told which answers were good.",
        ),
        "constant for both": Wrong(
            {"a": "RL", "b": "MLE", "c": "both", "d": "neither", "e": "MLE", "f": "RL", "g": "both", "h": "MLE"},
            "Look at g again: a constant drops out because the mean score is 0 under the policy. Under the "
            "teacher's answers it is not 0.",
        ),
        "targets for both": Wrong(
            {"a": "RL", "b": "MLE", "c": "both", "d": "neither", "e": "MLE", "f": "RL", "g": "RL", "h": "both"},
            "Look at h again: a reward says how good the whole answer was, and not which token should have stood "
            "at each place.",
        ),
        "own answers for both": Wrong(
            {"a": "both", "b": "MLE", "c": "both", "d": "neither", "e": "MLE", "f": "RL", "g": "RL", "h": "MLE"},
            "Look at a again: cloning never draws an answer from its own policy. Averaged over its own answers, "
            "its update would be 0.",
        ),
    },
    agrees=agrees,
)
