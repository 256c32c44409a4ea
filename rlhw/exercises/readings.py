"""Ways to read a Label Studio export for question hw2-comparisons: two right ones, and one in steps with its slips."""

from itertools import groupby


def comparisons_by_sorting(export):
    events = []
    for item in export:
        if "annotations" in item:
            for a in item["annotations"]:
                value = a["result"][0]["value"] if a["result"] else {}
                choice = value.get("selected", "".join(value.get("choices", []))) if value else None
                events.append(
                    (item["data"], a["completed_by"], a["updated_at"], "skipped" if a["was_cancelled"] else choice)
                )
        else:
            choice = item["preference"][0]["selected"] if item.get("preference") else item.get("tie")
            events.append((item, item["annotator"], item["updated_at"], choice))
    reasons, good = [], []
    for data, person, time, choice in events:
        if choice == "skipped":
            reasons.append("skipped")
        elif choice is None:
            reasons.append("no choice")
        elif choice in {"left": 1, "right": 1, "tie": 1}:
            good.append((time, person, data["prompt"], choice))
        else:
            reasons.append("unknown choice")
    last = {(prompt, person): choice for _, person, prompt, choice in sorted(good)}
    reasons += ["replaced"] * (len(good) - len(last))
    rows, done = [], set()
    for item in export:
        data = item.get("data", item)
        mine = [choice for (prompt, _), choice in last.items() if prompt == data["prompt"]]
        if mine and data["prompt"] not in done:
            done.add(data["prompt"])
            one = sum({"left": 1.0, "tie": 0.5, "right": 0.0}[choice] for choice in mine)
            rows.append([data["prompt"], data["answer1"], data["answer2"], one, len(mine) - one])
    return [rows, {reason: reasons.count(reason) for reason in reasons}]


def comparisons_by_table(export):
    from collections import Counter

    worth = {"left": (1, 0), "right": (0, 1), "tie": (0.5, 0.5)}
    left_out, texts, said = Counter(), {}, {}
    for item in export:
        many = "annotations" in item
        data = item["data"] if many else item
        texts[data["prompt"]] = data["prompt"], data["answer1"], data["answer2"]
        for a in item["annotations"] if many else [item]:
            try:
                if many:
                    skipped, who, value = a["was_cancelled"], a["completed_by"], (a["result"] or [{}])[0].get("value")
                    choice = None if value is None else value.get("selected") or value.get("choices", [""])[0]
                else:
                    skipped, who = False, a["annotator"]
                    choice = a["tie"] if "tie" in a else a["preference"][0]["selected"]
            except (KeyError, IndexError):
                choice = None
            if skipped:
                left_out["skipped"] += 1
            elif choice is None:
                left_out["no choice"] += 1
            elif choice not in worth:
                left_out["unknown choice"] += 1
            else:
                said.setdefault(data["prompt"], {}).setdefault(who, {})[a["updated_at"]] = worth[choice]
    rows = []
    for prompt, three in texts.items():
        counted = [times[max(times)] for times in said.get(prompt, {}).values()]
        left_out["replaced"] += sum(len(times) - 1 for times in said.get(prompt, {}).values())
        if counted:
            rows.append((*three, sum(vote[0] for vote in counted), sum(vote[1] for vote in counted)))
    return tuple(rows), dict(left_out)


REASONS = ("skipped", "no choice", "unknown choice", "replaced")
VOTES = {"left": (1.0, 0.0), "right": (0.0, 1.0), "tie": (0.5, 0.5)}


def events(export):
    """(texts, person, time, skipped, choice or None) of every annotation, in the order of the export."""
    for item in export:
        data = item.get("data", item)
        texts = data["prompt"], data["answer1"], data["answer2"]
        for one in item.get("annotations", [item]):
            values = [result["value"] for result in one.get("result", [])] + one.get("preference", [])
            choices = [value.get("selected") or value["choices"][0] for value in values]
            choices += [one["tie"]] if "tie" in one else []
            person = one["completed_by"] if "completed_by" in one else one["annotator"]
            yield texts, person, one["updated_at"], one.get("was_cancelled", False), (choices or [None])[0]


def by_person(labels):
    """Of each person the latest label of a task."""
    last = {}
    for label in sorted(labels, key=lambda label: label[2]):
        last[label[0], label[1]] = label
    return list(last.values())


def reason_of(skipped, choice):
    if skipped:
        return "skipped"
    return "no choice" if choice is None else "" if choice in VOTES else "unknown choice"


def variant(
    reason=reason_of,
    keep=by_person,
    votes=VOTES.get,
    tally=lambda one, two: (one, two),
    rows_of=None,
    count=lambda n: n,
):
    """In steps, each of which a wrong answer does in a way of its own."""

    def answer(export):
        export = list(export)
        found, left_out = list(events(export)), dict.fromkeys(REASONS, 0)
        for *_, skipped, choice in found:
            if why := reason(skipped, choice):
                left_out[why] += 1
        good = [label for label in found if not reason(*label[3:])]
        kept = keep(good)
        left_out["replaced"] = len(good) - len(kept)
        rows = []
        every = dict.fromkeys((item.get("data", item)["prompt"]) for item in export)
        for prompt in every:
            mine = [votes(label[4]) for label in kept if label[0][0] == prompt]
            if mine:
                texts = next(label[0] for label in kept if label[0][0] == prompt)
                rows.append((*texts, *tally(*map(sum, zip(*mine, strict=True)))))
        return rows, {why: count(number) for why, number in left_out.items()}

    return answer


def listed_last(labels):
    return list({label[:2]: label for label in labels}.values())


def first_in_time(labels):
    return listed_last(sorted(labels, key=lambda label: label[2], reverse=True))


def one_a_task(labels):
    return list({label[0]: label for label in sorted(labels, key=lambda label: label[2])}.values())


def first_a_task(labels):
    return list({label[0]: label for label in reversed(labels)}.values())[::-1]


def majority(one, two):
    return (1.0, 0.0) if one > two else (0.0, 1.0) if two > one else (0.5, 0.5)


def shares(one, two):
    return one / (one + two), two / (one + two)


def a_row_a_label(export):
    left_out = variant()(export)[1]
    good = [label for label in events(export) if not reason_of(*label[3:])]
    kept = by_person(good)
    return [(*label[0], *VOTES[label[4]]) for label in good if label in kept], left_out


def last_word_skipped(export):
    """A later annotation of a person wipes out the earlier one, even when it is no label."""
    found = list(events(export))
    last = {label[:2]: label for label in sorted(found, key=lambda label: label[2])}
    return variant(keep=lambda labels: [label for label in by_person(labels) if label in last.values()])(export)


def empty_rows(export):
    rows, left_out = variant()(export)
    known = {row[0]: row for row in rows}
    tasks = {}
    for item in export:
        data = item.get("data", item)
        blank = data["prompt"], data["answer1"], data["answer2"], 0.0, 0.0
        tasks[data["prompt"]] = known.get(data["prompt"], blank)
    return list(tasks.values()), left_out


def in_alphabetical_order(export):
    rows, left_out = variant()(export)
    return sorted(rows), left_out


def ties_of_json_min_missed(export):
    return variant()([{key: item[key] for key in item if key != "tie"} for item in export])


def a_row_a_run(export):
    """Items of one task that do not stand together are taken for several tasks."""
    runs = [list(run) for _, run in groupby(export, key=lambda item: item.get("data", item)["prompt"])]
    answers = [variant()(run) for run in runs]
    left_out = {why: sum(counts[why] for _, counts in answers) for why in REASONS}
    return [row for rows, _ in answers for row in rows], left_out


def replaced_not_counted(export):
    rows, left_out = variant()(export)
    return rows, left_out | {"replaced": 0}
