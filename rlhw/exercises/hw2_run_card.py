"""Question hw2-run-card: the card of a run on one's own labels, read for what it may claim."""

import json
import math

from rlhw.exercises.hw2_own_labels import Faultless, sample
from rlhw.exercises.labels import fingerprint, read
from rlhw.exercises.question import Part, Question, Wrong
from rlhw.preferences.files import strict_json

TRAININGS, POLICIES = ("reward", "dpo", "ppo", "grpo"), ("clone", "ppo", "grpo", "dpo")
MOST_CHARACTERS = 100_000

TEXT = r"""
Put your labels through the whole loop. In a cell of your own, or on the command line:

`from rlhw.homework.own_run import own_run` and then `print(own_run("my_labels.jsonl", "runs/mine"))`

`python -m rlhw.homework.own_run my_labels.jsonl --out runs/mine`

It holds back a fifth of the prompts, clones a summariser, learns a reward from the labels of the other prompts, optimises it
with PPO, GRPO and DPO, and judges the reward model by the labels that were held back: some minutes on two cores, offline.
What was stopped goes on when you call it again. At the end it prints a *run card*, which is also in
`runs/mine/run_card.json`. Paste it between the quotes of `run_card`. Run it anew when you change your labels.

The card is checked for what makes its numbers readable, not for how good they are. There are no points for a high number:

- it belongs to the labels that you pasted above: `labels_sha256` is their hash, and `labels`, `trained_on` and `n` (how many
  choices were held back) fit their number
- `training`: every training took more `steps` than its `warmup`, the steps in which the learning rate only rises. What has
  not left its warm-up has not been trained, whatever its loss looks like
- `policies`: none of them is better than the best there is. $J$ is reward less $\beta$ times KL to the clone, $J^\ast$ the
  best that any policy attains; `behind` is $J^\ast - J$, and it may be negative by no more than three of its standard
  errors, `behind_se`
- `accuracy` has `n` beside it, the number of labels that it was measured on, and `validation_loss` has `ln2`, the loss of a
  reward model that has learned nothing.
"""

STUB = """
run_card = r'''

'''
"""


def parsed(text):
    """The card as a dictionary, or None. Never raises."""
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        return None
    try:
        card = strict_json(text.encode("utf8", errors="surrogatepass"))
    except ValueError:
        return None
    return card if isinstance(card, dict) else None


def number(record, *path):
    """The finite number that stands there, or None."""
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    good = isinstance(record, int | float) and not isinstance(record, bool) and abs(record) < 1e12
    return float(record) if good else None


def of_labels(card, labels):
    """What does not fit the labels, or ""."""
    if card.get("labels_sha256") != fingerprint(labels.comparisons):
        return "other labels"
    # Whether n is there at all is asked elsewhere.
    trained, held_out = number(card, "trained_on"), number(card, "n") or 1
    fits = trained is not None and trained >= 1 and trained + held_out <= len(labels.comparisons)
    return "" if fits and number(card, "labels") == len(labels.comparisons) else "other counts"


def of_training(card, labels):
    """A training that did not happen, or a policy that cannot be, or ""."""
    pairs = [(number(card, "training", name, "steps"), number(card, "training", name, "warmup")) for name in TRAININGS]
    if any(None in pair for pair in pairs):
        return "steps missing"
    if any(steps <= warmup for steps, warmup in pairs):
        return "in its warm-up"
    best = number(card, "jstar")
    for name in POLICIES:
        own, behind, error = (number(card, "policies", name, key) for key in ("objective", "behind", "behind_se"))
        if None in (best, own, behind, error) or error <= 0:
            return "objectives missing"
        if behind < -3 * error:
            return "above the best"
        if abs(best - own - behind) > 1e-3 * max(1.0, abs(best)):
            return "sums that do not fit"
    return ""


def of_company(card, labels):
    """A number without the one that it cannot be read without, or ""."""
    loss, chance = number(card, "validation_loss"), number(card, "ln2")
    if loss is None or chance is None or abs(chance - math.log(2)) > 1e-3:
        return "no ln 2"
    accuracy, n = number(card, "accuracy"), number(card, "n")
    if accuracy is None or n is None or n < 1 or n != int(n):
        return "no n"
    halves = 2 * accuracy * n
    # A card may be rounded to three decimals.
    return "" if 0 <= accuracy <= 1 and abs(halves - round(halves)) <= 2e-3 * n else "no count of n"


PARTS = {"your labels": of_labels, "training and objectives": of_training, "numbers in company": of_company}


def complaint(answer, parts=tuple(PARTS)):
    """What is wrong in these parts with (labels, run card), the first thing only, or "". Never raises, whatever it is."""
    if not isinstance(answer, tuple | list) or len(answer) != 2 or not all(isinstance(text, str) for text in answer):
        return "not both"
    labels, text = answer
    if not text.strip():
        return "no card yet"
    card = parsed(text)
    if card is None:
        return "no JSON"
    if not card.keys() & {"labels_sha256", "policies", "training"}:
        return "another card"
    try:
        found = read(labels)
    except ValueError:
        return "other labels"
    return next(filter(None, (PARTS[part](card, found) for part in parts)), "")


def agrees(got, known):
    """Held against a part, an answer agrees when it is faultless there; two agree when the same thing is wrong with them."""
    if isinstance(known, Faultless):
        return complaint(got, (known.part,)) == ""
    return complaint(got) == complaint(known) != ""


def policy(objective, behind, error=0.11):
    """One policy's figures."""
    return {"reward": objective + 0.4, "kl": 1.6, "objective": objective, "behind": behind, "behind_se": error}


def card_of(labels=None, **changes):
    """A card as `own_run` writes it, of these labels; `changes` replace fields, and None takes one away."""
    found = read(labels or sample())
    card = {
        "labels_sha256": fingerprint(found.comparisons),
        "labels": len(found.comparisons),
        "trained_on": len(found.comparisons) - 7,
        "accuracy": 4 / 7,
        "n": 7,
        "validation_loss": 1.23,
        "ln2": math.log(2),
        "training": {
            "reward": {"steps": 40, "warmup": 20},
            "dpo": {"steps": 40, "warmup": 10},
            "ppo": {"steps": 12, "warmup": 3},
            "grpo": {"steps": 16, "warmup": 3},
        },
        "jstar": 4.1,
        "policies": {
            "clone": policy(2.4, 1.7),
            "ppo": policy(1.9, 2.2),
            "grpo": policy(2.2, 1.9),
            "dpo": policy(2.5, 1.6),
        },
        "posts": 48,
        "beta": 0.25,
    }
    return {name: value for name, value in (card | changes).items() if value is not None}


def answer_of(labels=None, indent=1, **changes):
    """(labels, card as text)."""
    return labels or sample(), json.dumps(card_of(labels, **changes), indent=indent)


LUCKY = {**card_of()["policies"], "dpo": policy(4.3, -0.2)}
RIGHT = {
    "as written": answer_of(),
    "on one line": answer_of(indent=None),
    "a list of both": list(answer_of()),
    "more labels": answer_of(sample(80)),
    "just thirty": answer_of(sample(30, 10)),
    "from the last line": ("\n".join(reversed(sample().splitlines())), answer_of()[1]),
    "blank lines": (sample().replace("\n", "\n\n"), "\n\n" + answer_of()[1] + "\n"),
    "rounded": answer_of(accuracy=0.571, ln2=0.6931, validation_loss=1.2),
    "above the best by luck": answer_of(policies=LUCKY),
    "worse than a coin": answer_of(accuracy=1 / 7, validation_loss=6.5),
    "equal scores": answer_of(accuracy=3.5 / 7),
    "some left out": answer_of(trained_on=25),
    "other fields too": answer_of(seed=3, rlhw="0.1.0", note="run twice"),
}


def training(**steps):
    """The trainings with other numbers of steps."""
    made = card_of()["training"]
    return {name: {**made[name], "steps": steps.get(name, made[name]["steps"])} for name in made}


WRONG = {
    "not both": Wrong(
        (None, answer_of()[1]),
        "Labels and run card must both be texts: bind `labels` in its own cell above, and `run_card` here.",
    ),
    "no card yet": Wrong((sample(), " \n"), "No run card is pasted yet."),
    "no JSON": Wrong(
        (sample(), answer_of()[1].replace("}", "")),
        "The run card cannot be read as JSON. Paste all of run_card.json, from its first brace to its last.",
    ),
    "another card": Wrong(
        (sample(), json.dumps({"jstar": 4.1, "judge": "gold", "seconds": {}})),
        "This is JSON, but no run card: it is the `summary.json` of a run, or some other file. `own_run` writes "
        "run_card.json.",
    ),
    "other labels": Wrong(
        (sample(40), answer_of()[1]),
        "The card belongs to other labels than those that you pasted above: the hash is not theirs. Paste the file that the "
        "run has read, or run it again.",
    ),
    "other counts": Wrong(
        answer_of(trained_on=36),
        "The counts do not fit: labels that were learned from and labels that were held back are more than there are, or one "
        "of the counts is missing. What is measured on the labels it was trained on measures nothing.",
    ),
    "in its warm-up": Wrong(
        answer_of(training=training(reward=12)),
        "A training took no more steps than its warm-up: its learning rate never got to where it should, so it is hardly "
        "trained. Take more epochs: `own_run(…, epochs=16)`, into a new folder.",
    ),
    "steps missing": Wrong(
        answer_of(training=None),
        "The card does not say how many steps each training took, and how many of them were warm-up.",
    ),
    "above the best": Wrong(
        answer_of(policies={**card_of()["policies"], "ppo": policy(4.9, -0.8)}),
        "A policy is better than the best there is, by more than three standard errors. So something was measured wrong: most "
        "often KL was left out, or counted with the wrong sign, or J* comes from too few samples.",
    ),
    "objectives missing": Wrong(
        answer_of(jstar=None),
        "J* is missing, or a policy's objective, or how far it is behind with its standard error. A reward without them says "
        "nothing.",
    ),
    "sums that do not fit": Wrong(
        answer_of(jstar=5.1),
        "J* less a policy's objective is not what the card calls `behind`. Paste the card as `own_run` wrote it.",
    ),
    "no ln 2": Wrong(
        answer_of(ln2=None),
        "The validation loss stands without ln 2 beside it, the loss of a reward model that has learned nothing. Without it "
        "nobody sees whether 1.2 is good.",
    ),
    "no n": Wrong(
        answer_of(n=0),
        "The accuracy stands without the number of labels that it was measured on. Six of seven right is 0.86, and so is 860 "
        "of 1000.",
    ),
    "no count of n": Wrong(
        answer_of(accuracy=0.9),
        "Of n labels no whole or half number gives that accuracy: it was measured on other labels than the n beside it.",
    ),
}

QUESTION = Question(
    name="hw2-run-card",
    title="The run card",
    stars=2,
    minutes=30,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "The card's hash and counts are those of your labels; every training took more steps than its warm-up; no policy is "
        "above J*; n and ln 2 stand beside accuracy and loss. Yours is not so."
    ),
    expected=Faultless,
    parts=tuple(Part(name, 2, lambda rng, name=name: (name,), cases=1) for name in PARTS),
    right=RIGHT,
    wrong=WRONG,
    agrees=agrees,
)
