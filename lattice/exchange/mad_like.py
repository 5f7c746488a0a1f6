"""MAD-X files through pyAT's parsers, and a second look at what those leave out without a word."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError, Finding
from gnomon.lattice.exchange.foreign import ForeignRing
from gnomon.lattice.exchange.readers import Places, from_toolbox, toolbox

#: What pyAT's MAD-X reader takes from each class of element; tilt and ktap from all.
BEND = frozenset({"l", "angle", "e1", "e2", "k1", "k2", "k1s", "hgap", "fint", "fintx"})
MADX: Mapping[str, frozenset[str]] = {
    "drift": frozenset({"l"}),
    "marker": frozenset(),
    "quadrupole": frozenset({"l", "k1", "k1s"}),
    "sextupole": frozenset({"l", "k2", "k2s"}),
    "octupole": frozenset({"l", "k3", "k3s"}),
    "multipole": frozenset({"l", "knl", "ksl"}),
    "sbend": BEND,
    "rbend": BEND,
    "kicker": frozenset({"l", "hkick", "vkick"}),
    "hkicker": frozenset({"l", "kick"}),
    "vkicker": frozenset({"l", "kick"}),
    "rfcavity": frozenset({"l", "volt", "freq", "lag", "harmon"}),
    **dict.fromkeys(("monitor", "hmonitor", "vmonitor", "instrument", "collimator"), frozenset({"l"})),
}

#: Attributes of MAD-X that say nothing about orbit and optics.
MADX_SAFE = frozenset(
    {"at", "from", "refer", "tilt", "ktap", "aperture", "apertype", "aper_tol", "aper_offset", "aper_vx", "aper_vy",
     "lrad", "slot_id", "assembly_id", "mech_sep", "comments", "kmax", "kmin", "calib", "type", "thick", "v_pos",
     "magnet", "model", "polarity", "nst", "method", "exact"}
)  # fmt: skip

#: Commands of MAD-X after which the ring is as its definition says.
MADX_COMMANDS = frozenset(
    {"use", "twiss", "title", "option", "set", "select", "stop", "exit", "quit", "assign", "plot", "value", "show",
     "print", "save", "survey", "resplot", "setplots", "system", "write", "help", "beam", "return", "emit"}
)  # fmt: skip

#: The name of the ring in a file, when the user gives none, as pyAT has it.
USE = {"madx": "ring"}


def read(format: str, file: Path, use: str | None, energy_ev: float | None, harmonic_number: int | None) -> ForeignRing:
    """Read a file of MAD-X. Raises ExchangeError; other errors are those of pyAT's parser."""
    name = use or USE[format]
    at = toolbox()
    parser = at.MadxParser()
    parser.parse_files(str(file))
    if name.lower() not in {s.lower() for s in parser.sequences}:
        there = ", ".join(parser.sequences) or "none"
        raise ExchangeError(f"{file}: no sequence or line {name!r}: give --use; there are: {there}")
    places = _defined_at(file)
    descriptions = {d.name: d for d in _descriptions(parser, parser[name])}
    findings = [
        finding for d in descriptions.values() for finding in _madx(d, places(0, d.name).removeprefix("element 1"))
    ]
    for command in sorted(parser.ignored - MADX_COMMANDS):
        findings.append(Finding(command, "command", "", "not carried out by the reader", places(0, command)))
    if energy_ev is None and not _has_energy(parser, name):
        raise ExchangeError(f"{file}: no BEAM gives the energy: give --energy-ev [eV]")
    kwargs = {} if energy_ev is None else {"energy": energy_ev}
    ring = parser.lattice(use=name, **kwargs)
    return from_toolbox(ring, places, [*findings, *_closed_gaps(parser[name], name, ring)])


def _descriptions(parser: Any, item: Any) -> Iterator[Any]:
    """What a sequence or line is made of, as the file describes it."""
    if hasattr(item, "flatten"):
        for _, element in item.flatten(parser):
            yield element
    elif isinstance(item, list | tuple):
        for part in item:
            yield from _descriptions(parser, part)
    else:
        yield item


def _closed_gaps(sequence: Any, name: str, ring: Any) -> Iterator[Finding]:
    """pyAT puts no drift where one would be shorter than 10 um."""
    if hasattr(sequence, "flatten"):
        gap = float(sequence.length) - sum(float(getattr(e, "Length", 0.0)) for e in ring)
        if abs(gap) > 1e-9:
            why = f"gaps and overlaps of less than 1e-5 m are left out, {gap:+.3g} m in all"
            yield Finding(name, "sequence", "length", why, "", changes_beam=False)


def _madx(description: Any, place: str) -> Iterator[Finding]:
    kind, name = type(description).__name__, description.name
    if kind not in MADX:
        yield Finding(name, kind, "", "there is no such element here", place)
        return
    for attribute, value in description.items():
        if attribute not in MADX[kind] | MADX_SAFE and _matters(value):
            yield Finding(name, kind, attribute, "not read", place)
    if kind == "rfcavity" and _matters(description.get("lag", 0.0)):
        why = "not kept; the phase follows from the energy loss"
        yield Finding(name, kind, "lag", why, place, changes_beam=False)


def _matters(value: Any) -> bool:
    """Whether an attribute says anything: not nothing, not 0."""
    if value is None or value is False:
        return False
    if isinstance(value, list | tuple):
        return any(_matters(v) for v in value)
    try:
        return float(value) != 0.0
    except (TypeError, ValueError):
        return True


def _has_energy(parser: Any, name: str) -> bool:
    given = [dict(parser[key]) for key in ("beam%", f"beam%{name}") if key in parser]
    return any({"pc", "gamma", "beta", "brho"} & beam.keys() or beam.get("energy", 1.0) != 1.0 for beam in given)


def _defined_at(file: Path) -> Places:
    """Where a name is defined in a text file."""
    lines: dict[str, int] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        for match in re.finditer(r"(?:^|;)\s*\"?([\w.#]+)\"?\s*(?=[:,;])", line):
            lines.setdefault(match.group(1).lower(), number)

    def place(index: int, name: str) -> str:
        found = lines.get(name.lower())
        return f"line {found}" if found else f"element {index + 1}"

    return place
