"""PV Access values: the full one with which a PV opens, the reused ones that carry updates, and what a client wrote."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from p4p import Value

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Reading, Severity
from gnomon.ioc.servers.pva.alarms import MESSAGE, ORIGIN
from gnomon.ioc.servers.pva.structures import FORMS, reply_type, type_of, value_field

_MAX_INT = 2**63 - 1


def opening(spec: PvSpec, reading: Reading) -> Any:
    """All fields of a PV, as its first client gets them: value, alarm, time stamp and what the spec tells about it."""
    value = Value(type_of(spec))
    for field, content in _metadata(spec).items():
        value[field] = content
    set_alarm(value, reading.severity, reading.status)
    set_stamp(value, reading.time_ns, reading.generation)
    value[value_field(spec.kind)] = content_of(spec, reading.value)
    return value


def procedure_value() -> Any:
    """Value that a get of a remote procedure's PV shows."""
    value = Value(reply_type())
    value["display.description"] = "remote procedure: call it (RPC) with its arguments as the query of an NTURI"
    set_stamp(value, time.time_ns(), 0)
    return value


def content_of(spec: PvSpec, value: Any) -> Any:
    """A bank's value as p4p stores it in the value field of the PV's type."""
    match spec.kind:
        case Kind.FLOAT:
            return float(value)
        case Kind.INT | Kind.ENUM:
            return int(value)
        case Kind.STRING:
            return str(value)
        case Kind.FLOATS:
            return np.asarray(value, dtype=float)
        case Kind.INTS:
            return np.asarray(value, dtype=np.int32)
        case Kind.STRINGS:
            return [str(text) for text in value]
        case Kind.TABLE:
            return {name: _column(value.get(name, ()), kind) for name, _, kind in spec.columns}


def written(spec: PvSpec, value: Any) -> Any:
    """Return what a client wrote, as plain Python.

    A put that leaves the value field out gives the fields that it does name, as a dict; a dict is not a PV's value (but
    a table's), so the sink refuses it and the journal shows what was asked.
    """
    field = value_field(spec.kind)
    if not value.changed(field):
        return {name: value.todict().get(name, value.get(name)) for name in sorted(value.changedSet(expand=True))}
    return value.todict(field) if spec.kind is Kind.TABLE else value[field]


class Updates:
    """Reused values of one type: only what changed is marked, and PVs updated in a row share their time stamp.

    A post copies, so one value serves all PVs of its type. Not thread safe: the server's lock guards it.
    """

    def __init__(self, spec: PvSpec) -> None:
        kind, structure = spec.kind, type_of(spec)
        self._field = value_field(kind)
        self._value, self._value_alarm, self._alarm = Value(structure), Value(structure), Value(structure)
        self._stamps: dict[bool, tuple[int, int]] = {}

    def value(self, content: Any, time_ns: int, generation: int) -> Any:
        """An update of value and time stamp."""
        if self._stamps.get(False) != (time_ns, generation):
            set_stamp(self._value, time_ns, generation)
            self._stamps[False] = (time_ns, generation)
        self._value[self._field] = content
        return self._value

    def post_values(self, posts: Iterable[tuple[Callable[[Any], None], Any]], time_ns: int, generation: int) -> None:
        """Hand updates of value and time stamp, of many PVs, to their posts."""
        update, field = self._value, self._field
        set_stamp(update, time_ns, generation)
        self._stamps[False] = (time_ns, generation)
        for post, content in posts:
            update[field] = content
            post(update)

    def value_and_alarm(self, content: Any, time_ns: int, generation: int, severity: int, status: int) -> Any:
        """An update of value, time stamp and alarm."""
        if self._stamps.get(True) != (time_ns, generation):
            set_stamp(self._value_alarm, time_ns, generation)
            self._stamps[True] = (time_ns, generation)
        set_alarm(self._value_alarm, severity, status)
        self._value_alarm[self._field] = content
        return self._value_alarm

    def alarm(self, severity: int, status: int) -> Any:
        """An update of the alarm alone: value and time stamp stay as old as they are."""
        set_alarm(self._alarm, severity, status)
        return self._alarm


def set_alarm(value: Any, severity: int, status: int) -> None:
    """Set the alarm of a value."""
    value["alarm.severity"] = int(severity)
    value["alarm.status"] = ORIGIN[status]
    value["alarm.message"] = MESSAGE[status]


def set_stamp(value: Any, time_ns: int, generation: int) -> None:
    """Set the time stamp of a value."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    value["timeStamp.secondsPastEpoch"] = seconds
    value["timeStamp.nanoseconds"] = nanoseconds
    value["timeStamp.userTag"] = generation & 0x7FFFFFFF


def _column(cells: Sequence[Any], kind: str) -> Any:
    return [str(cell) for cell in cells] if kind == "string" else np.asarray(cells, dtype=float)


def _metadata(spec: PvSpec) -> dict[str, Any]:
    match spec.kind:
        case Kind.TABLE:
            return {"labels": [label for _, label, _ in spec.columns], "descriptor": spec.description}
        case Kind.ENUM:
            return {"value.choices": list(spec.states), "display.description": spec.description}
        case Kind.STRING | Kind.STRINGS:
            return {"display.description": spec.description, "display.units": spec.unit}
        case _:
            return _numeric_metadata(spec)


def _numeric_metadata(spec: PvSpec) -> dict[str, Any]:
    whole = spec.kind in (Kind.INT, Kind.INTS)
    display = spec.display or spec.drive or (0.0, 0.0)
    fields: dict[str, Any] = {
        "display.limitLow": _number(display[0], whole),
        "display.limitHigh": _number(display[1], whole),
        "display.description": spec.description,
        "display.units": spec.unit,
        "display.precision": 0 if whole else spec.precision,
        "display.form.index": 0,
        "display.form.choices": list(FORMS),
    }
    if spec.drive is not None:
        fields["control.limitLow"] = _number(spec.drive[0], whole)
        fields["control.limitHigh"] = _number(spec.drive[1], whole)
    return fields | _alarm_metadata(spec, whole)


def _alarm_metadata(spec: PvSpec, whole: bool) -> dict[str, Any]:
    limits = {
        "lowAlarm": (spec.alarm.lolo, Severity.MAJOR),
        "lowWarning": (spec.alarm.low, Severity.MINOR),
        "highWarning": (spec.alarm.high, Severity.MINOR),
        "highAlarm": (spec.alarm.hihi, Severity.MAJOR),
    }
    fields: dict[str, Any] = {"valueAlarm.active": any(limit is not None for limit, _ in limits.values())}
    for name, (limit, severity) in limits.items():
        fields[f"valueAlarm.{name}Limit"] = _number(float("nan") if limit is None else limit, whole)
        fields[f"valueAlarm.{name}Severity"] = int(Severity.NO_ALARM if limit is None else severity)
    return fields


def _number(value: float, whole: bool) -> float | int:
    """A limit in the type of the value; an integer PV has no NaN and no infinity."""
    if not whole:
        return float(value)
    if np.isnan(value):
        return 0
    return int(max(-_MAX_INT, min(_MAX_INT, value)))
