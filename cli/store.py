"""`gnomon store`: documents of a store, with their revisions, and their way into another store."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.options import ConfigFile, configure
from gnomon.cli.output import Json, print_json, print_table, say

if TYPE_CHECKING:
    from gnomon.db import StorePlace
    from gnomon.db.store import MachineStore, Revision

#: Exit code of a copy that left something out.
DONE_IN_PART = 3
#: Time between two lines of progress where there is no terminal [s].
TOLD_EVERY_S = 10.0

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="List, show, put and copy the documents of a store: machines, snapshots, results, reference orbits.",
)

Place = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help="Store: a file, or mongodb://[USER@]HOST[:PORT]/DATABASE.",
        show_default="the one of the configuration",
    ),
]


@app.command("list")
def list_(
    kind: Annotated[
        str | None,
        typer.Argument(help="List the documents of this kind.", show_default="all kinds, with their numbers"),
    ] = None,
    store: Place = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """List the kinds of documents, or the documents of a kind. For example `gnomon store list snapshot`."""
    place = _place(store, config)
    if kind is not None:
        revisions = _read(place, lambda documents: documents.list(kind))
        rows = [_row(each) for each in revisions]
        columns = {"name": "name", "revision": "revision", "put": "put", "digest": "SHA-256"}
        print_table(rows, columns, as_json=as_json, right=("revision",), empty=f"{place}: nothing of kind {kind!r}")
        return

    async def count(documents: "MachineStore") -> list[dict[str, Any]]:
        found = {each: await documents.revisions(each) for each in await documents.kinds()}
        return [
            {"kind": each, "documents": len({one.name for one in those}), "revisions": len(those)}
            for each, those in found.items()
        ]

    columns = {name: name for name in ("kind", "documents", "revisions")}
    print_table(
        _run(count, place) if place.may_exist else [],
        columns,
        as_json=as_json,
        right=("documents", "revisions"),
        empty=f"{place}: an empty store",
    )


@app.command()
def show(
    kind: Annotated[str, typer.Argument(help="Kind of the document: machine, snapshot, result, reference-orbit.")],
    name: Annotated[str, typer.Argument(help="Name of the document.")],
    revision: Annotated[int | None, typer.Option(min=1, help="Show this revision.", show_default="the newest")] = None,
    history: Annotated[bool, typer.Option("--history", help="List the revisions instead.")] = False,
    store: Place = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show a document as JSON, checked against its hash. For example `gnomon store show machine bessy2`."""
    place = _place(store, config)
    if history:
        rows = [_row(each) for each in _read(place, lambda documents: documents.history(kind, name))]
        print_table(rows, {"revision": "revision", "put": "put", "digest": "SHA-256"}, as_json=as_json)
        return
    print_json(_read(place, lambda documents: documents.get(kind, name, revision)).document)


@app.command()
def put(
    file: Annotated[Path, typer.Argument(help="Machine document (JSON).")],
    store: Place = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Put a machine document into the store, as the next revision. For example `gnomon store put ring.json`.

    A running server with this machine announces it; `gnomon machine diff` shows what would change, and `gnomon machine
    reload` takes it over.
    """
    import json

    from gnomon.db.store import NEW, NotFoundError
    from gnomon.lattice import Ring, read_machine

    machine = read_machine(file)
    Ring(machine)  # what names something that is not there, or lies outside its limits, is told now
    document = json.loads(machine.model_dump_json(by_alias=True))
    place = _place(store, config)

    async def next_revision(documents: "MachineStore") -> "Revision | None":
        try:
            newest = await documents.get("machine", machine.name)
        except NotFoundError:
            return await documents.put("machine", machine.name, document, NEW)
        if json.dumps(newest.document) == json.dumps(document):
            return None
        return await documents.put("machine", machine.name, document, newest.revision)

    made = _run(next_revision, place)
    if as_json:
        print_json({"machine": machine.name, "revision": made.revision if made else None, "new": made is not None})
        return
    say(f"{place}: machine {machine.name} " + (f"revision {made.revision}" if made else "has this content already"))


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Store to copy: a file, or mongodb://...")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Store to copy to: a file, or mongodb://...")],
    from_folder: Annotated[
        Path | None,
        typer.Option(help="Folder with results and PV documents of FROM.", show_default="the folder of the file"),
    ] = None,
    to_folder: Annotated[
        Path | None,
        typer.Option(help="Folder for results and PV documents of TO.", show_default="the folder of the file"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy all revisions of all documents, and the files of results beside them, into another store.

    For example `gnomon store copy documents.sqlite mongodb://gnomon@db.example.org/gnomon`. What TO has already is
    passed over, so that a copy that was interrupted is called once more. At the end everything is read back and its
    hashes are compared. Nothing is overwritten: a document of which TO has other revisions, or that is too large for it
    (MongoDB: 16 MB), is left out and named, and the exit code is 3.
    """
    from gnomon.db import StorePlace
    from gnomon.db.store import StoreError
    from gnomon.db.store_copy import copy_store
    from gnomon.ioc.base.store_folders import copy_files

    begin, end = StorePlace.of(source), StorePlace.of(target)
    if not begin.may_exist:
        raise StoreError(f"{begin}: there is no such file")
    if begin.to_text() == end.to_text():
        raise StoreError(f"{begin}: FROM and TO are the same store")
    with _progress() as tell:
        copied = _run(partial(copy_store, tell=tell), begin, end)
        files = copy_files(begin, end, (from_folder, to_folder), tell)
    problems = [*copied.problems, *files.problems]
    if as_json:
        print_json(
            {
                "revisions": {"copied": copied.copied, "there": copied.there, "verified": copied.verified},
                "kinds": copied.kinds,
                "files": {"copied": files.copied, "there": files.there},
                "ahead": copied.ahead,
                "problems": problems,
            }
        )
    else:
        say(
            f"{end}: revisions: {copied.copied} copied, {copied.there} were there already, {copied.verified} verified "
            f"by hash; files beside it: {files.copied} copied, {files.there} were there already"
        )
        for line in copied.ahead:
            say(f"newer in the target: {line}")
        for line in problems:
            say(f"left out: {line}", err=True)
    if problems:
        raise typer.Exit(DONE_IN_PART)


def _place(text: str | None, config: Path | None) -> "StorePlace":
    from gnomon.db import StorePlace

    return configure(config).store_place() if text is None else StorePlace.of(text)


def _read(place: "StorePlace", call: Callable[["MachineStore"], Any]) -> Any:
    from gnomon.db.store import StoreError

    if not place.may_exist:
        raise StoreError(f"{place}: there is no such file")
    return _run(call, place)


def _run(call: Callable[..., Any], *places: "StorePlace") -> Any:
    """Call a coroutine function with stores, which are closed after it."""
    import asyncio

    async def run() -> Any:
        async with AsyncExitStack() as stack:
            return await call(*[await stack.enter_async_context(place.open()) for place in places])

    return asyncio.run(run())


def _row(revision: "Revision") -> dict[str, Any]:
    from gnomon.recorder.rendering import local_time

    return {
        "name": revision.name,
        "revision": revision.revision,
        "put": local_time(revision.time_ns)[:19],
        "digest": revision.digest[:16],
        "time_ns": revision.time_ns,
    }


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show how much is done: a bar for each part on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, emoji=False), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(part: str, done: int, total: int) -> None:
            if part not in tasks:
                tasks[part] = bar.add_task(part, total=total)
            bar.update(tasks[part], completed=done, total=total)

        yield tell


def _lines(clock: Callable[[], float] = time.monotonic) -> Callable[[str, int, int], None]:
    last_s = clock()

    def tell(part: str, done: int, total: int) -> None:
        nonlocal last_s
        if clock() - last_s >= TOLD_EVERY_S:
            last_s = clock()
            say(f"{part}: {done} of {total}", err=True)

    return tell
