"""The answers of remote procedures as structures of PV Access.

Command line programs (`pvcall`, `p4p rpc`) send texts alone and print what comes: they get a structure of the answer's
fields, or an NTTable of its rows. Programs that send numbers or lists get an NTScalar, whose value is the answer as
JSON and whose field `answer` has the same fields. p4p 4.3 needs both: its command line ends with an AttributeError at
an NTScalar, and after an answer of a type that it does not know the same Python context no longer unwraps NTScalars.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from p4p import Type, Value

from gnomon.ioc.base.protocols import Answer, Table
from gnomon.ioc.servers.pva.structures import ALARM, TIME, reply_type

_SCALAR, _TABLE = "epics:nt/NTScalar:1.0", "epics:nt/NTTable:1.0"


def sends_texts(arguments: Mapping[str, Any]) -> bool:
    """Tell whether a call brings nothing but texts, as command line programs do."""
    return all(isinstance(value, str) for value in arguments.values())


def reply(answer: Answer, *, plain: bool) -> Any:
    """Make the `p4p.Value` of an answer; `plain` for a client that prints it (see above)."""
    if isinstance(answer, str):
        return Value(reply_type(), {"value": answer, "timeStamp": _now()})
    if isinstance(answer, Table):
        return _table(answer.columns)
    columns = answer if isinstance(answer, Mapping) else _columns(answer)
    spec, values = _fields(columns)
    if not plain:
        fields = [("value", "s"), ("answer", ("S", None, spec)), ALARM, TIME]
        text = json.dumps(answer if isinstance(answer, Mapping) else list(answer))
        return Value(Type(fields, id=_SCALAR), {"value": text, "answer": values, "timeStamp": _now()})
    return Value(Type(spec), values) if isinstance(answer, Mapping) else _table(columns)


def _table(columns: Mapping[str, Sequence[Any]]) -> Any:
    spec, values = _fields({name: list(column) for name, column in columns.items()})
    fields = [("labels", "as"), ("value", ("S", None, spec)), ("descriptor", "s"), ALARM, TIME]
    return Value(Type(fields, id=_TABLE), {"labels": [name for name, _ in spec], "value": values, "timeStamp": _now()})


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn rows into columns; a row that lacks a field has None there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _fields(values: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """Find the type of each field, and the values that fit.

    A field that is None everywhere is left out; among other values None is NaN, an empty text, or false.
    """
    spec: list[tuple[str, Any]] = []
    plain: dict[str, Any] = {}
    for name, value in values.items():
        items = value if isinstance(value, list | tuple) else [value]
        given = [item for item in items if item is not None]
        if items and not given:
            continue
        code, empty = _code(given)
        if code in "li" and None in items:
            code, empty = "d", math.nan
        filled = [empty if item is None else item if code != "s" else str(item) for item in items]
        many = isinstance(value, list | tuple)
        spec.append((name, f"a{code}" if many else code))
        plain[name] = filled if many else filled[0]
    return spec, plain


def _code(items: Sequence[Any]) -> tuple[str, Any]:
    """Find the structure code that all items fit, and what stands for None."""
    if items and all(isinstance(item, bool) for item in items):
        return "?", False
    if items and all(isinstance(item, int) for item in items):
        return "l", 0
    if items and all(isinstance(item, int | float) for item in items):
        return "d", math.nan
    return "s", ""


def _now() -> dict[str, int]:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return {"secondsPastEpoch": seconds, "nanoseconds": nanoseconds}
