"""Output of commands: a table on a terminal, the same table as plain text in a pipe, or JSON."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from gnomon.lattice.text import printable

Json = Annotated[bool, typer.Option("--json", help="Print JSON, with all digits and all values.")]


def say(text: str, *, err: bool = False) -> None:
    """Print lines of plain text that may hold names and words of others."""
    typer.echo("\n".join(map(printable, text.split("\n"))), err=err)


def print_error(error: Exception) -> None:
    """Print an error that the user can act on, on standard error."""
    from rich.console import Console
    from rich.text import Text

    told = "; ".join([str(error), *getattr(error, "__notes__", ())])
    text = "\n".join(map(printable, told.split("\n")))
    Console(stderr=True, emoji=False, highlight=False).print(Text("gnomon: ", "red").append(text), soft_wrap=True)


def print_json(data: Any) -> None:
    """Print data of dicts, lists, numbers and texts as JSON; NaN and infinity become null."""
    from gnomon.clients.reading import jsonable

    typer.echo(json.dumps(jsonable(data), indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def print_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    as_json: bool = False,
    right: Iterable[str] = (),
    empty: str = "",
) -> None:
    """Print rows: the fields that `columns` names by title, or with `as_json` all fields of each row.

    Fields of `right` are right-aligned. `empty` is printed instead of a table without rows.
    """
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        typer.echo(empty)
        return
    cells = [[cell_text(row.get(field)) for field in columns] for row in rows]
    aligned = [field in set(right) for field in columns]
    if sys.stdout.isatty():
        _print_rich(list(columns.values()), cells, aligned)
    else:
        for line in aligned_lines([list(columns.values()), *cells], aligned):
            typer.echo(line)


def cell_text(value: Any) -> str:
    """Format a field for a table: numbers to nine digits, nothing as `-`."""
    if value is None:
        return "-"
    return f"{value:.9g}" if isinstance(value, float) else printable(str(value))


def aligned_lines(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Align cells in columns two spaces apart; a column is as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def _print_rich(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, to_right in zip(titles, right, strict=True):
        table.add_column(title, justify="right" if to_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(emoji=False, highlight=False).print(table)
