"""The fields of a record that clients ask for by name: DESC, EGU, limits, alarm, lengths."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.bank import Bank, Severity
from gnomon.ioc.ca import dbr

SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")
#: Names of EPICS's alarm conditions, by number. A client that asks for the names of the states gets the first 16.
STATUSES = (
    "NO_ALARM", "READ", "WRITE", "HIHI", "HIGH", "LOLO", "LOW", "STATE", "COS", "COMM", "TIMEOUT",
    "HWLIMIT", "CALC", "SCAN", "LINK", "SOFT", "BAD_SUB", "UDF", "DISABLE", "SIMM", "READ_ACCESS", "WRITE_ACCESS",
)  # fmt: skip
#: Element types of a waveform record, by number.
ELEMENTS = (
    "STRING", "CHAR", "UCHAR", "SHORT", "USHORT", "LONG", "ULONG", "INT64", "UINT64", "FLOAT", "DOUBLE", "ENUM",
)  # fmt: skip
STATE_PREFIXES = (
    "ZR", "ON", "TW", "TH", "FR", "FV", "SX", "SV", "EI", "NI", "TE", "EL", "TV", "TT", "FT", "FF",
)  # fmt: skip

ELEMENT_OF = {Kind.FLOATS: "DOUBLE", Kind.INTS: "LONG", Kind.STRINGS: "STRING"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its native type, where its value comes from, and the names of its states."""

    native: int
    fetch: Callable[[Bank, int], Any]
    states: tuple[str, ...] = ()


def _severity_of(attribute: str, severity: Severity) -> Field:
    def fetch(bank: Bank, index: int) -> int:
        given = getattr(bank.specs[index].alarm, attribute) is not None
        return severity if given else Severity.NO_ALARM

    return Field(dbr.ENUM, fetch, SEVERITIES)


def _limit(pick: Callable[[PvSpec], float | None]) -> Field:
    def fetch(bank: Bank, index: int) -> float:
        value = pick(bank.specs[index])
        return 0.0 if value is None else float(value)

    return Field(dbr.DOUBLE, fetch)


def _whole(field: Field) -> Field:
    """The same field of a record of whole numbers."""
    if field.native != dbr.DOUBLE:
        return field
    return Field(dbr.LONG, lambda bank, index: int(field.fetch(bank, index)))


def _spec(native: int, pick: Callable[[PvSpec], Any], states: tuple[str, ...] = ()) -> Field:
    return Field(native, lambda bank, index: pick(bank.specs[index]), states)


def _display(spec: PvSpec, end: int) -> float:
    return (spec.display or spec.drive or (0.0, 0.0))[end]


def _drive(spec: PvSpec, end: int) -> float:
    return (spec.drive or (0.0, 0.0))[end]


def _length(bank: Bank, index: int) -> int:
    return len(bank.objects[index])


#: Fields that every record has.
COMMON = {
    "DESC": _spec(dbr.STRING, lambda spec: spec.description),
    "NAME": _spec(dbr.STRING, lambda spec: spec.name),
    "RTYP": _spec(dbr.STRING, lambda spec: spec.record_type),
    "SEVR": Field(dbr.ENUM, lambda bank, index: int(bank.severity[index]), SEVERITIES),
    "STAT": Field(dbr.ENUM, lambda bank, index: int(bank.status[index]), STATUSES),
    "UDF": Field(dbr.CHAR, lambda bank, index: int(bank.status[index] == STATUSES.index("UDF"))),
}
UNIT = {"EGU": _spec(dbr.STRING, lambda spec: spec.unit)}
RANGE = {
    "HOPR": _limit(lambda spec: _display(spec, 1)),
    "LOPR": _limit(lambda spec: _display(spec, 0)),
}
LIMITS = RANGE | {
    "DRVH": _limit(lambda spec: _drive(spec, 1)),
    "DRVL": _limit(lambda spec: _drive(spec, 0)),
    "HIHI": _limit(lambda spec: spec.alarm.hihi),
    "HIGH": _limit(lambda spec: spec.alarm.high),
    "LOW": _limit(lambda spec: spec.alarm.low),
    "LOLO": _limit(lambda spec: spec.alarm.lolo),
    "HHSV": _severity_of("hihi", Severity.MAJOR),
    "HSV": _severity_of("high", Severity.MINOR),
    "LSV": _severity_of("low", Severity.MINOR),
    "LLSV": _severity_of("lolo", Severity.MAJOR),
    # Every publication is sent, however small the change.
    "ADEL": _limit(lambda _: 0.0),
    "MDEL": _limit(lambda _: 0.0),
}
PRECISION = {"PREC": _spec(dbr.SHORT, lambda spec: spec.precision)}
ARRAY = {
    "NELM": _spec(dbr.LONG, lambda spec: spec.length),
    "NORD": Field(dbr.LONG, _length),
    "FTVL": _spec(dbr.ENUM, lambda spec: ELEMENTS.index(ELEMENT_OF[spec.kind]), ELEMENTS),
}
BY_KIND: dict[Kind, dict[str, Field]] = {
    Kind.FLOAT: COMMON | UNIT | PRECISION | LIMITS,
    Kind.INT: COMMON | UNIT | {name: _whole(field) for name, field in LIMITS.items()},
    Kind.ENUM: COMMON,
    Kind.STRING: COMMON,
    Kind.INTS: COMMON | UNIT | RANGE | ARRAY,
    Kind.FLOATS: COMMON | UNIT | PRECISION | RANGE | ARRAY,
    Kind.STRINGS: COMMON | ARRAY,
}


def field(spec: PvSpec, name: str) -> Field:
    """A field of a PV's record. Raises KeyError when there is no such field."""
    if spec.kind is Kind.ENUM and (number := _state_number(spec, name)) is not None:
        state = spec.states[number] if number < len(spec.states) else ""
        return Field(dbr.STRING, lambda bank, index: state)
    return BY_KIND[spec.kind][name]


def _state_number(spec: PvSpec, name: str) -> int | None:
    """Which state a field names: ZNAM and ONAM of binary records, ZRST to FFST of others."""
    if spec.record_type in ("bi", "bo"):
        return {"ZNAM": 0, "ONAM": 1}.get(name)
    if len(name) == 4 and name.endswith("ST") and name[:2] in STATE_PREFIXES:
        return STATE_PREFIXES.index(name[:2])
    return None
