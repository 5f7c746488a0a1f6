"""Write docs/reference/pvs.md from the shipped PV documents, `python -m tests.tools.pv_reference`; a test checks it."""

from collections.abc import Iterator
from pathlib import Path

from gnomon.db import shipped_machine
from gnomon.db.machines import pv_document, shipped_pv_documents
from gnomon.db.sources import SETTING, SOURCES, Source, is_control
from gnomon.db.templates import Placed, PvTemplate, expand, read_pvs

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "pvs.md"

#: How the page says for what a template is repeated.
FOR = {"": "", "bpm": "each monitor", "multiplexer": "a multiplexer", "multiplexed": "each magnet of a multiplexer"}

#: Documents in the order of the page, and the machine that each is shown with.
DOCUMENTS = {"beam": "", "bessy2": "bessy2", "mls": "mls", "bessy2-areas": "bessy2", "plain": "", "bounds": ""}


def own(name: str) -> list[Placed]:
    """The templates that stand in a document itself."""
    return [placed for placed in read_pvs(name, pv_document) if f"/{name}.pvs.json: " in placed.place]


def render() -> str:
    """The page."""
    assert set(DOCUMENTS) == set(shipped_pv_documents())
    return "\n".join([*_introduction(), *(line for name in DOCUMENTS for line in _document(name)), *_sources()]) + "\n"


def _introduction() -> Iterator[str]:
    yield "# PVs"
    yield ""
    yield "Every PV of the shipped machines, as its PV document has it; names come after the prefix."
    yield "`gnomon machine pvs` lists them one by one, with limits. Names of your own: see"
    yield "[name PVs for a facility](../how-to/name_pvs_for_a_facility.md)."
    yield ""
    yield "This page is written by `python -m tests.tools.pv_reference`."


def _document(name: str) -> Iterator[str]:
    placed = own(name)
    yield ""
    machine = DOCUMENTS[name]
    count = ""
    if machine:
        ring = shipped_machine(machine)
        count = f": {len(expand(read_pvs(name, pv_document), ring, ''))} PVs with what it includes"
    yield f"## `{name}`{count}"
    yield ""
    yield "| PV | for | access | unit | source | meaning |"
    yield "|---|---|---|---|---|---|"
    for template in (p.template for p in placed):
        yield "| " + " | ".join(_row(template)) + " |"


def _row(template: PvTemplate) -> Iterator[str]:
    wanted = f", {' or '.join(template.only)} only" if template.only else ""
    writable = template.source in SETTING or is_control(template.source)
    source = template.source
    if template.property:
        source += f" {template.property}" + (f" of {template.device}" if template.device else "")
    yield f"`{template.pv}`"
    yield FOR.get(template.each, f"each {template.each}") + wanted
    yield "rw" if writable else "r"
    yield _unit(template)
    yield source
    states = f" ({', '.join(f'{i} {state}' for i, state in enumerate(template.states))})" if template.states else ""
    yield template.description.replace("|", "\\|") + states


def _unit(template: PvTemplate) -> str:
    if template.unit is not None:
        return template.unit
    known = {"current": "A", "voltage": "kV", "dx": "m", "dy": "m", "roll": "rad", "hw2phys": "of the strength, per A"}
    return known.get(template.property, "of the strength" if template.property == "main" else "")


def _sources() -> Iterator[str]:
    yield ""
    yield "## Sources"
    yield ""
    yield "What can feed a PV; units are those before `scale`. `set` and `readback` have the type and the unit of their"
    yield "property. What begins with `control.` can be written. Lengths follow the ring's monitors and elements."
    yield ""
    yield "| source | type | unit | length | meaning |"
    yield "|---|---|---|---|---|"
    for source in SOURCES.values():
        meaning = source.title + _columns(source)
        yield f"| `{source.name}` | {source.kind} | {source.unit} | {_length(source)} | {meaning} |"


def _length(source: Source) -> str:
    text = str(source.length)
    return "" if text == "1" else text


def _columns(source: Source) -> str:
    return f"; columns {', '.join(label for _, label, _ in source.columns)}" if source.columns else ""


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
