"""`gnomon record`: named recordings of commands, to be reviewed, approved and replayed."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.option_group import with_options
from gnomon.cli.options import ConfigFile, Machine, Pvs, configure
from gnomon.cli.output import Json, print_json, print_table, say
from gnomon.cli.recordings_folder import RecordingName, RecordingsOption, folder_of, label
from gnomon.cli.served_journal import Asked, find_served_journal
from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from gnomon.recorder.recordings import Label, MonitorPosition, Recording, RecordingFile, RecordingFolder

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Record commands of a running server under a name, to be reviewed, approved and replayed.",
)

Name = Annotated[str, typer.Argument(help="Name of the recording: letters, digits, dots, dashes, underscores.")]
Purpose = Annotated[str, typer.Option("--purpose", "-m", help="What the recording is for, in words.")]


def _reference_from(default: str) -> Any:
    return typer.Option(
        "--reference-from",
        metavar="PREFIX",
        help="Count limits of the orbit from what the machine with this prefix shows now; '' for no prefix.",
        show_default=default,
    )


Calibration = Annotated[str, typer.Option("--calibration", help="Id of the calibration that the server has.")]


@app.command()
@with_options("asked", Asked, without=("offline",))
def start(
    name: Name,
    purpose: Purpose,
    calibration: Calibration = "",
    recordings: RecordingsOption = None,
    pvs: Pvs = None,
    *,
    asked: Asked,
    reference_from: Annotated[
        str | None, _reference_from("the server's reference orbit, else its orbit at the start")
    ] = None,
) -> None:
    """Begin a recording with the next command of the running server. For example `gnomon record start bump -m 'a bump
    for the beamline'`.

    A machine with errors does not have the orbit of its twin: for a replay to it, give --reference-from.
    """
    from gnomon.recorder import Reader
    from gnomon.recorder.recordings import Begun

    words = label(name, purpose, calibration)
    served = find_served_journal(asked)
    with Reader(served.path) as reader:
        run, after = reader.newest_run(), reader.last_sequence()
    begun = Begun(
        name=words.name,
        purpose=words.purpose,
        author=words.author,
        time=words.made,
        journal=str(served.path.absolute()),
        prefix=run.prefix,
        run=run.run,
        after=after,
        calibration_id=words.calibration_id,
        reference=_reference(run.prefix, asked.server, asked.config)
        if reference_from is None
        else _orbit_of(reference_from, run.machine, asked.config, pvs),
    )
    folder_of(recordings, asked.config).begin(begun)
    say(f"{name}: recording the commands under {run.prefix!r} after number {after}; end it with gnomon record stop")


@app.command()
def stop(
    name: Annotated[
        str | None, typer.Argument(help="Name of the recording.", show_default="the only one that has begun")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="End it without making a recording.")] = False,
    recordings: RecordingsOption = None,
    config: ConfigFile = None,
) -> None:
    """End a recording: make it from the commands since its beginning. For example `gnomon record stop bump`."""
    from gnomon.recorder import Reader, RecordingError
    from gnomon.recorder.recordings import Label

    folder = folder_of(recordings, config)
    begun = [each for each in folder.begun() if name in (None, each.name)]
    if len(begun) != 1:
        which = f"recording {name!r}" if name else "recording"
        text = f"several recordings have begun: {', '.join(each.name for each in begun)}; say which one ends"
        raise RecordingError(text if begun else f"no {which} has begun; gnomon record start NAME -m PURPOSE begins one")
    mark = begun[0]
    if forget:
        folder.forget(mark.name)
        say(f"{mark.name}: ended; nothing was recorded")
        return
    with Reader(Path(mark.journal)) as reader:
        newest, last = reader.newest_run(), reader.last_sequence()
    if newest.run != mark.run:
        raise RecordingError(
            f"the server was restarted since {mark.name!r} began (run {mark.run}, now {newest.run}); record what is "
            f"wanted with gnomon record excerpt --journal {mark.journal}, or end it with --forget"
        )
    if last == mark.after:
        raise RecordingError(
            f"no command since {mark.name!r} began: there is nothing to record; --forget ends it without one"
        )
    words = Label(mark.name, mark.purpose, mark.author, time.time_ns(), mark.calibration_id)
    made = _make(words, Path(mark.journal), (mark.after + 1, last), mark.reference, config)
    folder.forget(mark.name)
    _keep(folder, made)


@app.command()
def excerpt(
    name: Name,
    purpose: Purpose,
    first: Annotated[int, typer.Option("--from", min=1, help="Number of the first command.")],
    last: Annotated[int, typer.Option("--to", min=1, help="Number of the last command.")],
    calibration: Calibration = "",
    recordings: RecordingsOption = None,
    config: ConfigFile = None,
    machine: Machine = None,
    pvs: Pvs = None,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", help="Read this journal file.", show_default="that of the running server"),
    ] = None,
    reference_from: Annotated[str | None, _reference_from("the orbit before the first command")] = None,
) -> None:
    """Make a recording of commands that a journal has. For example `gnomon record excerpt bump -m 'a bump' --from 12
    --to 30`.

    For a replay to a machine with errors, give --reference-from, as for `gnomon record start`.
    """
    from gnomon.cli.log.log_options import journal_to_read
    from gnomon.recorder import Reader
    from gnomon.recorder.recorded_states import state_before

    if last < first:
        raise typer.BadParameter(f"the last command, {last}, comes before the first one, {first} (--from)")
    path = journal_to_read(Asked(journal, config))
    words = label(name, purpose, calibration)
    reference: Sequence[MonitorPosition] = ()
    if reference_from is not None:
        with Reader(path) as reader:
            of = machine or state_before(reader, first).run.machine
        reference = _orbit_of(reference_from, of, config, pvs)
    _keep(folder_of(recordings, config), _make(words, path, (first, last), reference, config, machine, pvs))


@app.command("list")
def list_(recordings: RecordingsOption = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List all recordings, the oldest first, and those that have begun."""
    folder = folder_of(recordings, config)
    rows = [_row(file) for file in folder.all()]
    rows += [
        {"name": each.name, "id": "begun", "made": each.time, "author": each.author, "machine": "", "steps": None}
        | {"parent": "", "approved by": "", "purpose": each.purpose}
        for each in folder.begun()
    ]
    titles = ("name", "id", "made", "author", "machine", "steps", "parent", "approved by", "purpose")
    print_table(
        [row if as_json else row | {"id": row["id"][:12], "parent": row["parent"][:12]} for row in rows],
        {each: each for each in titles},
        as_json=as_json,
        right=("steps",),
        empty="no recordings yet; `gnomon record start NAME -m PURPOSE` begins one",
    )


@app.command()
def show(
    name: RecordingName, recordings: RecordingsOption = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """Show a recording: where it comes from, its approvals, and its steps. `gnomon review` shows what they would do."""
    from gnomon.recorder import rendering
    from gnomon.recorder.recordings import approval_texts, steps_table

    file = folder_of(recordings, config).find(name)
    if as_json:
        print_json(file.model_dump(by_alias=True, mode="json"))
        return
    recording = file.recording
    facts = rendering.make_table()
    for title, text in (
        ("recording", f"{recording.name}, {recording.id}"),
        ("purpose", recording.purpose),
        ("author", f"{recording.author}, {recording.made}"),
        *([("edited from", recording.parent)] if recording.parent else []),
        ("machine", f"{recording.machine} (document {recording.digest}), recorded under {recording.prefix!r}"),
        ("start", f"lattice {recording.start.lattice_id}, {len(recording.start.settings)} settings not nominal"),
        ("calibration", recording.calibration_id or "none"),
        *(("approval", text) for text in approval_texts(file)),
    ):
        facts.add_row(title, rendering.clean(text))
    console = rendering.make_console()
    console.print(facts)
    console.print()
    console.print(steps_table(recording))


@app.command()
def export(
    name: RecordingName,
    file: Annotated[Path, typer.Argument(help="File to write (JSON).")],
    recordings: RecordingsOption = None,
    config: ConfigFile = None,
) -> None:
    """Write a recording and its approvals to a file. For example `gnomon record export bump bump.json`."""
    found = folder_of(recordings, config).find(name)
    if file.exists():
        raise typer.BadParameter(f"{file} exists; choose another name", param_hint="FILE")
    file.write_text(found.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
    say(f"{found.recording.name}: {file}, {len(found.approvals)} approvals")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="File that `gnomon record export` wrote.")],
    recordings: RecordingsOption = None,
    config: ConfigFile = None,
) -> None:
    """Read a recording and its approvals from a file. For example `gnomon record import bump.json`.

    A content that was changed, or an approval with a wrong signature, is refused.
    """
    from gnomon.recorder.recordings import read_recording_file, verify

    found = read_recording_file(file)
    for approval in found.approvals:
        verify(approval, found.recording)
    path = folder_of(recordings, config).add(found)
    say(f"{found.recording.name} {found.recording.id[:12]}: {len(found.recording.steps)} steps, kept in {path}")


def _row(file: "RecordingFile") -> dict[str, Any]:
    recording = file.recording
    return {
        "name": recording.name,
        "id": recording.id,
        "made": recording.made,
        "author": recording.author,
        "machine": recording.machine,
        "steps": len(recording.steps),
        "parent": recording.parent,
        "approved by": ", ".join(approval.reviewer for approval in file.approvals),
        "purpose": recording.purpose,
    }


def _keep(folder: "RecordingFolder", recording: "Recording") -> None:
    from gnomon.recorder.recordings import RecordingFile

    path = folder.add(RecordingFile(recording=recording))
    say(
        f"{recording.name} {recording.id[:12]}: {len(recording.steps)} steps, kept in {path}\n"
        f"see what it would do with gnomon review {recording.name}"
    )


def _make(
    words: "Label",
    path: Path,
    numbers: tuple[int, int],
    reference: "Sequence[MonitorPosition]",
    config: Path | None,
    machine: str | None = None,
    pvs: str | None = None,
) -> "Recording":
    """Make a recording of commands of a journal."""
    from gnomon.ioc.base.machines import find_machine, pvs_of, recorded_machine
    from gnomon.propagator import Propagator
    from gnomon.recorder import Filter, Reader
    from gnomon.recorder.recorded_states import state_before
    from gnomon.recorder.recordings import MONTH_NS, Past, make_recording

    first, last = numbers
    with Reader(path) as reader:
        before = state_before(reader, first)
        reader.entry(last)
        entries = tuple(reader.entries(Filter(first=first, last=last)))
        ranges = reader.ranges(before.run.machine, entries[0].wall_ns - MONTH_NS, first - 1)
    settings = configure(config, machine=machine, pvs=pvs)
    run = before.run
    loaded = find_machine(settings) if machine else recorded_machine(settings, run.machine, run.digest)
    return make_recording(
        words,
        entries,
        Past(run, before.settings, ranges),
        loaded.ring.nominal,
        pvs_of(loaded, run.prefix),
        Propagator(loaded.ring, settings.model.momentum, chromatic=False),
        reference,
    )


def _reference(prefix: str, server: str | None, config: Path | None) -> "tuple[MonitorPosition, ...]":
    """Read the reference orbit that the running server compares with; nothing where that is the design orbit."""
    import numpy as np

    from gnomon.cli.connection import connected_to
    from gnomon.cli.options import running_server
    from gnomon.recorder.recordings import positions

    with connected_to(running_server(config, None, prefix, server)) as client:
        chosen, names, x, y = client.get("dt:orbit:ref:use", "dt:orbit:names", "dt:orbit:ref:x", "dt:orbit:ref:y")
    if chosen.value == "zero":
        return ()
    return positions([printable(name) for name in names.value], np.stack([x.value, y.value], axis=1))


def _orbit_of(prefix: str, machine: str, config: Path | None, pvs: str | None) -> "tuple[MonitorPosition, ...]":
    """Read the orbit that the monitors of a machine show, without those that show none.

    Raises RecordingError if that are fewer than half of them.
    """
    import numpy as np

    from gnomon.cli.connection import connected_to
    from gnomon.clients.server_choice import choose_server
    from gnomon.ioc.base.machines import find_machine, pvs_of
    from gnomon.lattice.units import conversion_factor
    from gnomon.recorder import RecordingError
    from gnomon.recorder.recordings import positions
    from gnomon.recorder.replaying import beam_pvs

    loaded = find_machine(configure(config, machine=machine, pvs=pvs))
    names = [bpm.name for bpm in loaded.ring.bpms]
    specs = beam_pvs(pvs_of(loaded, prefix), names).monitors
    with connected_to(choose_server(prefix=prefix)) as client:
        shown = client.get(*(spec.name for pair in specs for spec in pair))
    values = [np.nan if each.severity_name == "INVALID" else float(each.value) for each in shown]
    to_mm = [[conversion_factor(spec.unit, "mm") or np.nan for spec in pair] for pair in specs]
    orbit = np.array(values).reshape(-1, 2) * to_mm
    found = positions(names, orbit)
    if 2 * len(found) < len(names):
        raise RecordingError(f"only {len(found)} of {len(names)} monitors under {prefix!r} show the beam")
    return found
