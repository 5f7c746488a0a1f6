"""`gnomon study`: computations on a machine without a server, with results as JSON or HDF5 and a plot."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import ConfigFile, Machine, configure

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.lattice import Lattice
    from gnomon.propagator.studies import Say, StudyResult

app = typer.Typer(no_args_is_help=True, help="Compute tunes and optics, the orbit response, or apertures of a machine.")

Optics = Annotated[str | None, typer.Option(help="Use these named optics of the machine.", show_default="nominal")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the result to this file: .json or .h5 (HDF5).")
]
Plot = Annotated[Path | None, typer.Option(help="Plot the result to this file: .png, .pdf or .svg.")]


@app.command()
def tune(
    machine: Machine = None,
    optics: Optics = None,
    order: Annotated[
        int,
        typer.Option(
            min=0,
            max=3,
            help="Compute chromaticities up to this order and the tune shift with amplitude; 0: neither.",
        ),
    ] = 0,
    output: Output = None,
    plot: Plot = None,
    config: ConfigFile = None,
) -> None:
    """Compute tunes, chromaticity, optics, their response to each quadrupole and sextupole, damping and emittance.

    For example `gnomon study tune --machine mls --optics low_alpha -o tune.json --plot tune.png`.
    """
    from functools import partial

    from gnomon.propagator.studies import plot_tune, study_tune

    _run(partial(study_tune, order=order), _show_tune, plot_tune, machine, optics, output, plot, config)


@app.command()
def orm(
    machine: Machine = None, optics: Optics = None, output: Output = None, plot: Plot = None, config: ConfigFile = None
) -> None:
    """Compute the orbit response matrix of all correctors and monitors, at fixed momentum and at fixed RF frequency.

    The response to the RF frequency is included.

    For example `gnomon study orm --machine bessy2 -o orm.h5 --plot orm.png`.
    """
    from gnomon.propagator.studies import plot_orm, study_orm

    _run(study_orm, _show_orm, plot_orm, machine, optics, output, plot, config)


@app.command()
def aperture(
    machine: Machine = None,
    optics: Optics = None,
    turns: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Number of turns that a particle must survive.")
    ] = 500,
    delta: Annotated[
        list[float] | None,
        typer.Option(help="Relative momentum deviation; repeat the option for several.", show_default="0"),
    ] = None,
    places: Annotated[
        int, typer.Option(min=0, help="Number of places around the ring for the momentum aperture; 0: none.")
    ] = 24,
    extent: Annotated[
        tuple[float, float], typer.Option(help="Search the dynamic aperture up to these x and y [mm].")
    ] = (40.0, 20.0),
    time_limit: Annotated[float, typer.Option(min=1.0, help="Compute each part for at most this time [s].")] = 600.0,
    output: Output = None,
    plot: Plot = None,
    config: ConfigFile = None,
) -> None:
    """Compute the dynamic aperture at given momenta, and the momentum aperture around the ring, by tracking.

    For example `gnomon study aperture --machine mls --turns 1000 --delta -0.01 --delta 0 --plot aperture.png`.
    """
    from gnomon.propagator.ensembles import ApertureStudy, aperture_study, plot_aperture
    from gnomon.propagator.studies import aperture_result

    kept: list[ApertureStudy] = []

    def study(lattice: "Lattice", optics: str, say: "Say") -> "StudyResult":
        found = aperture_study(
            lattice,
            turns=turns,
            deltas=delta or (0.0,),
            extent_m=(1e-3 * extent[0], 1e-3 * extent[1]),
            places=places,
            progress=say,
            time_limit_s=time_limit,
        )
        kept.append(found)
        return aperture_result(found, lattice, optics)

    def draw(_: "StudyResult", path: Path) -> None:
        plot_aperture(kept[0], path)

    _run(study, _show_aperture, draw, machine, optics, output, plot, config)


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
    """Run a study with progress and write its files; wrong options are refused before the computation."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from gnomon.cli.compile_kernels import compile_studies_with_progress, compile_with_progress
    from gnomon.ioc.app.machines import find_machine
    from gnomon.propagator.studies import check_output, check_plot, optics_named, write_result

    check_output(output)
    check_plot(plot)
    console = Console(emoji=False, highlight=False)
    ring = find_machine(configure(config, machine=machine)).ring
    lattice = optics_named(ring, optics)
    compile_with_progress(console)
    compile_studies_with_progress(console, ring)
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
        console.print(f"written: {output}", markup=False, soft_wrap=True)
    if plot is not None:
        with console.status("plotting"):
            draw(result, plot)
        console.print(f"plotted: {plot}", markup=False, soft_wrap=True)


def _show_tune(result: "StudyResult", console: "Console") -> None:
    import numpy as np
    from rich.table import Table

    data = {name: quantity.data for name, quantity in result.quantities.items()}
    table = Table("", "x (mode 1)", "y (mode 2)", box=None, pad_edge=False)
    for name in ("tune", "chromaticity"):
        table.add_row(name, *(f"{value:.6f}" for value in data[name]))
    table.add_row(r"maximum beta \[m]", *(f"{value:.4f}" for value in data["beta"].max(axis=0)))
    dispersion = np.abs(data["dispersion"]).max(axis=0)
    table.add_row(r"maximum dispersion \[m]", f"{dispersion[0]:.4f}", f"{dispersion[2]:.4f}")
    console.print(table)
    console.print(f"momentum compaction {float(data['momentum compaction']):.6e}")
    if "chromaticity by order" in data:
        for number, (x, y) in enumerate(data["chromaticity by order"], 1):
            console.print(f"d^{number}Q/ddelta^{number}: {x:.4f}, {y:.4f}")
        (xx, xy), (_, yy) = data["tune shift with amplitude"]
        console.print(f"dQx/dJx {xx:.1f}, dQx/dJy = dQy/dJx {xy:.1f}, dQy/dJy {yy:.1f} 1/m", markup=False)
    _show_radiation(result, console)
    table = Table("strongest quadrupoles", r"dQx/dk1 \[m^2]", r"dQy/dk1 \[m^2]", box=None, pad_edge=False)
    response = data["tune response"]
    normal = [i for i, p in enumerate(result.names["knob parameters"]) if p == "b2"]
    for i in sorted(normal, key=lambda i: -float(np.abs(response[:, i]).max()))[:8]:
        table.add_row(result.names["knob"][i], f"{response[0, i]:+.5f}", f"{response[1, i]:+.5f}")
    console.print(table)


def _show_radiation(result: "StudyResult", console: "Console") -> None:
    from rich.table import Table

    if "synchrotron_tune" not in result.quantities:
        console.print(result.facts["no synchrotron motion"], markup=False)
        return
    shown = (
        ("energy loss", "energy_loss_per_turn_ev", 1e-3, "keV/turn"),
        ("synchrotron tune", "synchrotron_tune", 1.0, ""),
        ("damping times x", "damping_time_x_s", 1e3, "ms"),
        ("damping times y", "damping_time_y_s", 1e3, "ms"),
        ("damping times s", "damping_time_s_s", 1e3, "ms"),
        ("emittance x", "emittance_x_m", 1e9, "nm"),
        ("emittance x, by radiation integrals", "uncoupled_emittance_x_m", 1e9, "nm"),
        ("energy spread", "energy_spread", 1e3, "1e-3"),
        ("bunch length", "bunch_length_m", 1e3, "mm"),
    )
    table = Table("with radiation", "", "", box=None, pad_edge=False)
    for label, name, factor, unit in shown:
        table.add_row(label, f"{factor * float(result.quantities[name].data):.5g}", unit)
    console.print(table)


def _show_aperture(result: "StudyResult", console: "Console") -> None:
    from rich.table import Table

    data = {name: quantity.data for name, quantity in result.quantities.items()}
    table = Table("delta", r"x \[mm]", r"y \[mm]", r"area \[mm^2]", "", box=None, pad_edge=False)
    for delta in result.names["momentum"]:
        label = f"dynamic aperture at delta {delta}"
        x, y = 1e3 * data[f"{label}, x"], 1e3 * data[f"{label}, y"]
        remark = "limited by the search range (--extent)" if data[f"{label}, ended by the search"].any() else ""
        area = 1e6 * float(data[f"{label}, area"])
        table.add_row(delta, f"{x.min():.1f} to {x.max():.1f}", f"{y.max():.1f}", f"{area:.0f}", remark)
    console.print(table)
    if "momentum aperture, s" in data:
        low, high = data["momentum aperture, negative"].max(), data["momentum aperture, positive"].min()
        console.print(f"momentum aperture, minimum around the ring: {1e2 * low:.2f} % and +{1e2 * high:.2f} %")


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
    x, y = (1e9 * float(np.sqrt(np.mean(data[f"{plane}, by RF frequency"] ** 2))) for plane in "xy")
    delta = float(data["momentum deviation"])
    console.print(f"rms by RF frequency: x {x:.4f}, y {y:.4f} um/kHz")
    console.print(f"linearised at the momentum deviation {delta:.3e}")
