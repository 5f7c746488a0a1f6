"""`gnomon measure`: measurements on a running machine, with a live table; raw data and result are kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.applying import open_bench
from gnomon.cli.connection import Connection, PatientConnection
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json, print_json, say
from gnomon.cli.results_folder import ResultsFolder, results_of, show_lines

if TYPE_CHECKING:
    from gnomon.procedures.documents import Run

app = typer.Typer(
    no_args_is_help=True,
    help="Measure on a running machine: orbit response, dispersion, chromaticity, tune response, alignment, optics.",
)

Points = Annotated[int | None, typer.Option(min=2, help="Number of settings of each.", show_default="by measurement")]
Readings = Annotated[int, typer.Option(min=1, help="Number of readings at each setting.")]
Move = Annotated[float, typer.Option("--move-mm", min=1e-4, help="Move the orbit by this at most [mm].")]
Note = Annotated[str, typer.Option(help="Keep this text with the result.")]
Span = Annotated[
    float | None,
    typer.Option(
        help="Change the RF frequency by this both ways, in the master clock's unit.", show_default="by measurement"
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
    """Text and folder of a result, and its form on the terminal: a group for `with_options`."""

    note: Note = ""
    results: ResultsFolder = None
    as_json: Json = False


@app.command()
@with_options("scan", Scan)
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def orm(
    steerers: Patterns = None,
    move_mm: Move = 0.2,
    *,
    scan: Scan,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Measure the orbit response matrix, one steerer at a time. For example `gnomon measure orm 'HS*' --readings 3`."""
    _measure("orm", connection, keeping, _options(steerers, keeping, scan, move_mm=move_mm))


@app.command()
@with_options("scan", Scan)
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def dispersion(
    span: Span = None,
    *,
    scan: Scan,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Measure the dispersion at the monitors by the RF frequency. For example `gnomon measure dispersion`."""
    _measure("dispersion", connection, keeping, _options(None, keeping, scan, span=span))


@app.command()
@with_options("scan", Scan)
@with_options("keeping", Keeping)
@with_options("connection", PatientConnection)
def chromaticity(
    span: Span = None,
    *,
    scan: Scan,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Measure chromaticities of two orders by the RF frequency. For example `gnomon measure chromaticity`."""
    _measure("chromaticity", connection, keeping, _options(None, keeping, scan, span=span))


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
    *,
    keeping: Keeping,
    connection: Connection,
) -> None:
    """Find the beam in quadrupoles and the offsets of monitors beside them. For example `gnomon measure bba 'Q1M*'`.

    Each quadrupole is changed alone, through the multiplexer or by a supply of its own.
    """
    _measure("bba", connection, keeping, _options(quadrupoles, keeping, move_mm=move_mm))


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


def _options(patterns: list[str] | None, keeping: Keeping, scan: Scan | None = None, **more: Any) -> dict[str, Any]:
    """Collect options of a procedure that were given; those left out have the procedure's defaults."""
    chosen = {"devices": tuple(patterns)} if patterns else {}
    scanned = {} if scan is None else {"points": scan.points, "readings": scan.readings}
    return chosen | scanned | more | {"note": keeping.note}


def _measure(name: str, connection: Connection, keeping: Keeping, options: dict[str, Any]) -> None:
    """Measure, show, keep; the machine is left as it was found. A run that fails keeps its raw data."""
    from gnomon.cli.live_rows import live_rows
    from gnomon.procedures.runnable import checked_options, find_runnable, run_procedure

    runnable = find_runnable(name)
    chosen = checked_options(runnable, options)
    results = results_of(keeping.results, connection.config)
    with open_bench(connection, results) as bench, live_rows(name, quiet=keeping.as_json) as watcher:
        finished = run_procedure(runnable, bench, chosen, watcher)
    for run, file in finished.runs:
        _show(run, file, keeping.as_json)
        if finished.failure is None and run.provenance.settings_id != run.provenance.settings_id_after:
            say("attention: somebody else has set something meanwhile; `gnomon log` shows it", err=True)
    if finished.failure is not None:
        raise finished.failure


def _show(run: "Run", path: Path, as_json: bool) -> None:
    from gnomon.procedures.summaries import summarise

    if as_json:
        told = run.model_dump(mode="json", by_alias=True, exclude={"data", "parameters"})
        print_json(told | {"file": str(path), "summary": [line._asdict() for line in summarise(run)]})
    else:
        show_lines(summarise(run))
        say(f"{run.name}: {run.status}; {path}")
