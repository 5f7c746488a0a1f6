"""`gnomon study`: computations on a machine that take no server; results as JSON or HDF5, and a plot."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.ioc.cli.options import ConfigFile, Machine, configure

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.ioc.studies import Say
    from gnomon.ioc.study_files import StudyResult
    from gnomon.lattice import Lattice

app = typer.Typer(no_args_is_help=True, help="Studies of a machine: tune, orm.")

Optics = Annotated[str | None, typer.Option(help="One of the machine's named optics.", show_default="nominal")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write the result: .json or .h5 (HDF5).")]
Plot = Annotated[Path | None, typer.Option(help="Draw the result: .png, .pdf or .svg.")]


@app.command()
def tune(
    machine: Machine = None, optics: Optics = None, output: Output = None, plot: Plot = None, config: ConfigFile = None
) -> None:
    """Tunes, chromaticity and optics, and what every quadrupole and sextupole does to them.

    For example `gnomon study tune --machine mls --optics low_alpha -o tune.json --plot tune.png`.
    """
    from gnomon.ioc.studies import study_tune
    from gnomon.ioc.study_plots import plot_tune

    _run(study_tune, _show_tune, plot_tune, machine, optics, output, plot, config)


@app.command()
def orm(
    machine: Machine = None, optics: Optics = None, output: Output = None, plot: Plot = None, config: ConfigFile = None
) -> None:
    """The orbit response matrix: every corrector to every monitor, at fixed momentum and at fixed RF frequency.

    For example `gnomon study orm --machine bessy2 -o orm.h5 --plot orm.png`.
    """
    from gnomon.ioc.studies import study_orm
    from gnomon.ioc.study_plots import plot_orm

    _run(study_orm, _show_orm, plot_orm, machine, optics, output, plot, config)


def _run(
    study: "Callable[[Lattice, str, Say], StudyResult]",
    show: "Callable[[StudyResult, Console], None]",
    draw: "Callable[[StudyResult, Path], None]",
    machine: str | None,
    optics: str | None,
    output: Path | None,
    plot: Path | None,
    config: Path | None,
) -> None:
    """What all studies share: the machine, progress, the files. Wrong wishes are refused before the work."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from gnomon.ioc.cli.kernels import compile_with_progress
    from gnomon.ioc.machines import find_machine
    from gnomon.ioc.studies import optics_named
    from gnomon.ioc.study_files import check_output, check_plot, write_result

    check_output(output)
    check_plot(plot)
    console = Console(highlight=False)
    ring = find_machine(configure(config, machine=machine)).ring
    lattice = optics_named(ring, optics)
    compile_with_progress(console)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(ring.name, total=None)

        def say(what: str, done: int, total: int) -> None:
            progress.update(task, description=f"{ring.name}: {what}", completed=done, total=total)

        result = study(lattice, optics or "nominal", say)
    console.print(f"[bold]{ring.name}[/], optics {optics or 'nominal'}, lattice {lattice.id}")
    show(result, console)
    if output is not None:
        write_result(result, output)
        console.print(f"written: {output}")
    if plot is not None:
        with console.status("drawing"):
            draw(result, plot)
        console.print(f"drawn: {plot}")


def _show_tune(result: "StudyResult", console: "Console") -> None:
    import numpy as np
    from rich.table import Table

    data = {name: quantity.data for name, quantity in result.quantities.items()}
    table = Table("", "x (mode 1)", "y (mode 2)", box=None, pad_edge=False)
    for name in ("tune", "chromaticity"):
        table.add_row(name, *(f"{value:.6f}" for value in data[name]))
    table.add_row(r"largest beta \[m]", *(f"{value:.4f}" for value in data["beta"].max(axis=0)))
    dispersion = np.abs(data["dispersion"]).max(axis=0)
    table.add_row(r"largest dispersion \[m]", f"{dispersion[0]:.4f}", f"{dispersion[2]:.4f}")
    console.print(table)
    console.print(f"momentum compaction {float(data['momentum compaction']):.6e}")
    table = Table("strongest quadrupoles", r"dQx/dk1 \[m^2]", r"dQy/dk1 \[m^2]", box=None, pad_edge=False)
    response = data["tune response"]
    normal = [i for i, p in enumerate(result.names["knob parameters"]) if p == "b2"]
    for i in sorted(normal, key=lambda i: -float(np.abs(response[:, i]).max()))[:8]:
        table.add_row(result.names["knob"][i], f"{response[0, i]:+.5f}", f"{response[1, i]:+.5f}")
    console.print(table)


def _show_orm(result: "StudyResult", console: "Console") -> None:
    import numpy as np
    from rich.table import Table

    parameters = np.array(result.names["knob parameters"])
    table = Table(r"rms response \[m/rad]", "correctors", "x", "y", "x, frequency held", box=None, pad_edge=False)
    data = {name: quantity.data for name, quantity in result.quantities.items()}
    for kind, name in (("horizontal", "kick_x"), ("vertical", "kick_y")):
        chosen = parameters == name
        if chosen.any():
            parts = [data[k][:, chosen] for k in ("x, momentum held", "y, momentum held", "x, frequency held")]
            table.add_row(kind, str(chosen.sum()), *(f"{np.sqrt(np.mean(part**2)):.4f}" for part in parts))
    console.print(table)
