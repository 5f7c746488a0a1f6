"""Write docs/reference/faults.md from the models, `python -m tests.tools.fault_reference`; a test checks it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from gnomon.fault_injection import GROUPS, FaultRequest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"

INTRODUCTION = """\
Every kind of fault that can be injected into a running server, generated from the models; `gnomon fault kinds` lists
them, `gnomon fault kinds KIND` says the same as here, and `fault_injection/schemas/fault.schema.json` is the JSON
schema. `gnomon fault add KIND DEVICE KEY=VALUE ...` adds one, as does `dt:fault` with the same keys
([procedures](procedures.md)); `gnomon fault list` shows what is active, `gnomon fault clear --all` ends it. How several
faults combine on one command stands in [decision 67](../decisions/0067-faults-of-commands.md), on one supply and from
one group to the next in [decision 76](../decisions/0076-faults-of-supplies-and-beam.md)."""

COMMON = """\
Keys of every kind: when the fault acts, for how long and how often. Random numbers follow from `faults.seed` of the
configuration, the fault's number and that of the command or reading: the same seed, the same faults and the same
commands give the same draws on every machine."""

TITLES = {
    "commands": "Faults of commands",
    "readings": "Faults of readings",
    "connections": "Faults of connections",
    "supplies": "Faults of power supplies",
    "beam": "Faults of the beam",
    "gnomon": "Faults of gnomon itself",
}

#: Paragraphs below the titles.
NOTES = {
    "connections": """\
`dt:fault` and `dt:faults:*` are never disturbed, so that `gnomon fault list` and
`gnomon fault clear --all` always work, and so that a second server with these names is still refused. A fault is about
one twin: the PVs of forks beside it stay. Clients see over both protocols what they see of a C IOC in that state
([decision 75](../decisions/0075-as-a-c-ioc.md)). The beginning and the end of each outage, and each put that hangs,
stand in the journal.""",
}


def render() -> str:
    """Render the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Faults"
    yield ""
    yield from INTRODUCTION.splitlines()
    yield ""
    yield "## When"
    yield ""
    yield from COMMON.splitlines()
    yield ""
    yield from _table(FaultRequest.model_fields)
    for group, kinds in GROUPS.items():
        yield ""
        yield f"## {TITLES[group]}"
        if group in NOTES:
            yield ""
            yield from NOTES[group].splitlines()
        shared = _shared(kinds)
        if shared:
            yield ""
            yield "Keys of all of them:"
            yield ""
            yield from _table({name: kinds[0].model_fields[name] for name in shared})
        for model in kinds:
            yield ""
            yield f"### `{model.model_fields['kind'].default}`"
            yield ""
            yield " ".join((model.__doc__ or "").split())
            own = {
                n: f for n, f in model.model_fields.items() if n not in (*FaultRequest.model_fields, *shared, "kind")
            }
            if own:
                yield ""
                yield from _table(own)


def _shared(kinds: tuple[type[FaultRequest], ...]) -> list[str]:
    """The keys, besides those of every kind, that all kinds of a group have."""
    first = kinds[0].model_fields
    return [
        name
        for name in first
        if name != "kind"
        and name not in FaultRequest.model_fields
        and all(name in model.model_fields for model in kinds)
        and sum(model.model_fields[name].description == first[name].description for model in kinds) > len(kinds) / 2
    ]


def _table(fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield "| key | meaning | type | default |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        default = "required" if field.is_required() else "" if field.default is None else f"`{field.default}`"
        cells = (f"`{name}`", field.description or "", _type(field), default)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(field: FieldInfo) -> str:
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)]
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{kind}`" for kind in kinds)
    if kinds == [bool]:
        return "true or false"
    limits = _limits([*field.metadata, *(m for kind in kinds for m in getattr(kind, "__metadata__", ()))])
    bare = {getattr(kind, "__origin__", kind) for kind in kinds}
    name = "number" if float in bare else "whole number" if int in bare else "text"
    return f"{name}, {limits}" if limits and name != "text" else name


def _limits(metadata: list[Any]) -> str:
    signs = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    found = [
        f"{word} {getattr(each, key):g}"
        for key, word in signs.items()
        for each in metadata
        if getattr(each, key, None) is not None
    ]
    return " ".join(found)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
