"""`gnomon forward`: send the journal and results on to MQTT, MongoDB, tiled and a logbook."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.connection import end_at_once
from gnomon.cli.options import ConfigFile, Machine, Prefix, configure
from gnomon.cli.output import Json, print_json, print_table, say
from gnomon.cli.results_folder import ResultsFolder

if TYPE_CHECKING:
    from gnomon.ioc.base.config import Config
    from gnomon.services.forward import Source

app = typer.Typer(
    no_args_is_help=True,
    help="Send the journal and results on to MQTT, MongoDB, tiled and a logbook, and show how far each is.",
)

JournalToRead = Annotated[
    Path | None,
    typer.Option("--journal", help="Read this journal file.", show_default="that of the configuration"),
]


@app.command()
def run(
    journal: JournalToRead = None,
    machine: Machine = None,
    prefix: Prefix = None,
    results: ResultsFolder = None,
    config: ConfigFile = None,
) -> None:
    """Send what is new in the journal to each downstream of the configuration (section forward), until Ctrl-C.

    For example `gnomon forward run --config ring.yaml`, beside `gnomon serve --config ring.yaml`. The server never
    waits for it. A downstream that is away gets what it missed, in order, when it is back. At the end, a line says what
    was delivered and what is left.
    """
    from gnomon.ioc.base.log_limits import log_to_stderr
    from gnomon.services.forward import configured_downstreams, forward_until_signal

    settings, source = _source(journal, machine, prefix, results, config)
    os.nice(10)  # where the processor is short, the server comes first
    log_to_stderr()
    with configured_downstreams(settings) as downstreams:
        names = ", ".join(each.name for each in downstreams)
        ended = forward_until_signal(
            source, downstreams, settings.forward, lambda: say(f"forwarding {source.journal} to {names}\nready")
        )
    say(f"ended: {'; '.join(ended)}")
    end_at_once()


@app.command("list")
def list_(
    journal: JournalToRead = None,
    machine: Machine = None,
    prefix: Prefix = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """List the downstreams of a journal: state, items that wait, age of the oldest, and what is wrong.

    Exit codes: 0 all is delivered in time; 1 something is behind, stopped, or not running.
    """
    from gnomon.ioc.base.forward_status import DELIVERING, STATES, read_forward_status, summarise_forward

    settings, source = _source(journal, machine, prefix, None, config)
    together = summarise_forward(source.journal, settings.forward.is_used)
    found = read_forward_status(source.journal)
    each, runs = ((), False) if found is None else (found.downstreams, found.runs)
    rows = [{name: getattr(one, name) for name in type(one).__slots__} for one in each]
    if as_json:
        print_json({"journal": str(source.journal), "state": STATES[together.state], "runs": runs, "downstreams": rows})
    else:
        say(f"{source.journal}: {STATES[together.state]}" + ("" if runs or not each else "; when it ran last:"))
        columns = {
            "name": "downstream", "state": "state", "backlog": "waiting", "age_s": "oldest [s]",
            "delivered": "delivered", "skipped": "left out", "reason": "what is wrong",
        }  # fmt: skip
        right = ("backlog", "age_s", "delivered", "skipped")
        print_table(rows, columns, right=right, empty="gnomon forward run has not run with this journal")
    raise typer.Exit(int(together.state > DELIVERING))


@app.command()
def move(
    name: Annotated[str, typer.Argument(help="Name of a downstream: mqtt, mongodb, tiled or logbook.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="PLACE",
            help="oldest: send everything, again where it was sent before; newest: only what comes from now on; "
            "NUMBER: what comes after this command.",
        ),
    ],
    journal: JournalToRead = None,
    machine: Machine = None,
    prefix: Prefix = None,
    results: ResultsFolder = None,
    config: ConfigFile = None,
) -> None:
    """Choose where a downstream goes on, while `gnomon forward run` does not run; ends notices of what was left out.

    For example `gnomon forward move mongodb --to oldest` for a new database.
    """
    from gnomon.services.forward import NAMES, move_cursor

    if name not in NAMES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(NAMES)}", param_hint="NAME")
    if to not in ("oldest", "newest") and not (to.isascii() and to.isdigit() and len(to) < 19):
        raise typer.BadParameter(f"{to!r} is not oldest, newest or a number of a command", param_hint="--to")
    _, source = _source(journal, machine, prefix, results, config)
    made = move_cursor(source, name, int(to) if to.isdigit() else to)
    say(f"{name}: goes on after command {made.position.sequence} of {source.journal}")


def _source(
    journal: Path | None, machine: str | None, prefix: str | None, results: Path | None, config: Path | None
) -> "tuple[Config, Source]":
    from gnomon.services.forward import source_of

    settings = configure(config, machine, prefix, journal)
    return settings, source_of(settings, results=None if results is None else results.expanduser())
