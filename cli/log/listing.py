"""`gnomon log list`: the recorded commands with clients and outcomes, and those still to come."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gnomon.cli.log.log_options import (
    Chosen,
    FollowOption,
    JournalOption,
    LastOption,
    RunStates,
    chosen_journal,
    with_filter,
)
from gnomon.cli.options import ConfigFile, Machine, Prefix
from gnomon.cli.output import Json, print_json

if TYPE_CHECKING:
    from gnomon.recorder import Entry, Filter, Reader


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
    as_json: Json = False,
) -> None:
    """Keep the options for the subcommand; without a subcommand, list the commands."""
    context.obj = Chosen(journal, config, machine, prefix)
    if context.invoked_subcommand is None:
        _list(chosen_journal(context), which, last, follow, as_json)


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
    as_json: Json = False,
) -> None:
    """List recorded commands, oldest first. For example `gnomon log list --client operator@* --since 2h`."""
    _list(chosen_journal(context, journal, machine, prefix), which, last, follow, as_json)


def _list(journal: Path, which: "Filter", last: int, follow: bool, as_json: bool) -> None:
    from gnomon.recorder import Reader, rendering

    console = rendering.make_console()
    with Reader(journal) as reader:
        states = RunStates(reader.run)
        after = reader.last_sequence()
        entries = reader.newest(last, which)
        _tell_hidden(reader, entries, which)
        if as_json:
            _print_json(reader, entries, which, after if follow else None)
        elif follow:
            _follow(reader, entries, which, after)
        elif entries:
            console.print(rendering.entries_table(entries, states))
        else:
            console.print("no matching command in the journal")


def _follow(reader: "Reader", entries: "Sequence[Entry]", which: "Filter", after: int) -> None:
    """Show commands, then those that follow, and the further outcomes of all of them, until an interrupt."""
    from gnomon.recorder import rendering

    console = rendering.make_console()
    lines = rendering.EntryLines(entries, RunStates(reader.run))
    console.print(lines.header(), soft_wrap=True)
    for entry in entries:
        console.print(lines.line(entry), soft_wrap=True)
    with suppress(KeyboardInterrupt):
        for entry, later in reader.follow(which, after=after):
            console.print(lines.line(entry, later=later), soft_wrap=True)


def _print_json(reader: "Reader", entries: "Sequence[Entry]", which: "Filter", after: int | None) -> None:
    """Print the documents of commands as JSON: as one list, or with `after` one line each, and those that follow."""
    from gnomon.recorder.export import documents, write_jsonl

    if after is None:
        print_json(documents(entries, reader.run))
        return
    write_jsonl(entries, reader.run, sys.stdout)
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        for entry, _ in reader.follow(which, after=after):
            write_jsonl([entry], reader.run, sys.stdout)
            sys.stdout.flush()


def _tell_hidden(reader: "Reader", entries: "Sequence[Entry]", which: "Filter") -> None:
    """Say how many earlier commands match the filter and are not shown; on stderr, to keep a pipe free of it."""
    if not entries:
        return
    total = reader.count(which)
    if total is None:
        typer.echo("... earlier commands are not shown; --last N shows more", err=True)
    elif total > len(entries):
        typer.echo(f"... {total - len(entries)} earlier commands not shown; --last {total}", err=True)
