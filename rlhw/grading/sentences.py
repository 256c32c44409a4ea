"""What students are told about a submission as a whole, the same on their page and in Gradescope."""

from rlhw.grading.result import Result
from rlhw.homework import Assignment

NOTHING_HANDED_IN = "There is no notebook among the files that were handed in. Hand in one file that ends in .ipynb."
LOOKED_AT = "A person will look at this submission before its points are final; you need not do anything."


def refused(result: Result) -> str:
    """Why there are no points."""
    return " ".join(result.remarks) or "The file could not be read."


def what_to_do(assignment: Assignment) -> str:
    """How a student gets a submission graded that was not."""
    return (
        f"Nothing was graded. Hand in the notebook itself: {assignment.stem}.ipynb with your answers in it, opened in Jupyter or "
        "Colab once more to see that it is whole, and saved. If you think the file was right, write to your instructor."
    )


def several(count: int) -> str:
    """Where it can't be told which notebook counts."""
    return f"There are {count} notebooks among the files that were handed in. Hand in the one that holds your answers."
