"""Writers of the formats."""

from pathlib import Path

from gnomon.lattice.exchange.export_at import export_at_json
from gnomon.lattice.exchange.export_elegant import export_elegant
from gnomon.lattice.exchange.export_madx import export_madx
from gnomon.lattice.exchange.findings import ExchangeError, Finding
from gnomon.lattice.lattice import Lattice

EXPORTS = ("at-json", "madx", "elegant")


def export_machine(lattice: Lattice, format: str, file: Path, *, approximate: bool = False) -> list[Finding]:
    """Write a lattice with its present settings for another program; returns what the file does not say.

    Raises ExchangeError for an unknown format or a file that cannot be written, and RefusedLattice, unless
    `approximate`, when the format has no words for what alters the beam.
    """
    if format not in EXPORTS:
        raise ExchangeError(f"{file}: no format {format!r} to export to; there are {', '.join(EXPORTS)}")
    try:
        if format == "madx":
            return export_madx(lattice, file, approximate=approximate)
        if format == "elegant":
            return export_elegant(lattice, file, approximate=approximate)
        export_at_json(lattice, file)
    except OSError as error:
        raise ExchangeError(f"{file}: cannot be written: {error}") from error
    return []
