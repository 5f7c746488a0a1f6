"""Parts that all studies share: the options for results, the lattice, progress, tables and files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.lattice_options import LatticeChoice, find_lattice
from gnomon.cli.output import Json, print_json
from gnomon.cli.results_folder import ResultsFolder, results_of
from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from gnomon.ioc.app.known_lattices import KnownLattice
    from gnomon.lattice import Lattice
    from gnomon.propagator.studies import Frame, Say, StudyResult

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the result to this file: .json or .h5 (HDF5).")
]
Plot = Annotated[Path | None, typer.Option(help="Plot the result to this file: .png, .pdf or .svg.")]
Dark = Annotated[bool, typer.Option("--dark", help="Plot light on dark.")]
First = Annotated[
    str | None,
    typer.Option("--from", help="Plot from this position [m] or element on.", show_default="the ring's start"),
]
Last = Annotated[
    str | None, typer.Option("--to", help="Plot up to this position [m] or element.", show_default="the ring's end")
]
Cell = Annotated[int | None, typer.Option(min=1, help="Plot this cell of the ring, from 1 on.", show_default="all")]


Keep = Annotated[
    bool, typer.Option("--keep", help="Keep the result in the folder of results, where `gnomon results find` finds it.")
]
Note = Annotated[str, typer.Option("--note", "-m", help="Note to keep with the result.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Options for the result: tables or JSON on the terminal, a file, a plot; a group for `with_options`."""

    output: Output = None
    keep: Keep = False
    note: Note = ""
    results: ResultsFolder = None
    plot: Plot = None
    first: First = None
    last: Last = None
    cell: Cell = None
    dark: Dark = False
    json: Json = False


def run_study(
    study: "Callable[[Lattice, str, Say], StudyResult]",
    show: "Callable[[StudyResult, Console], None]",
    draw: "Callable[[StudyResult, Frame], None]",
    choice: "LatticeChoice | KnownLattice",
    wanted: Wanted,
    config: Path | None = None,
) -> None:
    """Run a study with progress and write its files; wrong options are refused before the computation.

    `config` is the configuration file, where `choice` does not have it.
    """
    from rich.console import Console

    from gnomon.cli.compile_kernels import compile_studies_with_progress
    from gnomon.propagator.studies import Frame, check_output, check_plot, window_of

    check_output(wanted.output)
    if wanted.keep:
        check_output(Path("kept.h5"))
    check_plot(wanted.plot)
    console = Console(emoji=False, highlight=False, stderr=wanted.json)
    known = find_lattice(choice) if isinstance(choice, LatticeChoice) else choice
    lattice = known.lattice
    window = window_of(lattice.ring, wanted.first, wanted.last, wanted.cell)
    compile_studies_with_progress(console, lattice.ring)
    with progress_bar(console) as progress:
        task = progress.add_task(lattice.ring.name, total=None)

        def say(what: str, done: int, total: int) -> None:
            progress.update(task, description=f"{lattice.ring.name}: {what}", completed=done, total=total)

        result = _signed(study(lattice, known.origin, say), lattice, wanted.note)
    if not wanted.json:
        heading(console, lattice, known.origin)
        show(result, console)
    deliver(result, wanted, console)
    if wanted.keep:
        _keep(result, wanted, choice.config if isinstance(choice, LatticeChoice) else config, console)
    if wanted.plot is not None:
        with console.status("plotting"):
            draw(result, Frame(wanted.plot, lattice, wanted.dark, *window))
        console.print(f"plotted: {printable(str(wanted.plot))}", markup=False, soft_wrap=True)


def progress_bar(console: "Console") -> "Progress":
    """Make the progress display of a study."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def heading(console: "Console", lattice: "Lattice", origin: str) -> None:
    """Print the machine, where its settings are from, and the lattice's id."""
    from rich.text import Text

    line = Text(printable(lattice.ring.name), "bold").append(f", {printable(origin)}, lattice {lattice.id}", "not bold")
    console.print(line, soft_wrap=True)


def cell(text: str) -> str:
    """Make a name a cell of a table: brackets are brackets, and no character acts on the terminal."""
    from rich.markup import escape

    from gnomon.lattice.text import printable

    return escape(printable(text))


def deliver(result: "StudyResult", wanted: Wanted, console: "Console") -> None:
    """Print a result as JSON if that is wanted, and write its files."""
    from gnomon.propagator.studies import result_document, write_result

    if wanted.json:
        print_json(result_document(result))
    if wanted.output is not None:
        write_result(result, wanted.output)
        console.print(f"written: {printable(str(wanted.output))}", markup=False, soft_wrap=True)


def _keep(result: "StudyResult", wanted: Wanted, config: Path | None, console: "Console") -> None:
    """Write a result into the folder of results."""
    from gnomon.procedures.results import STUDIES, new_name
    from gnomon.propagator.studies import result_document, write_result

    folder = results_of(wanted.results, config).folder / STUDIES
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{new_name(f'study-{result.study}')}.h5"
    write_result(result, path, new=True)
    identifier = result_document(result)["identifier"]
    console.print(f"kept: {printable(path.stem)}, {identifier}", markup=False, soft_wrap=True)


def _signed(result: "StudyResult", lattice: "Lattice", note: str) -> "StudyResult":
    """Add who makes a result, and when."""
    import os

    from gnomon.ioc.base.snapshot_store import signature
    from gnomon.procedures.documents import PROPOSAL, now
    from gnomon.propagator.studies import signed

    user, proposal = signature().user, os.environ.get(PROPOSAL, "")
    return signed(result, lattice, user=user, made=now(), note=note, proposal=proposal)
