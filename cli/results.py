"""`gnomon results`: what was measured, found, shown, compared and exported."""

from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.catalogue_options import (
    COLUMNS,
    make_query,
    open_catalogue,
    row_of,
    show_entry,
    tell_unread,
)
from gnomon.cli.option_group import with_options
from gnomon.cli.options import ConfigFile
from gnomon.cli.output import Json, print_json, print_table, say
from gnomon.cli.results_folder import ResultsFolder, know_procedure, results_of, show_lines

if TYPE_CHECKING:
    from gnomon.lattice.identifiers import Identifier
    from gnomon.procedures.documents import Run
    from gnomon.procedures.summaries import Line
    from gnomon.services.catalogue import CatalogueEntry, CatalogueQuery

app = typer.Typer(
    no_args_is_help=True, help="List, find, show, compare, export and serve results of measurements and corrections."
)

Name = Annotated[
    str,
    typer.Argument(
        help="Name or identifier of a result, its first digits, its file, or a procedure for its newest result."
    ),
]


@app.command("list")
def list_(results: ResultsFolder = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List all results, the oldest first."""
    rows = [
        {
            "name": run.name,
            "status": run.status,
            "machine": run.provenance.machine,
            "prefix": run.provenance.prefix,
            "lattice": run.provenance.lattice_id,
            "user": run.provenance.user,
            "note": run.note,
        }
        for run in results_of(results, config).all()
    ]
    print_table(
        rows,
        {each: each for each in ("name", "status", "machine", "prefix", "lattice", "user", "note")},
        as_json=as_json,
        empty="no results yet; `gnomon measure orm` makes one",
    )


@app.command()
@with_options("query", make_query)
def find(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORDS]...", help="Words or their beginnings, which must all occur.", show_default=False
        ),
    ] = None,
    *,
    query: "CatalogueQuery",
    unreadable: Annotated[
        bool, typer.Option("--unreadable", help="List all files that cannot be read, with the reason of each, instead.")
    ] = False,
    again: Annotated[bool, typer.Option("--rebuild", help="Make the index again from the files first.")] = False,
    results: ResultsFolder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Find results, studies, recordings, snapshots and calibrations by words and fields, the newest first.

    For example `gnomon results find chromaticity --machine mls --since 30d`. Words are looked for in names, notes,
    users, tags, names of devices and PVs. `gnomon results show ID` shows what was found; the first digits are enough.
    """
    from dataclasses import replace

    with open_catalogue(results, config, again=again) as catalogue:
        if unreadable:
            left_out = [
                {"file": each.file, "reason": each.reason.removeprefix(f"{each.file}: ")} for each in catalogue.unread()
            ]
            titles = {"file": "file", "reason": "reason"}
            print_table(left_out, titles, as_json=as_json, empty="all files can be read")
            return
        asked = replace(query, words=" ".join(words or ()), count=query.count + 1)
        found = catalogue.find(asked)
        rows = [row_of(entry) for entry in found[: query.count]]
        print_table(rows, COLUMNS, as_json=as_json, empty="nothing was found; without words and options all is listed")
        if len(found) > query.count and not as_json:
            say(f"and more; show them with --count {10 * query.count}, or give more words", err=True)
        tell_unread(catalogue)


@app.command()
def show(
    name: Name,
    again: Annotated[bool, typer.Option("--again", help="Analyse the raw data again, and compare.")] = False,
    results: ResultsFolder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show a result: where it comes from, and its outcome. For example `gnomon results show orm --again`.

    Of a study, recording, snapshot or calibration with this name or identifier, it shows where it comes from. The exit
    code is 1 if --again gives another outcome.
    """
    from gnomon.procedures.documents import Run
    from gnomon.procedures.registry import reanalyse, typed
    from gnomon.procedures.summaries import Line, summarise

    run = _load(name, results, config)
    if not isinstance(run, Run):
        if as_json:
            print_json(run.model_dump(mode="json"))
        else:
            show_entry(run)
        return
    know_procedure(run.procedure, config)
    told = run.provenance
    same = None
    if again:
        outcome = typed(run)[2] if run.outcome is not None else None
        same = outcome is not None and reanalyse(run).model_dump_json() == outcome.model_dump_json()
    if as_json:
        shown = {"identifier": str(run.identifier)} | ({} if same is None else {"same again": same})
        print_json(run.model_dump(mode="json", by_alias=True) | shown)
    else:
        show_lines(
            [
                Line("result", f"{run.name}, {run.status}" + (f": {run.reason}" if run.reason else "")),
                Line("identifier", str(run.identifier)),
                *_annotated(results_of(results, config).folder, run.identifier),
                Line("measured", f"{told.started} to {told.ended}, by {told.user}"),
                Line("machine", f"{told.machine} at {told.prefix!r}, {told.role or 'no role'}, over {told.protocol}"),
                Line("lattice", f"{told.lattice_id}, generation {told.generation}; after it {told.lattice_id_after}"),
                Line("commands", f"{told.first_command + 1} to {told.last_command} of the journal"),
                Line("versions", ", ".join(f"{program} {number}" for program, number in told.versions.items())),
                *([Line("proposal", told.proposal)] if told.proposal else []),
                *([Line("made from", ", ".join(told.sources))] if told.sources else []),
                *([Line("note", run.note)] if run.note else []),
                *summarise(run),
            ]
        )
        if same is not None:
            say("analysed again: the same outcome, bit for bit" if same else "analysed again: another outcome")
    if same is False:
        raise typer.Exit(1)


def _load(name: str, results: Path | None, config: Path | None) -> "Run | CatalogueEntry":
    """Load a result by name, file or identifier; of anything else with that name or identifier, its entry.

    Raises ProcedureError, CatalogueError, StudyError, also for a result or study whose content was changed.
    """
    from gnomon.lattice.identifiers import parse_identifier
    from gnomon.procedures.errors import ProcedureError
    from gnomon.procedures.nexus import read_run
    from gnomon.propagator.studies import read_study

    folder = results_of(results, config)
    if name in folder.names():
        return folder.load(name)
    if parse_identifier(name) is None:
        try:
            return folder.load(name)
        except ProcedureError:
            if Path(name).expanduser().exists():
                raise
    with open_catalogue(results, config) as catalogue:
        entry = catalogue.resolve(name)
    if entry.kind == "result":
        run = read_run(Path(entry.file))
        if str(run.identifier) != entry.identifier:
            raise ProcedureError(
                f"{entry.file}: its content does not have its identifier {entry.identifier}: it was changed; take it "
                "from a backup"
            )
        return run
    if entry.kind == "study":
        read_study(Path(entry.file))  # which checks its identifier
    return entry


def _result(name: str, results: Path | None, config: Path | None) -> "Run":
    """Load a result by name, file or identifier. Raises ProcedureError for something else with that identifier."""
    from shlex import quote

    from gnomon.procedures.documents import Run
    from gnomon.procedures.errors import ProcedureError

    run = _load(name, results, config)
    if not isinstance(run, Run):
        again = quote(name)
        raise ProcedureError(
            f"{name} is not a result but a {run.kind}: `gnomon results show {again}` shows it, and "
            f"`gnomon data export {again} --to FOLDER` exports it"
        )
    return run


def _annotated(folder: Path, identifier: "Identifier") -> "list[Line]":
    """Return lines with what was said about a result after it was made."""
    from gnomon.procedures.summaries import Line
    from gnomon.services.catalogue import read_annotation

    told = read_annotation(folder, identifier)
    lines = {"DOI": told.doi, "tags": ", ".join(told.tags), "proposal": told.proposal}
    return [Line(name, text) for name, text in lines.items() if text]


@app.command()
def compare(
    first: Name,
    second: Name,
    results: ResultsFolder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Compare the outcomes of two results of one procedure, array by array, also in their standard deviations."""
    from gnomon.procedures.results import compare as differences

    runs = _result(first, results, config), _result(second, results, config)
    know_procedure(runs[0].procedure, config)
    rows = [
        {
            "array": each.field,
            "largest": f"{each.largest:.4g}",
            "rms": f"{each.rms:.4g}",
            "unit": each.unit,
            "in errors": "" if each.in_errors != each.in_errors else f"{each.in_errors:.3g}",
        }
        for each in differences(*runs)
    ]
    titles = {
        "array": "array",
        "largest": "largest difference",
        "rms": "rms difference",
        "unit": "unit",
        "in errors": "rms in standard deviations",
    }
    print_table(rows, titles, as_json=as_json, right=("largest", "rms", "in errors"), empty="nothing to compare")


@app.command()
def export(
    name: Name,
    file: Annotated[Path, typer.Argument(help="File to write: .json for the whole document, .h5 for NeXus.")],
    results: ResultsFolder = None,
    config: ConfigFile = None,
) -> None:
    """Write a result to a file. For example `gnomon results export orm orm.json`."""
    folder = results_of(results, config)
    run = _result(name, results, config)
    know_procedure(run.procedure, config)
    if file.exists():
        raise typer.BadParameter(f"{file} exists; choose another name", param_hint="FILE")
    if file.suffix == ".json":
        file.write_text(run.to_json() + "\n")
    elif file.suffix == ".h5":
        from gnomon.procedures.nexus import write_run

        source = folder.folder / f"{run.name}.h5"
        if source.exists():
            copyfile(source, file)
        else:
            write_run(run, file)
    else:
        raise typer.BadParameter(f"{file}: results are written as .json or .h5", param_hint="FILE")
    say(f"{run.name}: {file}")


@app.command()
def publish(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of results, or of procedures.")],
    results: ResultsFolder = None,
    config: ConfigFile = None,
) -> None:
    """Write results to the catalogue of tiled that the configuration names, as `gnomon measure` does.

    For example `gnomon results publish orm-20261127T101502.123`. It needs `gnomon[tiled]`.
    """
    from gnomon.procedures.errors import ProcedureError
    from gnomon.procedures.tiled_catalogue import publish_run

    folder = results_of(results, config)
    if folder.catalogue is None:
        raise ProcedureError("no catalogue is configured; give its address in results.tiled of the configuration")
    for name in names:
        run = folder.load(name)
        publish_run(folder.folder / f"{run.name}.h5", folder.catalogue)
        say(f"{run.name}: written to {folder.catalogue}")


@app.command()
def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Listen on this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port (TCP); 0 takes a free one.")] = 8291,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token.", show_default="TILED_API_KEY, else a file beside the results"),
    ] = None,
    results: ResultsFolder = None,
    config: ConfigFile = None,
) -> None:
    """Serve the results with tiled, for reading, until Ctrl-C: each run's file as named arrays with units.

    For example `gnomon results serve`. New runs appear as they come. Each request needs the token; only programs on
    this computer can connect, unless --host says otherwise. It needs `gnomon[tiled]`.
    """
    from gnomon.services.results_catalogue import serve_catalogue

    folder = results_of(results, config)
    serve_catalogue(folder, host, port, token_file, lambda lines: say("\n".join(lines)))
