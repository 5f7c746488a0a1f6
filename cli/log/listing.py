"""`gnomon log list`: the recorded commands with clients and outcomes, and those still to come."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gnomon.cli.log.options import Chosen, FollowOption, JournalOption, LastOption, chosen_journal, with_filter
from gnomon.cli.options import ConfigFile, Machine, Prefix

if TYPE_CHECKING:
    from gnomon.recorder import Filter


@with_filter
def log(
    context: typer.Context,
    journal: JournalOption = None,
    config: ConfigFile = None,
    machine: Machine = None,
    prefix: Prefix = None,
    *,
    which: "Filter",
    last: LastOption = 20,
    follow: FollowOption = False,
) -> None:
    """Keep the options for the subcommand; without a subcommand, list the commands."""
    context.obj = Chosen(journal, config, machine, prefix)
    if context.invoked_subcommand is None:
        _list(chosen_journal(context), which, last, follow)


@with_filter
def list_(
    context: typer.Context,
    journal: JournalOption = None,
    machine: Machine = None,
    prefix: Prefix = None,
    *,
    which: "Filter",
    last: LastOption = 20,
    follow: FollowOption = False,
) -> None:
    """List recorded commands, oldest first. For example `gnomon log list --client operator@* --since 2h`."""
    _list(chosen_journal(context, journal, machine, prefix), which, last, follow)


def _list(journal: Path, which: "Filter", last: int, follow: bool) -> None:
    from gnomon.recorder import Reader, rendering

    console = rendering.make_console()
    with Reader(journal) as reader:
        after = reader.last_sequence()
        entries = reader.newest(last, which)
        if entries:
            console.print(rendering.entries_table(entries))
        elif not follow:
            console.print("no matching command in the journal")
        if follow:
            with suppress(KeyboardInterrupt):
                for entry in reader.follow(which, after=after):
                    console.print(rendering.entry_line(entry), soft_wrap=True)
