"""`gnomon correct`: bring orbit, tunes, chromaticities and optics where they should be; acts only with --apply."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gnomon.cli.applying import Acting, Desk, correct, open_desk
from gnomon.cli.connection import Connection, PatientConnection
from gnomon.cli.option_group import with_options
from gnomon.lattice.text import NotANumberError, parse_number, shorten

if TYPE_CHECKING:
    import numpy as np

    from gnomon.lattice import Lattice
    from gnomon.procedures.correcting import Proposal
    from gnomon.procedures.orbit_response import OrbitResponseOutcome
    from gnomon.procedures.tune_response import TuneResponseOutcome

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
    readings: Readings = 1,
    *,
    acting: Acting,
    connection: Connection,
) -> None:
    """Bring the orbit to the server's reference. For example `gnomon correct orbit --apply --steps 3`.

    On a twin all settings are one command; on a machine each is written and verified before the next, as in a replay.
    """
    from gnomon.procedures.correcting import propose_orbit
    from gnomon.procedures.orbit_correction import OrbitCorrectionParameters

    parameters = OrbitCorrectionParameters(
        method=method, strength=strength, fraction=fraction, use_rf=rf, dead=tuple(dead or ()), max_step=max_step
    )
    with open_desk(connection, acting) as desk:
        measured = _orbit_response(desk, response)

        def propose(lattice: "Lattice") -> "Proposal":
            away = desk.read("orbit", readings) - _reference(desk)
            model = desk.session.model_lattice(lattice)
            return propose_orbit(lattice, away, parameters, tuple(steerers or ("*",)), measured, model)

        correct(desk, propose, acting)


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
    import numpy as np

    from gnomon.procedures.correcting import propose_working_point

    wanted = np.array(_pair(to, "--to")) % 1.0
    with open_desk(connection, acting) as desk:
        measured = _tune_response(desk, response)

        def propose(lattice: "Lattice") -> "Proposal":
            tunes = desk.read("tunes", readings)
            model = desk.session.model_lattice(lattice)
            return propose_working_point(lattice, "tune", tunes, wanted, _patterns(supplies), measured, model)

        correct(desk, propose, acting)


@app.command()
@with_options("acting", Acting, without=("steps",))
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
    import numpy as np

    from gnomon.procedures.correcting import propose_working_point
    from gnomon.propagator import Propagator

    wanted = np.array(_pair(to, "--to"))
    with open_desk(connection, acting) as desk:

        def propose(lattice: "Lattice") -> "Proposal":
            model = desk.session.model_lattice(lattice)
            if measured is None:
                present = Propagator(model.ring)(model).chromaticity
            else:
                present = _measured_chromaticity(desk, measured)
            return propose_working_point(lattice, "chromaticity", present, wanted, _patterns(supplies), model=model)

        correct(desk, propose, acting)


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
    import numpy as np

    from gnomon.procedures.correcting_optics import propose_optics
    from gnomon.procedures.optics_correction import OpticsCorrectionParameters
    from gnomon.procedures.optics_fit import OpticsFitOutcome

    with open_desk(connection, acting) as desk:
        found = OpticsFitOutcome.model_validate(_outcome(desk, fit, "optics-fit"))
        error = float(np.sqrt(np.mean(found.beating_error**2)))
        parameters = OpticsCorrectionParameters(strength=strength, error=error, fraction=fraction)

        def propose(lattice: "Lattice") -> "Proposal":
            return propose_optics(lattice, found, parameters, _patterns(supplies), desk.session.model_lattice(lattice))

        correct(desk, propose, acting)


def _reference(desk: Desk) -> "np.typing.NDArray[np.float64]":
    """Read the server's reference orbit (2, monitors) [mm]; 0 where there is none."""
    import numpy as np

    from gnomon.db import sources
    from gnomon.lattice.units import conversion_factor

    specs = [desk.session.pvs.first(source) for source in sources.REFERENCE]
    names = [spec.name for spec in specs if spec is not None]
    if not desk.session.role or len(names) < len(specs):
        return np.zeros((2, 1))
    readings = desk.session.client.get(*names)
    return np.array([conversion_factor(each.unit, "mm") * np.asarray(each.value, dtype=float) for each in readings])


def _orbit_response(desk: Desk, name: str | None) -> "OrbitResponseOutcome | None":
    from gnomon.procedures.orbit_response import OrbitResponseOutcome

    return None if name is None else OrbitResponseOutcome.model_validate(_outcome(desk, name, "orm"))


def _tune_response(desk: Desk, name: str | None) -> "TuneResponseOutcome | None":
    from gnomon.procedures.tune_response import TuneResponseOutcome

    return None if name is None else TuneResponseOutcome.model_validate(_outcome(desk, name, "tune-response"))


def _measured_chromaticity(desk: Desk, name: str) -> "np.typing.NDArray[np.float64]":
    from gnomon.procedures.chromaticity import ChromaticityOutcome

    run = desk.results.load(name)
    present = desk.session.state().lattice_id
    if run.provenance.lattice_id_after != present:
        raise typer.BadParameter(
            f"{run.name} was measured with lattice {run.provenance.lattice_id_after}, the present one is {present}: "
            "measure again",
            param_hint="--measured",
        )
    return ChromaticityOutcome.model_validate(_outcome(desk, name, "chromaticity")).chromaticity


def _outcome(desk: Desk, name: str, procedure: str) -> object:
    from gnomon.procedures.errors import ProcedureError

    run = desk.results.load(name)
    if run.procedure != procedure or run.outcome is None:
        raise ProcedureError(f"{run.name} is not a finished result of {procedure}")
    return run.outcome


def _pair(text: str, option: str) -> tuple[float, float]:
    try:
        x, y = (parse_number(part.strip()) for part in text.split(","))
    except (NotANumberError, ValueError):
        raise typer.BadParameter(
            f"{shorten(text)} is not a pair of numbers such as 0.85,0.73", param_hint=option
        ) from None
    return x, y


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
