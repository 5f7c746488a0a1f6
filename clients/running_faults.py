"""Faults of a running server, over `dt:fault`: its kinds, those that are active, adding and clearing."""

import json
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Call", "add_fault", "clear_faults", "fault_kinds", "list_faults"]

#: Name of the procedure behind a server's prefix.
PROCEDURE = "dt:fault"

#: Calls a remote procedure of a server with arguments, and returns its answer.
Call = Callable[[str, Mapping[str, Any]], Any]


def fault_kinds(call: Call) -> list[dict[str, Any]]:
    """List the kinds that the server knows: kind, group, effect in one line, and the JSON schema of their keys."""
    rows: list[dict[str, Any]] = call(PROCEDURE, {"do": "kinds"})
    return [row | {"schema": json.loads(row["schema"])} for row in rows]


def list_faults(call: Call) -> list[dict[str, Any]]:
    """List the active faults, and those that have not begun."""
    return list(call(PROCEDURE, {"do": "list"}))


def add_fault(call: Call, kind: str, keys: Mapping[str, str | float | bool | None]) -> dict[str, Any]:
    """Add a fault; keys that are None are left out. The server refuses what its kind does not allow."""
    given = {name: _text(value) for name, value in keys.items() if value is not None}
    return dict(call(PROCEDURE, {**given, "do": "add", "kind": kind}))


def clear_faults(call: Call, number: int | None) -> list[dict[str, Any]]:
    """Clear one fault, or all; returns those that were cleared.

    `unrecorded` of them is the reason if the journal does not have it; else it is empty.
    """
    return list(call(PROCEDURE, {"do": "clear"} | ({} if number is None else {"id": str(number)})))


def _text(value: str | float | bool) -> str:
    """Write a key's value as the procedure takes it: as a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)
