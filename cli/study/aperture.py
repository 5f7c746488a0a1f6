"""`gnomon study aperture`."""

from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.lattice_options import LatticeChoice
from gnomon.cli.option_group import with_options
from gnomon.cli.study.running import Wanted, run_study

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.lattice import Lattice
    from gnomon.propagator.studies import Frame, Say, StudyResult


@with_options("choice", LatticeChoice)
@with_options("wanted", Wanted)
def aperture(
    choice: LatticeChoice,
    *,
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
    wanted: Wanted,
) -> None:
    """Compute the dynamic aperture at given momenta, and the momentum aperture around the ring, by tracking.

    For example `gnomon study aperture --machine mls --turns 1000 --delta -0.01 --delta 0 --plot aperture.png`.
    """
    from gnomon.propagator.ensembles import ApertureStudy, aperture_study
    from gnomon.propagator.studies import aperture_result, plot_aperture

    kept: list[ApertureStudy] = []

    def study(present: "Lattice", origin: str, say: "Say") -> "StudyResult":
        found = aperture_study(
            present,
            turns=turns,
            deltas=delta or (0.0,),
            extent_m=(1e-3 * extent[0], 1e-3 * extent[1]),
            places=places,
            progress=say,
            time_limit_s=time_limit,
        )
        kept.append(found)
        return aperture_result(found, present, origin)

    def draw(result: "StudyResult", frame: "Frame") -> None:
        plot_aperture(kept[0], result, frame)

    run_study(
        study,
        _show_aperture,
        draw,
        choice,
        wanted,
    )


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
