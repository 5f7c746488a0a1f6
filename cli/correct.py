"""`gnomon correct`: bring orbit, tunes, chromaticities and optics where they should be; acts only with --apply."""

from typing import Annotated, Literal

import typer

from gnomon.cli.applying import Acting, correct
from gnomon.cli.connection import Connection, PatientConnection
from gnomon.cli.number_texts import number_pair
from gnomon.cli.option_group import with_options

app = typer.Typer(
    no_args_is_help=True, help="Propose settings that correct orbit, tunes, chromaticities or optics, and make them."
)

Patterns = Annotated[list[str] | None, typer.Argument(metavar="[PATTERN]...", help="Names or patterns of steerers.")]
Supplies = Annotated[
    str, typer.Option("--with", help="Change the supplies that match these patterns, separated by ','.")
]
To = Annotated[str, typer.Option("--to", metavar="X,Y", help="Values to reach.", show_default=False)]
Response = Annotated[
    str | None, typer.Option(help="Use this measured response, a result's name.", show_default="the model's")
]
Readings = Annotated[int, typer.Option(min=1, help="Number of readings to average.")]


@app.command()
@with_options("acting", Acting)
@with_options("connection", PatientConnection)
def orbit(
    steerers: Patterns = None,
    method: Annotated[Literal["svd", "tikhonov"], typer.Option(help="Method of the correction.")] = "svd",
    strength: Annotated[
        float, typer.Option(min=0.0, help="Regularise: relative to the largest singular value.")
    ] = 1e-3,
    fraction: Annotated[float, typer.Option(min=0.01, max=1.0, help="Propose this part of the changes.")] = 1.0,
    rf: Annotated[bool, typer.Option("--rf", help="Use the RF frequency, too.")] = False,
    dead: Annotated[list[str] | None, typer.Option(help="Leave out this monitor; repeat the option for more.")] = None,
    max_step: Annotated[
        float | None, typer.Option(min=0.0, help="Change each steerer by this at most, in its unit.")
    ] = None,
    response: Response = None,
    offsets: Annotated[
        str | None,
        typer.Option(
            help="Bring the beam to the axes of quadrupoles: monitors show the offsets of this alignment, a result's "
            "name.",
            show_default="the server's reference orbit",
        ),
    ] = None,
    readings: Readings = 1,
    *,
    acting: Acting,
    connection: Connection,
) -> None:
    """Bring the orbit to the server's reference. For example `gnomon correct orbit --apply --steps 3`.

    On a twin all settings are one command; on a machine each is written and verified before the next, as in a replay.
    """
    chosen = {
        "devices": tuple(steerers or ("*",)), "method": method, "strength": strength, "fraction": fraction, "rf": rf,
        "dead": tuple(dead or ()), "max_step": max_step, "response": response, "offsets": offsets,
        "readings": readings, "steps": acting.steps,
    }  # fmt: skip
    correct("correct-orbit", connection, acting, chosen)


@app.command()
@with_options("acting", Acting)
@with_options("connection", PatientConnection)
def tune(
    to: To,
    supplies: Supplies = "Q1*,Q2*",
    response: Response = None,
    readings: Readings = 1,
    *,
    acting: Acting,
    connection: Connection,
) -> None:
    """Bring the tunes to values, their integer part left out. For example `gnomon correct tune --to .85,.73`."""
    chosen = {
        "to": number_pair(to, "--to"), "devices": _patterns(supplies), "response": response, "readings": readings,
        "steps": acting.steps,
    }  # fmt: skip
    correct("correct-tune", connection, acting, chosen)


@app.command()
@with_options("acting", Acting)
@with_options("connection", PatientConnection)
def chromaticity(
    to: To,
    supplies: Supplies = "S1*,S2*",
    measured: Annotated[
        str | None,
        typer.Option(
            help="Use this measured chromaticity, a result's name.", show_default="the model's at its settings"
        ),
    ] = None,
    *,
    acting: Acting,
    connection: Connection,
) -> None:
    """Bring the chromaticities to values. For example `gnomon correct chromaticity --to 2,2 --measured chromaticity`.

    What was measured must be at the present settings: measure again after each correction.
    """
    chosen = {"to": number_pair(to, "--to"), "devices": _patterns(supplies), "measured": measured}
    correct("correct-chromaticity", connection, acting, chosen)


@app.command()
@with_options("acting", Acting, without=("steps",))
@with_options("connection", PatientConnection)
def optics(
    supplies: Supplies = "*",
    fit: Annotated[str, typer.Option(help="Correct what this fit found, a result's name.")] = "optics-fit",
    strength: Annotated[
        float, typer.Option(min=1e-6, max=0.99, help="Regularise: relative to the largest singular value.")
    ] = 3e-3,
    fraction: Annotated[float, typer.Option(min=0.01, max=1.0, help="Propose this part of the changes.")] = 1.0,
    *,
    acting: Acting,
    connection: Connection,
) -> None:
    """Bring the beta functions to the model's by quadrupoles, after `gnomon measure optics`.

    For example `gnomon correct optics --with 'Q3*,Q4*'`. The model is the one from which the fit started.
    """
    chosen = {"devices": _patterns(supplies), "fit": fit, "strength": strength, "fraction": fraction}
    correct("correct-optics", connection, acting, chosen)


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
