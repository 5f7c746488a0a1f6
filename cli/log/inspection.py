"""`gnomon log show`, `export` and `diff`: one command, many commands as a file, and the settings at two points."""

import os
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.log.log_options import JournalOption, RunStates, chosen_journal, ring_of, with_filter
from gnomon.cli.options import Machine, Prefix
from gnomon.cli.output import Json, print_json, say

if TYPE_CHECKING:
    from gnomon.recorder import Entry, Filter, Run
    from gnomon.recorder.rendering import StateName


def show(
    context: typer.Context,
    sequence: Annotated[int, typer.Argument(help="Number of the command.")],
    journal: JournalOption = None,
    machine: Machine = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Show everything that is recorded about one command. For example `gnomon log show 12`."""
    from gnomon.recorder import Reader
    from gnomon.recorder.export import documents

    with Reader(chosen_journal(context, journal, machine, prefix)) as reader:
        entry = reader.entry(sequence)
        if as_json:
            print_json(documents([entry], reader.run)[0])
        else:
            _print(entry, reader.run(entry.run), RunStates(reader.run))


def _print(entry: "Entry", run: "Run", states: "StateName") -> None:
    from gnomon.recorder import rendering

    console = rendering.make_console()
    console.print(
        rendering.clean(f"command {entry.sequence}" + (f" ({entry.note})" if entry.note else "")), style="bold"
    )
    console.print(rendering.facts_table(entry, run))
    if entry.changes:
        console.print("requested", style="bold")
        console.print(rendering.changes_table(entry.changes, done=False, run=run.run, state_name=states))
    for outcome in entry.outcomes:
        when = f" {rendering.local_time(outcome.wall_ns)}  lattice {outcome.lattice_after}  {outcome.reason}"
        console.print(rendering.outcome_text(outcome.outcome).append_text(rendering.clean(when)))
        if outcome.effects:
            console.print(rendering.changes_table(outcome.effects, done=True, run=run.run, state_name=states))
    if not entry.outcomes:
        console.print(
            "outcome unknown: the server is still working on this command, or ended before recording its outcome",
            style="yellow",
        )


@with_filter
def export(
    context: typer.Context,
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="File to write (.jsonl or .csv), or - for standard output.")
    ],
    journal: JournalOption = None,
    machine: Machine = None,
    prefix: Prefix = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write a table (CSV) with one row per change, whatever the suffix of OUT.")
    ] = False,
    *,
    which: "Filter",
) -> None:
    """Write commands as JSON lines or as a table. For example `gnomon log export --since 8h shift.jsonl`."""
    from gnomon.recorder import JournalError, Reader
    from gnomon.recorder.export import write_csv, write_jsonl

    with Reader(chosen_journal(context, journal, machine, prefix)) as reader:

        def write(file: Any) -> int:
            if csv or out.endswith(".csv"):
                return write_csv(reader.entries(which), file)
            return write_jsonl(reader.entries(which), reader.run, file)

        if out == "-":
            write(sys.stdout)
            sys.stdout.flush()
            return
        partial = Path(f"{out}.partial")
        try:
            with partial.open("w", encoding="utf-8", newline="") as file:
                count = write(file)
            os.replace(partial, out)
        except OSError as error:
            raise JournalError(f"{out}: cannot be written: {error.strerror}") from error
        finally:  # an interrupt, or a journal that cannot be read further, leaves nothing either
            with suppress(OSError):
                partial.unlink(missing_ok=True)
    say(f"{count} commands written to {out}", err=True)


def diff(
    context: typer.Context,
    first: Annotated[int, typer.Argument(metavar="A", min=0, help="Number of a command; 0: before the first.")],
    second: Annotated[
        int | None,
        typer.Argument(metavar="B", min=0, help="Number of a command.", show_default="the present settings"),
    ] = None,
    journal: JournalOption = None,
    machine: Machine = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Compare the settings after command A with those after command B. For example `gnomon log diff 10 25`."""
    from gnomon.clients.recorded_commands import compare_settings
    from gnomon.recorder import Reader, rendering

    with Reader(chosen_journal(context, journal, machine, prefix)) as reader:
        run, found = compare_settings(reader, first, second, ring_of)
        names = (f"after {first}", "now" if second is None else f"after {second}")
        console = rendering.make_console()
        if as_json:
            print_json([asdict(difference) for difference in found])
            return
        if found:
            console.print(rendering.differences_table(found, *names, run=run.run, state_name=RunStates(reader.run)))
    if not found:
        console.print(f"no difference: the settings {names[0]} and {names[1]} are the same")
