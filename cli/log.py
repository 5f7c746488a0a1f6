"""`gnomon log`: the recorded commands with clients and outcomes; `gnomon restore`: return to earlier settings."""

import inspect
import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.options import ConfigFile, Machine, Prefix, configure

if TYPE_CHECKING:
    from gnomon.lattice import Ring
    from gnomon.recorder import Filter, Run
    from gnomon.recorder.remote import Remote, Reply
    from gnomon.recorder.review import Assignment

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode="markdown",
    help="List, show, export, compare and undo the commands recorded in the journal. Without a subcommand, list the 20 "
    "most recent commands, for example `gnomon log --pv '*Q1P*' --since 10m`.",
)

JournalOption = Annotated[
    Path | None,
    typer.Option("--journal", help="Read this journal file.", show_default="the journal of the configuration"),
]
PvOption = Annotated[
    str | None,
    typer.Option(
        "--pv", help="Select commands to PVs or devices that match this pattern (with * and ?).", show_default=False
    ),
]
ClientOption = Annotated[
    str | None,
    typer.Option(
        "--client",
        help="Select commands from clients that match this pattern: a user, a host, or user@host.",
        show_default=False,
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="Select commands from this time on: an age (90s, 10m, 2h, 3d) or an ISO time.",
        show_default=False,
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option("--until", help="Select commands up to this time: an age or an ISO time.", show_default=False),
]
OutcomeOption = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        help="Select commands with this outcome: applied, delayed, modified, abandoned, rejected or failed.",
        show_default=False,
    ),
]
FromOption = Annotated[
    int | None,
    typer.Option("--from", min=1, help="Select commands from this number on.", show_default=False),
]
ToOption = Annotated[
    int | None, typer.Option("--to", min=1, help="Select commands up to this number.", show_default=False)
]
LastOption = Annotated[
    int, typer.Option("--last", "-n", min=1, help="Show at most this many of the most recent commands.")
]
FollowOption = Annotated[
    bool, typer.Option("--follow", "-f", help="Keep running and show new commands as they are recorded.")
]

_AGO = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _filter(
    pv: PvOption = None,
    client: ClientOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    outcome: OutcomeOption = None,
    first: FromOption = None,
    to: ToOption = None,
) -> "Filter":
    """Make the filter that the options describe."""
    from gnomon.lattice import Outcome
    from gnomon.recorder import Filter

    if outcome is not None and outcome not in list(Outcome):
        raise typer.BadParameter(
            f"{outcome!r} is not an outcome; use one of {', '.join(Outcome)}", param_hint="--outcome"
        )
    return Filter(
        since_ns=_moment(since, "--since"),
        until_ns=_moment(until, "--until"),
        first=first,
        last=to,
        pv=pv,
        client=client,
        outcome=Outcome(outcome) if outcome is not None else None,
    )


def _with_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `_filter`, in the place of its parameter `which`, the filter that they make."""
    own, options = inspect.signature(command).parameters, inspect.signature(_filter).parameters

    @wraps(command)
    def run(**arguments: Any) -> None:
        chosen = {name: arguments.pop(name) for name in options}
        command(**arguments, which=_filter(**chosen))

    together = [p for name in own for p in (options.values() if name == "which" else [own[name]])]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in together]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


@app.callback()
@_with_filter
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
    context.obj = _Chosen(journal, config, machine, prefix)
    if context.invoked_subcommand is None:
        _list(_chosen(context), which, last, follow)


@app.command("list")
@_with_filter
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
    _list(_chosen(context, journal, machine, prefix), which, last, follow)


@app.command()
def show(
    context: typer.Context,
    sequence: Annotated[int, typer.Argument(help="Number of the command.")],
    journal: JournalOption = None,
    machine: Machine = None,
    prefix: Prefix = None,
) -> None:
    """Show everything that is recorded about one command. For example `gnomon log show 12`."""
    from gnomon.recorder import Reader, rendering

    with Reader(_chosen(context, journal, machine, prefix)) as reader:
        entry = reader.entry(sequence)
        run = reader.run(entry.run)
    console = rendering.make_console()
    console.print(
        rendering.clean(f"command {entry.sequence}" + (f" ({entry.note})" if entry.note else "")), style="bold"
    )
    console.print(rendering.facts_table(entry, run))
    console.print("requested", style="bold")
    console.print(rendering.changes_table(entry.changes, done=False))
    for outcome in entry.outcomes:
        when = f" {rendering.local_time(outcome.wall_ns)}  lattice {outcome.lattice_after}  {outcome.reason}"
        console.print(rendering.outcome_text(outcome.outcome).append_text(rendering.clean(when)))
        if outcome.effects:
            console.print(rendering.changes_table(outcome.effects, done=True))
    if not entry.outcomes:
        console.print(
            "outcome unknown: the server is still working on this command, or ended before recording its outcome",
            style="yellow",
        )


@app.command()
@_with_filter
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

    with Reader(_chosen(context, journal, machine, prefix)) as reader:

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
            partial.unlink(missing_ok=True)
            raise JournalError(f"{out}: cannot be written: {error.strerror}") from error
    typer.echo(f"{count} commands written to {out}", err=True)


@app.command()
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
) -> None:
    """Compare the settings after command A with those after command B. For example `gnomon log diff 10 25`."""
    from gnomon.recorder import Reader, rendering
    from gnomon.recorder.recorded_states import Nominals, same_machine, state_at, state_now
    from gnomon.recorder.review import differences, units

    with Reader(_chosen(context, journal, machine, prefix)) as reader:
        a = state_at(reader, first)
        b = state_now(reader) if second is None else state_at(reader, second)
        same_machine(a.run, b.run)
        nominals = Nominals(reader, a.run, _ring(a.run))
        found = differences(a.settings, b.settings, nominals.find, units(reader.effects()))
    names = (f"after {first}", "now" if second is None else f"after {second}")
    console = rendering.make_console()
    if found:
        console.print(rendering.differences_table(found, *names))
    else:
        console.print(f"no difference: the settings {names[0]} and {names[1]} are the same")


@app.command()
def undo(
    context: typer.Context,
    sequence: Annotated[int, typer.Argument(help="Number of the command.")],
    journal: JournalOption = None,
    machine: Machine = None,
    prefix: Prefix = None,
    force: Annotated[
        bool, typer.Option("--force", help="Undo even if the settings have changed again since that command.")
    ] = False,
) -> None:
    """Undo one command on the running server, by a new command. For example `gnomon log undo 12`.

    The settings that the command changed get their previous values back. Refused if they have changed again since,
    unless --force is given.
    """
    from gnomon.recorder import Reader
    from gnomon.recorder.recorded_states import Nominals, same_machine, state_now
    from gnomon.recorder.review import Settings, inverse, moved, overwritten, restoration

    with Reader(_chosen(context, journal, machine, prefix)) as reader:
        entry = reader.entry(sequence)
        wanted = inverse(entry)
        now = state_now(reader)
        same_machine(reader.run(entry.run), now.run)
        nominals = Nominals(reader, now.run, _ring(now.run))
        later = overwritten(wanted, reader.effects(first=sequence + 1))
        then: Settings = {**now.settings, **{(a.device, a.setting): a.value for a in wanted}}
        assignments = restoration(now.settings, then, nominals, {(a.device, a.setting): a.unit for a in wanted})
        elsewhere = moved(wanted, now.settings, nominals)
    if later and not force:
        numbers = ", ".join(map(str, later[:5])) + (" and more" if len(later) > 5 else "")
        _refuse(
            f"command {sequence} is not undone: later commands changed the same settings: {numbers}; "
            "use --force to undo it nevertheless"
        )
    if elsewhere and not later and not force:
        _refuse(
            f"command {sequence} is not undone: {elsewhere[0].device} {elsewhere[0].setting} no longer has the value "
            "that the command set, since the server was restarted; use --force to undo it nevertheless"
        )
    send(now.run.prefix, assignments, f"undo {sequence}")


def restore(
    to: Annotated[
        int,
        typer.Option("--to", min=0, help="Restore the settings after the command of this number; 0: before the first."),
    ],
    journal: JournalOption = None,
    config: ConfigFile = None,
    machine: Machine = None,
    prefix: Prefix = None,
) -> None:
    """Restore the settings that the running server had after a command, by one new command.

    For example `gnomon restore --to 40`. Only settings that differ are sent; either all of them are made or none.
    """
    from gnomon.recorder import Reader
    from gnomon.recorder.recorded_states import Nominals, same_machine, state_at, state_now
    from gnomon.recorder.review import restoration, units

    with Reader(_journal(journal, config, machine, prefix)) as reader:
        then, now = state_at(reader, to), state_now(reader)
        same_machine(then.run, now.run)
        nominals = Nominals(reader, now.run, _ring(now.run))
        assignments = restoration(now.settings, then.settings, nominals, units(reader.effects()))
    send(now.run.prefix, assignments, f"restore --to {to}")


def make_remote() -> "Remote":
    """Make the client that sends commands to a running server; tests put another one here."""
    from gnomon.recorder.remote import PvaRemote

    return PvaRemote()


def send(prefix: str, assignments: "Iterable[Assignment]", note: str) -> "Reply | None":
    """Send assignments to the running server as one command, and show them; None if there is nothing to do."""
    from gnomon.recorder import rendering

    console = rendering.make_console()
    assignments = tuple(assignments)
    if not assignments:
        console.print(f"{note}: nothing to do: all settings already have these values")
        return None
    console.print(rendering.assignments_table(assignments))
    reply = make_remote().send(prefix, assignments, note)
    state = f"lattice {reply.lattice_id}" if reply.lattice_id else reply.text
    console.print(rendering.clean(f"{note}: done; {state}"), style="green")
    return reply


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


@dataclass(frozen=True)
class _Chosen:
    """Options given before the subcommand; the subcommand's own options take precedence."""

    journal: Path | None
    config: Path | None
    machine: str | None
    prefix: str | None


def _chosen(
    context: typer.Context, journal: Path | None = None, machine: str | None = None, prefix: str | None = None
) -> Path:
    before: _Chosen = context.obj
    if journal is None and before.journal is not None and machine is None and prefix is None:
        journal = before.journal
    return _journal(journal, before.config, machine or before.machine, before.prefix if prefix is None else prefix)


def _journal(journal: Path | None, config: Path | None, machine: str | None, prefix: str | None) -> Path:
    return journal if journal is not None else configure(config, machine, prefix).journal()


def _ring(run: "Run") -> "Ring | None":
    from gnomon.ioc.app.machines import recorded_machine
    from gnomon.lattice import LatticeError

    try:
        return recorded_machine(configure(None), run.machine, run.digest).ring
    except LatticeError:
        return None


def _moment(text: str | None, option: str) -> int | None:
    """Convert an age or an ISO time (local unless it has a time zone) to a time [ns since 1970]."""
    if text is None:
        return None
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if ago:
        return time.time_ns() - int(float(ago[1]) * _AGO[ago[2]] * 1e9)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1e6) * 1000
    except (ValueError, OverflowError, OSError) as error:
        raise typer.BadParameter(
            f"{text!r} is not a time; give an age (90s, 10m, 2h, 3d) or an ISO time (2026-11-21T10:30)",
            param_hint=option,
        ) from error


def _refuse(text: str) -> None:
    from gnomon.recorder import ReviewError

    raise ReviewError(text)
