"""Label Studio exports as question hw2-comparisons draws them: several people, second thoughts, the form JSON_MIN."""


def said(person, time, choice, skipped=False):
    """An annotation in the form JSON. No choice: None."""
    value = {"choices": ["tie"]} if choice == "tie" else {"selected": choice}
    result = [] if choice is None else [{"from_name": "tie" if choice == "tie" else "preference", "value": value}]
    stamp = f"2026-03-0{1 + time // 60}T10:{time % 60:02d}:00Z"
    return {"completed_by": person, "updated_at": stamp, "was_cancelled": skipped, "result": result}


def export_of(rng, groups):
    """Tasks in the form JSON of lists (person, choice, skipped), whose times are as listed; shuffled."""
    export = []
    for place in rng.permutation(len(groups)):
        number, times = int(rng.integers(1000, 10000)), sorted(rng.permutation(200)[: len(groups[place])].tolist())
        data = {"prompt": f"post {place} {number}", "answer1": f"summary {number} a", "answer2": f"summary {number} b"}
        annotations = [said(who, time, *rest) for time, (who, *rest) in zip(times, groups[place], strict=True)]
        export.append({"data": data, "annotations": annotations})
    return export


def draw_people(rng):
    """Each person labels a task once."""
    side, other, again = (str(rng.choice(["left", "right"])) for _ in range(3))
    nonsense = str(rng.choice(["banana", "none", "both", "LEFT"]))
    groups = [
        [(1, "left")],
        [(2, "right")],
        [(3, "tie")],
        [],
        [(1, nonsense)],
        [(2, None)],
        [(1, side, True), (3, other)],
        [(1, again), (2, again)],
        [(1, "left"), (2, "right"), (3, "left"), (4, "tie"), (5, None, True)],
        [(1, "right"), (2, "tie"), (3, nonsense), (4, "right"), (5, "left", True)],
    ]
    return (export_of(rng, groups),)


def draw_minds(rng):
    """People change their minds; the later label may stand first."""
    groups = [
        [(1, "left"), (1, "right")],
        [(2, "right"), (2, "left"), (3, "left")],
        [(1, "left"), (1, "tie"), (2, "right"), (1, "right")],
        [(3, "right"), (3, "left", True)],
        [(3, "left"), (3, None)],
        [(2, "tie"), (2, "banana"), (1, "left")],
        [(4, "left")],
    ]
    export = export_of(rng, groups)
    for task in export[::2]:
        task["annotations"].reverse()
    return (export,)


def draw_min(rng):
    """The form JSON_MIN: an item an annotation, those of one task apart, the newest of a task first."""
    groups = [
        [(1, "left"), (2, "right"), (3, "right")],
        [(1, "tie"), (2, "left"), (1, "right")],
        [(1, "banana")],
        [(2, None), (3, "tie")],
        [(1, "left"), (1, "right"), (2, "right")],
        [(3, "right")],
    ]
    rows = []
    for task in export_of(rng, groups):
        for one in task["annotations"]:
            row = {**task["data"], "annotator": one["completed_by"], "updated_at": one["updated_at"]}
            value = one["result"][0]["value"] if one["result"] else {}
            choice = {"preference": [value]} if "selected" in value else {"tie": "tie"} if value else {}
            rows.append(row | choice)
    rows.sort(key=lambda row: row["updated_at"], reverse=True)
    return (rows,)
