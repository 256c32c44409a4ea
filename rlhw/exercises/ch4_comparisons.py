"""Question ch4-comparisons: from an export to comparisons."""

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Label Studio hands out the labels of a project as a list of tasks. Each is a dictionary of this form:

`{"data": {"prompt": "…", "answer1": "…", "answer2": "…"}, "annotations": [{"was_cancelled": False, "result":
[{"value": {"selected": "left"}}]}]}`

`answer1` was shown on the left, `answer2` on the right. A task has any number of annotations, also none: one for each
person who saw it. The first result of an annotation holds the choice. Not every annotation is good:

- a skipped annotation has `"was_cancelled": True`; whatever result it holds does not count
- the list `"result"` may be empty: nothing was chosen
- the server accepts every value as a choice; only `"left"` and `"right"` are choices

Write `comparisons(export)`: the list of triples (prompt, chosen answer, rejected answer), one for each good
annotation, in the order in which they stand in the export.
"""

STUB = """
def comparisons(export):
    ...
"""


def comparisons(export):
    found = []
    for task in export:
        prompt, left, right = (task["data"][column] for column in ("prompt", "answer1", "answer2"))
        for annotation in task["annotations"]:
            if annotation["was_cancelled"] or not annotation["result"]:
                continue
            choice = annotation["result"][0]["value"]["selected"]
            if choice == "left":
                found.append((prompt, left, right))
            elif choice == "right":
                found.append((prompt, right, left))
    return found


def comparisons_by_comprehension(export):
    columns = {"left": ("prompt", "answer1", "answer2"), "right": ("prompt", "answer2", "answer1")}
    return [
        tuple(task["data"][column] for column in columns[result["value"]["selected"]])
        for task in export
        for annotation in task["annotations"]
        for result in annotation["result"][:1]
        if not annotation["was_cancelled"] and result["value"]["selected"] in columns
    ]


def comparisons_by_emptying(export):
    found = []
    while export:
        task = export.pop(0)
        answers = [task["data"].pop("answer1"), task["data"].pop("answer2")]
        while task["annotations"]:
            annotation = task["annotations"].pop(0)
            try:
                place = ["left", "right"].index(annotation["result"].pop(0)["value"]["selected"])
            except (IndexError, ValueError):
                continue
            if not annotation["was_cancelled"]:
                found.append([task["data"]["prompt"], answers[place], answers[1 - place]])
    return found


def walk(export, of_task=list, counts=None, sides=None):
    """What the wrong answers share: `counts` says which annotation is good, `sides` how a choice is read."""
    counts = counts or (lambda annotation: not annotation["was_cancelled"])
    sides = sides or {"left": (1, 2), "right": (2, 1)}.get
    found = []
    for task in export:
        texts = tuple(task["data"][column] for column in ("prompt", "answer1", "answer2"))
        for annotation in of_task(task["annotations"]):
            selected = [result["value"]["selected"] for result in annotation["result"]]
            order = sides(selected[0]) if selected and counts(annotation) else None
            if order:
                found.append((texts[0], texts[order[0]], texts[order[1]]))
    return found


def right_if_not_left(export):
    return walk(export, sides=lambda choice: (1, 2) if choice == "left" else (2, 1))


def left_if_not_right(export):
    return walk(export, sides=lambda choice: (2, 1) if choice == "right" else (1, 2))


def skipped_counted(export):
    return walk(export, counts=lambda annotation: True)


def first_annotation_only(export):
    return walk(export, of_task=lambda annotations: annotations[:1])


def last_annotation_only(export):
    return walk(export, of_task=lambda annotations: annotations[-1:])


def swapped(export):
    return walk(export, sides={"left": (2, 1), "right": (1, 2)}.get)


def as_shown(export):
    return walk(export, sides={"left": (1, 2), "right": (1, 2)}.get)


def empty_result_as_left(export):
    for task in export:
        for annotation in task["annotations"]:
            annotation["result"] = annotation["result"] or [{"value": {"selected": "left"}}]
    return walk(export)


def task_given_up(export):
    def until_a_bad_one(annotations):
        bad = [n for n, a in enumerate(annotations) if a["was_cancelled"] or not a["result"]]
        return annotations[: bad[0]] if bad else annotations

    return walk(export, of_task=until_a_bad_one)


def repeated_dropped(export):
    return list(dict.fromkeys(walk(export)))


def annotation(*selected, skipped=False):
    return {"was_cancelled": skipped, "result": [{"value": {"selected": choice}} for choice in selected]}


def draw(rng):
    """One task for each thing that can be met, and some more, shuffled."""
    side, other, again = (str(rng.choice(["left", "right"])) for _ in range(3))
    nonsense = str(rng.choice(["banana", "none", "both", "LEFT", ""]))
    groups = [
        [annotation("left")],
        [annotation("right")],
        [],
        [annotation(nonsense)],
        [annotation()],
        [annotation(side, skipped=True), annotation(other)],
        [annotation(again), annotation(again)],
        [annotation("left"), annotation("right"), annotation(skipped=True)],
    ]
    groups += [[annotation(str(rng.choice(["left", "right"])))] for _ in range(int(rng.integers(3)))]
    export = []
    for place in rng.permutation(len(groups)):
        number = int(rng.integers(1000, 10000))
        data = {"prompt": f"post {number}", "answer1": f"summary {number} a", "answer2": f"summary {number} b"}
        export.append({"data": data, "annotations": groups[place]})
    return (export,)


def expected(export):
    """By striking out: all annotations with their task, then without those that hold no choice, then their texts."""
    everything = [(task["data"], annotation) for task in export for annotation in task["annotations"]]
    kept = [(data, annotation["result"]) for data, annotation in everything if annotation["was_cancelled"] is False]
    chosen = [(data, result[0]["value"]["selected"]) for data, result in kept if len(result) > 0]
    good = [(data, "12" if choice == "left" else "21") for data, choice in chosen if choice in ("left", "right")]
    return [(data["prompt"], data["answer" + order[0]], data["answer" + order[1]]) for data, order in good]


def agrees(got, known):
    """Triples may be tuples or lists, and the whole any sequence; texts must be equal."""
    try:
        return not isinstance(got, str | dict) and [tuple(triple) for triple in got] == [tuple(row) for row in known]
    except TypeError:
        return False


RIGHT = {
    "model": comparisons,
    "comprehension": comparisons_by_comprehension,
    "emptying the export, lists": comparisons_by_emptying,
}

QUESTION = Question(
    name="ch4-comparisons",
    title="From an export to comparisons",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Each annotation that was not skipped and chose a side gives one triple (prompt, chosen, rejected). Yours differ.",
    expected=expected,
    parts=(Part("any export", 6, draw),),
    right=RIGHT,
    wrong={
        "right if not left": Wrong(
            right_if_not_left,
            'You read everything that is not "left" as right. The export holds a choice that is neither.',
        ),
        "left if not right": Wrong(
            left_if_not_right,
            'You read everything that is not "right" as left. The export holds a choice that is neither.',
        ),
        "skipped counted": Wrong(
            skipped_counted,
            "You counted an annotation that was skipped: it can hold a result, from before the person gave up.",
        ),
        "first annotation only": Wrong(
            first_annotation_only,
            "You looked at the first annotation of each task only. Several people may have labelled it, and the first of "
            "them may have skipped it.",
        ),
        "last annotation only": Wrong(
            last_annotation_only,
            "You kept the last annotation of each task only. The people before it gave comparisons too.",
        ),
        "swapped": Wrong(
            swapped,
            "Chosen and rejected are exchanged throughout. In your triples the answer that was selected stands last.",
        ),
        "as shown": Wrong(
            as_shown,
            "You put the answers down in the order in which they were shown, so that the left one always wins. Who won is "
            "in the result.",
        ),
        "empty result as left": Wrong(
            empty_result_as_left,
            "An annotation with an empty result came out as a choice for the left. Nothing was chosen there.",
        ),
        "task given up": Wrong(
            task_given_up,
            "After a bad annotation you leave its task, and lose the good ones that follow. Go on with the next annotation.",
        ),
        "repeated dropped": Wrong(
            repeated_dropped,
            "You dropped a triple that was there already. Two people who chose the same are two comparisons: agreement is "
            "evidence.",
        ),
    },
    agrees=agrees,
)
