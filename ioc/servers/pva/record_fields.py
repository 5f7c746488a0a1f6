"""Fields of records, and filters, over PV Access: channels that exist only while a client has them.

Names and values are those of Channel Access (`gnomon.ioc.servers.ca.points`), types those of QSRV: a number or a text
as NTScalar, a menu as NTEnum, a long text as an array of bytes.
"""

import math
from typing import Any

import numpy as np
from p4p import Type, Value
from p4p.server.raw import SharedPV

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.servers.ca import dbr
from gnomon.ioc.servers.ca.channel_filters import Filters
from gnomon.ioc.servers.ca.dbr import NotATextError
from gnomon.ioc.servers.ca.points import Point, put_value
from gnomon.ioc.servers.pva.channel_host import ChannelHost
from gnomon.ioc.servers.pva.structures import FORMS, array_type, menu_type, scalar_type, type_of
from gnomon.ioc.servers.pva.values import content_of, opening, set_alarm, set_stamp, written

#: p4p's codes of Channel Access' native types.
CODES = {dbr.STRING: "s", dbr.SHORT: "h", dbr.FLOAT: "f", dbr.CHAR: "B", dbr.LONG: "i", dbr.DOUBLE: "d"}
#: What a record says of the limits of numbers that have none, by code.
WIDEST = {
    "d": (-1e300, 1e300), "h": (-(2**15), 2**15 - 1), "B": (0, 2**8 - 1), "i": (-(2**31), 2**31 - 1),
    "I": (0, 2**32 - 1), "L": (0, 0),
}  # fmt: skip


class FieldChannel:
    """The handler of one such name; p4p calls it in pvxs' thread."""

    def __init__(self, host: ChannelHost, name: str, point: Point) -> None:
        self._host = host
        self.name = name
        self._point = point
        self._spec = host.bank.specs[point.index]
        self._structure, self._field = _structure(self._spec, point)
        self._sent: Any = None
        self._alarm: tuple[int, int] | None = None
        self.index = point.index
        self.pv = SharedPV(handler=self)

    def onFirstConnect(self, pv: Any) -> None:
        """Open the channel with what the field is now."""
        with self._host.lock:
            state = self._point.state(self._host.bank)
            value = self._opening() if self._is_value else self._described()
            self._fill(value, state)
            pv.open(value)
            self._host.opened(self)

    def onLastDisconnect(self, pv: Any) -> None:
        """Close the channel and forget it."""
        with self._host.lock:
            self._host.closed(self)
            pv.close()

    def post(self) -> None:
        """Post what is new after a publication of the record. The caller has the server's lock."""
        state = self._point.state(self._host.bank)
        if self._passes(state):
            value = Value(self._structure)
            self._fill(value, state)
            self.pv.post(value)

    def put(self, pv: Any, operation: Any) -> None:
        """Put to the value behind a filter or a long text, or process the record. Other fields are read-only."""
        host, point, spec = self._host, self._point, self._spec
        try:
            client = host.client_of(operation)
            reason = host.permits.refusal(spec.name, client, "write")
            if reason is None and point.field is not None and not point.field.processes:
                reason = f"{self.name} is read-only; nothing was changed"
            if reason is not None:
                operation.done(error=reason)
                return
            if point.field is not None:
                host.process(point.index)
                operation.done()
                return
            value = written(spec, operation.value())
            if point.long and not isinstance(value, dict):
                value = put_value(spec, dbr.LONG, _codes(value), long=True)
        except (NotATextError, UnicodeDecodeError, TypeError) as error:
            reason = str(error) if isinstance(error, NotATextError) else "not a text in UTF-8; nothing was changed"
            operation.done(error=f"{self.name}: {reason}")
            return
        host.put(operation, point.index, value, client)

    def rpc(self, pv: Any, operation: Any) -> None:
        """Say what to do instead."""
        operation.done(error=f"{self.name} is not a remote procedure: read, monitor or write it.")

    @property
    def _is_value(self) -> bool:
        """True if this is the PV's own value, of its own type, behind a filter."""
        return self._point.field is None and not self._point.long and self._structure is type_of(self._spec)

    def _passes(self, state: dbr.State) -> bool:
        """Tell whether clients are to hear of a state, which then counts as sent."""
        alarm = state.severity, state.status
        filters: Filters = self._point.filters
        changed = self._alarm != alarm or (
            filters.passes(self._sent, state.value) if self._point.field is None else self._sent != state.value
        )
        return changed or (self._point.field is None and filters.deadband is None)

    def _opening(self) -> Any:
        return opening(self._spec, self._host.bank.reading(self.index))

    def _described(self) -> Any:
        """A value with all that does not change."""
        value, spec, field = Value(self._structure), self._spec, self._point.field
        value["display.description"] = spec.description
        if self._field == "value.index":
            value["value.choices"] = list(field.states if field is not None else spec.states)
            return value
        code = _code(self._point)
        is_text = code == "s"
        own = field is None and not self._point.long
        if own or code == "d" or (code == "i" and spec.kind is Kind.INT):
            value["display.units"] = spec.unit
        if is_text:
            return value
        value["display.precision"] = spec.precision if code == "d" else 0
        value["display.form.choices"] = list(FORMS)
        display = spec.display or spec.drive or (0.0, 0.0)
        ranged = own or (field is not None and field.ranged)
        limits = display if ranged else WIDEST.get(code, (0, 0)) if not self._point.long else (0, 0)
        control = (spec.drive or (0.0, 0.0)) if ranged else limits
        for part, (low, high) in (("display", limits), ("control", control)):
            value[f"{part}.limitLow"], value[f"{part}.limitHigh"] = _fitting(low, code), _fitting(high, code)
        if code == "d":
            for limit in ("lowAlarm", "lowWarning", "highWarning", "highAlarm"):
                value[f"valueAlarm.{limit}Limit"] = math.nan
        return value

    def _fill(self, value: Any, state: dbr.State) -> None:
        generation = int(self._host.bank.generation[self.index])
        self._sent, self._alarm = state.value, (state.severity, state.status)
        set_alarm(value, state.severity, state.status)
        set_stamp(value, state.time_ns, generation)
        value[self._field] = self._content(state.value)

    def _content(self, content: Any) -> Any:
        point = self._point
        if point.long:
            return np.frombuffer(content, dtype=np.int8)
        if point.field is None and point.length == 1 and isinstance(content, np.ndarray | list):
            return content[0] if len(content) else (0 if self._spec.kind is not Kind.STRINGS else "")
        if point.field is None:
            return content_of(self._spec, content)
        return content if isinstance(content, str) or point.native == dbr.ENUM else _fitting(content, _code(point))


def _codes(value: Any) -> list[int]:
    """The bytes of a long text, which travel as signed numbers; p4p has None for an array without any."""
    return [] if value is None else [int(code) & 0xFF for code in np.asarray(value).tolist()]


def _fitting(number: float, code: str) -> float | int:
    """A number in the type of this code, the nearest that it has."""
    if code == "d":
        return float(number)
    low, high = WIDEST.get(code, (0, 0)) if code != "L" else (0, 2**64 - 1)
    return int(min(max(number, low), high)) if number == number else 0


def _code(point: Point) -> str:
    if point.long:
        return "b"
    return (point.field.code if point.field is not None else "") or CODES[point.native]


def _structure(spec: PvSpec, point: Point) -> tuple[Type, str]:
    """The type of what a name stands for, and the field that holds what changes."""
    if point.long:
        return array_type("b"), "value"
    if point.native == dbr.ENUM:
        return menu_type(), "value.index"
    array = point.field is None and spec.kind in (Kind.FLOATS, Kind.INTS, Kind.STRINGS)
    if point.field is None and not (array and point.length == 1):
        return type_of(spec), "value"
    return scalar_type(_code(point)), "value"
