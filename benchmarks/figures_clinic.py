"""The figures of the clinic: one for each patient, named by its number."""

from collections.abc import Callable

from matplotlib.figure import Figure

from rlhw import clinic
from rlhw.clinic.cases import CASES


def figure_of(number: int) -> Callable[[], Figure]:
    """The curves of one patient; what its reader is to see is asserted."""

    def drawn() -> Figure:
        shown, case = clinic.curves(number), clinic.patient(number)
        for key, expected in case.symptoms.items():
            assert shown.ward.readings[key].compare(shown.healthy, shown.sick) == expected, f"patient {number}: {key}"
        return clinic.draw(shown)

    return drawn


FIGURES = {f"clinic_{case.number:02}": figure_of(case.number) for case in CASES}
