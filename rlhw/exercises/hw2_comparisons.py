"""Question hw2-comparisons: an export of several annotators becomes votes, and what is left out is counted."""

from rlhw.exercises.exports import draw_min, draw_minds, draw_people
from rlhw.exercises.forms import all_close
from rlhw.exercises.question import Part, Question, Wrong
from rlhw.exercises.readings import (
    REASONS,
    VOTES,
    a_row_a_label,
    a_row_a_run,
    comparisons_by_sorting,
    comparisons_by_table,
    empty_rows,
    first_a_task,
    first_in_time,
    in_alphabetical_order,
    last_word_skipped,
    listed_last,
    majority,
    one_a_task,
    reason_of,
    replaced_not_counted,
    shares,
    ties_of_json_min_missed,
    variant,
)

TEXT = r"""
Several people labelled pairs of answers in Label Studio. Its export is a list, in one of two forms. The form JSON has an
item for each task, with a list of what people said of it:

`{"data": {"prompt": "…", "answer1": "…", "answer2": "…"}, "annotations": [{"completed_by": 3, "updated_at":
"2026-03-02T10:05:00Z", "was_cancelled": False, "result": [{"from_name": "preference", "value": {"selected":
"left"}}]}]}`

The form JSON_MIN has an item for each annotation that was not skipped, and the items of one task may lie apart:

`{"prompt": "…", "answer1": "…", "answer2": "…", "annotator": 3, "updated_at": "…", "preference": [{"selected":
"left"}]}`

`"left"` is a vote for `answer1`, `"right"` one for `answer2`. A tie is half a vote for each: in JSON its result is
`[{"from_name": "tie", "value": {"choices": ["tie"]}}]`, in JSON_MIN the item has `"tie": "tie"` and no `"preference"`.
Each annotation is kept, or left out for one of these reasons, the first that fits:

- `"skipped"`: `"was_cancelled"` is True, whatever the result is
- `"no choice"`: the list of results is empty, or in JSON_MIN neither field is there
- `"unknown choice"`: the choice is none of left, right and tie
- `"replaced"`: among the annotations that none of these reasons fits, one by the same person on the same task has a
  later `"updated_at"`. The latest one counts, wherever it stands. (The times are texts whose order as texts is that of
  time; no two are equal.)

Write `comparisons(export)`. Return two things: a list of rows (prompt, answer1, answer2, votes for answer1, votes for
answer2), one for each task with at least one annotation that is kept, in the order in which tasks first appear in the
export; and a dictionary from reason to how many annotations were left out for it (a reason that never occurred may be
missing). Two tasks never have the same prompt.
"""

STUB = """
def comparisons(export):
    rows, left_out = [], {"skipped": 0, "no choice": 0, "unknown choice": 0, "replaced": 0}
    ...
    return rows, left_out
"""


def comparisons(export):
    left_out = {"skipped": 0, "no choice": 0, "unknown choice": 0, "replaced": 0}
    tasks, latest = {}, {}
    for item in export:
        data = item.get("data", item)
        prompt = data["prompt"]
        tasks.setdefault(prompt, (prompt, data["answer1"], data["answer2"]))
        for annotation in item.get("annotations", [item]):
            if annotation.get("was_cancelled", False):
                left_out["skipped"] += 1
                continue
            if "annotations" in item:
                values = [result["value"] for result in annotation["result"]]
                choices = [value["selected"] if "selected" in value else value["choices"][0] for value in values]
            else:
                choices = [chosen["selected"] for chosen in annotation.get("preference", [])]
                choices += [annotation["tie"]] if "tie" in annotation else []
            if not choices:
                left_out["no choice"] += 1
            elif choices[0] not in ("left", "right", "tie"):
                left_out["unknown choice"] += 1
            else:
                person = annotation["completed_by"] if "annotations" in item else annotation["annotator"]
                before = latest.get((prompt, person))
                if before is not None:
                    left_out["replaced"] += 1
                if before is None or before[0] < annotation["updated_at"]:
                    latest[prompt, person] = annotation["updated_at"], choices[0]
    rows = []
    for prompt, texts in tasks.items():
        votes = [choice for (where, _), (_, choice) in latest.items() if where == prompt]
        if votes:
            ties = 0.5 * votes.count("tie")
            rows.append((*texts, votes.count("left") + ties, votes.count("right") + ties))
    return rows, left_out


def expected(export):
    """By striking out: every annotation on one list, and from it what is skipped, empty, unknown, overtaken."""
    table = []
    for item in export:
        if "data" in item:
            where = tuple(item["data"][column] for column in ("prompt", "answer1", "answer2"))
            for one in item["annotations"]:
                values = [next(iter(result["value"].values())) for result in one["result"]]
                word = ["tie" if value == ["tie"] else value for value in values]
                table.append(
                    (where, one["completed_by"], one["updated_at"], "skipped" if one["was_cancelled"] else word)
                )
        else:
            where = tuple(item[column] for column in ("prompt", "answer1", "answer2"))
            word = [chosen["selected"] for chosen in item.get("preference", [])] + (
                [item["tie"]] if "tie" in item else []
            )
            table.append((where, item["annotator"], item["updated_at"], word))
    skipped = [row for row in table if row[3] == "skipped"]
    silent = [row for row in table if row[3] == []]
    spoken = [row for row in table if row not in skipped and row not in silent]
    unknown = [row for row in spoken if row[3][0] not in ("left", "right", "tie")]
    labels = [row for row in spoken if row not in unknown]
    overtaken = [a for a in labels if any(a[:2] == b[:2] and b[2] > a[2] for b in labels)]
    counted = [row for row in labels if row not in overtaken]
    texts = dict.fromkeys(row[0] for row in table)
    rows = []
    for where in texts:
        words = [row[3][0] for row in counted if row[0] == where]
        half = 0.5 * words.count("tie")
        if words:
            rows.append((*where, words.count("left") + half, words.count("right") + half))
    counts = zip(REASONS, map(len, (skipped, silent, unknown, overtaken)), strict=True)
    return rows, {reason: number for reason, number in counts if number}


def agrees(got, known):
    """Rows may be tuples or lists, and a reason that never occurred may be missing. Never raises."""
    try:
        (rows, left_out), (true_rows, true_left_out) = got, known
        counts = {reason: number for reason, number in left_out.items() if not _same_number(number, 0)}
        true_counts = {reason: number for reason, number in true_left_out.items() if number}
        return (
            len(rows) == len(true_rows)
            and all(_same_row(row, true) for row, true in zip(rows, true_rows, strict=True))
            and counts.keys() == true_counts.keys()
            and all(_same_number(counts[reason], true_counts[reason]) for reason in counts)
        )
    except (TypeError, ValueError, AttributeError, RecursionError):
        return False


def _same_row(row, true):
    row, true = tuple(row), tuple(true)
    return len(row) == 5 and row[:3] == true[:3] and all_close(row[3:], true[3:])


def _same_number(number, true):
    return all_close((number,), (true,))


def dressed(rows=list, row=tuple, both=tuple, left_out=dict):
    """The model's answer with other containers."""

    def answer(export):
        found, counts = comparisons(export)
        return both((rows(map(row, found)), left_out(counts)))

    return answer


RIGHT = {
    "model": comparisons,
    "by sorting, lists": comparisons_by_sorting,
    "by a table": comparisons_by_table,
    "by events": variant(),
    "lists": dressed(row=list, both=list),
    "a tuple of tuples": dressed(rows=tuple),
    "whole numbers": dressed(row=lambda row: (*row[:3], *(int(v) if v == int(v) else v for v in row[3:]))),
    "counts that occurred": dressed(left_out=lambda counts: {why: n for why, n in counts.items() if n}),
    "counts as floats": dressed(left_out=lambda counts: {why: float(n) for why, n in counts.items()}),
    "lists of lists": dressed(row=list, both=list, left_out=lambda counts: dict(reversed(list(counts.items())))),
}

QUESTION = Question(
    name="hw2-comparisons",
    title="From an export to votes",
    stars=3,
    minutes=35,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "One row a task with the votes of all its people, the latest label of each, a tie half for both; and each annotation "
        "that is not kept is counted under one reason. Yours differ."
    ),
    expected=expected,
    parts=(
        Part("several people", 3, draw_people),
        Part("second thoughts", 2, draw_minds),
        Part("JSON_MIN", 1, draw_min),
    ),
    right=RIGHT,
    wrong={
        "right if not left": Wrong(
            variant(
                reason=lambda skipped, choice: "skipped" if skipped else "no choice" if choice is None else "",
                votes=lambda choice: VOTES["left" if choice == "left" else "right"],
            ),
            'You read everything that is not "left" as right. There are ties, and choices that are none.',
        ),
        "ties left out": Wrong(
            variant(reason=lambda skipped, choice: reason_of(skipped, "unknown" if choice == "tie" else choice)),
            "You left the ties out. Somebody looked and found both equally good: half a vote for each.",
        ),
        "ties twice": Wrong(
            variant(votes=lambda choice: (1.0, 1.0) if choice == "tie" else VOTES[choice]),
            "You gave a whole vote to both answers of a tie. One person has one vote: half for each.",
        ),
        "skipped counted": Wrong(
            variant(
                reason=lambda skipped, choice: "skipped" if skipped and choice is None else reason_of(False, choice)
            ),
            "You counted annotations that were skipped: they can hold a result, from before the person gave up.",
        ),
        "first annotation only": Wrong(
            variant(keep=first_a_task),
            "You kept the first label of each task only. Several people labelled it, and each has a vote.",
        ),
        "one label a task": Wrong(
            variant(keep=one_a_task),
            "You kept the latest label of each task, whoever gave it. Only a label of the same person is replaced.",
        ),
        "majority": Wrong(
            variant(tally=majority),
            "You let the majority decide. Two against one is weaker evidence than three against none: return the votes.",
        ),
        "shares": Wrong(
            variant(tally=shares),
            "You returned shares of the votes. How many votes there were is then lost: return the votes.",
        ),
        "swapped": Wrong(
            variant(votes=lambda choice: VOTES[choice][::-1]),
            "The votes of the two answers are exchanged: left is a vote for answer1.",
        ),
        "a row a label": Wrong(
            a_row_a_label,
            "You made a row of each label. One row a task was asked for, with the votes of all its people.",
        ),
        "every label a vote": Wrong(
            variant(keep=lambda labels: labels),
            "A person who changed their mind has two votes in your rows. The later label replaces the earlier one.",
        ),
        "listed last": Wrong(
            variant(keep=listed_last),
            "You took the label that stands last in the export. The later one by `updated_at` counts, wherever it stands.",
        ),
        "first in time": Wrong(
            variant(keep=first_in_time),
            "You kept the first label of a person, by time. People change their minds: the later one counts.",
        ),
        "skip wipes out": Wrong(
            last_word_skipped,
            "A person's later annotation that was skipped or empty wiped out a good label of theirs. Only a label replaces a "
            "label.",
        ),
        "empty rows": Wrong(
            empty_rows,
            "You have rows without a vote: a task of which nothing is kept gets no row.",
        ),
        "alphabetical order": Wrong(
            in_alphabetical_order,
            "Your rows are right, in another order than asked for: that in which the tasks first appear in the export.",
        ),
        "silent taken for skipped": Wrong(
            variant(
                reason=lambda skipped, choice: "skipped" if skipped or choice is None else reason_of(False, choice)
            ),
            'You counted empty results as skipped. Skipped is what `"was_cancelled"` says; an empty result is "no choice".',
        ),
        "silent before skipped": Wrong(
            variant(reason=lambda skipped, choice: reason_of(skipped and choice is not None, choice)),
            'An annotation that was skipped and has an empty result too counts as "skipped": the first reason that fits.',
        ),
        "unknown taken for silent": Wrong(
            variant(reason=lambda skipped, choice: reason_of(skipped, choice if choice in VOTES else None)),
            'You counted unknown choices as "no choice". Something was chosen there, and it is none of left, right and tie.',
        ),
        "ties of JSON_MIN missed": Wrong(
            ties_of_json_min_missed,
            'In JSON_MIN a tie has a field of its own, `"tie"`. You took these items for empty.',
        ),
        "a row a run of items": Wrong(
            a_row_a_run,
            "You joined only items that stand side by side. In JSON_MIN those of one task may lie apart: one row for all.",
        ),
        "replaced not counted": Wrong(
            replaced_not_counted,
            'Your rows are right. A label that a later one replaced is left out too, and counts as "replaced".',
        ),
        "nothing counted": Wrong(
            variant(count=lambda number: 0),
            "Your rows are right. What was left out is not counted: a reader who does not count does not see what is lost.",
        ),
    },
    agrees=agrees,
)
