"""Points, which names stand for: a PV's value or a field of its record, perhaps as a long text, perhaps filtered."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca import channel_filters, dbr
from gnomon.ioc.servers.ca.channel_filters import Filters
from gnomon.ioc.servers.ca.dbr import Facts, NotATextError, State
from gnomon.ioc.servers.ca.fields import Field, field

NATIVE = {
    Kind.FLOAT: dbr.DOUBLE, Kind.FLOATS: dbr.DOUBLE, Kind.INT: dbr.LONG, Kind.INTS: dbr.LONG, Kind.ENUM: dbr.ENUM,
    Kind.STRING: dbr.STRING, Kind.STRINGS: dbr.STRING,
}  # fmt: skip
ARRAYS = (Kind.FLOATS, Kind.INTS, Kind.STRINGS)
NO_FILTERS = Filters()
NO_FACTS = Facts()
#: Longest text that a long-string read gives [bytes], the zero at its end included.
LONG_STRING = 1000


@dataclass(frozen=True, slots=True)
class Point:
    """Something that can be read, subscribed to and, when it is the PV's value, put to."""

    index: int
    native: int
    length: int = 1
    field: Field | None = None
    long: bool = False
    filters: Filters = NO_FILTERS

    def state(self, bank: Bank) -> State:
        """Return what a client reads now."""
        reading = bank.reading(self.index)
        value = reading.value if self.field is None else self.field.fetch(bank, self.index)
        if self.long:
            value = dbr.cut(str(value), LONG_STRING - 1) + b"\0"
        elif isinstance(value, int) and not isinstance(value, bool) and self.native == dbr.LONG:
            value = (value + 2**31) % 2**32 - 2**31  # the counter wraps around
        state = State(value, int(reading.status), int(reading.severity), reading.time_ns)
        return state if self.filters is NO_FILTERS else self.filters.apply(state)

    def payload(self, bank: Bank, data_type: int, count: int) -> tuple[bytes, int]:
        """The value and its surroundings as a type of the protocol, and how many values there are in it.

        `count` 0 asks for as many as there are. Raises Unconvertible.
        """
        plain = data_type < 7 * dbr.GR and data_type % 7 != dbr.STRING
        return dbr.encode(self.state(bank), NO_FACTS if plain else self.facts(bank), data_type, count)

    def facts(self, bank: Bank) -> Facts:
        """Return what a client is told besides the value."""
        spec = bank.specs[self.index]
        if self.field is not None:
            return Facts(spec.unit, spec.precision, self.field.states, record_type=spec.record_type)
        return _facts(spec)


@lru_cache(1024)
def _facts(spec: PvSpec) -> Facts:
    display = spec.display or spec.drive or (0.0, 0.0)
    drive = spec.drive or (0.0, 0.0)  # none: what cannot be put has no range to put it in
    alarm = spec.alarm
    limits = (display[1], display[0], alarm.hihi, alarm.high, alarm.low, alarm.lolo, drive[1], drive[0])
    return Facts(
        units=spec.unit,
        precision=spec.precision if spec.kind in (Kind.FLOAT, Kind.FLOATS) else 0,
        states=spec.states,
        limits=tuple(np.nan if value is None else float(value) for value in limits),
        record_type=spec.record_type,
    )


def find(bank: Bank, name: str) -> Point:
    """Find what a name stands for. Raises KeyError when it stands for nothing here."""
    try:
        return _unfiltered(bank, name)
    except KeyError:
        if not name.endswith(("}", "]")):
            raise
    # Names themselves may have brackets: the filter begins at the first from which on all makes sense.
    opening = "{" if name.endswith("}") else "["
    at = name.find(opening)
    while at > 0:
        try:
            inner = _unfiltered(bank, name[:at])
            wanted = channel_filters.parse(name[at:])
        except (KeyError, ValueError, RecursionError):
            at = name.find(opening, at + 1)
        else:
            return Point(inner.index, inner.native, wanted.length(inner.length), inner.field, inner.long, wanted)
    raise KeyError(name)


def _unfiltered(bank: Bank, name: str) -> Point:
    index = bank.index.get(name)
    return _long(bank, name) if index is None else _plain(bank, index)


def _long(bank: Bank, name: str) -> Point:
    """A field, or with a dollar at its end, a value or field of text as an array of characters."""
    if not name.endswith("$"):
        return _field(bank, name)
    whole = name[:-1]
    found = _plain(bank, bank.index[whole]) if whole in bank.index else _field(bank, whole)
    if found.native != dbr.STRING or found.length > 1:
        raise KeyError(name)
    return Point(found.index, dbr.CHAR, LONG_STRING, found.field, True)


def _plain(bank: Bank, index: int) -> Point:
    spec = bank.specs[index]
    if spec.kind is Kind.TABLE:
        raise KeyError(spec.name)  # PV Access only
    return Point(index, NATIVE[spec.kind], spec.length if spec.kind in ARRAYS else 1)


def _field(bank: Bank, name: str) -> Point:
    record, dot, wanted = name.rpartition(".")
    if not dot:
        raise KeyError(name)
    index = bank.index[record]
    if wanted in ("", "VAL"):
        return _plain(bank, index)
    found = field(bank.specs[index], wanted)
    return Point(index, found.native, 1, found)


def put_value(spec: PvSpec, data_type: int, values: list[Any], *, long: bool = False) -> Any:
    """Return what a client sent as the sink takes it: a number, a text, or a list; a state's name as its number.

    `long` says that it was put to a long text, whose numbers are codes of characters. Raises NotATextError.
    """
    if long or (data_type == dbr.CHAR and len(values) > 1):
        values = [_long_text(values)]
    if spec.states:
        values = [_state_number(spec, value) for value in values]
    if data_type == dbr.FLOAT:
        values = [_widened(spec, value) for value in values]
    return values[0] if len(values) == 1 else values


def _long_text(values: list[Any]) -> str:
    """A text from the codes of its bytes, in numbers of any type; a text alone stands for itself."""
    if values and isinstance(values[0], str):
        text = values[0]
    else:
        codes = [int(value) if math.isfinite(value) and value == int(value) else -1 for value in values]
        if not all(0 <= code <= 255 for code in codes):
            raise NotATextError("numbers that are not codes of characters; nothing was changed")
        text = dbr.text_of(bytes(codes))
    if not text:
        raise NotATextError("an empty text; nothing was changed")
    return text


def _widened(spec: PvSpec, value: Any) -> Any:
    """A float32, or the drive limit that a client which reads float32 takes it for."""
    return next((limit for limit in spec.drive or () if np.float32(limit) == np.float32(value)), value)


def _state_number(spec: PvSpec, value: Any) -> Any:
    """A state by its name, or by its number as a text."""
    if not isinstance(value, str):
        return value
    if value in spec.states:
        return spec.states.index(value)
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 6 else value
