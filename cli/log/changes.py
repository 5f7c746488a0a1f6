"""`gnomon log undo` and `gnomon restore`: earlier settings on the running server, by one new command."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.log.log_options import JournalOption, RunStates, asked, ring_of
from gnomon.cli.options import ConfigFile, Machine, Prefix, Server
from gnomon.cli.output import Json
from gnomon.cli.sending import DryRun, Sending, Yes, send
from gnomon.cli.served_journal import Asked, Offline, find_served_journal, refuse_offline

if TYPE_CHECKING:
    from gnomon.recorder import Entry, Reader
    from gnomon.recorder.recorded_states import RecordedState
    from gnomon.recorder.review import Assignment, Clash

#: Number of settings that are named in a refusal.
MAX_NAMED = 5
#: What the note of an undo begins with; the numbers of the commands follow.
UNDO = "undo "


def undo(
    context: typer.Context,
    sequences: Annotated[
        list[int] | None, typer.Argument(metavar="N...", help="Numbers of the commands.", show_default=False)
    ] = None,
    last: Annotated[
        int | None,
        typer.Option("--last", min=1, help="Undo this number of the newest commands that changed a setting."),
    ] = None,
    journal: JournalOption = None,
    machine: Machine = None,
    prefix: Prefix = None,
    force: Annotated[
        bool, typer.Option("--force", help="Undo even settings that have been changed again since.")
    ] = False,
    server: Server = None,
    offline: Offline = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Undo commands on the running server, newest first, by one new command. For example `gnomon log undo 12 14`.

    The settings that the commands changed get their previous values back. Refused if one of them no longer has the
    value that the command left, unless --force is given. On a terminal, asks first. An undo is a command, too:
    `gnomon log undo --last 1` after an undo takes the undo back.
    """
    from gnomon.recorder import Reader
    from gnomon.recorder.recorded_states import Nominals, same_machine, state_now
    from gnomon.recorder.review import restoration, undoing

    if bool(sequences) == (last is not None):
        raise typer.BadParameter("give the numbers of the commands to undo, or --last N", param_hint="N...")
    refuse_offline(offline=offline, dry_run=dry_run)
    path = find_served_journal(asked(context, journal, machine, prefix, server, offline=offline)).path
    with Reader(path) as reader:
        entries = reader.newest_changes(last) if last is not None else [reader.entry(n) for n in set(sequences or ())]

    def plan() -> "tuple[RecordedState, Sequence[Entry], tuple[Assignment, ...]]":
        with Reader(path) as reader:
            now = state_now(reader)
            for entry in entries:
                same_machine(reader.run(entry.run), now.run)
            nominals = Nominals(reader, now.run, ring_of(now.run))
            way = undoing(entries, now.settings, nominals)
            if way.clashes and not force:
                _refuse(way.clashes, reader, now)
            return now, way.entries, restoration(now.settings, way.settings, nominals, way.units)

    now, ordered, assignments = plan()
    states = RunStates(lambda _: now.run)
    if len(ordered) > 1 or last is not None:
        from gnomon.recorder import rendering

        console = rendering.make_console(stderr=as_json)
        console.print(rendering.entries_table(ordered, states))
        for entry in ordered:
            if entry.note.startswith(UNDO):
                line = f"{entry.sequence} is an undo itself ({entry.note}): its undo sets again what it had taken back"
                console.print(rendering.clean(line), style="yellow", soft_wrap=True)
    note = f"{UNDO}{' '.join(str(entry.sequence) for entry in ordered)}"
    send(now.run.prefix, note, assignments, lambda: plan()[2], Sending(dry_run, yes, as_json), states)


def restore(
    to: Annotated[
        int,
        typer.Option("--to", min=0, help="Restore the settings after the command of this number; 0: before the first."),
    ],
    journal: JournalOption = None,
    config: ConfigFile = None,
    machine: Machine = None,
    prefix: Prefix = None,
    server: Server = None,
    offline: Offline = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Restore the settings that the running server had after a command, by one new command.

    For example `gnomon restore --to 40 --dry-run`. Only settings that differ are sent; either all of them are made or
    none. On a terminal, asks first.
    """
    from gnomon.recorder import Reader
    from gnomon.recorder.recorded_states import Nominals, same_machine, state_at, state_now
    from gnomon.recorder.review import restoration

    refuse_offline(offline=offline, dry_run=dry_run)
    path = find_served_journal(Asked(journal, config, machine, prefix, server, offline)).path

    def plan() -> "tuple[RecordedState, tuple[Assignment, ...]]":
        with Reader(path) as reader:
            then, now = state_at(reader, to), state_now(reader)
            same_machine(then.run, now.run)
            nominals = Nominals(reader, now.run, ring_of(now.run))
            return now, restoration(now.settings, then.settings, nominals, reader.units())

    now, assignments = plan()
    states = RunStates(lambda _: now.run)
    send(now.run.prefix, f"restore --to {to}", assignments, lambda: plan()[1], Sending(dry_run, yes, as_json), states)


def _refuse(clashes: "Sequence[Clash]", reader: "Reader", now: "RecordedState") -> None:
    """Raise ReviewError: name the settings that stand in the way of an undo, and who changed them."""
    from gnomon.recorder import ReviewError
    from gnomon.recorder.rendering import difference_texts, local_time

    last = {effect.key: effect.sequence for effect in reader.effects(run=now.run.run)}
    lines = []
    for clash in clashes[:MAX_NAMED]:
        if (sequence := last.get(clash.key)) is not None:
            by = reader.entry(sequence)
            who = f"changed by {by.client.user}@{by.client.host}, command {sequence}, {local_time(by.wall_ns)}"
        else:
            who = f"since the server was restarted, {local_time(now.run.wall_ns)}"
        left, present = difference_texts(clash.left, clash.now)
        lines.append(
            f"  {clash.key[0]} {clash.key[1]}: command {clash.sequence} left {left} {clash.unit}, now {present} "
            f"{clash.unit}, {who}"
        )
    if len(clashes) > MAX_NAMED:
        lines.append(f"  and {len(clashes) - MAX_NAMED} more settings")
    numbers = ", ".join(dict.fromkeys(str(clash.sequence) for clash in clashes))
    raise ReviewError(
        f"not undone, since settings no longer have the values that command {numbers} left; use --force to undo it "
        "nevertheless\n" + "\n".join(lines)
    )
