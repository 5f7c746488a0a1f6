"""All kinds of faults, by name: a kind is a model of its keys, in the module of its group."""

import json
from collections.abc import Mapping
from functools import cache, reduce
from operator import or_
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Discriminator, TypeAdapter

from gnomon.fault_injection.kinds import beam, commands, connections, gnomon_itself, readings, supplies
from gnomon.fault_injection.request import FaultError, FaultRequest, read
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import shorten

#: The schema of all kinds, as `schema` makes it: models are built when a request of their kind is read first.
SCHEMA_FILE = Path(__file__).parent.parent / "schemas" / "fault.schema.json"
#: The groups of kinds, in the order of the reference page.
GROUPS: Mapping[str, tuple[type[FaultRequest], ...]] = MappingProxyType(
    {
        "commands": commands.KINDS,
        "readings": readings.KINDS,
        "connections": connections.KINDS,
        "supplies": supplies.KINDS,
        "beam": beam.KINDS,
        "gnomon": gnomon_itself.KINDS,
    }
)
#: The kinds by name.
KINDS: Mapping[str, type[FaultRequest]] = MappingProxyType(
    {str(model.model_fields["kind"].default): model for group in GROUPS.values() for model in group}
)


def find_kind(kind: object) -> type[FaultRequest]:
    """Find the model of a kind. Raises FaultError, with the nearest right spelling."""
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        given = str(kind)
        near = near_names_hint(given, KINDS, 1)
        more = "`gnomon fault kinds` lists all" if near else f"known kinds: {', '.join(KINDS)}"
        raise FaultError(f"invalid fault: kind: {shorten(given)} is not a kind{near}; {more}")
    return model


def read_request(keys: Mapping[str, Any]) -> FaultRequest:
    """Read a client's request: `kind`, and the keys of that kind. Raises FaultError with the nearest right spelling."""
    if "kind" not in keys:
        raise FaultError(f"invalid fault: kind: it is missing; known kinds: {', '.join(KINDS)}")
    return read(find_kind(keys["kind"]), keys)


@cache
def list_kinds() -> tuple[Mapping[str, str], ...]:
    """List the kinds for a client: kind, group, effect in one line, and the JSON schema of their keys as a text."""
    definitions = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))["$defs"]
    return tuple(
        {
            "kind": kind,
            "group": next(name for name, models in GROUPS.items() if model in models),
            "effect": (model.__doc__ or "").strip().splitlines()[0],
            "schema": json.dumps(definitions[model.__name__]),
        }
        for kind, model in KINDS.items()
    )


def schema() -> dict[str, Any]:
    """Make the JSON schema of a fault: one of the kinds, told apart by `kind`."""
    union: Any = reduce(or_, KINDS.values())
    made: dict[str, Any] = TypeAdapter(Annotated[union, Discriminator("kind")]).json_schema()
    for definition in made.get("$defs", {}).values():
        if "kind" in definition.get("properties", {}):
            definition["required"] = sorted({"kind", *definition.get("required", [])})
    return {"title": "Fault"} | made
