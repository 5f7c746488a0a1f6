"""`gnomon calibrate`: calibrate the confidence bounds of commands on a machine; list and show calibrations."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.connection import Connection, PatientConnection
from gnomon.cli.number_texts import number_pair
from gnomon.cli.option_group import with_options
from gnomon.cli.options import ConfigFile, configure
from gnomon.cli.output import Json, aligned_lines, print_json, print_table, say
from gnomon.cli.recordings_folder import RecordingsOption
from gnomon.cli.results_folder import ResultsFolder, results_of
from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from gnomon.procedures.bench import Bench
    from gnomon.procedures.calibrating import CalibrationOptions, Prepared
    from gnomon.recorder.bounds import CalibrationDocument
    from gnomon.recorder.calibration_folder import CalibrationFolder

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Calibrate the confidence bounds of commands on a machine; list and show calibrations.",
)

CalibrationsOption = Annotated[
    Path | None,
    typer.Option(
        "--calibrations",
        envvar="GNOMON_CALIBRATIONS",
        metavar="FOLDER",
        help="Folder of the calibrations.",
        show_default="`calibrations` beside the journals",
    ),
]


#: Time between two lines about the progress where there is no terminal [s].
TOLD_EVERY_S = 10.0


@app.command()
@with_options("connection", PatientConnection)
def measure(
    recording: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="NAME",
            help="Hold out only steps of the kinds that this recording makes: for its replay, in less time.",
            show_default="all kinds",
        ),
    ] = None,
    steerers: Annotated[
        str, typer.Option(help="Measure the response of steerers that match these patterns, separated by ','.")
    ] = "*",
    held_out: Annotated[
        str, typer.Option("--held-out", help="Hold out steps of supplies that match these patterns, separated by ','.")
    ] = "*",
    coverage: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Hold out as many steps of each kind as this coverage needs.")
    ] = 0.95,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Hold out this many steps of each kind.", show_default="by the coverage")
    ] = None,
    fit: Annotated[
        str | None, typer.Option(help="Use the response of this fit of the optics, a result's name; measure none.")
    ] = None,
    move: Annotated[float, typer.Option(min=0.0, help="Move the orbit by this at most [mm].")] = 0.3,
    tune_step: Annotated[float, typer.Option(min=0.0, help="Change a tune by this at most.")] = 1e-3,
    repeats: Annotated[int, typer.Option(min=3, help="Number of orbits for the noise.")] = 20,
    readings: Annotated[int, typer.Option(min=1, help="Number of readings to average at each setting.")] = 1,
    max_age: Annotated[float, typer.Option(min=0.0, help="Age above which it is not relied on [h].")] = 24.0,
    chamber: Annotated[
        str | None,
        typer.Option(metavar="X,Y", help="Half apertures of the chamber [mm], for its clearance.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the held-out steps.")] = 1,
    note: Annotated[str, typer.Option(help="Keep this text with the calibration.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how long it is expected to take, and set nothing.")
    ] = False,
    reading_period: Annotated[
        float, typer.Option(min=0.0, help="Expect a new reading of a machine this often [s]; a twin has one at once.")
    ] = 1.0,
    results: ResultsFolder = None,
    recordings: RecordingsOption = None,
    calibrations: CalibrationsOption = None,
    as_json: Json = False,
    *,
    connection: Connection,
) -> None:
    """Measure, calibrate and keep it. For example `gnomon calibrate measure --for bump --coverage 0.99`.

    The noise of orbit and tunes, a response of steerers and RF frequency, and held-out steps of steerers and
    quadrupoles: for each step, orbit and tunes before and after, there and back. All settings are put back, after
    Ctrl-C, too. How long it takes is told before anything is set.
    """
    from gnomon.cli.applying import open_bench
    from gnomon.procedures.calibrating import CalibrationOptions, calibrate_machine, prepare_calibration
    from gnomon.recorder.bounds import Predictor

    options = CalibrationOptions(
        steerers=_patterns(steerers), held_out=_patterns(held_out),
        kinds=_kinds(recording, recordings, connection.config), move_mm=move, tune_step=tune_step, repeats=repeats,
        readings=readings, coverage=coverage, steps=steps, seed=seed, max_age_h=max_age, note=note,
        half_aperture_mm=None if chamber is None else number_pair(chamber, "--chamber"),
    )  # fmt: skip
    place = results_of(results, connection.config)
    with open_bench(connection, place) as bench:
        run = None if fit is None else bench.outcome_of(fit, "optics-fit")[0]
        prepared = prepare_calibration(bench.session, options, response=run is None)
        _expect(bench, prepared, options, reading_period, as_json=dry_run and as_json)
        if dry_run:
            return
        with _progress() as listener:
            document = calibrate_machine(
                bench.session,
                bench.devices(),
                options,
                author=_author(),
                fit=run,
                prepared=prepared,
                listener=listener,
                progress=lambda text: say(text, err=True),
                interrupted=lambda: say("interrupted: putting the settings back", err=True),
            )
        Predictor.of(document, bench.session.ring).prepare()  # one that cannot predict is not kept
    path = _folder(calibrations, connection.config).save(document)
    if as_json:
        print_json(_told(document))
        return
    _show(document)
    say(f"kept as {path}")


@app.command("list")
def list_calibrations(
    calibrations: CalibrationsOption = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """List calibrations, the oldest first, with their age and what they are good for."""
    known = list(_folder(calibrations, config).all())
    if as_json:
        print_json([_told(each) for each in known])
        return
    if not known:
        say("no calibrations; `gnomon calibrate measure` makes one")
        return
    columns = ("id", "machine", "optics", "made", "age", "coverage", "author", "note")
    rows = [
        (each.id[:12], each.machine, each.optics, each.made, _age(each), _coverages(each), each.author, each.note)
        for each in known
    ]
    titles = {column: column for column in columns} | {"coverage": "coverage up to"}
    print_table([dict(zip(columns, map(printable, row), strict=True)) for row in rows], titles)


@app.command()
def show(
    calibration: Annotated[str, typer.Argument(help="First digits of the calibration's id, or newest.")] = "newest",
    calibrations: CalibrationsOption = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show a calibration: data, age, noise, discrepancy, and the held-out steps of each kind."""
    document = _folder(calibrations, config).load(calibration)
    if as_json:
        print_json(document.model_dump(mode="json"))
        return
    _show(document)


def _folder(folder: Path | None, config: Path | None) -> "CalibrationFolder":
    from gnomon.recorder.calibration_folder import CalibrationFolder

    return CalibrationFolder(configure(config).calibrations() if folder is None else folder.expanduser())


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _author() -> str:
    from gnomon.cli.recordings_folder import own_name

    return own_name()


def _kinds(recording: str | None, recordings: Path | None, config: Path | None) -> frozenset[str]:
    """Find the kinds of commands that a recording makes; none if there is no recording. Raises RecordingError."""
    if recording is None:
        return frozenset()
    from gnomon.cli.recordings_folder import folder_of, machine_of
    from gnomon.recorder.bounds import kind_of

    found = folder_of(recordings, config).find(recording).recording
    ring = machine_of(found, config, None, None).ring
    keys = {(change.device, change.property) for step in found.steps for change in step.changes}
    return frozenset(kind_of(ring, [key]) for key in keys)


def _expect(
    bench: "Bench", prepared: "Prepared", options: "CalibrationOptions", reading_period: float, *, as_json: bool
) -> None:
    """Show what will be measured, and how long that is expected to take."""
    from gnomon.procedures.calibrating import expected_calibration_time

    expected = expected_calibration_time(bench.session, prepared, options, reading_period)
    if as_json:
        print_json({"settings": expected.settings, "readings": expected.readings, "time_s": expected.time_s})
    else:
        say(f"calibration: {prepared.text}", err=True)
        say(f"calibration: {expected.text}, and what ramps take", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[Any, int], None]]:
    """Show the rows that are measured, and the time that is left: a bar on a terminal, else a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not sys.stderr.isatty():
        yield ProgressLines().row
        return
    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("left"))
    with Progress(*columns, console=Console(stderr=True, emoji=False), transient=True) as bar:
        task = bar.add_task("measuring", total=None)
        yield lambda row, total: bar.update(task, total=total, advance=1)


class ProgressLines:
    """Tells the progress in lines, with the time that the rest takes at the pace since the line before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_s, self._told = clock(), 0
        self._done = 0

    def row(self, row: Any, total: int) -> None:
        """Count a row; tell it if the last line was long ago."""
        self._done += 1
        now = self._clock()
        if now - self._told_s < TOLD_EVERY_S and self._done < total:
            return
        left_s = (now - self._told_s) / (self._done - self._told) * (total - self._done)
        self._told_s, self._told = now, self._done
        say(f"measured {self._done} of {total}, about {left_s:.0f} s left", err=True)


def _age_s(document: "CalibrationDocument") -> float:
    return time.time() - document.made_ns * 1e-9


def _age(document: "CalibrationDocument") -> str:
    age_h, limit_h = _age_s(document) / 3600.0, document.max_age_s / 3600.0
    return f"{age_h:.1f} h" + (f", above {limit_h:g} h" if age_h > limit_h else f" of {limit_h:g} h")


def _best(scores: int) -> float:
    """The highest coverage for which so many held-out steps give a finite band."""
    return scores / (scores + 1.0)


def _coverages(document: "CalibrationDocument") -> str:
    fewest: dict[str, int] = {}
    for each in document.bins:
        fewest[each.kind] = min(fewest.get(each.kind, len(each.scores)), len(each.scores))
    return ", ".join(f"{kind} {100.0 * _best(count):.1f} %" for kind, count in fewest.items()) or "none"


def _told(document: "CalibrationDocument") -> dict[str, Any]:
    told = document.model_dump(
        mode="json",
        exclude={
            "mean",
            "active",
            "factor",
            "reference",
            "baseline",
            "noise_mm",
            "still_mm",
            "still_tune",
            "bins",
            "monitors",
        },
    )
    told["follows_drift"] = bool(document.still_mm)
    bins = [
        {"kind": b.kind, "low": b.low, "high": b.high, "held_out": len(b.scores), "coverage": _best(len(b.scores))}
        for b in document.bins
    ]
    return {**told, "age_s": _age_s(document), "usable": 0.0 <= _age_s(document) <= document.max_age_s, "bins": bins}


def _show(document: "CalibrationDocument") -> None:
    noise_um = sorted(1e3 * each for pair in document.noise_mm for each in pair)
    held = document.held_out
    rows = [
        ["calibration", document.id],
        ["machine", f"{document.machine}, optics {document.optics} ({document.optics_digest})"],
        ["made", f"{document.made} by {document.author}; age {_age(document)}"],
        ["PVs", "not known" if document.prefix is None else f"prefix {document.prefix!r}"],
        ["note", document.note or "-"],
        ["data", "; ".join(_data(document)) or "none: the prior alone"],
        ["noise of a monitor", f"{noise_um[len(noise_um) // 2]:.3g} um, {noise_um[0]:.3g} to {noise_um[-1]:.3g} um"],
        ["noise of the tunes", "{:.2g}, {:.2g}".format(*document.noise_tune)],
        ["drift", "followed: energy, tunes" if document.still_mm else "not followed: no orbit of the baseline"],
        ["chi^2 per reading", "-" if held.chi_square is None else f"{held.chi_square:.3g}"],
        ["held-out steps", f"{held.for_discrepancy} for the discrepancy, {held.for_shell} for the shell"],
    ]
    for line in aligned_lines([[printable(cell) for cell in row] for row in rows], [False, False]):
        typer.echo(line)
    if document.bins:
        titles = {"kind": "kind", "low": "size from", "high": "to", "held_out": "held out"}
        titles |= {"coverage": "coverage up to [%]", "score": "score at 95 %"}
        print_table(_bins(document), titles, right=tuple(titles)[1:])
    else:
        say("no held-out steps: all bands are infinite, and nothing is accepted with them")


def _data(document: "CalibrationDocument") -> list[str]:
    return [f"{d.kind} {d.source}".rstrip() + f", {d.commands} commands" for d in document.data]


def _bins(document: "CalibrationDocument") -> list[dict[str, str]]:
    import numpy as np

    from gnomon.recorder.bounds import quantile

    return [
        {
            "kind": b.kind, "low": f"{b.low:.3g}", "high": f"{b.high:.3g}", "held_out": str(len(b.scores)),
            "coverage": f"{100.0 * _best(len(b.scores)):.1f}", "score": f"{quantile(np.sort(b.scores), 0.95):.3g}",
        }
        for b in document.bins
    ]  # fmt: skip
