"""Options that the commands of `gnomon log` share: the journal, the filter of commands, and points in time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.option_group import with_options
from gnomon.cli.options import configure
from gnomon.cli.served_journal import Asked
from gnomon.lattice.text import shorten

if TYPE_CHECKING:
    from gnomon.lattice import Ring
    from gnomon.recorder import Filter, Run, StateNames

JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        help="Read this journal file.",
        show_default="that of the running server, else of the configuration",
    ),
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


def make_filter(
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
            f"{shorten(outcome)} is not an outcome; use one of {', '.join(Outcome)}", param_hint="--outcome"
        )
    return Filter(
        since_ns=parse_time(since, "--since"),
        until_ns=parse_time(until, "--until"),
        first=first,
        last=to,
        pv=pv,
        client=client,
        outcome=Outcome(outcome) if outcome is not None else None,
    )


#: Gives a command the options of a filter, in the place of its parameter `which`.
with_filter = with_options("which", make_filter)


@dataclass(frozen=True)
class Chosen:
    """Options given before the subcommand; the subcommand's own options take precedence."""

    journal: Path | None
    config: Path | None
    machine: str | None
    prefix: str | None


def asked(
    context: typer.Context,
    journal: Path | None = None,
    machine: str | None = None,
    prefix: str | None = None,
    server: str | None = None,
    *,
    offline: bool = False,
) -> Asked:
    """Put together the options of a subcommand and those before it; its own ones take precedence."""
    before: Chosen = context.obj
    if journal is None and before.journal is not None and machine is None and prefix is None:
        journal = before.journal
    prefix = before.prefix if prefix is None else prefix
    return Asked(journal, before.config, machine or before.machine, prefix, server, offline)


def chosen_journal(
    context: typer.Context, journal: Path | None = None, machine: str | None = None, prefix: str | None = None
) -> Path:
    """Find the journal to read, by the options of a subcommand and those before it; see `journal_to_read`."""
    return journal_to_read(asked(context, journal, machine, prefix))


def journal_to_read(wanted: Asked) -> Path:
    """Find the journal to read: the given file, that of the server that runs here, or that of the configuration."""
    from gnomon.ioc.base.running_servers import running_servers

    if wanted.journal is not None:
        return wanted.journal
    if wanted.config is None and wanted.machine is None:
        running = [
            each
            for each in running_servers()
            if each.journal and (each.prefix == wanted.prefix if wanted.prefix is not None else not each.fork)
        ]
        if len(running) == 1 and Path(running[0].journal).exists():
            return Path(running[0].journal)
    return configure(wanted.config, wanted.machine, wanted.prefix).journal()


def ring_of(run: "Run") -> "Ring | None":
    """Build the ring of a run; None if its machine document is no longer available."""
    from gnomon.ioc.base.machines import recorded_ring

    return recorded_ring(configure(None), run)


class RunStates:
    """Names of states in the runs of a journal; a machine is loaded when a value may be the number of a state."""

    def __init__(self, find_run: "Callable[[int], Run]") -> None:
        self._find_run = find_run
        self._known: dict[tuple[str, str], StateNames | None] = {}

    def __call__(self, run: int, device: str, property: str, value: float) -> str:
        """See `gnomon.recorder.rendering.StateName`."""
        if not (0.0 <= value < 1000.0 and value.is_integer()):
            return ""
        of = self._find_run(run)
        if (of.machine, of.digest) not in self._known:
            self._known[of.machine, of.digest] = _state_names(of)
        names = self._known[of.machine, of.digest]
        return names.find(device, property, value) if names is not None else ""


def _state_names(run: "Run") -> "StateNames | None":
    from gnomon.ioc.base.machines import pvs_of, recorded_machine
    from gnomon.lattice import LatticeError
    from gnomon.recorder import StateNames

    try:
        return StateNames(pvs_of(recorded_machine(configure(None), run.machine, run.digest), ""))
    except LatticeError:
        return None


def parse_time(text: str | None, option: str) -> int | None:
    """Convert an age or an ISO time to a time [ns since 1970]."""
    from gnomon.clients.points_in_time import NotATimeError, parse_moment

    try:
        return None if text is None else parse_moment(text)
    except NotATimeError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
