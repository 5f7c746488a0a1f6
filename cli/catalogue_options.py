"""The catalogue of a configuration on the command line: opened with progress, and the options of a question to it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.options import configure
from gnomon.cli.output import say
from gnomon.cli.results_folder import results_of

if TYPE_CHECKING:
    from gnomon.services.catalogue import Catalogue, CatalogueEntry, CataloguePlaces, CatalogueQuery

#: Number of files from which on it is said that they are read, and of unreadable ones that are named.
MANY, MAX_NAMED = 200, 5

KINDS = "result, study, recording, snapshot or calibration"
Identifiers = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="Identifiers, their first digits, or names; `gnomon results find` has them."),
]


def places_of(results: Path | None, config: Path | None) -> "CataloguePlaces":
    """Find the places of a configuration."""
    from gnomon.services.catalogue import CataloguePlaces

    return CataloguePlaces(results_of(results, config).folder, configure(config))


@contextmanager
def open_catalogue(results: Path | None, config: Path | None, *, again: bool = False) -> "Iterator[Catalogue]":
    """Open the catalogue; on a terminal, say so while many files are read for the first time."""
    from rich.console import Console

    from gnomon.services.catalogue import Catalogue

    console = Console(stderr=True, emoji=False, highlight=False)
    with console.status("reading new files") as status:

        def progress(phrase: str, done: int, total: int) -> None:
            if total > MANY:
                status.update(f"reading {phrase}: {done} of {total} new files")

        catalogue = Catalogue(places_of(results, config), progress, again=again)
    with catalogue:
        yield catalogue


def make_query(
    kind: Annotated[str | None, typer.Option(help=f"Select a kind: {KINDS}.", show_default="all")] = None,
    procedure: Annotated[
        str | None, typer.Option(help="Select a procedure or a study, for example orm.", show_default="all")
    ] = None,
    machine: Annotated[
        str | None, typer.Option("--machine", help="Select a machine by its name.", show_default="all")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Select what this user made.", show_default="all")] = None,
    tag: Annotated[str | None, typer.Option(help="Select what has this tag.", show_default="all")] = None,
    proposal: Annotated[
        str | None, typer.Option(help="Select what belongs to this proposal or shift.", show_default="all")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Select what was made from this time on: an age (10m, 2h, 3d) or an ISO time."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Select what was made up to this time.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="Show at most this many.")] = 50,
) -> "CatalogueQuery":
    """Make the question that the options describe, without its words."""
    from gnomon.cli.log.log_options import parse_time
    from gnomon.lattice.near_names import near_names_hint
    from gnomon.services.catalogue import CatalogueQuery

    if kind is not None and kind not in KINDS.replace(" or ", ", ").split(", "):
        near = near_names_hint(kind, KINDS.replace(" or ", ", ").split(", "))
        raise typer.BadParameter(f"{kind!r} is not a kind: use {KINDS}{near}", param_hint="--kind")
    times = [parse_time(text, option) for text, option in ((since, "--since"), (until, "--until"))]
    since_us, until_us = (None if each is None else each // 1000 for each in times)
    return CatalogueQuery(
        kind=kind or "", procedure=procedure or "", machine=machine or "", user=who or "", tag=tag or "",
        proposal=proposal or "", since_us=since_us, until_us=until_us, count=count,
    )  # fmt: skip


def row_of(entry: "CatalogueEntry") -> dict[str, Any]:
    """Make a row of a table, with all fields for JSON."""
    from gnomon.lattice.identifiers import parse_identifier

    found = parse_identifier(entry.identifier)
    return {
        **entry.model_dump(mode="json"),
        "id": entry.identifier if found is None else found.short,
        "date": entry.made[:16].replace("T", " "),
        "all tags": " ".join(entry.tags),
    }


#: Columns of the table of entries.
COLUMNS = {
    "id": "id", "name": "name", "date": "made (UTC)", "machine": "machine", "user": "user", "status": "status",
    "all tags": "tags", "note": "note",
}  # fmt: skip


def tell_unread(catalogue: "Catalogue") -> None:
    """Name the files that cannot be read, on standard error."""
    unread = catalogue.unread()
    for each in unread[:MAX_NAMED]:
        say(f"left out: {each.reason if each.file in each.reason else f'{each.file}: {each.reason}'}", err=True)
    if len(unread) > MAX_NAMED:
        more = len(unread) - MAX_NAMED
        say(f"and {more} more files that cannot be read; `gnomon results find --unreadable` lists all", err=True)


def resolve_all(catalogue: "Catalogue", texts: "Sequence[str]") -> "list[CatalogueEntry]":
    """Find what identifiers and names stand for, each once. Raises CatalogueError."""
    found = {entry.identifier: entry for entry in map(catalogue.resolve, texts)}
    return list(found.values())


#: Commands that show more of a kind, by kind.
MORE = {
    "recording": "gnomon record show {}",
    "snapshot": "gnomon snapshot show {}",
    "calibration": "gnomon calibrate show {}",
}


def show_entry(entry: "CatalogueEntry") -> None:
    """Show what the catalogue knows about something, and the command that shows more."""
    from shlex import quote

    from gnomon.cli.results_folder import show_lines
    from gnomon.procedures.summaries import Line

    told = {
        "identifier": entry.identifier,
        entry.kind: f"{entry.name}, {entry.title}" + (f", {entry.status}" if entry.status else ""),
        "made": entry.made + (f", by {entry.user}" if entry.user else ""),
        "machine": f"{entry.machine} at {entry.prefix!r}" if entry.prefix else entry.machine,
        "machine document": entry.document,
        "lattice": entry.lattice,
        "optics": entry.optics,
        "proposal": entry.proposal,
        "DOI": entry.doi,
        "tags": ", ".join(entry.tags),
        "note": entry.note,
        "made from": ", ".join(entry.sources),
        "versions": ", ".join(f"{program} {number}" for program, number in entry.versions.items()),
        "file": entry.file,
        "more": MORE[entry.kind].format(quote(entry.name)) if entry.kind in MORE else "",
    }
    show_lines([Line(name, text) for name, text in told.items() if text])
