"""`gnomon data`: what is kept, given away with all that it needs, checked, tagged, and removed by rules."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.catalogue_options import Identifiers, open_catalogue, resolve_all, show_entry, tell_unread
from gnomon.cli.options import ConfigFile, configure
from gnomon.cli.output import Json, print_json, print_table, say
from gnomon.cli.results_folder import ResultsFolder

if TYPE_CHECKING:
    from gnomon.services.catalogue import CrateFacts

app = typer.Typer(
    no_args_is_help=True, help="Export, check, annotate and prune data; `gnomon results find` finds them."
)

License = Annotated[
    str | None, typer.Option(help="License: an address or a name.", show_default="results.license of the configuration")
]
Facility = Annotated[
    str | None, typer.Option(help="Name of the facility.", show_default="results.facility of the configuration")
]


@app.command()
def export(
    ids: Identifiers,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER|FILE.zip", help="Write a new folder, or a new ZIP file.")],
    title: Annotated[
        str | None, typer.Option(help="Title of the whole.", show_default="names of the first ones")
    ] = None,
    license: License = None,
    facility: Facility = None,
    sources: Annotated[
        bool, typer.Option("--sources/--no-sources", help="Also export what they were made from.")
    ] = True,
    results: ResultsFolder = None,
    config: ConfigFile = None,
) -> None:
    """Write an RO-Crate that a stranger can read: data, machine documents, units, checksums and a page of explanations.

    For example `gnomon data export optics-fit-20261127T101502.123 --to fit.zip`. Everything is checked against its
    identifier first. `gnomon data check` checks it again, on any computer.
    """
    from gnomon.services.catalogue import crate_parts, with_sources, write_crate

    with open_catalogue(results, config) as catalogue:
        entries = resolve_all(catalogue, ids)
        missing: list[str] = []
        if sources:
            entries, missing = with_sources(catalogue, entries)
        parts, remarks = crate_parts(catalogue.places, entries)
    names = ", ".join(entry.name for entry in entries[:3]) + (" and more" if len(entries) > 3 else "")
    files = write_crate(to, _facts(title or names, license, facility, config), parts, remarks, missing)
    size = sum(file.size for file in files)
    say(f"{to}: {len(entries)} exported in {len(files)} files, {size / 1e6:.1f} MB; `gnomon data check {to}` checks it")
    for remark in (*remarks, *(f"{each}: not found, and left out" for each in missing)):
        say(f"note: {remark}", err=True)


def _facts(title: str, license: str | None, facility: str | None, config: Path | None) -> "CrateFacts":
    from datetime import UTC, datetime

    from gnomon.services.catalogue import CrateFacts

    told = configure(config).results
    return CrateFacts(
        title, facility or told.facility or "", license or told.license or "", f"{datetime.now(UTC):%Y-%m-%d}"
    )


@app.command()
def check(
    crate: Annotated[Path, typer.Argument(metavar="FOLDER|FILE.zip", help="Folder or ZIP file of a crate.")],
    as_json: Json = False,
) -> None:
    """Check a crate: metadata, checksums, and that content has its identifier.

    The exit code is 1 if something is wrong. For example `gnomon data check fit.zip`.
    """
    from dataclasses import asdict

    from gnomon.services.catalogue import check_crate

    found = check_crate(crate)
    if as_json:
        print_json(asdict(found))
    else:
        for fault in found.faults:
            say(fault)
        count = f"{found.files} files, {found.checksums} checksums and {found.identifiers} identifiers are right"
        wrong = f"{len(found.faults)} faults; " if found.faults else ""
        say(f"{crate}: {found.title}: {wrong}{count}")
    if found.faults:
        raise typer.Exit(1)


@app.command()
def annotate(
    id: Annotated[str, typer.Argument(metavar="ID", help="Identifier, its first digits, or name.")],
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Add this tag; repeat the option for several.")] = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", help="Take this tag away.")] = None,
    doi: Annotated[str | None, typer.Option(help="Digital object identifier; '' takes it away.")] = None,
    proposal: Annotated[str | None, typer.Option(help="Proposal or shift that it belongs to.")] = None,
    results: ResultsFolder = None,
    config: ConfigFile = None,
) -> None:
    """Add tags, a DOI or a proposal to something; its own file stays as it is. What has a tag or a DOI is never pruned.

    For example `gnomon data annotate 798a60 --tag golden --doi 10.5281/zenodo.1234567`.
    """
    from pydantic import ValidationError

    from gnomon.ioc.base.snapshot_store import signature
    from gnomon.lattice.identifiers import parse_identifier
    from gnomon.procedures.documents import now
    from gnomon.services.catalogue import Annotation, doi_of, read_annotation, write_annotation

    with open_catalogue(results, config) as catalogue:
        entry = catalogue.resolve(id)
        identifier = parse_identifier(entry.identifier)
        assert identifier is not None
        before = read_annotation(catalogue.places.results, identifier)
        tags = [each for each in dict.fromkeys((*before.tags, *(tag or ()))) if each not in (untag or ())]
        try:
            after = Annotation(
                identifier=entry.identifier,
                doi=before.doi if doi is None else doi_of(doi) if doi else "",
                tags=tuple(tags),
                proposal=before.proposal if proposal is None else proposal,
                by=signature().user,
                time=now(),
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise typer.BadParameter(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        if (after.doi, after.tags, after.proposal) != (before.doi, before.tags, before.proposal):
            write_annotation(catalogue.places.results, after)
            catalogue.update()
        show_entry(catalogue.resolve(entry.identifier))


@app.command()
def prune(
    yes: Annotated[bool, typer.Option("--yes", help="Remove them. Without it, they are only listed.")] = False,
    clock_is_right: Annotated[
        bool, typer.Option("--clock-is-right", help="Trust the clock although nothing has been made for months.")
    ] = False,
    results: ResultsFolder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """List what the rules in results.retention of the configuration would remove, and why; remove it with --yes.

    For example `gnomon data prune`. What is tagged, published, approved, in use, or what something else was made from
    stays. Each removal is written down in `removed.jsonl`, so that its identifier still tells what became of it. When
    nothing has been made for 120 days, the clock may be wrong, and nothing is removed without --clock-is-right.
    """
    import time

    from gnomon.ioc.base.snapshot_store import signature
    from gnomon.services.catalogue import CatalogueError, doubt_of_clock, plan_removals, protected_entries, remove

    rules = configure(config).results.retention
    if not rules:
        say("no rules: results.retention of the configuration has none, and nothing is removed")
        return
    with open_catalogue(results, config) as catalogue:
        protected = protected_entries(catalogue)
        now_us = time.time_ns() // 1000
        going, kept = plan_removals(catalogue.entries(), rules, protected, now_us)
        doubt = doubt_of_clock(catalogue.entries(), now_us) if going and not clock_is_right else ""
        rows = [
            {"what": word, "name": each.entry.name, "kind": each.entry.kind, "made (UTC)": each.entry.made[:16],
             "MB": f"{each.entry.size / 1e6:.2f}", "why": each.reason, "identifier": each.entry.identifier}
            for word, group in (("goes", going), ("stays", kept)) for each in group
        ]  # fmt: skip
        titles = {name: name for name in ("what", "name", "kind", "made (UTC)", "MB", "why")}
        print_table(rows, titles, as_json=as_json, right=("MB",), empty="nothing goes: no rule applies to anything")
        tell_unread(catalogue)
        size = sum(each.entry.size for each in going) / 1e6
        if doubt:
            doubt += "; set the clock, or, if it is right, give --clock-is-right"
            if yes:
                raise CatalogueError(f"nothing was removed: {doubt}")
            say(f"note: {doubt}", err=True)
        if going and not yes:
            say(f"{len(going)} would go, {size:.1f} MB; nothing was removed: --yes removes them", err=as_json)
        elif going:
            remove(catalogue.places, going, signature().user)
            say(f"{len(going)} removed, {size:.1f} MB", err=as_json)


@app.command()
def scicat(
    ids: Identifiers,
    to: Annotated[Path, typer.Option("--to", help="Write to this file (JSON).")],
    owner_group: Annotated[str, typer.Option(help="Group of SciCat that owns the datasets.")],
    contact: Annotated[str, typer.Option(metavar="EMAIL", help="Address of a person to ask.")],
    license: License = None,
    facility: Facility = None,
    results: ResultsFolder = None,
    config: ConfigFile = None,
) -> None:
    """Write datasets for SciCat: metadata as its interface takes them, and the files with their checksums.

    For example `gnomon data scicat orm-20261127T101502.123 --to orm.json --owner-group machine --contact a@b.org`. The
    file is a list; of each, send `dataset` to POST /api/v4/datasets, and `origdatablock` to
    POST /api/v3/datasets/PID/origdatablocks.
    """
    import json

    from gnomon.lattice.files import file_digest
    from gnomon.services.catalogue import CatalogueError, ScicatFacts, WrittenFile, crate_parts, scicat_document

    with open_catalogue(results, config) as catalogue:
        parts, _ = crate_parts(catalogue.places, resolve_all(catalogue, ids))
    told = configure(config).results
    place = facility or told.facility
    if not place:
        raise typer.BadParameter("name it here, or in results.facility of the configuration", param_hint="--facility")
    facts = ScicatFacts(
        owner_group=owner_group, contact_email=contact, facility=place, license=license or told.license or ""
    )
    documents = []
    for part in parts:
        if part.entry is None:
            continue
        if isinstance(part.source, bytes):
            raise CatalogueError(
                f"{part.entry.name}: a {part.entry.kind} of the store has no file of its own that SciCat could list: "
                "`gnomon data export` writes one"
            )
        written = WrittenFile(part.source.name, part.source.stat().st_size, file_digest(part.source))
        documents.append(scicat_document(part, written, part.source.parent, facts))
    with to.open("x", encoding="utf-8") as file_to:
        file_to.write(json.dumps(documents, indent=1, ensure_ascii=False) + "\n")
    say(f"{to}: {len(documents)} datasets for SciCat")
