"""The readers of all formats behind one function."""

from pathlib import Path

from gnomon.lattice.exchange.at_files import read_at
from gnomon.lattice.exchange.elegant import read_elegant
from gnomon.lattice.exchange.findings import ExchangeError
from gnomon.lattice.exchange.foreign import ForeignRing, fitting_harmonics
from gnomon.lattice.exchange.lat2db import read_lat2db
from gnomon.lattice.exchange.lattice_json import read_lattice_json
from gnomon.lattice.exchange.madx import read_madx
from gnomon.lattice.exchange.powering import ELECTRON_EV
from gnomon.lattice.exchange.source_files import check_size
from gnomon.lattice.exchange.toolbox import load_toolbox
from gnomon.lattice.exchange.tracy import read_tracy
from gnomon.lattice.text import shorten

FORMATS = ("at-mat", "at-m", "at-json", "at-repr", "madx", "tracy", "elegant", "lattice-json", "lat2db")

#: Formats that are read without pyAT.
OWN = frozenset({"elegant", "lat2db", "lattice-json", "madx", "tracy"})


def read_ring(
    file: Path, format: str, use: str | None, energy_ev: float | None, harmonic_number: int | None
) -> ForeignRing:
    """Read a file. Energy and harmonic number are for readers that cannot do without.

    Raises ExchangeError when there is no such format or file, or its reader fails.
    """
    if format not in FORMATS:
        raise ExchangeError(f"{file}: no format {format!r}; there are {', '.join(FORMATS)}")
    if not file.is_file():
        raise ExchangeError(f"{file}: {'not an ordinary file' if file.exists() else 'there is no such file'}")
    check_size(file, format)
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
    load_toolbox()
    try:
        return read_at(file, format, use, energy_ev)
    except ExchangeError:
        raise
    except Exception as error:
        reason = shorten(" ".join(str(error).split()) or type(error).__name__, 200)
        advice = ": give --energy-ev" if "energy is not defined" in reason else ""
        what = f"its reader in pyAT stops with {type(error).__name__} {reason}"
        raise ExchangeError(f"{file}: cannot be read as {format}: {what}{advice}") from error


def _own(file: Path, format: str, use: str | None, energy_ev: float | None, harmonic_number: int | None) -> ForeignRing:
    """Read a file of a format that is read here."""
    try:
        match format:
            case "elegant":
                return read_elegant(file, use, energy_ev)
            case "madx":
                return read_madx(file, use, energy_ev)
            case "tracy":
                return read_tracy(file, use, energy_ev, harmonic_number)
            case "lattice-json":
                return read_lattice_json(file, use, energy_ev)
            case _:
                return read_lat2db(file, energy_ev)
    except (RecursionError, MemoryError) as error:
        raise ExchangeError(f"{file}: cannot be read as {format}: it is nested too deep, or too large") from error
    except ArithmeticError as error:
        raise ExchangeError(f"{file}: cannot be read as {format}: its numbers are too large or too small") from error
