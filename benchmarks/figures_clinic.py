"""The figures of the clinic: one for each patient, named by its number."""

from collections.abc import Callable

from matplotlib.figure import Figure

from benchmarks.chapters import ROOT
from rlhw import clinic
from rlhw.clinic.cases import CASES

COUNTS = {4: "Four", 6: "Six", 7: "Seven", 8: "Eight"}


def figure_of(number: int) -> Callable[[], Figure]:
    """The curves of one patient; what its reader is to see, and what its description counts, is asserted."""

    def drawn() -> Figure:
        shown, case = clinic.curves(number), clinic.patient(number)
        for key, expected in case.symptoms.items():
            assert shown.ward.readings[key].compare(shown.healthy, shown.sick) == expected, f"patient {number}: {key}"
        panels, steps = shown.ward.panels, len(next(iter(shown.healthy.values())))
        said = (
            f"clinic_{number:02}.svg\n:name: fig-clinic-{number:02}\n:alt: {COUNTS[len(panels)]} curves over {steps} "
        )
        assert said in (ROOT / "book/clinic.md").read_text(encoding="utf8"), (
            f"patient {number}: {said.splitlines()[-1]}"
        )
        return clinic.draw(shown)

    return drawn


FIGURES = {f"clinic_{case.number:02}": figure_of(case.number) for case in CASES}
