"""`gnomon bump`: a closed bump of 3, 4 or more steerers at a monitor; acts only with --apply."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gnomon.cli.applying import Acting, correct, open_desk
from gnomon.cli.connection import Connection, PatientConnection
from gnomon.cli.option_group import with_options

if TYPE_CHECKING:
    from gnomon.lattice import Lattice
    from gnomon.procedures.correcting import Proposal

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
    *,
    acting: Acting,
    connection: Connection,
) -> None:
    """Make a closed bump by the steerers nearest to a monitor. For example `gnomon bump BPMZ5D1R --y 0.3 --apply`.

    A horizontal bump of four steerers in dispersion changes the momentum, and the orbit everywhere: give --rf, or more
    steerers. `gnomon log undo --last 1` takes a twin's bump away.
    """
    from gnomon.procedures.correcting import propose_bump

    if (x is None) == (y is None):
        raise typer.BadParameter("give --x or --y, one of them")
    plane: Literal["x", "y"] = "x" if x is not None else "y"
    wanted: dict[Literal["position", "angle"], float] = {"position": x if x is not None else y or 0.0}
    if angle is not None:
        wanted["angle"] = angle

    with open_desk(connection, acting) as desk:

        def propose(lattice: "Lattice") -> "Proposal":
            return propose_bump(lattice, monitor, plane, wanted, steerers, rf, desk.session.model_lattice(lattice))

        correct(desk, propose, acting)
