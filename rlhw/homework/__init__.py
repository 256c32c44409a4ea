"""The homework as data: each assignment is one source, from which every version of its notebook is built.

`assignment("hw2")` is the source; `build.student` makes the notebook that students get, `build.solution` the one with every answer,
`build.graded` the one that the grader runs. What a student has made of a notebook is read by `restore`, which puts the checks
back as they should be; `report` prints how it stands. The questions themselves stand in `rlhw.exercises`.
"""

from importlib import import_module

from rlhw.homework.assignment import Assignment

SOURCES = {"hw0": "hw0_background", "hw1": "hw1_policy_gradient", "hw2": "hw2_rlhf"}


def names() -> list[str]:
    """The assignments, in the order of the course."""
    return list(SOURCES)


def assignment(name: str) -> Assignment:
    """The assignment of this name. ValueError lists the names when there is none."""
    if name not in SOURCES:
        raise ValueError(f"there is no assignment '{name}'. There are: {', '.join(SOURCES)}.")
    return import_module(f"rlhw.homework.{SOURCES[name]}").ASSIGNMENT
