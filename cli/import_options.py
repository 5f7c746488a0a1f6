"""Options of commands that import a lattice file of another program, and the import itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.lattice.exchange import Imported


@dataclass(frozen=True, slots=True)
class ImportChoice:
    """Options for reading a file, and for leaving parts of it out: a group for `with_options`."""

    format: Annotated[
        str | None,
        typer.Option(
            help="Format of the file: at-mat, at-m, at-json, at-repr, madx, tracy, elegant, lattice-json or lat2db.",
            show_default="as its name or content tells",
        ),
    ] = None
    use: Annotated[
        str | None, typer.Option(help="Import this sequence, line or variable of the file.", show_default=False)
    ] = None
    energy_ev: Annotated[float | None, typer.Option(help="Beam energy [eV].", show_default="from the file")] = None
    harmonic_number: Annotated[
        int | None, typer.Option(help="Harmonic number of the RF.", show_default="from the file")
    ] = None
    drop: Annotated[
        list[str] | None,
        typer.Option(
            help="Allow elements that match this pattern (for example `'ID*'`) to be replaced by free space; repeat "
            "the option for several patterns.",
            show_default=False,
        ),
    ] = None
    approximate: Annotated[
        bool, typer.Option(help="Approximate features that cannot be represented, instead of refusing the file.")
    ] = False

    def read(self, file: Path, name: str | None, **more: Any) -> "Imported":
        """Import a file in a process of its own; `more` are further fields of `ImportOptions`. Raises ExchangeError."""
        from gnomon.lattice.exchange import ImportOptions, guess_format, import_isolated

        options = ImportOptions(
            name=name,
            use=self.use,
            energy_ev=self.energy_ev,
            harmonic_number=self.harmonic_number,
            approximate=self.approximate,
            drop=tuple(self.drop or ()),
            **more,
        )
        return import_isolated(file, self.format or guess_format(file), options)


def show_findings(console: "Console", imported: "Imported") -> None:
    """Print what an import left out or approximated."""
    from gnomon.lattice.exchange import summary

    for heading, wanted in (("left out, alters the beam", True), ("not imported, does not alter the beam", False)):
        lines = summary((f for f in imported.findings if f.changes_beam is wanted), None if wanted else 5)
        if lines:
            console.print(f"{heading}:", *map(printable, lines), sep="\n")
