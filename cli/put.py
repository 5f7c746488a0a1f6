"""`gnomon put`: write PVs of a running server, several as one command."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.connection import Connection, PatientConnection, connected
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json

if TYPE_CHECKING:
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.clients.reading import Reading


@with_options("connection", PatientConnection)
def put(
    settings: Annotated[
        list[str],
        typer.Argument(
            metavar="PV=VALUE...",
            help="Settings, names with or without the prefix; PV+=STEP or PV-=STEP for a step; PV VALUE for one.",
        ),
    ],
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Return when the server has taken the value, before its result is out.")
    ] = False,
    note: Annotated[str, typer.Option(help="Keep this text with the command in the journal.")] = "",
    as_json: Json = False,
    *,
    connection: Connection,
) -> None:
    """Write values and show old and new ones. For example `gnomon put HS4P1D1R:set=0.1`, `gnomon put Q1PDR:set+=0.05`.

    Several settings are one command, over PV Access: all of them or none, with one result. The put ends when the new
    orbit and optics are out; a readback that is not at its setpoint then is told, and the reason if there is no beam. A
    state is written by its name or number.

    Exit codes: 0 done; 1 refused, with the server's reason, or no answer; 2 no such PV, or wrong use.
    """
    from gnomon.cli.output import print_json
    from gnomon.lattice.text import printable

    moves = _moves(settings)
    together = len(moves) > 1 or bool(note)
    if together and connection.protocol == "ca":
        raise typer.BadParameter("several settings as one command, and --note, need PV Access: leave out --protocol ca")
    if together and no_wait:
        raise typer.BadParameter("--no-wait is for a single setting without --note")
    with connected(connection, list(moves)) as client:
        old = client.get(*moves)
        values = {name: move.value_from(present) for (name, move), present in zip(moves.items(), old, strict=True)}
        answer: dict[str, Any] = {}
        if together:
            answer = client.set(values, note)
        else:
            ((name, value),) = values.items()
            client.put(name, value, wait=not no_wait)
        new = client.get(*values)
        astray = {} if no_wait else _not_at_setpoint(client, new)
        trouble = "" if no_wait else client.read_trouble()
        if as_json:
            told = [_told(*pair, astray) for pair in zip(old, new, strict=True)]
            print_json(answer | {"settings": told} | ({"attention": trouble} if trouble else {}))
        else:
            _print_moves(old, new, answer)
            _print_astray(astray)
            if trouble:
                typer.secho(f"attention: {printable(trouble)}", fg="red", bold=True)


@dataclass(frozen=True, slots=True)
class _Move:
    """Move of a PV: to a value, or by a step from the present one with the sign +1 or -1."""

    text: str
    sign: int = 0

    def value_from(self, present: "Reading") -> str:
        """Return the value to write. Raises ClientError for a step of what is not a number."""
        from gnomon.clients.errors import ClientError
        from gnomon.lattice.text import NotANumberError, parse_number

        if not self.sign:
            return self.text
        if present.states or isinstance(present.value, bool) or not isinstance(present.value, int | float):
            raise ClientError(f"{present.name} is not a number that could be changed by a step")
        try:
            return repr(present.value + self.sign * parse_number(self.text))
        except NotANumberError as error:
            raise ClientError(f"{present.name}: {error}") from error


def _moves(arguments: list[str]) -> dict[str, _Move]:
    """Read `PV=VALUE ...` and `PV+=STEP ...`, or `PV VALUE`."""
    if len(arguments) == 2 and not any("=" in argument for argument in arguments):
        return {arguments[0]: _Move(arguments[1])}
    moves: dict[str, _Move] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        sign = {"+": 1, "-": -1}.get(name[-1:], 0)
        name = name[:-1] if sign else name
        if not (name.strip() and equals and value.strip()):
            raise typer.BadParameter(f"{argument!r} is not PV=VALUE")
        if any(character in name for character in "*?["):
            raise typer.BadParameter(f"{name!r} is a pattern; name each PV that is to be written")
        if name in moves:
            raise typer.BadParameter(f"{name!r} is given twice")
        moves[name] = _Move(value, sign)
    return moves


def _not_at_setpoint(client: "EpicsClient", setpoints: "list[Reading]") -> "dict[str, Reading]":
    """Find the readbacks that are not at their setpoints now, by the setpoint's name.

    A put that the server has accepted may have been lost on its way to the device: the readback is what tells. Nothing
    is found on a server that does not list its PVs.
    """
    from gnomon.clients.errors import ClientError

    try:
        return _compare_readbacks(client, setpoints)
    except ClientError:  # the put itself was done
        return {}


def _compare_readbacks(client: "EpicsClient", setpoints: "list[Reading]") -> "dict[str, Reading]":
    known = {info.name: (info.device, info.property) for info in client.find_pvs(source="set")}
    numbers = {r.name: r for r in setpoints if r.name in known and isinstance(r.value, int | float)}
    if not numbers:
        return {}
    readbacks = {(info.device, info.property): info.name for info in client.find_pvs(source="readback")}
    pairs = {name: readbacks[known[name]] for name in numbers if known[name] in readbacks}
    if not pairs:
        return {}
    read = dict(zip(pairs, client.get(*pairs.values()), strict=True))
    return {
        name: readback
        for name, readback in read.items()
        if readback.severity_name == "INVALID"
        or not math.isclose(float(readback.value), float(numbers[name].value), rel_tol=1e-6, abs_tol=1e-9)
    }


def _told(old: "Reading", new: "Reading", astray: "dict[str, Reading]") -> dict[str, Any]:
    told = {"name": new.name, "old": old.value, "new": new.value, "unit": new.unit, "severity": new.severity_name}
    return told if new.name not in astray else told | {"readback": astray[new.name].value}


def _print_astray(astray: "dict[str, Reading]") -> None:
    """Say which readbacks are not at their setpoints."""
    from gnomon.cli.output import say
    from gnomon.cli.value_text import alarm_text
    from gnomon.lattice.text import printable

    for readback in astray.values():
        shown = f"{readback.value:.10g} {printable(readback.unit)}".rstrip()
        alarm = alarm_text(readback)
        say(f"{printable(readback.name)} is {shown}{f' {alarm}' if alarm else ''}, not at the setpoint")


def _print_moves(old: "list[Reading]", new: "list[Reading]", answer: dict[str, Any]) -> None:
    from gnomon.cli.output import aligned_lines, say
    from gnomon.cli.value_text import alarm_text, difference_text
    from gnomon.lattice.text import printable

    rows = []
    for before, after in zip(old, new, strict=True):
        was, now = difference_text(before.value, after.value)
        rows.append([printable(after.name), was, "->", f"{now} {printable(after.unit)}".rstrip(), alarm_text(after)])
    for line in aligned_lines(rows, [False, True, False, False, False]):
        typer.echo(line)
    if answer:
        say(f"one command, number {answer.get('sequence')} in the journal; lattice {answer.get('lattice_id')}")
