"""Structures of PV Access as `Reading`: NTScalar, NTScalarArray, NTEnum, NTTable, and any other structure."""

from typing import Any

from gnomon.clients.reading import Reading


def reading_of(name: str, value: Any) -> Reading:
    """Read a `p4p.Value`."""
    described = value.getID()
    stamp = _get(value, "timeStamp.secondsPastEpoch", 0) * 1_000_000_000 + _get(value, "timeStamp.nanoseconds", 0)
    severity = int(_get(value, "alarm.severity", 0))
    message = str(_get(value, "alarm.message", "")) if severity else ""
    shown: Any
    states: tuple[str, ...] = ()
    index: int | None = None
    if described.startswith("epics:nt/NTEnum:"):
        states, index = tuple(value["value.choices"]), int(value["value.index"])
        shown = states[index] if 0 <= index < len(states) else str(index)
    elif described.startswith("epics:nt/NTTable:"):
        shown = columns_of(value)
    elif "value" in set(value.keys()):
        shown = value["value"]
    else:
        shown = dict(value.todict())
    return Reading(
        name=name,
        value=shown,
        unit=str(_get(value, "display.units", "")),
        severity=severity,
        alarm=message,
        time_ns=int(stamp),
        states=states,
        index=index,
        limits=_limits(value),
        description=str(_get(value, "display.description", "")),
    )


def _limits(value: Any) -> tuple[float, float] | None:
    """Return the drive limits; none if both are the same, as where there are none."""
    low, high = _get(value, "control.limitLow", 0.0), _get(value, "control.limitHigh", 0.0)
    return (float(low), float(high)) if low < high else None


def _get(value: Any, path: str, default: Any) -> Any:
    try:
        return value[path]
    except KeyError:
        return default


def columns_of(table: Any) -> dict[str, list[Any]]:
    """Return the columns of an NTTable by name."""
    columns = table["value"]
    names = columns.keys()
    return {name: list(columns[name]) for name in names}
