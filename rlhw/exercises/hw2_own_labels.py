"""Question hw2-own-labels: thirty labels or more of one's own."""

import json

from rlhw.exercises.labels import BROKEN, NO_OBJECT, read
from rlhw.exercises.question import Part, Question, Wrong

LEAST, PROMPTS = 30, 10

TEXT = rf"""
Label {LEAST} pairs of answers or more; fifty are better, and take about ten minutes. The widget in the notebook of chapter 4
shows you pairs of summaries, one after another, and writes your labels to `my_labels.jsonl`; or label them in Label Studio
and bring them back with `rlhw label import`. Either file holds one JSON object a line:

`{{"prompt": "…", "first": "…", "second": "…", "choice": "first", "annotator": "me", "seconds": 4.2}}`

Paste the whole file between the quotes of `labels`. The `r` in front of them belongs there: without it Python turns the
backslashes of the file into something else. `print(rlhw.exercises.labels.report(labels))` in a cell of your own, after
`import rlhw.exercises.labels`, says what each line counts for.

What counts: a line that can be read, with two different answers and the choice `"first"` or `"second"`. The same pair counts
once. Ties may stand among them and do not count. There must be {LEAST} such pairs; not all of the choices on one side; and
{PROMPTS} different prompts or more. Nobody checks *what* you chose: there is no right answer but yours.
"""

STUB = """
labels = r'''

'''
"""


def sample(count=36, prompts=36, choice=lambda n: "second" if n % 3 else "first", **fields):
    """So many lines as the widget writes them; `fields` are functions of the line's number that replace its fields."""
    lines = []
    for n in range(count):
        line = {
            "prompt": f"my bike was stolen, part {n % prompts}. what now? TL;DR:",
            "first": f"a bike was stolen ({n}).",
            "second": f'the "bike" came back ({n}).',
            "choice": choice(n),
            "annotator": "me",
            "seconds": 2.5 + n,
        }
        lines.append(json.dumps(line | {name: field(n) for name, field in fields.items()}, ensure_ascii=False))
    return "\n".join(lines)


def of_count(labels):
    """What stands in the way of the thirty labels, or ""."""
    if labels.pairs >= LEAST:
        return ""
    refused, broken = sum(labels.refused.values()), labels.refused.get(BROKEN, 0)
    objects = refused - broken - labels.refused.get(NO_OBJECT, 0)
    if not labels.comparisons and objects < LEAST and broken * 2 < refused:
        return "no label"
    if labels.pairs + refused >= LEAST:
        return "broken lines" if broken * 2 >= refused else "refused lines" if labels.comparisons else "other fields"
    if len(labels.choices) >= LEAST:
        return "repeated"
    return "ties" if len(labels.comparisons) >= LEAST else "too few"


def of_spread(labels):
    """What is wrong with how the choices are spread, or ""."""
    if not labels.choices:
        return "no label"
    if all(one.annotator == "simulated" for one in labels.choices):
        return "simulated"
    if len({one.choice for one in labels.choices}) < 2:
        # The other side may stand among what was refused, under a name of its own.
        return "refused lines" if 4 * sum(labels.refused.values()) >= len(labels.choices) else "one side"
    return "few prompts" if labels.prompts < PROMPTS else ""


PARTS = {"thirty labels": of_count, "choices and prompts": of_spread}


def complaint(text, parts=tuple(PARTS)):
    """What is wrong in these parts, the first thing only, or "". Never raises, whatever `text` is."""
    if not isinstance(text, str):
        return "no text"
    if not text.strip():
        return "empty"
    try:
        labels = read(text)
    except ValueError:
        return "too long"
    return next(filter(None, (PARTS[part](labels) for part in parts)), "")


class Faultless:
    """What a part expects: a text about which that part has nothing to complain."""

    def __init__(self, part):
        self.part = part


def agrees(got, known):
    """Held against a part, a text agrees when it is faultless there; two texts agree when the same thing is wrong with them."""
    if isinstance(known, Faultless):
        return complaint(got, (known.part,)) == ""
    return complaint(got) == complaint(known) != ""


RIGHT = {
    "widget": sample(),
    "just thirty": sample(30, 10),
    "blank lines and spaces": "\n\n" + sample().replace("\n", "  \n\n") + "\n",
    "Windows": sample().replace("\n", "\r\n"),
    "ties among them": sample(60, choice=lambda n: ("first", "second", "tie")[n % 3]),
    "no annotator": sample(annotator=lambda n: None),
    "no seconds": sample(seconds=lambda n: None),
    "from the last": "\n".join(reversed(sample().splitlines())),
    "three people": sample(annotator=lambda n: str(n % 3)),
    "labelled again": sample() + "\n" + sample(12, choice=lambda n: "first"),
    "a line torn": sample() + '\n{"prompt": "my',
    "fields in another order": "\n".join(
        json.dumps(json.loads(line), sort_keys=True) for line in sample().splitlines()
    ),
    "an empty answer": sample(first=lambda n: "" if n == 4 else f"one {n}"),
    "other letters": sample(second=lambda n: f"Fahrräder, 自転車 \\ {n}"),
    "nearly one side": sample(choice=lambda n: "second" if n == 17 else "first"),
}

WRONG = {
    "no text": Wrong(
        [json.loads(line) for line in sample().splitlines()],
        "`labels` is no text. Paste the lines of the file between quotes, r'''…''', and leave them as they are.",
    ),
    "empty": Wrong("\n\n", "Nothing is pasted yet."),
    "too long": Wrong(
        sample() + "\n" + " " * 1_000_001,
        "This is more than a million characters or 5,000 lines. Paste the file of your own labels, and nothing else.",
    ),
    "no label": Wrong(
        "prompt,first,second,choice\n" + "\n".join(f'"post {n}","one","other","first"' for n in range(36)),
        "No line is a JSON object. Paste the lines of my_labels.jsonl as they are, each beginning with a brace; a table or a "
        "whole export is not what is asked for.",
    ),
    "other fields": Wrong(
        "\n".join(json.dumps({"prompt": f"post {n}", "chosen": "one", "rejected": "other"}) for n in range(36)),
        "The lines are JSON, but no comparisons: the fields are prompt, first, second, choice, and if you like annotator and "
        "seconds. `rlhw label import` makes such lines of an export.",
    ),
    "broken lines": Wrong(
        sample().replace('\\"', '"'),
        "Many lines cannot be read as JSON. Most often the `r` in front of the quotes is missing, so that Python took the "
        "backslashes away; or an editor broke long lines, or put a comma behind each.",
    ),
    "refused lines": Wrong(
        sample(choice=lambda n: "first" if n % 3 == 0 else "left"),
        "Many lines are JSON and no label: the choice is first, second or tie; the two answers differ; the prompt is not empty. "
        "`report(labels)` counts the reasons.",
    ),
    "repeated": Wrong(
        "\n".join([sample(12)] * 3),
        "There are lines enough, but they repeat the same pairs. Each pair counts once: label others.",
    ),
    "ties": Wrong(
        sample(choice=lambda n: "first" if n % 5 == 0 else "second" if n % 5 == 1 else "tie"),
        "There are labels enough, but too many are ties. Thirty pairs with a choice are asked for: label some more.",
    ),
    "too few": Wrong(
        sample(25),
        "There are fewer than thirty different pairs with a choice. Go on labelling: the widget shows only what is still open.",
    ),
    "simulated": Wrong(
        sample(annotator=lambda n: "simulated"),
        "These are the labels of the simulated annotator. Yours were asked for: it takes ten minutes.",
    ),
    "one side": Wrong(
        sample(choice=lambda n: "second"),
        "Every choice is the same side, so the labels do not depend on the answers. A reader that takes everything that is "
        'not "left" for "right" makes such files.',
    ),
    "few prompts": Wrong(
        sample(36, prompts=4),
        "All labels belong to a few prompts, so that none could be held back to measure anything. Label pairs of ten prompts "
        "or more.",
    ),
}

QUESTION = Question(
    name="hw2-own-labels",
    title="Labels of your own",
    stars=1,
    minutes=30,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Thirty different pairs with a choice, choices on both sides, ten different prompts. Yours are not that.",
    expected=Faultless,
    parts=(
        Part("thirty labels", 4, lambda rng: ("thirty labels",), cases=1),
        Part("choices and prompts", 2, lambda rng: ("choices and prompts",), cases=1),
    ),
    right=RIGHT,
    wrong=WRONG,
    agrees=agrees,
)
