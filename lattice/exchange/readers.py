"""Readers of the formats, and what they share: texts, JSON, and rings of the accelerator toolbox."""

import contextlib
import importlib
import io
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError, Finding
from gnomon.lattice.exchange.foreign import (
    ForeignElement,
    ForeignRing,
    fitting_harmonics,
    fundamental,
    with_harmonic_numbers,
)
from gnomon.lattice.exchange.powering import ELECTRON_EV
from gnomon.lattice.text import shorten

FORMATS = ("at-mat", "at-m", "at-json", "at-repr", "madx", "tracy", "elegant", "lattice-json", "lat2db")

#: Elements that a ring may have: ten times those of the largest rings.
MAX_ELEMENTS = 1_000_000

#: Largest file that is read as text [bytes].
MAX_TEXT_BYTES = 100_000_000

#: Formats that are read without pyAT.
OWN = frozenset({"elegant", "lat2db", "lattice-json", "madx", "tracy"})

MISSING = "reading and writing lattices of other programs needs pyAT: pip install 'gnomon[import]'"

Places = Callable[[int, str], str]


def toolbox() -> Any:
    """pyAT. Raises ExchangeError that names the extra when it is not installed."""
    try:
        return importlib.import_module("at")
    except ImportError as error:
        raise ExchangeError(MISSING) from error


def read_ring(
    file: Path, format: str, use: str | None, energy_ev: float | None, harmonic_number: int | None
) -> ForeignRing:
    """Read a file. Energy and harmonic number are for readers that cannot do without.

    Raises ExchangeError when there is no such format or file, or its reader fails.
    """
    if format not in FORMATS:
        raise ExchangeError(f"{file}: no format {format!r}; there are {', '.join(FORMATS)}")
    if not file.is_file():
        raise ExchangeError(f"{file}: there is no such file")
    ring = _read(file, format, use, energy_ev, harmonic_number)
    if format == "madx":
        return ring  # HARMON decides there, not FREQ
    try:
        return fitting_harmonics(ring, energy_ev, ring.rest_energy_ev or ELECTRON_EV)
    except (TypeError, ValueError) as error:
        raise ExchangeError(f"{file}: a cavity's harmonic number is not a number: {error}") from error


def _read(
    file: Path, format: str, use: str | None, energy_ev: float | None, harmonic_number: int | None
) -> ForeignRing:
    """`read_ring` as the format's own reader has it."""
    if format in OWN:
        return _own(file, format, use, energy_ev, harmonic_number)
    toolbox()
    try:
        from gnomon.lattice.exchange.at_files import read_at

        return read_at(file, format, use, energy_ev)
    except ExchangeError:
        raise
    except Exception as error:
        reason = shorten(" ".join(str(error).split()) or type(error).__name__, 200)
        advice = ": give --energy-ev" if "energy is not defined" in reason else ""
        what = f"its reader in pyAT stops with {type(error).__name__} {reason}"
        raise ExchangeError(f"{file}: cannot be read as {format}: {what}{advice}") from error


def _own(file: Path, format: str, use: str | None, energy_ev: float | None, harmonic_number: int | None) -> ForeignRing:
    """A file of a format that is read here. These modules are imported when they are needed."""
    try:
        match format:
            case "elegant":
                from gnomon.lattice.exchange.elegant import read_elegant

                return read_elegant(file, use, energy_ev)
            case "madx":
                from gnomon.lattice.exchange.madx import read_madx

                return read_madx(file, use, energy_ev)
            case "tracy":
                from gnomon.lattice.exchange.tracy import read_tracy

                return read_tracy(file, use, energy_ev, harmonic_number)
            case "lattice-json":
                from gnomon.lattice.exchange.lattice_json import read_lattice_json

                return read_lattice_json(file, use, energy_ev)
            case _:
                from gnomon.lattice.exchange.lat2db import read_lat2db

                return read_lat2db(file, energy_ev)
    except (RecursionError, MemoryError) as error:
        raise ExchangeError(f"{file}: cannot be read as {format}: it is nested too deep, or too large") from error
    except ArithmeticError as error:
        raise ExchangeError(f"{file}: cannot be read as {format}: its numbers are too large or too small") from error


def read_text(file: Path, format: str) -> str:
    """The text of a lattice file: UTF-8, else Latin-1, of which no character can be wrong.

    Raises ExchangeError when it cannot be read, is larger than any lattice, or is not a text.
    """
    try:
        if file.stat().st_size > MAX_TEXT_BYTES:
            raise ExchangeError(f"{file}: {file.stat().st_size} bytes; the limit for {format} is {MAX_TEXT_BYTES}")
        data = file.read_bytes()
    except OSError as error:
        raise ExchangeError(f"{file}: cannot be read: {error}") from error
    if b"\0" in data:
        raise ExchangeError(f"{file}: not {format}: it is not a text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_json(file: Path, format: str, *, nan: bool = False) -> Any:
    """A JSON file. Raises ExchangeError when it is not one, or has NaN or infinity in it (unless `nan` allows it)."""

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is not a number of JSON")

    try:
        return json.loads(read_text(file, format), parse_constant=float if nan else refuse)
    except ValueError as error:
        raise ExchangeError(f"{file}: not {format}: cannot be read as JSON: {error}") from error


def from_toolbox(
    ring: Any, places: Places, findings: Sequence[Finding] = (), kinds: Mapping[str, str] | None = None
) -> ForeignRing:
    """A ring of pyAT with all its periods; `kinds` replaces the class of elements by name."""
    cell = [_foreign(element, places(i, element.FamName), kinds or {}) for i, element in enumerate(ring)]
    periods = int(ring.periodicity)
    if len(cell) * periods > MAX_ELEMENTS:
        raise ExchangeError(f"{periods} periods of {len(cell)} elements; a ring may have at most {MAX_ELEMENTS}")
    rest = float(ring.particle.rest_energy)
    energy = float(ring.energy)
    elements = with_harmonic_numbers(cell * periods, energy if math.isfinite(energy) else None, max(rest, 0.0))
    return ForeignRing(
        name=str(ring.name or ""),
        elements=elements,
        energy_ev=energy if math.isfinite(energy) else None,
        rest_energy_ev=rest if rest > 0.0 else None,
        harmonic_number=_harmonic_number(ring) or fundamental(elements),
        findings=tuple(findings),
    )


@contextlib.contextmanager
def quietly() -> Iterator[list[str]]:
    """Collect what foreign readers print and warn of in the list, which is complete when the context ends."""
    messages: list[str] = []
    printed = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")

        def keep(message: Warning | str, *_: object, **__: object) -> None:
            messages.append(str(message))

        warnings.showwarning = keep
        yield messages


def _foreign(element: Any, place: str, kinds: Mapping[str, str]) -> ForeignElement:
    attributes = {name: getattr(element, name) for name in vars(element) if not name.startswith("_")}
    return ForeignElement(
        name=str(element.FamName),
        kind=kinds.get(element.FamName, type(element).__name__),
        method=str(element.PassMethod),
        length=float(getattr(element, "Length", 0.0)),
        attributes=attributes,
        place=place,
    )


def _harmonic_number(ring: Any) -> int | None:
    try:
        number = float(ring.harmonic_number)
    except (AttributeError, toolbox().AtError):
        return None
    return round(number) if math.isfinite(number) and number > 0.5 else None
