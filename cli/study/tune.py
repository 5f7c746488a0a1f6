"""`gnomon study tune`."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.lattice_options import LatticeChoice
from gnomon.cli.option_group import with_options
from gnomon.cli.study.running import Wanted, cell, run_study
from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.propagator.studies import StudyResult


@with_options("choice", LatticeChoice)
@with_options("wanted", Wanted)
def tune(
    choice: LatticeChoice,
    *,
    order: Annotated[
        int,
        typer.Option(
            min=0,
            max=3,
            help="Compute chromaticities up to this order and the tune shift with amplitude; 0: neither.",
        ),
    ] = 0,
    delta_range: Annotated[
        float,
        typer.Option(min=0.0, max=0.2, help="Scan the tunes up to this relative momentum deviation; 0: no scan."),
    ] = 0.01,
    wanted: Wanted,
) -> None:
    """Compute tunes, chromaticity, optics, what each magnet and each power supply does to them, damping and emittance.

    For example `gnomon study tune --machine mls --optics low_alpha -o tune.json --plot tune.png --from 0 --to 12`.
    """
    from gnomon.propagator.studies import plot_tune, study_tune

    run_study(
        partial(study_tune, order=order, delta_range=delta_range),
        _show_tune,
        plot_tune,
        choice,
        wanted,
    )


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
    _show_by_supply(result, console)
    table = Table("strongest quadrupoles", r"dQx/dk1 \[m^2]", r"dQy/dk1 \[m^2]", box=None, pad_edge=False)
    response = data["tune response"]
    normal = [i for i, p in enumerate(result.names["knob parameters"]) if p == "b2"]
    for i in sorted(normal, key=lambda i: -float(np.abs(response[:, i]).max()))[:8]:
        table.add_row(cell(result.names["knob"][i]), f"{response[0, i]:+.5f}", f"{response[1, i]:+.5f}")
    console.print(table)


def _show_radiation(result: "StudyResult", console: "Console") -> None:
    from rich.table import Table

    if "synchrotron_tune" not in result.quantities:
        console.print(printable(result.facts["no synchrotron motion"]), markup=False)
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


def _show_by_supply(result: "StudyResult", console: "Console") -> None:
    """Show the supplies that move the tunes, or the chromaticities, the most."""
    import numpy as np
    from rich.table import Table

    tune, chromaticity = (result.quantities[f"{name} by supply"].data for name in ("tune", "chromaticity"))
    for heading, key in (("tunes", tune), ("chromaticities", chromaticity)):
        size = np.abs(key).max(axis=0)
        table = Table(
            f"supplies that move the {heading} most", r"dQx \[1/A]", r"dQy \[1/A]", r"dChrom x \[1/A]",
            r"dChrom y \[1/A]", box=None, pad_edge=False,
        )  # fmt: skip
        for i in np.argsort(-size, kind="stable")[:6]:
            numbers = [*tune[:, i], *chromaticity[:, i]]
            table.add_row(cell(result.names["supply"][i]), *(f"{number:+.5f}" for number in numbers))
        console.print(table)
