"""Which reader a format has, and the files of the accelerator toolbox itself."""

import contextlib
import importlib
import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError, Finding
from gnomon.lattice.exchange.foreign import ForeignElement, ForeignRing
from gnomon.lattice.exchange.lat2db import read_lat2db

FORMATS = ("at-mat", "at-m", "at-json", "madx", "tracy", "elegant", "lat2db")

#: Elements that a ring may have: ten times those of the largest rings.
MOST = 1_000_000

#: Largest file that is read as text [bytes].
LARGEST = 100_000_000

#: Formats that are read without pyAT.
OWN = frozenset({"elegant", "lat2db", "madx", "tracy"})

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
    if format in OWN:
        return _own(file, format, use, energy_ev, harmonic_number)
    at = toolbox()
    try:
        with quietly() as messages:
            match format:
                case "at-mat":
                    kwargs = {"use": use} if use else {}
                    ring = at.load_mat(file, check=False, **kwargs, **_energy(energy_ev))
                    places: Places = _numbered
                case "at-m":
                    ring = at.load_m(file, **_energy(energy_ev))
                    places = _m_lines(file)
                case _:
                    ring = at.load_json(file, use=use, **_energy(energy_ev))
                    places = _numbered
            return from_toolbox(ring, places, _skipped(messages))
    except ExchangeError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if "energy is not defined" in reason:
            reason += ": give --energy-ev"
        raise ExchangeError(f"{file}: cannot be read as {format}: {reason}") from error


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
        return read_lat2db(file)
    except (RecursionError, MemoryError) as error:
        raise ExchangeError(f"{file}: cannot be read as {format}: it is nested too deep, or too large") from error


def read_text(file: Path, format: str) -> str:
    """The text of a lattice file: UTF-8, else Latin-1, of which no character can be wrong.

    Raises ExchangeError when it cannot be read, is larger than any lattice, or is not a text.
    """
    try:
        if file.stat().st_size > LARGEST:
            raise ExchangeError(f"{file}: {file.stat().st_size} bytes; the limit for {format} is {LARGEST}")
        data = file.read_bytes()
    except OSError as error:
        raise ExchangeError(f"{file}: cannot be read: {error}") from error
    if b"\0" in data:
        raise ExchangeError(f"{file}: not {format}: it is not a text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def from_toolbox(
    ring: Any, places: Places, findings: Sequence[Finding] = (), kinds: Mapping[str, str] | None = None
) -> ForeignRing:
    """A ring of pyAT with all its periods; `kinds` replaces the class of elements by name."""
    cell = [_foreign(element, places(i, element.FamName), kinds or {}) for i, element in enumerate(ring)]
    periods = int(ring.periodicity)
    if len(cell) * periods > MOST:
        raise ExchangeError(f"{periods} periods of {len(cell)} elements; a ring may have at most {MOST}")
    rest = float(ring.particle.rest_energy)
    energy = float(ring.energy)
    return ForeignRing(
        name=str(ring.name or ""),
        elements=cell * periods,
        energy_ev=energy if math.isfinite(energy) else None,
        rest_energy_ev=rest if rest > 0.0 else None,
        harmonic_number=_harmonic_number(ring),
        findings=tuple(findings),
    )


@contextlib.contextmanager
def quietly() -> Iterator[list[str]]:
    """What foreign readers print and warn of goes into the list, which is complete when the context ends."""
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


def _skipped(messages: Sequence[str]) -> list[Finding]:
    """Lines of an m-file that pyAT did not understand; it counts them from 0 after the first two."""
    found = [re.match(r"(?:Invalid line|Line) (\d+)", message) for message in messages]
    return [Finding("?", "line", "", "not understood by the reader", f"line {int(m[1]) + 3}") for m in found if m]


def _energy(energy_ev: float | None) -> dict[str, float]:
    return {} if energy_ev is None else {"energy": energy_ev}


def _numbered(index: int, name: str) -> str:
    return f"element {index + 1}"


def _m_lines(file: Path) -> Places:
    """Lines of the elements of an m-file, as pyAT counts them: one a line after the first two, up to `};`."""
    lines = []
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        if number > 2:
            if line.startswith("};"):
                break
            if "RingParam" not in line and "ringparam" not in line and "(" in line:
                lines.append(number)
    return lambda index, name: f"line {lines[index]}" if index < len(lines) else f"element {index + 1}"
