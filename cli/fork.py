"""`gnomon fork`: further twins in a running server, to try settings without touching the first one."""

from functools import partial
from typing import Annotated, Any

import typer

from gnomon.cli.connection import RunningTwin, call_running
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json, print_json
from gnomon.lattice.text import printable

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Add, list and drop forks of a running twin, each with its own prefix, lattice and journal.",
)

Name = Annotated[str, typer.Argument(help="Name of the fork.")]


@app.command()
@with_options("running", partial(RunningTwin, timeout=10.0))
def add(
    name: Name,
    as_: Annotated[
        str | None, typer.Option("--as", help="Put this prefix before the fork's PV names.", show_default="NAME:")
    ] = None,
    nominal: Annotated[bool, typer.Option("--nominal", help="Start with the nominal lattice.")] = False,
    snapshot: Annotated[
        str | None, typer.Option(help="Start with the settings of this snapshot.", show_default=False)
    ] = None,
    lattice: Annotated[
        str | None,
        typer.Option(
            "--from-lattice", help="Start with an earlier lattice, given by its id.", show_default="the present lattice"
        ),
    ] = None,
    *,
    running: RunningTwin,
    as_json: Json = False,
) -> None:
    """Add a copy of a running twin. For example `gnomon fork add WHATIF`: then the PVs `WHATIF:...` answer too.

    Commands to the fork never change the twin that it was copied from. --prefix selects that twin.
    """
    arguments = {"do": "add", "name": name}
    given = {"prefix": as_, "nominal": "true" if nominal else None, "snapshot": snapshot, "lattice": lattice}
    arguments |= {key: value for key, value in given.items() if value is not None}
    _show([call_running("dt:fork", arguments, running)], as_json)


@app.command("list")
@with_options("running", RunningTwin)
def list_(
    *,
    running: RunningTwin,
    as_json: Json = False,
) -> None:
    """List the forks of a server."""
    _show(call_running("dt:fork", {"do": "list"}, running), as_json)


@app.command()
@with_options("running", partial(RunningTwin, timeout=10.0))
def drop(name: Name, running: RunningTwin) -> None:
    """End a fork and disconnect its clients; its journal is kept. For example `gnomon fork drop WHATIF`."""
    dropped = call_running("dt:fork", {"do": "drop", "name": name}, running)
    typer.echo(printable(f"fork {name} is dropped; its commands are kept in {dropped['journal']}"))


def _show(forks: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(forks)
        return
    from gnomon.recorder import rendering

    console = rendering.make_console()
    if not forks:
        console.print("no forks")
        return
    table = rendering.make_table("fork", "prefix", "created", "by", "started from", "lattice", "commands", right=(6,))
    for fork in forks:
        made = rendering.local_time(fork["made_ns"])[:19]
        cells = [fork["name"], repr(fork["prefix"]), made, fork["made_by"], fork["began"], fork["lattice_id"]]
        table.add_row(*map(rendering.clean, [*cells, str(fork["commands"])]))
    console.print(table)
    for fork in forks:
        console.print(rendering.clean(f"journal of {fork['name']}: {fork['journal']}"), soft_wrap=True)
