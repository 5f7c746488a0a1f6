"""Write docs/reference/procedure_pvs.md, `python -m tests.tools.procedure_pv_reference`; a test checks it."""

from collections.abc import Iterator
from pathlib import Path

from gnomon.db.pvs import Kind
from gnomon.services.procedure_pv_specs import PVS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "procedure_pvs.md"

#: Names of the kinds for readers.
KINDS = {
    Kind.STRING: "text",
    Kind.STRINGS: "texts",
    Kind.FLOAT: "number",
    Kind.FLOATS: "numbers",
    Kind.INT: "whole number",
}


def render() -> str:
    """The page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# PVs of procedures"
    yield ""
    yield "`gnomon services --pvs PREFIX` serves these over Channel Access and PV Access, for panels; names come after"
    yield "the prefix. They show the newest job, whoever started it, and take puts by the access rules of the"
    yield "configuration."
    yield ""
    yield "This page is written by `python -m tests.tools.procedure_pv_reference`."
    yield ""
    yield "| PV | type | written | meaning |"
    yield "|---|---|---|---|"
    for name, kind, writable, states, _, description in PVS:
        shown = ", ".join(f"{number} {state}" for number, state in enumerate(states)) if states else KINDS[kind]
        yield f"| `{name}` | {shown} | {'by clients' if writable else ''} | {description} |"
    yield ""
    yield "A put to `start` is complete once the job is accepted; one that is refused fails, and `refusal` says why:"
    yield 'another job at the prefix, a wrong option, no such procedure. `options` is JSON, such as `{"points": 5}`;'
    yield "clients of Channel Access write and read texts of more than 39 characters as `options.VAL$`. Corrections"
    yield "only propose unless `apply` is 1. Matrices stand in `result:y1` and `result:y2` row by row."


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
