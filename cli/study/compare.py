"""`gnomon compare`: two versions of the lattice side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.option_group import with_options
from gnomon.cli.options import ConfigFile, Machine, Prefix, Server
from gnomon.cli.served_journal import Asked, Offline
from gnomon.cli.study.running import Wanted, cell, run_study

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.lattice import Lattice
    from gnomon.propagator.studies import Say, StudyResult

#: Number of settings that are listed.
MAX_LISTED = 40

WHICH = (
    "nominal, a snapshot, optics, the number of a command, a lattice id, or a server's prefix; if that is not clear, "
    "snapshot:NAME, optics:NAME, at:N, lattice:ID or server:PREFIX."
)


@with_options("wanted", Wanted)
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help=f"First lattice: {WHICH}")],
    other: Annotated[str, typer.Argument(metavar="B", help="Second lattice, as the first one.")],
    machine: Machine = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal", help="Journal of commands and lattice ids.", show_default="that of the running server"
        ),
    ] = None,
    prefix: Prefix = None,
    server: Server = None,
    offline: Offline = False,
    every: Annotated[bool, typer.Option("--all", help="List all settings that differ.")] = False,
    *,
    wanted: Wanted,
    config: ConfigFile = None,
) -> None:
    """Compare two lattices: tunes, chromaticities, beta beating, orbit, dispersion, settings.

    For example `gnomon compare flat nominal --plot flat.png`, `gnomon compare 120 125` or `gnomon compare flat TWIN:`.
    Commands are those of the running server, which is asked for its journal; `--offline` reads the file.
    """
    from gnomon.cli.lattice_options import ChosenJournal, named_pair
    from gnomon.cli.options import configure
    from gnomon.propagator.studies import Version, plot_comparison, study_comparison

    settings = configure(config, machine, prefix, journal)
    recording = ChosenJournal(settings, Asked(journal, config, machine, prefix, server, offline))
    a, b = named_pair(settings, machine, one, other, recording)

    def study(lattice: "Lattice", origin: str, say: "Say") -> "StudyResult":
        say("comparing", 0, 1)
        return study_comparison(Version(a.lattice, a.origin), Version(lattice, origin))

    def show(result: "StudyResult", console: "Console") -> None:
        show_beams(result, console)
        show_settings(result, console, None if every else MAX_LISTED)

    run_study(study, show, plot_comparison, b, wanted, config)


def show_beams(result: "StudyResult", console: "Console") -> None:
    """Show tunes, chromaticities and momentum of both lattices, and what changes around the ring."""
    import numpy as np
    from rich.table import Table

    data = {name: quantity.data for name, quantity in result.quantities.items()}
    table = Table("", *(cell(side) for side in result.names["side"]), "change", box=None, pad_edge=False)
    numbers = [
        (f"{name} {plane}", *data[name][:, k], "{:.6f}", "{:+.6f}")
        for name in ("tune", "chromaticity")
        for k, plane in enumerate("xy")
    ]
    numbers += [(name, *data[name], "{:.6e}", "{:+.2e}") for name in ("momentum deviation", "momentum compaction")]
    for name, before, after, form, difference in numbers:
        table.add_row(name, form.format(before), form.format(after), difference.format(after - before))
    console.print(table)
    table = Table("change at the monitors", "rms x", "rms y", "max x", "max y", "unit", box=None, pad_edge=False)
    for name, factor, unit in (
        ("beta beating", 1e2, "%"), ("orbit change", 1e3, "mm"), ("dispersion change", 1e3, "mm")
    ):  # fmt: skip
        change = factor * data[name]
        rms, largest = np.sqrt(np.mean(change**2, axis=0)), np.abs(change).max(axis=0, initial=0.0)
        table.add_row(name, *(f"{value:.4f}" for value in (*rms, *largest)), unit)
    console.print(table)


def show_settings(result: "StudyResult", console: "Console", limit: int | None) -> None:
    """Show the settings that differ, those of supplies first."""
    from rich.table import Table

    data = {name: quantity.data for name, quantity in result.quantities.items()}
    rows = list(
        zip(
            result.names["setting"], data["setting first"], data["setting second"], result.names["setting unit"],
            strict=True,
        )
    )  # fmt: skip
    if not rows:
        console.print("no setting differs")
        return
    rows.sort(key=lambda row: not row[0].endswith(" current"))
    table = Table("setting", "first", "second", "change", "unit", box=None, pad_edge=False)
    for name, before, after, unit in rows[:limit]:
        table.add_row(cell(name), f"{before:.10g}", f"{after:.10g}", f"{after - before:+.4g}", unit)
    console.print(table)
    if limit is not None and len(rows) > limit:
        console.print(f"and {len(rows) - limit} more settings; show them with --all")
