"""`gnomon bump`: a closed bump of 3, 4 or more steerers at a monitor; acts only with --apply."""

from dataclasses import replace
from typing import Annotated

import typer

from gnomon.cli.applying import Acting, correct
from gnomon.cli.connection import Connection, PatientConnection
from gnomon.cli.option_group import with_options

Millimetres = Annotated[float | None, typer.Option(help="Position at the monitor, relative to now [mm].")]


@with_options("acting", Acting, without=("steps",))
@with_options("connection", PatientConnection)
def bump(
    monitor: Annotated[str, typer.Argument(help="Name of the monitor.")],
    x: Millimetres = None,
    y: Millimetres = None,
    angle: Annotated[float | None, typer.Option(help="Angle there, relative to now [mrad].")] = None,
    steerers: Annotated[int, typer.Option(min=3, help="Number of steerers.")] = 4,
    rf: Annotated[bool, typer.Option("--rf", help="Use the RF frequency, too: a horizontal bump leaks less.")] = False,
    steps: Annotated[
        int, typer.Option(min=1, max=20, help="Set it, and with --apply correct what leaks out so often less one.")
    ] = 2,
    readings: Annotated[int, typer.Option(min=1, help="Number of orbits to average.")] = 4,
    *,
    acting: Acting,
    connection: Connection,
) -> None:
    """Make a closed bump by the steerers nearest to a monitor. For example `gnomon bump BPMZ5D1R --y 0.3 --apply`.

    A horizontal bump of four steerers in dispersion changes the momentum, and the orbit everywhere: give --rf, or more
    steerers. The leak is measured and corrected once; `gnomon log undo --last 2` takes a twin's bump away.
    """
    if (x is None) == (y is None):
        raise typer.BadParameter("give --x or --y, one of them")
    chosen = {"monitor": monitor, "x": x, "y": y, "angle": angle, "steerers": steerers, "rf": rf}
    chosen |= {"steps": steps, "readings": readings}
    correct("bump", connection, replace(acting, steps=steps), chosen)
