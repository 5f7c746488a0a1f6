"""The folder of results, and outcomes as lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import configure
from gnomon.cli.output import aligned_lines

if TYPE_CHECKING:
    from gnomon.procedures.results import Results
    from gnomon.procedures.summaries import Line

ResultsFolder = Annotated[
    Path | None,
    typer.Option(
        "--results",
        envvar="GNOMON_RESULTS",
        metavar="FOLDER",
        help="Folder of the results.",
        show_default="`results` beside the document store",
    ),
]


def results_of(folder: Path | None, config: Path | None) -> "Results":
    """Find the folder of results, and the document store and the catalogue of the configuration."""
    from gnomon.procedures.results import Results

    settings = configure(config)
    place = settings.results_folder() if folder is None else folder.expanduser()
    return Results(place, settings.store_place().to_text(), settings.results.tiled)


def know_procedure(name: str, config: Path | None) -> None:
    """Make the procedure of a result known: that of a user script is in the configuration's folder."""
    from gnomon.procedures.registry import PROCEDURES

    if name not in PROCEDURES and (folder := configure(config).services.scripts) is not None:
        from gnomon.procedures.user_scripts import load_scripts

        load_scripts(folder)


def show_lines(lines: "Sequence[Line]") -> None:
    """Print an outcome's lines."""
    from gnomon.lattice.text import printable

    rows = [[printable(line.name), printable(f"{line.value} {line.unit}".rstrip())] for line in lines]
    for line in aligned_lines(rows, [False, False]):
        typer.echo(line)
