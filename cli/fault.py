"""`gnomon fault`: make commands to a running server fail on purpose, and end that."""

from typing import Annotated, Any

import typer

from gnomon.cli.connection import RunningTwin, call_running
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json, print_json

app = typer.Typer(no_args_is_help=True, help="Add, list and clear faults of a running server.")


@app.command()
@with_options("running", RunningTwin)
def add(
    action: Annotated[str, typer.Argument(help="Action of the fault: abandon, delay or modify.")],
    device: Annotated[str, typer.Argument(help="Pattern of the device names: `'Q1P*'`, `'HS4P?D1R'`, `'*'`.")],
    property: Annotated[str, typer.Option(help="Pattern of the property names.")] = "*",
    delay: Annotated[float | None, typer.Option(help="With delay: delay each command by this time [s].")] = None,
    scale: Annotated[float | None, typer.Option(help="With modify: multiply the value by this factor.")] = None,
    offset: Annotated[
        float | None, typer.Option(help="With modify: add this to the value, after the factor [unit of the property].")
    ] = None,
    value: Annotated[
        float | None, typer.Option(help="With modify: replace the value by this one [unit of the property].")
    ] = None,
    count: Annotated[int | None, typer.Option(help="Act on this number of commands, then stop.")] = None,
    *,
    running: RunningTwin,
    as_json: Json = False,
) -> None:
    """Add a fault: make commands to some devices go wrong.

    For example `gnomon fault add abandon 'Q1P*' --count 3`, `gnomon fault add delay HS4P1D1R --delay 2`,
    `gnomon fault add modify 'HS*' --scale 1.1`.
    """
    given = {"delay_s": delay, "scale": scale, "offset": offset, "value": value, "count": count}
    arguments = {"do": "add", "action": action, "device": device, "property": property}
    arguments |= {name: str(number) for name, number in given.items() if number is not None}
    _show([call_running("dt:fault", arguments, running)], "added", as_json)


@app.command("list")
@with_options("running", RunningTwin)
def list_(
    *,
    running: RunningTwin,
    as_json: Json = False,
) -> None:
    """List the active faults."""
    _show(call_running("dt:fault", {"do": "list"}, running), "active", as_json)


@app.command()
@with_options("running", RunningTwin)
def clear(
    id: Annotated[int | None, typer.Argument(help="Number of the fault to clear.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Clear all faults.")] = False,
    *,
    running: RunningTwin,
    as_json: Json = False,
) -> None:
    """Clear one fault or all faults: `gnomon fault clear 3`, `gnomon fault clear --all`."""
    if (id is None) == (not all):
        raise typer.BadParameter("give the number of a fault, or --all")
    arguments = {"do": "clear"} | ({} if id is None else {"id": str(id)})
    _show(call_running("dt:fault", arguments, running), "cleared", as_json)


def _show(faults: list[dict[str, Any]], what: str, as_json: bool) -> None:
    if as_json:
        print_json(faults)
        return
    from gnomon.recorder.rendering import clean, make_console, make_table

    console = make_console()
    if not faults:
        console.print(f"no fault {what}")
        return
    table = make_table(what, "left", "by")
    for fault in faults:
        left = "all" if fault.get("remaining") is None else f"{fault['remaining']:g}"
        table.add_row(clean(fault["text"]), left, clean(fault["created_by"]))
    console.print(table)
