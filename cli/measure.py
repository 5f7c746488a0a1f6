"""`gnomon measure`: measurements on a running machine, with a live table; raw data and result are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gnomon.cli.applying import open_bench
from gnomon.cli.connection import Connection, PatientConnection
from gnomon.cli.number_texts import number_pair
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json, print_json, say
from gnomon.cli.results_folder import ResultsFolder, results_of, show_lines
from gnomon.cli.script_commands import ScriptGroup, with_fields

if TYPE_CHECKING:
    from gnomon.procedures.bench import Bench
    from gnomon.procedures.documents import Run
    from gnomon.procedures.procedure_options import ProcedureOptions
    from gnomon.procedures.runnable import Runnable


class Measurements(ScriptGroup):
    """The measurements, and the user scripts."""

    def command_of(self, runnable: "Runnable") -> Callable[..., None]:
        """Make the function of a script's command."""

        @with_options("keeping", Keeping)
        @with_options("connection", PatientConnection)
        def run(options: dict[str, Any], *, keeping: Keeping, connection: Connection) -> None:
            _carry_out(runnable, connection, keeping, options | {"note": keeping.note})

        return with_fields(run, runnable)


app = typer.Typer(
    cls=Measurements,
    no_args_is_help=True,
    help="Measure on a running machine: responses, chromaticity, alignment, optics, lifetime, aperture, losses."
    "\n\nUser scripts of the configuration (`services.scripts`) are further commands.",
)

Points = Annotated[int | None, typer.Option(min=2, help="Number of settings of each.", show_default="by measurement")]
Readings = Annotated[int, typer.Option(min=1, help="Number of readings at each setting.")]
Move = Annotated[float, typer.Option("--move-mm", min=1e-4, help="Move the orbit by this at most [mm].")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show how long it is expected to take, and set nothing.")]
Period = Annotated[
    float, typer.Option(min=0.0, help="Expect a new reading of a machine this often [s]; a twin has one at once.")
]
Note = Annotated[str, typer.Option(help="Keep this text with the result.")]
Span = Annotated[
    float | None,
    typer.Option(
        help="Change the RF frequency by this both ways, in the master clock's unit.", show_default="by measurement"
    ),
]
Fit = Annotated[
    str | None,
    typer.Option(
        help="Take the momentum compaction from this fit of the optics, a result.", show_default="the model's"
    ),
]
Patterns = Annotated[list[str] | None, typer.Argument(metavar="[PATTERN]...", help="Names or patterns.")]


@dataclass(frozen=True)
class Scan:
    """Number of settings, and of readings at each: a group for `with_options`."""

    points: Points = None
    readings: Readings = 1


@dataclass(frozen=True)
class Keeping:
    """Text and folder of a result, its form on the terminal, and what is told before: a group for `with_options`."""

    note: Note = ""
    results: ResultsFolder = None
    as_json: Json = False
    dry_run: DryRun = False
    reading_period: Period = 1.0


@dataclass(frozen=True)
class Losing:
    """Times and limits of a measurement that may lose the beam: a group for `with_options`."""

    seconds: Annotated[float, typer.Option(min=0.0, help="Watch the current for this time at each step [s].")] = 3.0
    min_current_ma: Annotated[
        float, typer.Option("--min-current-ma", min=1e-3, help="Take less current for a lost beam [mA].")
    ] = 2.0
    injections: Annotated[int, typer.Option(min=0, help="Inject a lost beam this often at most.")] = 20

    def options(self) -> dict[str, Any]:
        """Return them as options of a procedure."""
        return {"seconds": self.seconds, "min_current_ma": self.min_current_ma, "injections": self.injections}


@app.command()
@with_options("scan", Scan)
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def orm(
    steerers: Patterns = None,
    move_mm: Move = 0.2,
    together: Annotated[
        int,
        typer.Option(min=1, max=100, help="Move this many steerers at a time: fewer readings, and larger errors."),
    ] = 1,
    *,
    scan: Scan,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Measure the orbit response matrix, one steerer at a time. For example `gnomon measure orm 'HS*' --readings 3`.

    With --together several move at a time, each at a frequency of its own, in as many settings as steerers and five.
    """
    _measure("orm", connection, keeping, _options(steerers, keeping, scan, move_mm=move_mm, together=together))


@app.command()
@with_options("scan", Scan)
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def dispersion(
    span: Span = None,
    fit: Fit = None,
    *,
    scan: Scan,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Measure the dispersion at the monitors by the RF frequency. For example `gnomon measure dispersion`."""
    _measure("dispersion", connection, keeping, _options(None, keeping, scan, span=span, fit=fit))


@app.command()
@with_options("scan", Scan)
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def chromaticity(
    span: Span = None,
    fit: Fit = None,
    *,
    scan: Scan,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Measure chromaticities of two orders by the RF frequency. For example `gnomon measure chromaticity`."""
    _measure("chromaticity", connection, keeping, _options(None, keeping, scan, span=span, fit=fit))


@app.command("tune-response")
@with_options("scan", Scan)
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def tune_response(
    supplies: Patterns = None,
    step: Annotated[float, typer.Option(min=1e-6, help="Change a tune by this at most.")] = 0.002,
    *,
    scan: Scan,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Measure the tunes by supplies of quadrupoles. For example `gnomon measure tune-response 'Q1*'`."""
    _measure("tune-response", connection, keeping, _options(supplies, keeping, scan, tune_step=step))


@app.command()
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def bba(
    quadrupoles: Patterns = None,
    move_mm: Move = 0.2,
    together: Annotated[
        int, typer.Option(min=1, max=64, help="Change up to this many quadrupoles at a time; 4 is best.")
    ] = 1,
    *,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Find the beam in quadrupoles and the offsets of monitors beside them. For example `gnomon measure bba 'Q1M*'`.

    Each quadrupole is changed alone, through the multiplexer or by a supply of its own. With --together several change
    at a time, by patterns of signs that tell them apart: fewer readings for the same errors. They need supplies of
    their own: a multiplexer is connected to one quadrupole at a time.
    """
    _measure("bba", connection, keeping, _options(quadrupoles, keeping, move_mm=move_mm, together=together))


@app.command()
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def optics(
    orm: Annotated[str, typer.Option("--from", help="Fit this orbit response, a result's name.")] = "orm",
    dispersion: Annotated[str, typer.Option(help="Fit this dispersion, too; '' for none.")] = "dispersion",
    by_supply: Annotated[
        bool, typer.Option("--by-supply", help="Fit one gradient for all quadrupoles of a supply.")
    ] = False,
    gradient: Annotated[
        float, typer.Option(min=1e-6, help="Standard deviation of gradients before the fit, relative.")
    ] = 3e-3,
    *,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Fit gradients, skews, gains and rolls to what was measured. For example `gnomon measure optics --from orm`.

    Nothing is set: orbit response and dispersion are results, measured at the present settings.
    """
    chosen = _options(None, keeping, orm=orm, dispersion=dispersion, by_supply=by_supply, gradient=gradient)
    _measure("optics-fit", connection, keeping, chosen)


@app.command()
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def beta(
    knobs: Patterns = None,
    step: Annotated[float, typer.Option(min=1e-5, help="Change a tune by this at most, both ways.")] = 0.008,
    points: Annotated[int, typer.Option(min=3, help="Number of settings of each, odd.")] = 5,
    readings: Readings = 1,
    *,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Measure beta functions in quadrupoles by their gradients. For example `gnomon measure beta 'Q3M*'`.

    Each quadrupole is changed alone, through the multiplexer or by a supply of its own; a supply of several gives their
    mean. The changes are loops that end where they began.
    """
    chosen = _options(knobs, keeping, tune_step=step, points=points, readings=readings)
    _measure("beta", connection, keeping, chosen)


@app.command()
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def lifetime(
    seconds: Annotated[float, typer.Option(min=0.1, help="Watch the current for this time [s].")] = 30.0,
    *,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Measure the lifetime of the stored beam by its current. For example `gnomon measure lifetime --seconds 60`."""
    _measure("lifetime", connection, keeping, _options(None, keeping, seconds=seconds))


@app.command()
@with_options("losing", Losing)
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def aperture(
    place: Annotated[str, typer.Argument(help="Monitor at which the beam is moved.")],
    plane: Annotated[Literal["x", "y"], typer.Option(help="Move it horizontally or vertically.")] = "y",
    side: Annotated[Literal["both", "low", "high"], typer.Option(help="Look for the wall on this side.")] = "both",
    step_mm: Annotated[float, typer.Option("--step-mm", min=1e-3, help="Move in steps of this size first [mm].")] = 0.5,
    resolution_mm: Annotated[
        float | None,
        typer.Option(
            "--resolution-mm", min=1e-4, help="Move in steps of this size last [mm].", show_default="half a beam size"
        ),
    ] = None,
    max_mm: Annotated[
        float | None,
        typer.Option("--max-mm", min=1e-3, help="Move by this at most [mm].", show_default="as far as steerers go"),
    ] = None,
    lifetime_h: Annotated[
        float, typer.Option("--lifetime-h", min=1e-3, help="Stop at a shorter lifetime than this [h].")
    ] = 0.1,
    steerers: Annotated[
        int | None, typer.Option(min=4, help="Number of steerers.", show_default="by the shape of the bump")
    ] = None,
    *,
    losing: Losing,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Find the walls by a closed bump that moves the beam. For example `gnomon measure aperture BPMZ5D1R --plane x`.

    The beam is moved until it does not live any more. A lost one is injected again: by the server, or by the operator,
    who is asked. At the end the bump is gone.
    """
    chosen = _options(
        None, keeping, place=place, plane=plane, side=side, step_mm=step_mm, resolution_mm=resolution_mm, max_mm=max_mm,
        lifetime_h=lifetime_h, steerers=steerers, **losing.options(),
    )  # fmt: skip
    _measure("aperture", connection, keeping, chosen)


@app.command()
@with_options("losing", Losing)
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def losses(
    x: Annotated[
        str | None, typer.Option(help="Horizontal tunes, LOWEST,HIGHEST.", show_default="0.02 both ways")
    ] = None,
    y: Annotated[
        str | None, typer.Option(help="Vertical tunes, LOWEST,HIGHEST.", show_default="0.02 both ways")
    ] = None,
    points: Annotated[int, typer.Option(min=2, max=50, help="Number of points in each direction.")] = 7,
    supplies: Annotated[str, typer.Option("--with", help="Move the tunes by these supplies, patterns.")] = "Q1*,Q2*",
    max_order: Annotated[int, typer.Option(min=1, max=8, help="Try resonances up to this order.")] = 4,
    *,
    losing: Losing,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Map losses over working points, and find their resonances. For example `gnomon measure losses --x 0.82,0.88`.

    A lost beam is injected again; the map ends early when that fails.
    """
    chosen = _options(
        supplies.split(","), keeping, x=number_pair(x, "--x") if x else None, y=number_pair(y, "--y") if y else None,
        points=points, max_order=max_order, **losing.options(),
    )  # fmt: skip
    if keeping.dry_run:
        _show_way(connection, keeping, chosen)
    else:
        _measure("losses", connection, keeping, chosen)


def _show_way(connection: Connection, keeping: Keeping, options: dict[str, Any]) -> None:
    """Show what a map of losses would do."""
    from gnomon.procedures.measuring_beam import estimate_losses
    from gnomon.procedures.procedure_options import LossMapOptions
    from gnomon.procedures.runnable import checked_options, find_runnable

    chosen = checked_options(find_runnable("losses"), options)
    assert isinstance(chosen, LossMapOptions)
    with open_bench(connection, results_of(keeping.results, connection.config)) as bench:
        present = bench.session.present_lattice()
        found = estimate_losses(present, bench.session.model_lattice(present), chosen)
    changes = dict(zip(found.supplies, map(float, found.changes), strict=True))
    if keeping.as_json:
        print_json({"points": found.points.tolist(), "time_s": found.time_s, "changes": changes, "unit": found.unit})
        return
    low, high = found.points.min(axis=0), found.points.max(axis=0)
    say(f"{len(found.points)} points: Qx {low[0]:.4f} to {high[0]:.4f}, Qy {low[1]:.4f} to {high[1]:.4f}")
    say(f"about {found.time_s / 60.0:.1f} min without lost beams")
    for name, change in changes.items():
        say(f"{name} changes by {change:.4g} {found.unit} at most")
    say("nothing was set")


def _options(patterns: list[str] | None, keeping: Keeping, scan: Scan | None = None, **more: Any) -> dict[str, Any]:
    """Collect options of a procedure that were given; those left out have the procedure's defaults."""
    chosen = {"devices": tuple(patterns)} if patterns else {}
    scanned = {} if scan is None else {"points": scan.points, "readings": scan.readings}
    return chosen | scanned | more | {"note": keeping.note}


def _measure(name: str, connection: Connection, keeping: Keeping, options: dict[str, Any]) -> None:
    from gnomon.procedures.runnable import find_runnable

    _carry_out(find_runnable(name), connection, keeping, options)


def _carry_out(runnable: "Runnable", connection: Connection, keeping: Keeping, options: dict[str, Any]) -> None:
    """Measure, show, keep; the machine is left as it was found. A run that fails keeps its raw data."""
    from gnomon.cli.live_rows import live_rows
    from gnomon.procedures.runnable import checked_options, run_procedure

    chosen = checked_options(runnable, options)
    results = results_of(keeping.results, connection.config)
    with open_bench(connection, results) as bench:
        _expect(runnable, bench, chosen, keeping)
        if keeping.dry_run:
            return
        with live_rows(runnable.name, quiet=keeping.as_json) as watcher:
            finished = run_procedure(runnable, bench, chosen, watcher)
    for run, file in finished.runs:
        _show(run, file, keeping.as_json)
        after = run.provenance.settings_id_after
        if finished.failure is None and after and run.provenance.settings_id != after:
            say("attention: somebody else has set something meanwhile; `gnomon log` shows it", err=True)
    if finished.failure is not None:
        raise finished.failure


def _expect(runnable: "Runnable", bench: "Bench", options: "ProcedureOptions", keeping: Keeping) -> None:
    """Show how long a measurement is expected to take; nothing where that is not known, but on demand why."""
    from gnomon.procedures.errors import ProcedureError
    from gnomon.procedures.expected_time import expected_time
    from gnomon.procedures.measuring import measure_options

    name = runnable.name
    try:
        if runnable.kind != "measurement":
            raise ProcedureError(f"{name}: how long it takes is not known beforehand; nothing was set")
        expected = expected_time(name, bench.session, measure_options(name, options), keeping.reading_period)
    except ProcedureError:
        if keeping.dry_run:
            raise
        return
    if keeping.dry_run and keeping.as_json:
        print_json({"settings": expected.settings, "readings": expected.readings, "time_s": expected.time_s})
    else:
        say(f"{name}: {expected.text}", err=True)


def _show(run: "Run", path: Path, as_json: bool) -> None:
    from gnomon.procedures.summaries import summarise

    if as_json:
        told = run.model_dump(mode="json", by_alias=True, exclude={"data", "parameters"})
        print_json(told | {"file": str(path), "summary": [line._asdict() for line in summarise(run)]})
    else:
        show_lines(summarise(run))
        say(f"{run.name}: {run.status}; {path}")
