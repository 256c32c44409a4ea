"""Exercises: one file a question, `check` for the learner, `prove` for us.

`rlhw.check("ch1-score", score)` judges an answer and prints one line. `prove` shows that every question's check rejects at
least five named wrong answers, each with its own hint, and accepts two different right ones, over 20 seeds.
"""

from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from rlhw.exercises.question import Question, Sitting, Verdict, draw_cases, draw_part, judge, outputs_of

# What was checked in this session, by name: `rlhw.check_notebook()` reports it.
session_verdicts: dict[str, Verdict] = {}
# The parts among them, as homework has them: (question, part) -> variant.
session_parts: dict[tuple[str, str], str] = {}

ORDER = (*(f"ch{number}" for number in range(1, 11)), *(f"b{number}" for number in range(1, 7)), "hw1", "hw2")


@cache
def _files() -> tuple[str, ...]:
    stems = [path.stem.replace("_", "-") for path in Path(__file__).parent.glob("*_*.py") if path.stem != "__init__"]
    return tuple(sorted(stems, key=lambda name: (ORDER.index(name.split("-")[0]), name)))


def names() -> list[str]:
    """All question names, in the order of the chapters: the files of this folder that define a QUESTION."""
    return list(_files())


def question(name: str, variant: str = "") -> Question:
    """The question of this name; with a variant (hexadecimal) its version for one student, where it has such.

    ValueError names the closest one when there is none.
    """
    if name not in names():
        near = get_close_matches(name, names(), n=1)
        advice = f" Did you mean '{near[0]}'?" if near else f" There are: {', '.join(names())}."
        raise ValueError(f"there is no question '{name}'.{advice}")
    asked = import_module(f"rlhw.exercises.{name.replace('-', '_')}").QUESTION
    return asked.variant(np.random.default_rng(int(variant, 16))) if variant and asked.variant else asked


def verdict(name: str, answer: object, seed: int = 0, part: str = "", variant: str = "") -> Verdict:
    """Judge an answer, in one part or in all: a function, or a value.

    None, or a function that returns None, is an answer not given yet.
    """
    asked = question(name, variant)
    cases = draw_part(asked, part, seed) if part else draw_cases(asked, seed)
    possible = sum(known.points for known in asked.parts if known.name in cases)
    nothing = Verdict(name, False, "no answer yet.", 0, possible, dict.fromkeys(cases, False))
    if answer is None or answer is Ellipsis:
        return nothing
    try:
        with np.errstate(all="ignore"):
            outputs = outputs_of(answer, cases)
    except Exception as error:
        message = f"not yet. Your function stopped with {type(error).__name__}: {error}"
        return Verdict(name, False, message, 0, possible, nothing.parts)
    if all(output is None or output is Ellipsis for group in outputs.values() for output in group):
        return nothing
    return judge(asked, cases, outputs)


def check(name: str, answer: object, part: str = "", variant: str = "") -> Verdict:
    """Judge an answer, print the verdict on one line, remember it for `rlhw.check_notebook()`, and return it.

    With a part, as in homework, the line of a right answer is always "name, part: ok": nbval compares it.
    """
    result = verdict(name, answer, part=part, variant=variant)
    session_verdicts[f"{name}, {part}" if part else name] = result
    if part:
        session_parts[name, part] = variant
        print(f"{name}, {part}: {'ok' if result.passed else result.message}")
    else:
        print(f"{name}: {result.message} ({result.earned} of {result.points} points)")
    return result


def markdown(name: str, variant: str = "") -> str:
    """The question as plain Markdown with inline mathematics: what a notebook's exercise cell holds.

    With a variant (hexadecimal) its version for one student, where it has such.
    """
    asked = question(name, variant)
    stars = "★" * asked.stars + "☆" * (3 - asked.stars)
    head = f"**Exercise {name}: {asked.title}** ({stars}, {asked.minutes} minutes, {asked.points} points)"
    return f"{head}\n\n{asked.text.strip()}"


def prove(names_to_prove: list[str] | None = None, seeds: int = 20, jobs: int = 1) -> bool:
    """Print for each question what its check rejects and accepts; True when every proof holds.

    With several jobs as many processes share the questions; what is printed is the same.
    """
    chosen, holds = names_to_prove or names(), []
    jobs = min(jobs, len(chosen))
    # Processes begin anew: a fork of a process that has threads may never end.
    pool = ProcessPoolExecutor(jobs, get_context("spawn")) if jobs > 1 else nullcontext()
    with pool:
        for line, proven in (pool.map if jobs > 1 else map)(partial(_proof, seeds=seeds), chosen):
            print(line, flush=True)
            holds.append(proven)
    print("every check is proven" if all(holds) else "some checks are not proven")
    return all(holds)


def _proof(name: str, seeds: int) -> tuple[str, bool]:
    """The line on a question, and whether it is proven."""
    asked, faults = question(name), []
    if len(asked.wrong) < 5 or len(asked.right) < 2:
        faults.append(f"it has {len(asked.wrong)} wrong and {len(asked.right)} right answers; 5 and 2 are needed")
    if len({wrong.hint for wrong in asked.wrong.values()}) < len(asked.wrong):
        faults.append("two wrong answers share a hint")
    for seed in range(seeds):
        sitting = Sitting(asked, draw_cases(asked, seed))
        faults += [f"right answer '{k}' rejected" for k, answer in asked.right.items() if not _passes(sitting, answer)]
        faults += filter(None, (_fault(sitting, key, seed) for key in asked.wrong))
    if faults:
        return f"{name}: NOT PROVEN: {'; '.join(sorted(set(faults)))}", False
    summary = (
        f"{len(asked.wrong)} wrong answers rejected, each with its own hint, {len(asked.right)} right ones accepted"
    )
    return f"{name}: {summary}, {seeds} seeds", True


def _passes(sitting: Sitting, answer: object) -> bool:
    """Whether an answer passes. What stops with an error does not."""
    try:
        with np.errstate(all="ignore"):
            outputs = outputs_of(answer, sitting.cases)
    except Exception:
        return False
    return sitting.judge(outputs).passed


def _fault(sitting: Sitting, key: str, seed: int) -> str:
    """What speaks against a known wrong answer, or ""."""
    outputs = {
        part: [sitting.mistaken(key, part, n) for n in range(len(sitting.cases[part]))] for part in sitting.cases
    }
    result = sitting.judge(outputs)
    if result.passed:
        return f"wrong answer '{key}' accepted with seed {seed}"
    hint = sitting.question.wrong[key].hint
    return "" if result.message.endswith(hint) else f"wrong answer '{key}' gets another hint: {result.message}"
