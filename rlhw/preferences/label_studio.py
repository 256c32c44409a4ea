"""Label Studio, in and out: pairs become its tasks and its labelling config; its exports become comparisons.

Two exports are read. JSON: a list of tasks `{data: {…}, annotations: [{result: […], was_cancelled, …}, …]}`. JSON_MIN: one
object an annotation, the columns of the task beside the results; skipped annotations are absent there, so they cannot be
counted. The server accepts any value as a choice, so everything is checked here.
"""

from collections.abc import Iterator, Sequence

from rlhw.preferences.comparison import LONGEST_NAME, MOST_SECONDS, Import, Record, gather
from rlhw.preferences.pairs import FIELDS, check_pairs

# Label Studio's own tag for pairs knows left and right only, and a second click takes the choice back: a tie needs its own tag.
TIE_TAG = """
  <Choices name="tie" toName="prompt" choice="single" showInline="true"><Choice value="tie"/></Choices>"""
CONFIG = """<View>
  <Header value="Which answer is better?"/>
  <Text name="prompt" value="$prompt"/>
  <Pairwise name="preference" toName="answer1,answer2"/>
  <View style="display: grid; grid-template: auto/1fr 1fr; column-gap: 1em">
    <Text name="answer1" value="$answer1"/>
    <Text name="answer2" value="$answer2"/>
  </View>{tie}
</View>
"""
SIDES = {"left": "first", "right": "second"}

NOT_LABELLED = "not labelled"
SKIPPED = "skipped"
NO_CHOICE = "no choice"
SEVERAL_CHOICES = "several choices in one annotation"
UNKNOWN_CHOICE = "choice is neither left nor right"
UNREADABLE = "annotation has an unknown form"


def to_label_studio(pairs: Sequence[tuple[str, str, str]], *, ties: bool = False) -> tuple[str, list[Record]]:
    """(labelling config as XML, tasks to import) for pairs (prompt, first answer, second answer).

    `first` is shown on the left. ties=True adds a box "tie", a Choices tag, as Label Studio's Pairwise tag has no tie. No text
    of the pairs is in the config, and its Text tags show HTML as text. `json.dumps(tasks)` is the file to import. Raises
    ValueError naming the pair when a prompt is empty, both answers are the same, or a text is too long.
    """
    tasks = [{"data": dict(zip(FIELDS, pair, strict=True))} for pair in check_pairs(pairs)]
    return CONFIG.format(tie=TIE_TAG if ties else ""), tasks


def from_label_studio(
    export: object, *, prompt: str = "prompt", first: str = "answer1", second: str = "answer2"
) -> Import:
    """The comparisons of an export (parsed JSON, see `read_export`), one an annotation, in the order they were given.

    prompt, first, second: columns of the task's data, for projects with a config of their own; `first` is the one on the left.
    The pairwise tag may have any name; a tie is the choice "tie" of a Choices tag named "tie". Unlabelled tasks, skips,
    annotations with no choice, several, or one that is neither left nor right, and texts that are none are left out and
    counted by reason; an empty answer is kept and counted. lead_time becomes `seconds`, completed_by `annotator`.
    Raises ValueError when the export is empty, of an unknown form, or lacks a column.
    """
    if not isinstance(export, list) or not export:
        raise ValueError(
            "export must be a list of at least one task, the parsed JSON of Label Studio's export JSON or JSON_MIN."
        )
    found: list[tuple[str, Record | str]] = []
    for place, task in enumerate(export):
        data = task.get("data") if isinstance(task, dict) and "annotations" in task else task
        columns = (prompt, first, second)
        if not isinstance(data, dict) or not any(column in data for column in columns):
            raise ValueError(
                f"export[{place}] is no task with the columns {', '.join(columns)}; export the project as JSON or "
                "JSON_MIN, and pass prompt=, first=, second= where its columns have other names."
            )
        if missing := [column for column in columns if column not in data]:
            raise ValueError(f"export[{place}] has no column '{missing[0]}'; it has {', '.join(map(str, data))}.")
        texts = {"prompt": data[prompt], "first": data[first], "second": data[second]}
        found.extend(_of_task(task, texts) if "annotations" in task else [_of_row(task, texts)])
    # JSON_MIN lists the newest annotation of a task first; by time, whoever takes the last label takes the right one.
    found.sort(key=lambda item: item[0])
    return gather(candidate for _, candidate in found)


def _of_task(task: Record, texts: Record) -> Iterator[tuple[str, Record | str]]:
    """(time, record or reason) for each annotation of a task of the form JSON."""
    annotations = task["annotations"]
    if annotations == []:
        yield "", NOT_LABELLED
    for annotation in annotations if isinstance(annotations, list) else [None]:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            yield "", UNREADABLE
        elif annotation.get("was_cancelled"):
            yield _time(annotation), SKIPPED
        else:
            results = [result for result in annotation["result"] if isinstance(result, dict)]
            values = [value for result in results if isinstance(value := result.get("value"), dict)]
            selected = [value["selected"] for value in values if "selected" in value]
            tie = any(
                result.get("from_name") == "tie" and result.get("value") == {"choices": ["tie"]} for result in results
            )
            label = texts | {"annotator": annotation.get("completed_by"), "seconds": annotation.get("lead_time")}
            yield _time(annotation), _candidate(label, selected, tie)


def _of_row(row: Record, texts: Record) -> tuple[str, Record | str]:
    """(time, record or reason) for a row of the form JSON_MIN."""
    results = [item for value in row.values() if isinstance(value, list) for item in value if isinstance(item, dict)]
    selected = [result["selected"] for result in results if "selected" in result]
    tie = row.get("tie") == "tie"
    if not selected and not tie and row.get("annotation_id") is None:
        return "", NOT_LABELLED
    label = texts | {"annotator": row.get("annotator"), "seconds": row.get("lead_time")}
    return _time(row), _candidate(label, selected, tie)


def _candidate(label: Record, selected: list[object], tie: bool) -> Record | str:
    """The record of one annotation, or the reason why it holds no comparison."""
    if len(selected) + tie > 1:
        return SEVERAL_CHOICES
    if not tie and selected in ([], ["none"]):
        return NO_CHOICE
    if not tie and selected[0] not in list(SIDES):
        return UNKNOWN_CHOICE
    return label | {
        "choice": "tie" if tie else SIDES[selected[0]],
        "annotator": _name(label["annotator"]),
        "seconds": _duration(label["seconds"]),
    }


def _name(completed_by: object) -> str | None:
    """The number of a user; some exports hold the whole user, with name and address, and only the number is kept."""
    number = completed_by.get("id") if isinstance(completed_by, dict) else completed_by
    named = isinstance(number, int | str) and not isinstance(number, bool)
    return str(number)[:LONGEST_NAME] or None if named else None


def _duration(lead_time: object) -> float | None:
    number = isinstance(lead_time, int | float) and not isinstance(lead_time, bool)
    return float(lead_time) if number and 0 <= lead_time <= MOST_SECONDS else None


def _time(annotation: Record) -> str:
    """When the annotation was last changed; ISO times of one server sort as text."""
    time = annotation.get("updated_at")
    return time if isinstance(time, str) else ""
