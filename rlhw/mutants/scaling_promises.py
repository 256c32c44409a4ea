"""What `scaling` refuses: counts that are none, ways that nobody knows, rates and peaks of nothing."""

from collections.abc import Callable

import numpy as np

from rlhw.laws import assert_close
from rlhw.mutants.refusals import refuses

NAN, INFINITY = float("nan"), float("inf")


def refuses_bad_counts(global_mean: Callable) -> None:
    """One count a process, none negative, one answer at least."""
    sums = np.ones((2, 3))
    refuses(
        "counts", *(lambda n=n: global_mean(sums, np.array(n)) for n in ([1.0], [3.0, -1.0], [0.0, 0.0], [NAN, 2.0]))
    )
    refuses("counts", lambda: global_mean(sums, np.array([1.0, 2.0, 3.0])))


def refuses_unknown_ways(state_bytes: Callable) -> None:
    """A method by its name, and one process at least."""
    refuses("method", lambda: state_bytes(10, 2, "zero4"))
    refuses("processes", *(lambda w=w: state_bytes(10, w) for w in (0, -1)))


def refuses_no_rate(decode_floor: Callable) -> None:
    """What copies nothing never ends."""
    refuses("rate", *(lambda rate=rate: decode_floor(1.0, 1.0, rate) for rate in (0.0, -2.0, NAN)))
    assert_close(decode_floor(1.0, 1.0, 0.5), 4.0, "a slow one does")


def refuses_no_peak(utilisation: Callable) -> None:
    """Neither the seconds nor the peak may be 0."""
    bad = ((0.0, 2.0), (2.0, 0.0), (-1.0, 2.0), (2.0, -1.0))
    refuses("seconds and peak", *(lambda s=s, p=p: utilisation(1.0, s, 1.0, p) for s, p in bad))
    assert_close(utilisation(1.0, 0.5, 0.1, 0.5), 0.4, "a slow device has a peak too")


def refuses_no_number(spacing: Callable) -> None:
    """Around 0, and where numbers end, there is no such gap."""
    refuses("number", *(lambda x=x: spacing(x, 8) for x in (0.0, INFINITY, -INFINITY, NAN)))


def refuses_no_limit(truncated_weights: Callable) -> None:
    """A limit of 0 would leave no sample."""
    refuses("limit", *(lambda c=c: truncated_weights(np.zeros(2), c) for c in (0.0, -1.0, NAN)))


def refuses_no_process(ring_bytes: Callable) -> None:
    """One process at least, which sends nothing."""
    refuses("processes", *(lambda w=w: ring_bytes(8.0, w) for w in (0, -1)))
    assert_close(ring_bytes(8.0, 1), 0.0, "one process sends nothing")


PROMISES = {
    "check_global_mean": refuses_bad_counts,
    "check_state_bytes": refuses_unknown_ways,
    "check_decode_floor": refuses_no_rate,
    "check_utilisation": refuses_no_peak,
    "check_spacing": refuses_no_number,
    "check_truncated_weights": refuses_no_limit,
    "check_ring_bytes": refuses_no_process,
}
