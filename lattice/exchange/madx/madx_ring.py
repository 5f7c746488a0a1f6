"""A ring from a MAD-X file: which sequence or line, its elements in order, its beam."""

import math
from pathlib import Path

from gnomon.lattice.exchange.findings import ExchangeError, Finding, MissingEnergyError
from gnomon.lattice.exchange.foreign import ForeignElement, ForeignRing
from gnomon.lattice.exchange.madx.called_files import Files
from gnomon.lattice.exchange.madx.interpreter import Interpreter
from gnomon.lattice.exchange.madx.lines import expand_line
from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.madx_run import Program
from gnomon.lattice.exchange.madx.sequences import Expander
from gnomon.lattice.exchange.madx.toolbox_words import BENT, Numbers, arc_length, to_toolbox
from gnomon.lattice.exchange.madx.variables import CONSTANTS

#: Elements and drifts that a ring may have.
MAX_ELEMENTS = 1_000_000
#: What is listed of every bend (decision 18).
SECOND_ORDER = "second order of body and pole faces in MAD-X; chromaticities differ, tunes do not"
#: Name of the ring where neither the user nor the file says which of several is meant.
RING = "ring"


def read_madx(file: Path, use: str | None, energy_ev: float | None) -> ForeignRing:
    """Read a MAD-X file as MAD-X does; `use` names the sequence or line, `energy_ev` replaces the beam's.

    Raises ExchangeError with the line, the construct and what to do.
    """
    files = Files()
    interpreter = Interpreter(file, files)
    try:
        program = interpreter.run(files.read(file, file.name))
        return _ring(program, file, use, energy_ev)
    except MadxError as error:
        if interpreter.recognised == 0:
            problem = error.problem.removeprefix("not MAD-X: ")
            raise ExchangeError(f"{file}: not MAD-X: {problem} ({interpreter.program.short(error.place)})") from error
        raise ExchangeError(f"{file.parent / str(error)}") from error
    except RecursionError as error:
        raise ExchangeError(f"{file}: expressions, lines or sequences too deep within each other") from error


def _ring(program: Program, file: Path, use: str | None, energy_ev: float | None) -> ForeignRing:
    name = _choose(program, file, use)
    others = [] if use else [other for other in _outer(program) if other != name]
    beam = program.beams.get(name, program.beams[""])
    if energy_ev is None and not beam.stated:
        raise MissingEnergyError(f"{file}: no BEAM gives the energy: give --energy-ev [eV]")
    if abs(beam.bv) != 1.0:
        raise ExchangeError(f"{file}: bv={beam.bv:g} of the beam: it must be 1 or -1")
    made: dict[str, ForeignElement] = {}
    findings: list[Finding] = []
    if others:
        why = f"taken for the ring; --use takes another: {', '.join(others[:10])}"
        findings.append(Finding(name, "sequence or line", "", why, "", changes_beam=False))
    elements: list[ForeignElement] = []
    for number, part in enumerate(_parts(program, name), 1):
        if isinstance(part, float):
            elements.append(ForeignElement(f"drift_{number}", "Drift", "DriftPass", part, {}, ""))
            continue
        if part not in made:
            made[part], found = to_toolbox(program.elements[part], program, beam.bv)
            findings += found
        elements.append(made[part])
    findings += [
        Finding(e.name, program.elements[e.name].kind, "", SECOND_ORDER, e.place, False)
        for e in made.values()
        if e.method == BENT
    ]
    program.variables.settle_undefined()
    undefined = program.variables.undefined.values()
    findings += [
        Finding(u.name, "variable", "", "not defined; 0 as in MAD-X", program.short(u.place), False) for u in undefined
    ]
    findings += program.findings
    length = sum(element.length for element in elements)
    mass = beam.mass * 1e9
    energy = beam.energy * 1e9 if energy_ev is None else energy_ev
    return ForeignRing(
        name=name,
        elements=elements,
        energy_ev=beam.energy * 1e9 if beam.stated else energy_ev,
        rest_energy_ev=mass,
        harmonic_number=_harmonic_number(elements, length, energy, mass),
        findings=tuple(findings),
    )


def _choose(program: Program, file: Path, use: str | None) -> str:
    """The sequence or line: what the user says, what the file uses, `ring`, or the only one."""
    there = [*program.sequences, *program.lines]
    outer = _outer(program)
    for name in (use.lower() if use else None, program.used.lower() if not use else None, RING if not use else None):
        if name and name in there:
            return name
    if use is None and len(outer) == 1:
        return outer[0]
    if not there and not program.elements:
        raise ExchangeError(f"{file}: not MAD-X: no element, sequence or line in it")
    listed = ", ".join(there[:20]) or "none"
    wanted = f"no sequence or line {use!r}" if use else "several may be the ring"
    raise ExchangeError(f"{file}: {wanted}: give --use; there are: {listed}")


def _outer(program: Program) -> list[str]:
    """Sequences and lines that no other contains."""
    inner = _inner(program)
    return [name for name in (*program.sequences, *program.lines) if name not in inner]


def _inner(program: Program) -> set[str]:
    """Lines and sequences that others contain."""
    names = {node.name for sequence in program.sequences.values() for node in sequence.nodes}
    todo = [item for line in program.lines.values() for item in line.items]
    while todo:
        item = todo.pop()
        names.add(item.name)
        todo.extend(item.group)
    return names


def _parts(program: Program, name: str) -> list[str | float]:
    if name in program.lines:
        found: list[str | float] = []
        found += expand_line(program.lines[name], program.lines, program.elements, MAX_ELEMENTS)
        return found
    lengths: dict[str, float] = {}

    def length(element: str) -> float:
        if element not in lengths:
            definition = program.elements[element]
            lengths[element] = arc_length(Numbers(definition, definition.attributes, program))
        return lengths[element]

    expander = Expander(program.sequences, length, program.number, MAX_ELEMENTS)
    return list(expander.expand(program.sequences[name]))


def _harmonic_number(elements: list[ForeignElement], length: float, energy: float, mass: float) -> int | None:
    """Harmonic number of the cavities of lowest frequency with a voltage, or of all when none has one."""
    cavities = [e for e in elements if e.method == "RFCavityPass"]
    revolution = CONSTANTS["clight"] * math.sqrt(max(1.0 - (mass / energy) ** 2, 0.0)) / length if length > 0.0 else 0.0
    found = []
    for cavity in [c for c in cavities if c.number("Voltage") != 0.0] or cavities:
        harmonic = cavity.number("HarmNumber")
        if harmonic == 0.0 and revolution > 0.0:
            harmonic = cavity.number("Frequency") / revolution
        if 0.5 < harmonic < 1e9:
            found.append(round(harmonic))
    return min(found, default=None)
