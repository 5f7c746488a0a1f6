"""Rings of other programs in and out: nothing that cannot be represented is left out silently."""

from gnomon.lattice.exchange.document_text import render
from gnomon.lattice.exchange.exporting import export_machine
from gnomon.lattice.exchange.findings import ExchangeError, Finding, RefusedLattice, summary
from gnomon.lattice.exchange.format_names import guess_format
from gnomon.lattice.exchange.importing import Imported, ImportOptions, import_machine
from gnomon.lattice.exchange.isolation import import_isolated
from gnomon.lattice.exchange.pytac import add_pytac

__all__ = [
    "ExchangeError",
    "Finding",
    "ImportOptions",
    "Imported",
    "RefusedLattice",
    "add_pytac",
    "export_machine",
    "guess_format",
    "import_isolated",
    "import_machine",
    "render",
    "summary",
]
