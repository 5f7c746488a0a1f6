"""The fields of a record that clients ask for by name: DESC, EGU, limits, alarm, lengths, and those of every record.

What a PV has no equivalent of has the value that it has in a record of a soft IOC which nobody has configured.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank, Severity
from gnomon.ioc.servers.ca import dbr

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
SCANS = (
    "Passive", "Event", "I/O Intr", "10 second", "5 second", "2 second", "1 second", ".5 second", ".2 second",
    ".1 second",
)  # fmt: skip
INITIALLY = ("NO", "YES", "RUN", "RUNNING", "PAUSE", "PAUSED")
PRIORITIES = ("LOW", "MEDIUM", "HIGH")
NO_OR_YES = ("NO", "YES")
STATE_PREFIXES = (
    "ZR", "ON", "TW", "TH", "FR", "FV", "SX", "SV", "EI", "NI", "TE", "EL", "TV", "TT", "FT", "FF",
)  # fmt: skip

ELEMENT_OF = {Kind.FLOATS: "DOUBLE", Kind.INTS: "LONG", Kind.STRINGS: "STRING"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its native type, where its value comes from, and the names of its states.

    `code` is p4p's code of a number's type, where PV Access has a type that Channel Access has not. `ranged` says that
    the field has the display limits of the value. A put of any value to one that `processes` processes the record.
    """

    native: int
    fetch: Callable[[Bank, int], Any]
    states: tuple[str, ...] = ()
    code: str = ""
    ranged: bool = False
    processes: bool = False


def _severity_of(attribute: str, severity: Severity) -> Field:
    def fetch(bank: Bank, index: int) -> int:
        given = getattr(bank.specs[index].alarm, attribute) is not None
        return severity if given else Severity.NO_ALARM

    return Field(dbr.ENUM, fetch, SEVERITIES)


def _limit(pick: Callable[[PvSpec], float | None], *, ranged: bool = False) -> Field:
    def fetch(bank: Bank, index: int) -> float:
        value = pick(bank.specs[index])
        return 0.0 if value is None else float(value)

    return Field(dbr.DOUBLE, fetch, ranged=ranged)


def _whole(field: Field) -> Field:
    """The same field of a record of whole numbers."""
    if field.native != dbr.DOUBLE:
        return field
    return replace(field, native=dbr.LONG, fetch=lambda bank, index: _int32(field.fetch(bank, index)))


def _int32(value: float) -> int:
    """The nearest number that the field has room for."""
    return int(min(max(value, -(2**31)), 2**31 - 1)) if value == value else 0


def _spec(native: int, pick: Callable[[PvSpec], Any], states: tuple[str, ...] = ()) -> Field:
    return Field(native, lambda bank, index: pick(bank.specs[index]), states)


def _display(spec: PvSpec, end: int) -> float:
    return (spec.display or spec.drive or (0.0, 0.0))[end]


def _drive(spec: PvSpec, end: int) -> float:
    return (spec.drive or (0.0, 0.0))[end]


def _length(bank: Bank, index: int) -> int:
    return len(bank.objects[index])


def _text(text: str = "") -> Field:
    return Field(dbr.STRING, lambda bank, index: text)


def _constant(native: int, value: float, states: tuple[str, ...] = (), code: str = "") -> Field:
    return Field(native, lambda bank, index: value, states, code)


def _time(bank: Bank, index: int) -> str:
    seconds, nanoseconds = divmod(int(bank.time_ns[index]), 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M:%S}.{nanoseconds:09d}"


#: Fields that every record has.
COMMON = {
    "DESC": _spec(dbr.STRING, lambda spec: spec.description),
    "NAME": _spec(dbr.STRING, lambda spec: spec.name),
    "RTYP": _spec(dbr.STRING, lambda spec: spec.record_type),
    "SEVR": Field(dbr.ENUM, lambda bank, index: int(bank.severity[index]), SEVERITIES),
    "STAT": Field(dbr.ENUM, lambda bank, index: int(bank.status[index]), STATUSES),
    "UDF": Field(dbr.CHAR, lambda bank, index: int(bank.status[index] == STATUSES.index("UDF"))),
    "TIME": Field(dbr.STRING, _time),
    "UTAG": Field(dbr.DOUBLE, lambda bank, index: int(bank.generation[index]), code="L"),
    "PROC": Field(dbr.CHAR, lambda bank, index: 0, processes=True),
    "ASG": _text(),
    "SCAN": _constant(dbr.ENUM, 0, SCANS),
    "PINI": _constant(dbr.ENUM, 0, INITIALLY),
    "PHAS": _constant(dbr.SHORT, 0),
    "EVNT": _text(),
    "TSE": _constant(dbr.SHORT, 0),
    "TSEL": _text(),
    "DTYP": _constant(dbr.ENUM, 0, ("Soft Channel",)),
    "DISV": _constant(dbr.SHORT, 1),
    "DISA": _constant(dbr.SHORT, 0),
    "SDIS": _text(),
    "DISP": _constant(dbr.CHAR, 0),
    "AMSG": _text(),
    "NSTA": _constant(dbr.ENUM, 0, STATUSES),
    "NSEV": _constant(dbr.ENUM, 0, SEVERITIES),
    "NAMSG": _text(),
    "ACKS": Field(dbr.ENUM, lambda bank, index: int(bank.severity[index]), SEVERITIES),
    "ACKT": _constant(dbr.ENUM, 1, NO_OR_YES),
    "DISS": _constant(dbr.ENUM, 0, SEVERITIES),
    "LCNT": _constant(dbr.CHAR, 0),
    "PACT": _constant(dbr.CHAR, 0),
    "PUTF": _constant(dbr.CHAR, 0),
    "RPRO": _constant(dbr.CHAR, 0),
    "PRIO": _constant(dbr.ENUM, 0, PRIORITIES),
    "TPRO": _constant(dbr.CHAR, 0),
    "UDFS": _constant(dbr.ENUM, int(Severity.INVALID), SEVERITIES),
    "FLNK": _text(),
    "SIML": _text(),
    "SIOL": _text(),
    "SIMM": _constant(dbr.ENUM, 0, NO_OR_YES),
    "SIMS": _constant(dbr.ENUM, 0, SEVERITIES),
}
#: Records that are written to another place, and have OUT instead of INP.
OUTPUTS = frozenset({"ao", "bo", "longout", "mbbo", "stringout", "int64out", "lso", "aao", "mbboDirect"})
INPUT = {"INP": _text()}
OUTPUT = {"OUT": _text(), "DOL": _text(), "OMSL": _constant(dbr.ENUM, 0, ("supervisory", "closed_loop"))}
UNIT = {"EGU": _spec(dbr.STRING, lambda spec: spec.unit)}
RANGE = {
    "HOPR": _limit(lambda spec: _display(spec, 1)),
    "LOPR": _limit(lambda spec: _display(spec, 0)),
}
LIMITS = RANGE | {
    "DRVH": _limit(lambda spec: _drive(spec, 1)),
    "DRVL": _limit(lambda spec: _drive(spec, 0)),
    "HIHI": _limit(lambda spec: spec.alarm.hihi, ranged=True),
    "HIGH": _limit(lambda spec: spec.alarm.high, ranged=True),
    "LOW": _limit(lambda spec: spec.alarm.low, ranged=True),
    "LOLO": _limit(lambda spec: spec.alarm.lolo, ranged=True),
    "HHSV": _severity_of("hihi", Severity.MAJOR),
    "HSV": _severity_of("high", Severity.MINOR),
    "LSV": _severity_of("low", Severity.MINOR),
    "LLSV": _severity_of("lolo", Severity.MAJOR),
    # Every publication is sent, a value that has not changed too.
    "ADEL": _limit(lambda _: -1.0),
    "MDEL": _limit(lambda _: -1.0),
    "HYST": _limit(lambda _: 0.0),
}
PRECISION = {"PREC": _spec(dbr.SHORT, lambda spec: spec.precision)}
ARRAY = {
    "NELM": Field(dbr.DOUBLE, lambda bank, index: bank.specs[index].length, code="I"),
    "NORD": Field(dbr.DOUBLE, _length, code="I"),
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
    found = BY_KIND[spec.kind].get(name)
    return found if found is not None else (OUTPUT if spec.record_type in OUTPUTS else INPUT)[name]


def _state_number(spec: PvSpec, name: str) -> int | None:
    """Number of the state that a field names: ZNAM and ONAM of binary records, ZRST to FFST of others."""
    if spec.record_type in ("bi", "bo"):
        return {"ZNAM": 0, "ONAM": 1}.get(name)
    if len(name) == 4 and name.endswith("ST") and name[:2] in STATE_PREFIXES:
        return STATE_PREFIXES.index(name[:2])
    return None
