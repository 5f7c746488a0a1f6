"""`gnomon status`: one screen about the running server, and an exit code for scripts."""

from typing import TYPE_CHECKING, Literal

import typer

from gnomon.cli.connection import Connection
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gnomon.clients.overview import Overview
    from gnomon.clients.server_choice import Target

WELL, ATTENTION, NOT_FOUND = 0, 1, 2


@with_options("connection", Connection)
def status(
    as_json: Json = False,
    *,
    connection: Connection,
) -> None:
    """Show the running server: beam, tunes, orbit, model, faults, journal, clients, last commands.

    Where several servers run, one line each; choose one with --prefix or --server for all of it.

    Exit codes: 0 all is well; 1 something needs attention: no beam, the model is paused or hangs, the journal is not
    written, faults are injected, the machine is not followed, or no answer; 2 no server was found.
    """
    from gnomon.cli.output import print_error, print_json
    from gnomon.cli.status_text import list_lines, screen_lines
    from gnomon.clients.errors import NoAnswerError, NoServerError
    from gnomon.clients.server_choice import choose_servers

    try:
        targets = choose_servers(connection.prefix, connection.machine, connection.config, connection.server)
        found = [read(target, connection.protocol, connection.timeout) for target in targets]
    except (NoServerError, NoAnswerError) as error:
        if as_json:
            print_json({"servers": [], "error": str(error)})
        else:
            print_error(error)
        raise typer.Exit(NOT_FOUND) from error
    if as_json:
        print_json({"servers": [each.to_json() for each in found]})
    else:
        for line in screen_lines(found[0]) if len(found) == 1 else list_lines(found):
            typer.echo(line)
    raise typer.Exit(exit_code(found))


def read(target: "Target", protocol: Literal["pva", "ca"], timeout_s: float) -> "Overview":
    """Read the state of one twin. Raises NoAnswerError if it was searched for and not found."""
    from gnomon.cli.connection import connected_to
    from gnomon.clients.overview import read_overview

    with connected_to(target, protocol, timeout_s) as client:
        return read_overview(client)


def exit_code(found: "Sequence[Overview]") -> int:
    """Exit code for what was found."""
    return ATTENTION if any(each.attention() for each in found) else WELL
