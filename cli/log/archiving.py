"""`gnomon log archive`: older commands into a part beside the journal."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.log.log_options import JournalOption, chosen_journal
from gnomon.cli.options import Machine, Prefix, check_seconds
from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from gnomon.ioc.base.running_servers import RunningServer

#: Number of commands that are discarded at once where no client waits.
CHUNK = 50_000


def archive(
    context: typer.Context,
    journal: JournalOption = None,
    machine: Machine = None,
    prefix: Prefix = None,
    timeout: Annotated[
        float, typer.Option(callback=check_seconds, help="Wait at most this long for a running server [s].")
    ] = 120.0,
) -> None:
    """Move older commands to a part beside the journal, which all commands of `gnomon log` still read.

    For example `gnomon log archive --machine mls`. A running server does it itself, and leaves what is younger than ten
    minutes. It also does so by size or age: `recorder.rotate` in the configuration.
    """
    from gnomon.recorder import Journal, Reader
    from gnomon.recorder import archive as move
    from gnomon.recorder.remote import call_procedure

    path = chosen_journal(context, journal, machine, prefix)
    Reader(path).close()  # never makes a journal
    server = _writer_of(path)
    if server is not None:
        answer = json.loads(call_procedure(f"{server.prefix}dt:archive", {}, timeout, server.environment))
        first, last, part = int(answer["first"]), int(answer["last"]), str(answer["part"])
    else:
        with Journal(path) as writer:
            made = move(writer, settled_ns=0, chunk=CHUNK)
            writer.compact()
        first, last, part = (made.first, made.last, str(made.path)) if made is not None else (0, 0, "")
    if part:
        typer.echo(printable(f"commands {first} to {last} are in {part}"))
    else:
        typer.echo("nothing to archive: the newest commands stay in the journal")


def _writer_of(path: Path) -> "RunningServer | None":
    """Find the server on this computer that writes a journal."""
    from gnomon.ioc.base.running_servers import running_servers

    for server in running_servers():
        if server.journal and Path(server.journal).exists() and Path(server.journal).samefile(path):
            return server
    return None
