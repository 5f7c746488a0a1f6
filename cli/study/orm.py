"""`gnomon study orm`."""

from typing import TYPE_CHECKING

from gnomon.cli.lattice_options import LatticeChoice
from gnomon.cli.option_group import with_options
from gnomon.cli.study.running import Wanted, run_study

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.propagator.studies import StudyResult


@with_options("choice", LatticeChoice)
@with_options("wanted", Wanted, without=("first", "last", "cell"))
def orm(
    choice: LatticeChoice,
    wanted: Wanted,
) -> None:
    """Compute the orbit response matrix of all correctors and monitors, by magnet and by power supply.

    It is computed at fixed momentum and at fixed RF frequency; the response to the RF frequency is included.

    For example `gnomon study orm --machine bessy2 -o orm.h5 --plot orm.png`.
    """
    from gnomon.propagator.studies import plot_orm, study_orm

    run_study(
        study_orm,
        _show_orm,
        plot_orm,
        choice,
        wanted,
    )


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
    planes = np.array(result.names["supply plane"])
    table = Table(
        r"rms of readings by supply \[mm/A]", "supplies", "x", "y", "x, frequency held", box=None, pad_edge=False
    )
    for kind, plane in (("horizontal", "x"), ("vertical", "y")):
        chosen = planes == plane
        if chosen.any():
            keys = ("x by supply, momentum held", "y by supply, momentum held", "x by supply, frequency held")
            parts = [data[key][:, chosen] for key in keys]
            table.add_row(kind, str(chosen.sum()), *(f"{np.sqrt(np.mean(part**2)):.4f}" for part in parts))
    console.print(table)
    for what, names in (("monitor", result.names["monitors"]), ("supply", result.names["supply"])):
        if wrong := [name for name, valid in zip(names, data[f"{what} valid"], strict=True) if not valid]:
            console.print(f"not valid, {what}: {', '.join(wrong[:12])}{' ...' * (len(wrong) > 12)}", markup=False)
    x, y = (1e9 * float(np.sqrt(np.mean(data[f"{plane}, by RF frequency"] ** 2))) for plane in "xy")
    delta = float(data["momentum deviation"])
    console.print(f"rms by RF frequency: x {x:.4f}, y {y:.4f} um/kHz")
    console.print(f"linearised at the momentum deviation {delta:.3e}")
