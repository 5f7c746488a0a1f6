"""The normative types of PV Access in which each kind of PV travels (specification "EPICS V4 Normative Types").

Field names and order follow QSRV, so that a client that works with an IOC of records works here.
"""

from functools import cache
from typing import Any

from p4p import Type

from gnomon.db.pvs import Kind, PvSpec

FORMS = ("Default", "String", "Binary", "Decimal", "Hex", "Exponential", "Engineering")

Field = tuple[str, Any]

ALARM: Field = ("alarm", ("S", "alarm_t", [("severity", "i"), ("status", "i"), ("message", "s")]))
TIME: Field = ("timeStamp", ("S", "time_t", [("secondsPastEpoch", "l"), ("nanoseconds", "i"), ("userTag", "i")]))
_ENUM = ("S", "enum_t", [("index", "i"), ("choices", "as")])
_TEXT_DISPLAY: Field = ("display", ("S", None, [("description", "s"), ("units", "s")]))


def type_of(spec: PvSpec) -> Any:
    """The `p4p.Type` of a PV. PVs alike share one, which keeps a posted value's type identical to the opened one."""
    return _type(spec.kind, spec.columns if spec.kind is Kind.TABLE else ())


def value_field(kind: Kind) -> str:
    """The field that holds what changes and what a client writes."""
    return "value.index" if kind is Kind.ENUM else "value"


@cache
def reply_type() -> Any:
    """The `p4p.Type` of a remote procedure's answer, and of what a get of its PV shows: one string.

    An NTScalar, because p4p's Python client takes all that follows an answer of an unknown type for unknown, too.
    """
    return Type([("value", "s"), ALARM, TIME, _TEXT_DISPLAY], id="epics:nt/NTScalar:1.0")


@cache
def _type(kind: Kind, columns: tuple[tuple[str, str, str], ...]) -> Any:
    match kind:
        case Kind.FLOAT:
            return Type([("value", "d"), ALARM, TIME, *_numeric("d"), _limits("d")], id="epics:nt/NTScalar:1.0")
        case Kind.INT:
            return Type([("value", "l"), ALARM, TIME, *_numeric("l"), _limits("l")], id="epics:nt/NTScalar:1.0")
        case Kind.STRING:
            return Type([("value", "s"), ALARM, TIME, _TEXT_DISPLAY], id="epics:nt/NTScalar:1.0")
        case Kind.FLOATS:
            return Type([("value", "ad"), ALARM, TIME, *_numeric("d"), _limits("d")], id="epics:nt/NTScalarArray:1.0")
        case Kind.INTS:
            return Type([("value", "ai"), ALARM, TIME, *_numeric("i"), _limits("i")], id="epics:nt/NTScalarArray:1.0")
        case Kind.STRINGS:
            return Type([("value", "as"), ALARM, TIME, _TEXT_DISPLAY], id="epics:nt/NTScalarArray:1.0")
        case Kind.ENUM:
            display = ("display", ("S", None, [("description", "s")]))
            return Type([("value", _ENUM), ALARM, TIME, display], id="epics:nt/NTEnum:1.0")
        case Kind.TABLE:
            cells = [(name, "as" if kind == "string" else "ad") for name, _, kind in columns]
            fields = [("labels", "as"), ("value", ("S", None, cells)), ("descriptor", "s"), ALARM, TIME]
            return Type(fields, id="epics:nt/NTTable:1.0")


@cache
def scalar_type(code: str) -> Any:
    """The `p4p.Type` of one number or text, by p4p's code."""
    if code == "s":
        return reply_type()
    return Type([("value", code), ALARM, TIME, *_numeric(code), _limits(code)], id="epics:nt/NTScalar:1.0")


@cache
def array_type(code: str) -> Any:
    """The `p4p.Type` of an array of numbers, by p4p's code of one of them."""
    fields = [("value", "a" + code), ALARM, TIME, *_numeric(code), _limits(code)]
    return Type(fields, id="epics:nt/NTScalarArray:1.0")


def menu_type() -> Any:
    """The `p4p.Type` of one of several named choices."""
    return _type(Kind.ENUM, ())


def _numeric(code: str) -> tuple[Field, Field]:
    display = [
        ("limitLow", code),
        ("limitHigh", code),
        ("description", "s"),
        ("units", "s"),
        ("precision", "i"),
        ("form", _ENUM),
    ]
    control = [("limitLow", code), ("limitHigh", code), ("minStep", code)]
    return ("display", ("S", None, display)), ("control", ("S", "control_t", control))


def _limits(code: str) -> Field:
    limits = [(name, code) for name in ("lowAlarmLimit", "lowWarningLimit", "highWarningLimit", "highAlarmLimit")]
    severities = [
        (name, "i") for name in ("lowAlarmSeverity", "lowWarningSeverity", "highWarningSeverity", "highAlarmSeverity")
    ]
    return "valueAlarm", ("S", "valueAlarm_t", [("active", "?"), *limits, *severities, ("hysteresis", "d")])
