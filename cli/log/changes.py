"""`gnomon log undo` and `gnomon restore`: earlier settings on the running server, by one new command."""

from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.log.log_options import JournalOption, RunStates, asked, ring_of
from gnomon.cli.options import ConfigFile, Machine, Prefix, Server
from gnomon.cli.output import Json
from gnomon.cli.sending import DryRun, Sending, Yes, send
from gnomon.cli.served_journal import Asked, Offline, find_served_journal, refuse_offline

if TYPE_CHECKING:
    from gnomon.clients.recorded_commands import WayBack


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
    from gnomon.clients.recorded_commands import UNDO, commands_to_undo, plan_undo
    from gnomon.recorder import Reader

    if bool(sequences) == (last is not None):
        raise typer.BadParameter("give the numbers of the commands to undo, or --last N", param_hint="N...")
    refuse_offline(offline=offline, dry_run=dry_run)
    path = find_served_journal(asked(context, journal, machine, prefix, server, offline=offline)).path
    with Reader(path) as reader:
        entries = commands_to_undo(reader, sequences or (), last)

    def plan() -> "WayBack":
        return plan_undo(path, entries, ring_of, force=force, how_to_force="--force")

    way = plan()
    states = RunStates(lambda _: way.run)
    if len(way.entries) > 1 or last is not None:
        from gnomon.recorder import rendering

        console = rendering.make_console(stderr=as_json)
        console.print(rendering.entries_table(way.entries, states))
        for entry in way.entries:
            if entry.note.startswith(UNDO):
                line = f"{entry.sequence} is an undo itself ({entry.note}): its undo sets again what it had taken back"
                console.print(rendering.clean(line), style="yellow", soft_wrap=True)
    sending = Sending(dry_run, yes, as_json)
    send(way.run.prefix, way.note, way.assignments, lambda: plan().assignments, sending, states)


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
    from gnomon.clients.recorded_commands import plan_restore

    refuse_offline(offline=offline, dry_run=dry_run)
    path = find_served_journal(Asked(journal, config, machine, prefix, server, offline)).path

    def plan() -> "WayBack":
        return plan_restore(path, to, ring_of)

    way = plan()
    states, sending = RunStates(lambda _: way.run), Sending(dry_run, yes, as_json)
    send(way.run.prefix, way.note, way.assignments, lambda: plan().assignments, sending, states)
