"""Reasons why there is no beam, worded for operators."""

from gnomon.propagator.compiled import Floats
from gnomon.propagator.live import kernel_report as place
from gnomon.propagator.live.kernel_report import FOUND, LOST, NO_FIXED_POINT, UNSTABLE_1, UNSTABLE_2, UNSTABLE_SUM
from gnomon.propagator.live.multiple_shooting import FAR

#: Maximum orbit [m] that counts as a beam.
LIMIT = 1.0


def why_no_beam(report: Floats) -> str:
    """Return the reason for a report without a beam; empty if there is a beam."""
    status = int(report[place.STATUS])
    iterations, change = int(report[place.ITERATIONS]), report[place.CHANGE]
    trace_1, trace_2 = report[place.TRACE_1], report[place.TRACE_2]
    if status == FOUND:
        if report[place.WORST] < LIMIT:
            return ""
        return f"particles are lost: the closed orbit leaves {LIMIT:g} m, at most {report[place.WORST]:.3g} m"
    if status == LOST:
        return f"particles are lost: no closed orbit within {FAR:g} m (iteration {iterations})"
    if status == NO_FIXED_POINT:
        where = "a tune is an integer" if iterations == 1 else f"the search met an integer tune in step {iterations}"
        return f"no closed orbit: {where}, the turn has no single fixed point"
    verdict = status - place.UNSTABLE
    if verdict == UNSTABLE_SUM:
        return f"no stable beam: sum resonance, the modes' discriminant is {report[place.DISCRIMINANT]:.6g} < 0"
    if verdict == UNSTABLE_1:
        return f"no stable beam: mode 1 (horizontal) has the trace {trace_1:.6g}, |trace| must be below 2"
    if verdict == UNSTABLE_2:
        return f"no stable beam: mode 2 (vertical) has the trace {trace_2:.6g}, |trace| must be below 2"
    if verdict > 0:
        return (
            f"no stable beam: modes 1 (horizontal) and 2 (vertical) have the traces {trace_1:.6g} and {trace_2:.6g}, "
            "|trace| must be below 2"
        )
    return f"no closed orbit: {iterations} iterations left a change of {change:.3g} m"
