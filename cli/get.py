"""`gnomon get`: read PVs of a running server."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.connection import Connection, connected
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json

if TYPE_CHECKING:
    from gnomon.clients.reading import Reading

#: Width to which short values are aligned [characters].
MAX_WIDTH = 40


@with_options("connection", Connection)
def get(
    pvs: Annotated[
        list[str],
        typer.Argument(metavar="PV...", help="Names or patterns ('HS4P*:set', '*:rdX'), with or without the prefix."),
    ],
    everything: Annotated[bool, typer.Option("--all", help="Show all values of waveforms and tables.")] = False,
    bare: Annotated[bool, typer.Option("--bare", help="Print values alone, one in a line.")] = False,
    as_json: Json = False,
    *,
    connection: Connection,
) -> None:
    """Show values with unit, alarm and time. For example `gnomon get TUNEZR:rdH`, `gnomon get 'HS4P*:set'`.

    Exit codes: 0 shown, whatever the alarm; 1 no answer, or not allowed; 2 no such PV.
    """
    from gnomon.cli.output import print_json

    with connected(connection, pvs) as client:
        readings = client.get(*pvs)
        if as_json:
            print_json([reading.to_json() for reading in readings])
        elif bare:
            _print_bare(readings, everything)
        else:
            for line in reading_lines(readings, everything=everything):
                typer.echo(line)


def reading_lines(
    readings: "Sequence[Reading]", *, everything: bool = False, name_width: int = 0, time_first: bool = False
) -> Iterator[str]:
    """Format readings as aligned lines: name, value with unit, time, alarm; a table's rows below its line."""
    from gnomon.cli.value_text import alarm_text, table_lines, value_text
    from gnomon.lattice.text import printable

    values = [f"{value_text(each.value, everything=everything)} {printable(each.unit)}".rstrip() for each in readings]
    # A waveform would push the times of all other lines out of sight.
    width = max((len(value) for value in values if len(value) <= MAX_WIDTH), default=0)
    names = [printable(each.name) for each in readings]
    name_width = max((name_width, *map(len, names)))
    for reading, plain, value in zip(readings, names, values, strict=True):
        name = plain.ljust(name_width)
        alarm = typer.style(alarm_text(reading), fg="yellow" if reading.severity == 1 else "red")
        cells = (reading.time, name, value) if time_first else (name, value.ljust(width), reading.time)
        yield "  ".join((*cells, alarm if reading.severity else "")).rstrip()
        if isinstance(reading.value, dict):
            yield from table_lines(reading.value, everything=everything)


def _print_bare(readings: "list[Reading]", everything: bool) -> None:
    from gnomon.cli.value_text import table_lines, value_text

    for reading in readings:
        if isinstance(reading.value, dict):
            for line in table_lines(reading.value, everything=everything):
                typer.echo(line.strip())
        else:
            value = reading.value
            typer.echo(repr(value) if isinstance(value, float) else value_text(value, everything=everything))
