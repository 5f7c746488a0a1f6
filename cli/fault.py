"""`gnomon fault`: make a running server fail on purpose, and end that; scenarios are in `scenarios`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli import scenarios
from gnomon.cli.connection import RunningTwin, call_running
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json, print_json, say

if TYPE_CHECKING:
    from gnomon.clients.running_faults import Call

app = typer.Typer(
    no_args_is_help=True, help="Add, list and clear faults of a running server; play scenarios of failures."
)


@app.command()
@with_options("running", RunningTwin)
def add(
    kind: Annotated[str, typer.Argument(help="Kind of the fault: `gnomon fault kinds` lists them.")],
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DEVICE] [KEY=VALUE]...",
            help="Pattern of the device names, and keys of the kind: `gnomon fault kinds KIND` lists them.",
        ),
    ] = None,
    *,
    running: RunningTwin,
    as_json: Json = False,
) -> None:
    """Add a fault: make commands, readings, connections or other things go wrong.

    For example `gnomon fault add abandon 'Q1P*' count=3`, `gnomon fault add delay HS4P1D1R delay_s=2`,
    `gnomon fault add modify 'HS*' scale=1.1 after_s=10 for_s=60 probability=0.5`,
    `gnomon fault add connection_lost for_s=30`.
    """
    from gnomon.clients.running_faults import add_fault

    _show([add_fault(_call(running), kind, _keys(keys or []))], "added", as_json)


@app.command("list")
@with_options("running", RunningTwin)
def list_(
    *,
    running: RunningTwin,
    as_json: Json = False,
) -> None:
    """List the active faults."""
    from gnomon.clients.running_faults import list_faults

    _show(list_faults(_call(running)), "active", as_json)


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
    from gnomon.clients.running_faults import clear_faults

    cleared = clear_faults(_call(running), id)
    _show(cleared, "cleared", as_json)
    if not as_json and cleared and cleared[0].get("unrecorded"):
        say(f"the journal does not have this: {cleared[0]['unrecorded']}")


@app.command()
def kinds(
    kind: Annotated[str | None, typer.Argument(help="Kind whose keys to list.", show_default="all kinds")] = None,
    as_json: Json = False,
) -> None:
    """List the kinds of faults, or the keys of one: `gnomon fault kinds delay`."""
    from gnomon.fault_injection import KINDS, find_kind, schema
    from gnomon.recorder.rendering import clean, make_console, make_table

    if as_json:
        print_json(schema())
        return
    console = make_console()
    if kind is None:
        table = make_table("kind", "effect")
        for name, model in KINDS.items():
            table.add_row(name, clean(_first_line(model.__doc__)))
    else:
        model = find_kind(kind)
        console.print(clean(f"{kind}: {' '.join((model.__doc__ or '').split())}"))
        table = make_table("key", "default", "meaning")
        for name, field in model.model_fields.items():
            if name != "kind":
                default = "" if field.default is None else "required" if field.is_required() else str(field.default)
                table.add_row(name, default, clean(field.description or ""))
    console.print(table)


for command in (scenarios.check, scenarios.scenarios, scenarios.show, scenarios.run):
    app.command()(command)


def _keys(arguments: list[str]) -> dict[str, str]:
    """Read `[DEVICE] KEY=VALUE ...`; values stay texts."""
    found: dict[str, str] = {}
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if not equals and number == 0:
            name, value = "device", argument
        elif not (equals and name.isidentifier()):
            raise typer.BadParameter(f"{argument!r} is not KEY=VALUE")
        if name in found or name in ("do", "kind"):
            raise typer.BadParameter(f"{name} is given twice")
        found[name] = value
    return found


def _call(running: RunningTwin) -> "Call":
    """Make the function that calls a procedure of the twin that the options mean."""
    return lambda procedure, arguments: call_running(procedure, arguments, running)


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0]


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
        waits = " (waits)" if what == "active" and fault.get("phase") == "waiting" else ""
        table.add_row(clean(fault["text"] + waits), left, clean(fault["created_by"]))
    console.print(table)
