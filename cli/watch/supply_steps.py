"""Steps of a supply from the keyboard: their size, what a step puts, and what undoes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import floor, log10

from gnomon.clients.epics_client import PvInfo
from gnomon.clients.reading import Reading
from gnomon.db import sources

__all__ = ["Step", "find_setpoints", "first_size", "larger", "setpoints", "smaller", "stepped", "undo_refusal"]

#: Digits that tell two setpoints apart; rounding keeps 0.1 + 0.2 at 0.3.
DIGITS = 12
#: Smallest and largest exponent of a step.
EXPONENTS = (-6, 6)


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was made, in the unit of the PV."""

    name: str
    old: float
    new: float
    unit: str = ""


def setpoints(pvs: Sequence[PvInfo]) -> list[PvInfo]:
    """List the PVs that can be stepped: setpoints of device properties that may be written."""
    return sorted((pv for pv in pvs if pv.source == sources.SET.name and pv.writable), key=lambda pv: pv.name)


def find_setpoints(pvs: Sequence[PvInfo], pattern: str, prefix: str) -> list[PvInfo]:
    """Find setpoints whose name or device fits a pattern (`*`, `?`, `[...]`), or has a text in it, in any case."""
    wanted = pattern.strip().casefold().removeprefix(prefix.casefold())
    if not any(character in wanted for character in "*?["):
        wanted = f"*{wanted}*"
    return [
        pv
        for pv in pvs
        if fnmatchcase(pv.name.removeprefix(prefix).casefold(), wanted) or fnmatchcase(pv.device.casefold(), wanted)
    ]


def stepped(value: float, size: float, direction: int) -> float:
    """Value after a step up (1) or down (-1), without digits of rounding."""
    return float(f"{value + direction * size:.{DIGITS}g}")


def first_size(limits: tuple[float, float] | None, value: float = 0.0) -> float:
    """Step to begin with: about a thousandth of the range of the drive limits, or of the value."""
    span = limits[1] - limits[0] if limits is not None else abs(value)
    return _round(span / 1000.0) if span > 0.0 else 0.001


def larger(size: float) -> float:
    """Next step size of the series 1, 2, 5."""
    return _neighbour(size, 1)


def smaller(size: float) -> float:
    """The step size before this one in the series 1, 2, 5."""
    return _neighbour(size, -1)


def undo_refusal(step: Step, present: Reading) -> str:
    """Say why a step is not undone; empty if the PV still has the value that the step left."""
    same = isinstance(present.value, float | int) and abs(present.value - step.new) <= 1e-9 * max(1.0, abs(step.new))
    if same:
        return ""
    return (
        f"{step.name}: not undone: it is no longer {step.new:.9g} {step.unit}, as the step left it, but "
        f"{present.value:.9g} {step.unit}; somebody else has set it"
    )


_SERIES = [mantissa * 10.0**exponent for exponent in range(EXPONENTS[0], EXPONENTS[1]) for mantissa in (1, 2, 5)]


def _round(size: float) -> float:
    """Round down to the series 1, 2, 5."""
    exponent = floor(log10(size))
    mantissa = size / 10.0**exponent
    return float(f"{(5 if mantissa >= 5 else 2 if mantissa >= 2 else 1) * 10.0**exponent:.3g}")


def _neighbour(size: float, way: int) -> float:
    place = min(range(len(_SERIES)), key=lambda number: abs(log10(_SERIES[number] / size)))
    return float(f"{_SERIES[max(0, min(len(_SERIES) - 1, place + way))]:.3g}")
