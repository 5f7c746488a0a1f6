"""Tracy's and thor-scsi's lattice files as rings: definitions, lines and their expansion."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gnomon.lattice.exchange.findings import ExchangeError, Finding
from gnomon.lattice.exchange.foreign import (
    MAX_ELEMENTS,
    ForeignElement,
    ForeignRing,
    fundamental,
    with_harmonic_numbers,
)
from gnomon.lattice.exchange.powering import ELECTRON_EV
from gnomon.lattice.exchange.source_files import read_text
from gnomon.lattice.exchange.tracy_elements import BPM, TYPES, Definition, build
from gnomon.lattice.exchange.tracy_text import MAX_DEPTH, Reader, Values, expression, statements
from gnomon.lattice.text import shorten

#: The line that is the ring where neither --use nor a `use` in the file names one.
CELL = "cell"


@dataclass(frozen=True, slots=True)
class Item:
    """A part of a line: an element or line by name, or a list of items; how often, and whether reversed."""

    name: str
    items: tuple["Item", ...]
    count: int
    reverse: bool
    where: str


@dataclass(slots=True)
class TracyFile:
    """Everything that a file defines; names are in lower case, `spelled` has them as written first."""

    values: Values = field(default_factory=Values)
    elements: dict[str, Definition] = field(default_factory=dict)
    lines: dict[str, tuple[Item, ...]] = field(default_factory=dict)
    periods: dict[str, int] = field(default_factory=dict)
    use: str | None = None


def read_tracy(file: Path, use: str | None, energy_ev: float | None, harmonic_number: int | None) -> ForeignRing:
    """Read a file. Raises ExchangeError with file, line and construct."""
    text = read_text(file, "tracy")
    found = _parse(text, str(file))
    name = (use or (CELL if CELL in found.lines else found.use) or CELL).lower()
    if name not in found.lines:
        there = ", ".join(found.lines) or "none"
        raise ExchangeError(f"{file}: no line {name!r}: give --use; there are: {there}")
    energy = energy_ev
    if energy is None and "energy" in found.values.variables:
        energy = 1e9 * found.values.variables["energy"]
    findings: list[Finding] = []
    made: dict[tuple[str, bool], tuple[ForeignElement, list[Finding]]] = {}
    elements: list[ForeignElement] = []
    for key, reverse in _expand(found, found.lines[name], False, str(file), (name,)):
        if (key, reverse) not in made:
            made[key, reverse] = build(found.elements[key], reverse)
            if (key, not reverse) not in made:
                findings.extend(made[key, reverse][1])
        elements.append(made[key, reverse][0])
    periods = found.periods.get(name, 1)
    if len(elements) * periods > MAX_ELEMENTS:
        raise ExchangeError(
            f"{file}: {periods} periods of {len(elements)} elements; a ring may have at most {MAX_ELEMENTS}"
        )
    elements = with_harmonic_numbers(elements * periods, energy, ELECTRON_EV)
    harmonic_number = harmonic_number or fundamental(elements)
    if harmonic_number is None:
        raise ExchangeError(f"{file}: no cavity of the file says the harmonic number: give --harmonic-number")
    return ForeignRing(file.stem, elements, energy, None, harmonic_number, tuple(findings))


def _parse(text: str, file: str) -> TracyFile:
    found = TracyFile()
    for reader in statements(text, file):
        if reader.peek() == "define" and reader.peek(1) == "lattice":
            continue
        if reader.peek() == "end" and len(reader.tokens) == 1:
            break
        if reader.peek() == "use" and reader.peek(1) in (",", ":"):
            reader.at = 2
            found.use = reader.name()
            continue
        where = reader.place()
        name = reader.name()
        if reader.take("="):
            if not reader.done() and reader.tokens[reader.at].kind == "string":
                continue  # a title or a file's name
            found.values.variables[name] = expression(reader, found.values)
        elif reader.take(":"):
            _define(found, name, reader, where)
        else:
            raise ExchangeError(f"{where}: not Tracy: {shorten(name)} is neither defined with ':' nor set with '='")
        if not reader.done():
            raise ExchangeError(f"{reader.place()}: {shorten(reader.peek())} is not expected here; is a ';' missing?")
    return found


def _define(found: TracyFile, name: str, reader: Reader, where: str) -> None:
    if name in found.elements or name in found.lines:
        raise ExchangeError(f"{where}: {name} is defined twice")
    start = reader.at
    words = []
    while not reader.done() and reader.tokens[reader.at].kind == "name":
        words.append(reader.name())
    kind = BPM if "".join(words) in ("beampositionmonitor", "bpm") else "".join(words)
    if kind in TYPES and (reader.done() or reader.peek() == ","):
        numbers, harmonics, flags = _attributes(reader, found.values)
        line = reader.tokens[start].line
        found.elements[name] = Definition(name.upper(), kind, numbers, harmonics, flags, f"line {line}", where)
        found.values.attributes[name] = numbers
        return
    reader.at = start
    if reader.peek() == "line" and reader.peek(1) == "=":
        reader.at += 2
        reader.expect("(")
        found.lines[name] = _items(found, name, reader, 0)
        reader.expect(")")
    elif len(words) == 1 and reader.peek(1) == "," and reader.peek(3) == "=" and words[0] not in _known(found):
        raise ExchangeError(f"{where}: {name}: the type {shorten(words[0])} is not known; there are {', '.join(TYPES)}")
    else:
        found.lines[name] = _items(found, name, reader, 0)


def _known(found: TracyFile) -> set[str]:
    return {*found.elements, *found.lines}


def _attributes(
    reader: Reader, values: Values
) -> tuple[Mapping[str, float], tuple[tuple[int, float, float], ...], tuple[str, ...]]:
    """Numbers by name, multipoles of HOM as (order from 1, normal, skew), and words without a value."""
    numbers: dict[str, float] = {}
    harmonics: list[tuple[int, float, float]] = []
    flags: list[str] = []
    while reader.take(","):
        where = reader.place()
        key = reader.name()
        if not reader.take("="):
            flags.append(key)
        elif key == "hom":
            reader.expect("(")
            given = [expression(reader, values)]
            while reader.take(","):
                given.append(expression(reader, values))
            reader.expect(")")
            if len(given) % 3 or any(n != round(n) or not 1 <= n <= 50 for n in given[::3]):
                raise ExchangeError(f"{where}: HOM must have an order, a normal and a skew strength for each multipole")
            harmonics += [(round(n), b, a) for n, b, a in zip(given[::3], given[1::3], given[2::3], strict=True)]
        elif not reader.done() and reader.tokens[reader.at].kind == "string":
            flags.append(key)
            reader.at += 1
        else:
            numbers[key] = expression(reader, values)
    return numbers, tuple(harmonics), tuple(flags)


def _items(found: TracyFile, line: str, reader: Reader, depth: int) -> tuple[Item, ...]:
    if depth > MAX_DEPTH:
        raise ExchangeError(f"{reader.place()}: lists are nested more than {MAX_DEPTH} deep")
    items = []
    while True:
        if reader.peek() == "symmetry" and reader.peek(1) == "=":
            reader.at += 2
            found.periods[line] = _count(expression(reader, found.values), reader.place())
        else:
            items.append(_item(found, line, reader, depth))
        if not reader.take(","):
            return tuple(items)


def _item(found: TracyFile, line: str, reader: Reader, depth: int) -> Item:
    where = reader.place()
    count, reverse = 1, False
    while True:
        if reader.take("-"):
            reverse = not reverse
        elif not reader.done() and reader.peek(1) == "*" and reader.tokens[reader.at].kind in ("number", "name"):
            factor = reader.peek()
            value = float(factor) if factor.isdigit() and len(factor) < 10 else found.values(factor)
            if value is None:
                raise ExchangeError(f"{where}: {shorten(factor)} before '*' is neither a whole number nor defined")
            count *= _count(value, where)
            reader.at += 2
        else:
            break
    if reader.peek() == "inv" and reader.peek(1) == "(":
        reader.at += 1
        reverse = not reverse
    if reader.take("("):
        items = _items(found, line, reader, depth + 1)
        reader.expect(")")
        return Item("", items, count, reverse, where)
    return Item(reader.name(), (), count, reverse, where)


def _count(value: float, where: str) -> int:
    if value != round(value) or not 1 <= value <= MAX_ELEMENTS:
        raise ExchangeError(f"{where}: repeats {value:g} times: use a whole number from 1 to {MAX_ELEMENTS}")
    return round(value)


def _expand(
    found: TracyFile, items: tuple[Item, ...], reverse: bool, file: str, within: tuple[str, ...]
) -> list[tuple[str, bool]]:
    """The elements in beam order, each with whether it is reversed."""
    made: list[tuple[str, bool]] = []
    for item in reversed(items) if reverse else items:
        turned = reverse ^ item.reverse
        if not item.items and item.name in found.elements:
            once = [(item.name, turned)]
        elif item.items:
            once = _expand(found, item.items, turned, file, within)
        elif item.name not in found.lines:
            raise ExchangeError(f"{item.where}: {shorten(item.name)} is neither an element nor a line")
        elif item.name in within or len(within) > MAX_DEPTH:
            raise ExchangeError(f"{item.where}: the line {item.name} contains itself")
        else:
            once = _expand(found, found.lines[item.name], turned, file, (*within, item.name))
        if len(made) + item.count * len(once) > MAX_ELEMENTS:
            raise ExchangeError(f"{item.where}: more than {MAX_ELEMENTS} elements")
        made.extend(once * item.count)
    return made
