"""The journal of the running server, as the server itself tells it; a file alone only where that is asked for."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.options import ConfigFile, Machine, Prefix, Server, configure

if TYPE_CHECKING:
    from gnomon.clients.journal_choice import ServedJournal
    from gnomon.clients.server_choice import Target

#: Time to wait for the server's answer [s].
TIMEOUT_S = 5.0

ServerJournal = Annotated[
    Path | None,
    typer.Option("--journal", help="Journal file of the server.", show_default="the one that the server tells"),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Read the journal's file without asking a running server; set nothing.")
]


@dataclass(frozen=True, slots=True)
class Asked:
    """Options that select a running server and its journal, and whether the file alone is to be read.

    A group for `with_options`.
    """

    journal: ServerJournal = None
    config: ConfigFile = None
    machine: Machine = None
    prefix: Prefix = None
    server: Server = None
    offline: Offline = False


def find_served_journal(asked: Asked) -> "ServedJournal":
    """Ask the running server for its journal. Raises GnomonError if it does not answer, or writes another one."""
    from gnomon.clients.errors import NoServerError
    from gnomon.clients.journal_choice import ServedJournal, served_journal
    from gnomon.clients.server_choice import choose_server
    from gnomon.recorder import Reader, ReviewError

    if asked.offline:
        path = asked.journal or configure(asked.config, asked.machine, asked.prefix).journal()
        return ServedJournal(path, asked.prefix)
    prefix = asked.prefix
    if asked.journal is not None and prefix is None:
        with Reader(asked.journal) as reader:
            prefix = reader.newest_run().prefix
    try:
        target = choose_server(prefix=prefix, machine=asked.machine, config=asked.config, server=asked.server)
    except NoServerError as error:
        raise NoServerError(f"{error}\n--offline reads the journal's file without a server") from error
    answer = ask_journal(target)
    path, name = Path(answer["journal"]), f"the server with prefix {target.prefix!r}"
    if asked.machine is not None and answer["machine"] != Path(asked.machine).stem:
        raise ReviewError(f"{name} serves {answer['machine']!r}, not {asked.machine!r}")
    if asked.journal is not None and path.exists() and not asked.journal.samefile(path):
        raise ReviewError(f"{name} writes {path}, not {asked.journal}; --offline reads the file all the same")
    return served_journal(target, answer)


def ask_journal(target: "Target") -> dict[str, Any]:
    """Ask a server which journal it writes. Raises RemoteError without an answer."""
    from gnomon.recorder import RemoteError
    from gnomon.recorder.remote import call_procedure

    try:
        text = call_procedure(f"{target.prefix}dt:journal", {}, TIMEOUT_S, target.environment)
    except RemoteError as error:
        raise RemoteError(f"{error}; with --offline the journal's file is read without the server") from error
    answer: dict[str, Any] = json.loads(text)
    return answer


def refuse_offline(*, offline: bool, dry_run: bool) -> None:
    """Refuse to set anything without a server. Raises typer.BadParameter."""
    if offline and not dry_run:
        raise typer.BadParameter("without a server nothing can be set; give --dry-run, too", param_hint="--offline")
