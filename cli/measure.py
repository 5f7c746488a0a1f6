"""`gnomon measure`: measurements on a running machine, with a live table; raw data and result are kept."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.applying import machine_of, pvs_document_of
from gnomon.cli.connection import Connection, PatientConnection, connected_to
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json, print_json, say
from gnomon.cli.results_folder import ResultsFolder, results_of, show_lines

if TYPE_CHECKING:
    from gnomon.procedures.documents import Run
    from gnomon.procedures.measuring import MeasureOptions
    from gnomon.procedures.plans import MeasuredRow

#: Rows of the live table.
SHOWN = 10

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
    from gnomon.procedures.documents import now
    from gnomon.procedures.fitting_optics import fit_optics
    from gnomon.procedures.machine_session import MachineSession
    from gnomon.procedures.nexus import require_h5py

    require_h5py()
    folder = results_of(keeping.results, connection.config)
    measured = folder.load(orm), folder.load(dispersion) if dispersion else None
    target = connection.target()
    with connected_to(target, connection.protocol, connection.timeout) as client:
        session = MachineSession(client, machine_of(connection, client), pvs_document_of(connection, target))
        before, started, present = session.state(), now(), session.present_lattice()
        model = session.model_lattice(present)
        run = fit_optics(present, model, *measured, keeping.note, by_supply=by_supply, gradient=gradient)
        run = run.model_copy(update={"provenance": session.provenance(before, session.state(), started)})
    _show(run, folder.save(run), keeping.as_json)


def _options(patterns: list[str] | None, keeping: Keeping, scan: Scan = Scan(), **more: Any) -> "MeasureOptions":
    from gnomon.procedures.measuring import MeasureOptions

    devices = tuple(patterns or ("*",))
    return MeasureOptions(devices=devices, points=scan.points, readings=scan.readings, note=keeping.note, **more)


def _measure(name: str, connection: Connection, keeping: Keeping, options: "MeasureOptions") -> None:
    """Measure, show, keep; the machine is left as it was found. A run that fails keeps its raw data."""
    from gnomon.clients import devices
    from gnomon.procedures.machine_session import MachineSession
    from gnomon.procedures.measuring import measure
    from gnomon.procedures.nexus import require_h5py

    require_h5py()
    results = results_of(keeping.results, connection.config)
    target = connection.target()
    with connected_to(target, connection.protocol, connection.timeout) as client:
        machine = machine_of(connection, client)
        session = MachineSession(client, machine, pvs_document_of(connection, target))
        ring = devices(machine, prefix=target.prefix, protocol=connection.protocol, pvs=session.pvs_document)
        with _live(name, quiet=keeping.as_json) as listener:
            run, failure = measure(
                name, session, ring, options, listener, interrupted=partial(say, _INTERRUPTED, err=True)
            )
    _show(run, results.save(run), keeping.as_json)
    if failure is not None:
        raise failure
    if run.provenance.settings_id != run.provenance.settings_id_after:
        say("attention: somebody else has set something meanwhile; `gnomon log` shows it", err=True)


def _show(run: "Run", path: Path, as_json: bool) -> None:
    from gnomon.procedures.summaries import summarise

    if as_json:
        told = run.model_dump(mode="json", by_alias=True, exclude={"data", "parameters"})
        print_json(told | {"file": str(path), "summary": [line._asdict() for line in summarise(run)]})
    else:
        show_lines(summarise(run))
        say(f"{run.name}: {run.status}; {path}")


_INTERRUPTED = "interrupted: putting the machine back ..."


@contextmanager
def _live(name: str, *, quiet: bool) -> "Iterator[Callable[[MeasuredRow, int], None] | None]":
    """Show rows as they come: a table and a bar on a terminal, nothing in a pipe."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True)
    )
    task = progress.add_task(name)
    rows: list[MeasuredRow] = []

    def show(row: "MeasuredRow", total: int) -> None:
        rows.append(row)
        progress.update(task, total=total, completed=len(rows))
        live.update(Group(_table(rows), progress))

    with Live(progress, console=Console(stderr=True, emoji=False), refresh_per_second=8, transient=True) as live:
        yield show


def _table(rows: "list[MeasuredRow]") -> Any:
    import numpy as np
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    arrays = np.ndim(rows[-1].values["x"]) > 0
    unit = " rms [mm]" if arrays else ""
    for title in ("", "set", *(f"{'' if arrays else 'tune '}{plane}{unit}" for plane in "xy")):
        table.add_column(title, justify="left" if title == "set" else "right")
    for number in range(max(0, len(rows) - SHOWN), len(rows)):
        row = rows[number]
        knobs = ", ".join(f"{name} {value:.8g}" for name, value in row.knobs.items())
        values = [row.values[plane] for plane in "xy"]
        shown = [np.sqrt(np.nanmean(np.square(each))) if arrays else each for each in values]
        table.add_row(str(number + 1), knobs, *(f"{each:.5f}" for each in shown))
    return table
