"""`gnomon snapshot`: named sets of all setpoints, to compare, restore, and exchange with other programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.archived_setpoints import from_archiver, history
from gnomon.cli.imported_setpoints import DONE_IN_PART, keep_imported, tell_names
from gnomon.cli.log.log_options import RunStates
from gnomon.cli.option_group import with_options
from gnomon.cli.options import ConfigFile, Machine, configure
from gnomon.cli.output import Json, print_json, say
from gnomon.cli.sending import DryRun, Sending, Yes, send
from gnomon.cli.served_journal import Asked, find_served_journal, refuse_offline

if TYPE_CHECKING:
    from gnomon.ioc.base.config import Config
    from gnomon.ioc.base.snapshot_store import PresentState
    from gnomon.recorder.review import Assignment
    from gnomon.recorder.snapshots import Entry, Snapshot

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Save, list, show, compare, restore, delete, export and import named snapshots of all setpoints.",
)

Name = Annotated[str, typer.Argument(help="Name of the snapshot.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Comment to keep with the snapshot.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Save a new revision if a snapshot of this name exists, instead of refusing.")
]
RevisionOption = Annotated[
    int | None, typer.Option(min=1, help="Use this revision of the snapshot.", show_default="the newest")
]


@app.command()
@with_options("asked", Asked)
def save(
    name: Name,
    comment: Comment = "",
    replace: Replace = False,
    *,
    asked: Asked,
) -> None:
    """Save the running server's present settings. For example `gnomon snapshot save flat -m 'before the bump'`."""
    from gnomon.ioc.base import snapshot_store as store

    settings, now = _present(asked)
    kept = store.save(settings, name, store.snapshot_of(now, comment), replace=replace)
    saved = kept.snapshot
    say(
        f"{name}: {len(saved.entries)} settings of {saved.machine} at {saved.source}, lattice {saved.lattice_id}, "
        f"revision {kept.revision}"
    )


@app.command("list")
def list_(config: ConfigFile = None, as_json: Json = False) -> None:
    """List all snapshots."""
    from gnomon.clients.running_snapshots import snapshot_document
    from gnomon.ioc.base import snapshot_store as store
    from gnomon.recorder import rendering

    table = rendering.make_table(
        "name", "saved", "by", "machine", "prefix", "settings", "lattice", "comment", right=(5,)
    )
    known = store.list_snapshots(configure(config))
    if as_json:
        print_json([snapshot_document(kept, with_entries=False) for kept in known])
        return
    for kept in known:
        s = kept.snapshot
        who = f"{s.signed.user}@{s.signed.host}"
        cells = [kept.name, rendering.local_time(s.signed.time_ns)[:19], who, s.machine, repr(s.prefix)]
        cells += [str(len(s.entries)), s.lattice_id or f"of {s.source}", s.comment]
        table.add_row(*map(rendering.clean, cells))
    console = rendering.make_console()
    console.print(table if known else "no snapshots; save one with `gnomon snapshot save NAME`")


@app.command()
def show(
    name: Name,
    every: Annotated[bool, typer.Option("--all", help="Include nominal settings.")] = False,
    revision: RevisionOption = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show a snapshot: its origin, and its settings that are not nominal. For example `gnomon snapshot show flat`."""
    from gnomon.clients.running_snapshots import snapshot_document
    from gnomon.ioc.base import snapshot_store as store
    from gnomon.recorder import rendering

    settings = configure(config)
    kept = store.find(settings, name, revision)
    if as_json:
        print_json(snapshot_document(kept, with_entries=True))
        return
    s = kept.snapshot
    facts = {
        "saved": f"{rendering.local_time(s.signed.time_ns)} by {s.signed.user}@{s.signed.host}",
        "comment": s.comment,
        "from": f"{s.source}, PVs under {s.prefix!r}",
        "machine": f"{s.machine} (document {s.digest})",
        "lattice": s.lattice_id or f"unknown: the snapshot has only {len(s.entries)} setpoints",
        "revision": str(kept.revision),
    }
    table = rendering.make_table()
    for word, value in facts.items():
        table.add_row(word, rendering.clean(value))
    console = rendering.make_console()
    console.print(rendering.clean(name), style="bold")
    console.print(table)
    entries = s.entries if every else _not_nominal(settings, s)
    console.print(rendering.values_table((e.label, e.value, e.unit) for e in entries))
    if len(entries) < len(s.entries):
        console.print(f"and {len(s.entries) - len(entries)} nominal settings; show them with --all")


@app.command()
@with_options("asked", Asked)
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="Name of a snapshot.")],
    second: Annotated[
        str | None,
        typer.Argument(metavar="B", help="Name of another snapshot.", show_default="the running server"),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            "--tolerance",
            help="Count values as equal within VALUE, VALUE% or PATTERN=VALUE; repeat the option for several patterns.",
            show_default="0",
        ),
    ] = None,
    *,
    asked: Asked,
    as_json: Json = False,
) -> None:
    """Compare two snapshots, or one with the running server; the exit code is 1 if they differ.

    For example `gnomon snapshot diff flat --tolerance current=1e-4 --tolerance 'HS*:set=1e-3'`. A pattern selects PVs
    by name, without prefix, or a kind of setting (current, frequency, voltage, k1_trim, ...). Values are in the PV's
    unit, or in percent of the value in A. If several tolerances match, the last one counts.
    """
    from gnomon.clients.running_snapshots import compare_snapshots
    from gnomon.ioc.base import snapshot_store as store
    from gnomon.recorder import rendering
    from gnomon.recorder.tolerances import parse_tolerances

    settings = configure(asked.config)
    parse_tolerances(tolerance or ())
    a = store.find(settings, first).snapshot
    if second is None:
        _, now = _present(asked)
        b, other = store.snapshot_of(now, ""), "now"
    else:
        b, other = store.find(settings, second).snapshot, second
    different = compare_snapshots(a, b, (first, other), tolerance or ())
    if as_json:
        print_json([dict(zip(("pv", "first", "second", "unit"), row, strict=True)) for row in different])
        raise typer.Exit(1 if different else 0)
    console = rendering.make_console()
    if different:
        console.print(rendering.moves_table(different, first, other))
        raise typer.Exit(1)
    within = " within the tolerance" if tolerance else ""
    shared = "" if a.complete and b.complete else " in the settings that both have"
    console.print(rendering.clean(f"no difference: {first} and {other} are the same{shared}{within}"))


@app.command()
@with_options("asked", Asked)
def restore(
    name: Name,
    dry_run: DryRun = False,
    yes: Yes = False,
    revision: RevisionOption = None,
    *,
    asked: Asked,
    as_json: Json = False,
) -> None:
    """Restore a snapshot's settings on the running server, by one command.

    For example `gnomon snapshot restore flat --dry-run`. Only settings that differ are sent; either all of them are
    made or none. On a terminal, asks first.
    """
    from gnomon.ioc.base import snapshot_store as store
    from gnomon.recorder import rendering
    from gnomon.recorder.snapshots import assignments

    refuse_offline(offline=asked.offline, dry_run=dry_run)
    settings, now = _present(asked)
    snapshot = store.find(settings, name, revision).snapshot

    def again() -> "Sequence[Assignment]":
        return assignments(snapshot, _present(asked)[1].lattice)

    console = rendering.make_console(stderr=as_json)
    todo = assignments(snapshot, now.lattice)
    states = RunStates(lambda _: now.run)
    reply = send(now.run.prefix, f"snapshot restore {name}", todo, again, Sending(dry_run, yes, as_json), states)
    same_document = snapshot.complete and snapshot.digest == now.run.digest
    if reply is not None and reply.lattice_id and same_document and reply.lattice_id != snapshot.lattice_id:
        console.print(
            f"the lattice is {reply.lattice_id}, not {snapshot.lattice_id} as saved: a fault acted on the command, or "
            "another client changed a setting meanwhile",
            style="yellow",
        )


@app.command()
def delete(name: Name, config: ConfigFile = None) -> None:
    """Delete a snapshot; its revisions stay in the document store."""
    from gnomon.ioc.base import snapshot_store as store

    kept = store.delete(configure(config), name)
    say(f"snapshot {name} is deleted; `gnomon snapshot show {name} --revision {kept.revision}` still shows it")


@app.command()
def export(
    name: Name,
    file: Annotated[Path, typer.Argument(help="File to write (.sav, .snp, .snap, .csv, .bms or .txt).")],
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="Format of the file: autosave, burt, phoebus or pairs.", show_default="by the suffix"
        ),
    ] = None,
    revision: RevisionOption = None,
    config: ConfigFile = None,
    prefix: Annotated[
        str | None,
        typer.Option(help="Prefix of the PV names in the file.", show_default="the prefix of the snapshot"),
    ] = None,
) -> None:
    """Write a snapshot as a file of another program. For example `gnomon snapshot export flat flat.sav --prefix ''`."""
    from gnomon.ioc.base import snapshot_store as store
    from gnomon.recorder.save_files import FORMATS, About, Value, write
    from gnomon.recorder.snapshots import exported

    if form is not None and form not in FORMATS:
        raise typer.BadParameter(
            f"{form!r} is not a known format; use one of {', '.join(FORMATS)}", param_hint="--format"
        )
    s = store.find(configure(config), name, revision).snapshot
    begin = s.prefix if prefix is None else prefix
    taken, left = exported(s.entries)
    values = [Value(begin + e.pv, e.value) for e in taken]
    write(file, values, About(name, s.comment, s.signed.user, s.signed.time_ns), form)
    say(f"{len(values)} setpoints written to {file}")
    if untrimmed := sum(bool(e.pv) for e in left):
        say(f"{untrimmed} not in the file: strengths without a trim, which follow their currents", err=True)
    tell_names("not in the file, since no PV sets them", [e.label for e in left if not e.pv])


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="File to read: autosave, BURT, Phoebus save and restore, or lines of PV,value.")
    ],
    name: Annotated[
        str | None, typer.Argument(help="Name of the snapshot.", show_default="the name of the file")
    ] = None,
    comment: Comment = "",
    replace: Replace = False,
    config: ConfigFile = None,
    machine: Machine = None,
    prefix: Annotated[
        str | None, typer.Option(help="Prefix that PV names in the file may have.", show_default="TWIN:")
    ] = None,
) -> None:
    """Make a snapshot from the setpoints in a file. For example `gnomon snapshot import before.snp`.

    Other PVs in the file are listed. Lines that cannot be read and setpoints without a value are listed too; the
    remaining setpoints are imported, and the exit code is 3. Nothing is imported if a setpoint has two values, or a
    value that it cannot have.
    """
    from gnomon.ioc.base.machines import find_machine
    from gnomon.recorder.save_files import read

    settings = configure(config, machine, prefix)
    saved = read(file)
    loaded = find_machine(settings)
    if not keep_imported(
        settings, loaded, saved, (file.name, str(file)), name=name or file.stem, comment=comment, replace=replace
    ):
        raise typer.Exit(DONE_IN_PART)


app.command("from-archiver")(from_archiver)
app.command()(history)


def _present(asked: Asked) -> "tuple[Config, PresentState]":
    """Read the configuration, and the present settings of the running server that the options select."""
    from gnomon.clients.running_snapshots import present_state

    settings = configure(asked.config, asked.machine, asked.prefix, asked.journal)
    served = find_served_journal(asked)
    return settings, present_state(settings, served)


def _not_nominal(config: "Config", snapshot: "Snapshot") -> "tuple[Entry, ...]":
    """Select the entries that differ from the nominal lattice of the snapshot's machine; all if it is not available."""
    from gnomon.ioc.base.machines import recorded_machine
    from gnomon.lattice import LatticeError

    try:
        nominal = recorded_machine(config, snapshot.machine, snapshot.digest).ring.nominal
        return tuple(e for e in snapshot.entries if nominal[e.key] != e.stored)
    except LatticeError:
        return snapshot.entries
