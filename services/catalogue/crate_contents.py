"""The files of a crate: copies of what is kept, each checked against its identifier, and the machine documents."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.ioc.base.machines import LoadedMachine, find_machine, recorded_machine
from gnomon.lattice import DocumentError, LatticeError
from gnomon.lattice.identifiers import Identifier, parse_identifier
from gnomon.procedures.nexus import require_h5py
from gnomon.propagator.studies import read_study
from gnomon.recorder.recordings import RecordingFolder
from gnomon.services.catalogue.catalogue import Catalogue
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry, CatalogueError
from gnomon.services.catalogue.catalogue_places import CataloguePlaces
from gnomon.services.catalogue.content_hash import content_hash

__all__ = ["ArrayFact", "CratePart", "crate_parts", "with_sources"]

#: Largest number of entries in a crate: sources of sources come along.
MAX_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class ArrayFact:
    """An array of a file: its path, shape, unit, the names of its axes, and what it is."""

    path: str
    shape: tuple[int, ...]
    unit: str
    axes: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class CratePart:
    """A file of a crate: its path in it, its content as a file to copy or as bytes, and what it is of.

    `entry` is None of a machine document.
    """

    path: str
    source: Path | bytes
    identifier: str
    title: str
    encoding: str
    entry: CatalogueEntry | None = None
    arrays: tuple[ArrayFact, ...] = ()


def with_sources(catalogue: Catalogue, entries: Iterable[CatalogueEntry]) -> tuple[list[CatalogueEntry], list[str]]:
    """Add what entries were made from, and what that was made from; also return the sources that are not there.

    Raises CatalogueError for too many.
    """
    found: dict[str, CatalogueEntry] = {}
    missing: dict[str, None] = {}
    waiting = list(entries)
    while waiting:
        entry = waiting.pop(0)
        if entry.identifier in found:
            continue
        found[entry.identifier] = entry
        if len(found) > MAX_ENTRIES:
            raise CatalogueError(f"more than {MAX_ENTRIES} things would be exported: choose fewer, or --no-sources")
        for source in entry.sources:
            try:
                waiting.append(catalogue.resolve(source))
            except CatalogueError:
                missing[source] = None
    return list(found.values()), list(missing)


def crate_parts(places: CataloguePlaces, entries: Sequence[CatalogueEntry]) -> tuple[list[CratePart], list[str]]:
    """Make the files of entries and of their machines' documents, and lines about what is not as it should be.

    Raises GnomonError for something whose content does not have its identifier, or that cannot be read.
    """
    parts = [_part(places, entry) for entry in entries]
    remarks: list[str] = []
    machines: dict[str, CratePart] = {}
    for name, digest in dict.fromkeys((entry.machine, entry.document) for entry in entries if entry.machine):
        made = _machine_part(places, name, digest, remarks)
        if made is not None:
            machines[made.identifier] = made
    return [*parts, *machines.values()], remarks


def machine_identifier(digest: str) -> str:
    """Return the identifier of a machine document by its digest."""
    return f"gnomon:machine/{digest}"


def _part(places: CataloguePlaces, entry: CatalogueEntry) -> CratePart:
    identifier = parse_identifier(entry.identifier)
    if identifier is None:
        raise CatalogueError(f"{entry.identifier!r} is not an identifier")
    path = Path(entry.file)
    match entry.kind:
        case "recording":
            file = RecordingFolder(places.recordings).find(identifier.digits)
            return _document(entry, identifier, file.model_dump(by_alias=True, mode="json"))
        case "snapshot":
            return _document(entry, identifier, _snapshot(places, identifier, entry))
        case kind:
            if content_hash(path, kind) != identifier.digits:
                raise _changed(path)
            return _copied(entry, path, _arrays(path, kind))


def _snapshot(places: CataloguePlaces, identifier: Identifier, entry: CatalogueEntry) -> dict[str, Any]:
    """Read the revision of a snapshot that has a digest; the store checks that its content does."""
    with places.config.store_place().open_blocking() as store:
        for revision in store.history("snapshot", entry.name):
            if revision.digest == identifier.digits:
                return store.get("snapshot", entry.name, revision.revision).document
    raise CatalogueError(f"{entry.file}: the store no longer has {entry.identifier}, snapshot {entry.name!r}")


def _changed(path: Path) -> CatalogueError:
    return CatalogueError(f"{path}: its content does not have its identifier: it was changed; take it from a backup")


def _copied(entry: CatalogueEntry, path: Path, arrays: tuple[ArrayFact, ...]) -> CratePart:
    encoding = "application/json" if path.suffix == ".json" else "application/x-hdf5"
    name = f"{_folder(entry.kind)}/{_safe(path.name)}"
    return CratePart(name, path, entry.identifier, entry.title, encoding, entry, arrays)


def _document(entry: CatalogueEntry, identifier: Identifier, document: dict[str, Any]) -> CratePart:
    name = f"{_folder(entry.kind)}/{_safe(entry.name)}.{identifier.digits[:12]}.json"
    content = (json.dumps(document, indent=1) + "\n").encode()
    return CratePart(name, content, entry.identifier, entry.title, "application/json", entry)


def _machine_part(places: CataloguePlaces, name: str, digest: str, remarks: list[str]) -> CratePart | None:
    """Find a machine document; of a result that does not say which one it was, the present one of that name."""
    try:
        found: LoadedMachine = (
            recorded_machine(places.config, name, digest)
            if digest
            else find_machine(places.config.model_copy(update={"machine": name}))
        )
        ring_digest = found.ring.digest
    except (DocumentError, LatticeError, OSError) as error:
        remarks.append(f"The machine document of {Path(name).stem} is missing: {error}")
        return None
    if not digest:
        remarks.append(
            f"Something here does not say which document of {found.document.name} it is of; the one that is here is "
            "that of the day of the export."
        )
    content = found.document.model_dump_json(by_alias=True, indent=1).encode() + b"\n"
    path = f"machines/{_safe(found.document.name)}.{ring_digest[:12]}.json"
    title = f"machine document of {found.document.name}: elements, devices, conversions"
    return CratePart(path, content, machine_identifier(ring_digest), title, "application/json")


def _arrays(path: Path, kind: str) -> tuple[ArrayFact, ...]:
    """List the arrays with units of a file; a calibration is described as a whole."""
    if kind == "calibration":
        return ()
    return _json_arrays(read_study(path)) if path.suffix == ".json" else _hdf5_arrays(path)


def _hdf5_arrays(path: Path) -> tuple[ArrayFact, ...]:
    """List the arrays with units of a file that has been read before, and is one of ours."""
    h5py = require_h5py()
    found: list[ArrayFact] = []
    with h5py.File(path, "r") as file:

        def see(name: str, item: Any) -> None:
            unit = item.attrs.get("units", item.attrs.get("unit"))
            if unit is not None and hasattr(item, "shape") and not name.startswith("entry/plot/"):
                axes = item.attrs.get("axes_names", item.attrs.get("axes", ()))
                told = str(item.attrs.get("long_name", ""))
                found.append(ArrayFact(f"/{name}", tuple(item.shape), str(unit), tuple(map(str, axes)), told))

        file.visititems(see)
    return tuple(found)


def _json_arrays(document: dict[str, Any]) -> tuple[ArrayFact, ...]:
    return tuple(
        ArrayFact(f"quantities/{name}/data", _shape(each["data"]), each["unit"], tuple(each["axes"]), "")
        for name, each in document["quantities"].items()
    )


def _shape(value: Any) -> tuple[int, ...]:
    return (len(value), *(_shape(value[0]) if value else ())) if isinstance(value, list) else ()


def _folder(kind: str) -> str:
    return "studies" if kind == "study" else f"{kind}s"


def _safe(name: str) -> str:
    """Make a name that is a file's name everywhere."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:120] or "unnamed"
