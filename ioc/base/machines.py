"""The machine of a configuration: a file, a shipped machine, or one from the document store."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnomon.db import (
    StorePlace,
    expand,
    pv_document,
    pv_files,
    read_pvs,
    shipped_document,
    shipped_machine,
    shipped_machines,
)
from gnomon.db.pvs import PvSpec
from gnomon.db.store import AwayError, ConflictError, NotFoundError, StoredDocument
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.shared_pv_documents import fetch_pv_documents, share_pv_documents
from gnomon.lattice import DocumentError, LatticeError, MachineDocument, Ring, parse_machine, read_machine

if TYPE_CHECKING:
    from gnomon.recorder import Run

__all__ = [
    "LoadedMachine",
    "find_machine",
    "keep_document",
    "known_machines",
    "plain_document",
    "pvs_of",
    "recorded_machine",
    "recorded_ring",
]

KIND = "machine"


@dataclass(frozen=True)
class LoadedMachine:
    """A machine document and where it came from; `folder` is where PV documents are that are not shipped.

    `pvs` is the PV document that the configuration asks for, a name or a file; empty: the one that the machine names.
    `bounds` says that the PVs of confidence bounds are served besides.
    """

    document: MachineDocument
    origin: str
    folder: Path | None = None
    pvs: str = ""
    bounds: bool = False

    @cached_property
    def ring(self) -> Ring:
        """The document, built; that of a shipped machine is built once in a process."""
        if self.document.name in shipped_machines() and self.document is shipped_document(self.document.name):
            return shipped_machine(self.document.name)
        return Ring(self.document)

    def without_bounds(self) -> "LoadedMachine":
        """The same machine, without the PVs of confidence bounds."""
        return replace(self, bounds=False)


def find_machine(config: Config) -> LoadedMachine:
    """Find the machine that `config.machine` names. Raises DocumentError, with the known names, if there is none."""
    return replace(_find(config), pvs=config.pvs or "", bounds=config.shadow.calibration is not None)


def _find(config: Config) -> LoadedMachine:
    name = config.machine
    if name in shipped_machines():
        return LoadedMachine(shipped_document(name), "shipped")
    path = Path(name).expanduser()
    if path.suffix == ".json" or path.exists():
        return LoadedMachine(read_machine(path), str(path), path.parent)
    try:
        stored = next((machine for machine in _stored(config) if machine.document.name == name), None)
    except AwayError as error:
        raise AwayError(
            f"machine {name!r} is neither shipped nor a file, and the document store, where it may be, is away: {error}"
        ) from error
    if stored is None:
        names = ", ".join(machine.document.name for machine in known_machines(config))
        raise DocumentError(
            f"there is no machine {name!r}; use one of {names}, or the file of a machine document (.json)"
        )
    return stored


def known_machines(config: Config) -> Iterator[LoadedMachine]:
    """List the shipped machines, then those in the document store."""
    for name in shipped_machines():
        yield LoadedMachine(shipped_document(name), "shipped")
    yield from _stored(config)


def recorded_machine(config: Config, name: str, digest: str) -> LoadedMachine:
    """Find the machine of a recording: the shipped one, or a document in the store that was served then.

    `digest` is the ring's. Raises DocumentError if no document of this name has it.
    """
    for machine in (*_by_name(config, name), *_revisions_in_store(config, name)):
        if machine.ring.digest == digest:
            return replace(machine, pvs=config.pvs or "")
    raise DocumentError(
        f"machine {name!r} has changed since it was recorded: the recorded document, {digest[:12]}, is neither shipped "
        f"nor kept in {config.store_place()}"
    )


def _by_name(config: Config, name: str) -> Iterator[LoadedMachine]:
    with suppress(DocumentError):
        yield find_machine(config.model_copy(update={"machine": name}))


def _revisions_in_store(config: Config, name: str) -> Iterator[LoadedMachine]:
    """Yield all revisions of a machine in the store, newest first."""
    place = config.store_place()
    revisions = _read_revisions(place, name) if place.may_exist else []
    folder = _fetched_folder(config, name) if revisions else None
    for stored in revisions:
        document = parse_machine(json.dumps(stored.document), f"{place}: {KIND} {name!r}")
        yield LoadedMachine(document, f"store, revision {stored.revision}", folder)


def _read_revisions(place: StorePlace, name: str) -> list[StoredDocument]:
    with place.open_blocking() as store:
        try:
            revisions = store.history(KIND, name)
        except NotFoundError:
            return []
        return [store.get(KIND, name, r.revision) for r in sorted(revisions, key=lambda r: -r.revision)]


def recorded_ring(config: Config, run: "Run") -> Ring | None:
    """Build the ring of a recorded run; None if its machine document is no longer available."""
    try:
        return recorded_machine(config, run.machine, run.digest).ring
    except LatticeError:
        return None


def plain_document(document: MachineDocument) -> dict[str, Any]:
    """Return a machine document as the JSON that stores hold: by the keys of its file, in their order."""
    plain: dict[str, Any] = json.loads(document.model_dump_json(by_alias=True))
    return plain


async def keep_document(machine: LoadedMachine, config: Config, since_ns: int | None = None) -> None:
    """Store the document that is about to be served, so that the states in the journal can always be rebuilt.

    The PV documents of a user's machine are kept beside the store, as they are now. With `since_ns`, it is served since
    then: a revision that somebody else has put meanwhile stays the newest.
    """
    await asyncio.to_thread(_keep_pv_documents, machine, config)
    name = machine.document.name
    document = plain_document(machine.document)
    async with config.store_place().open() as store:
        try:
            newest = await store.get(KIND, name)
        except NotFoundError:
            newest = None
        # The order of keys counts: optics are numbered by it.
        if newest is not None and json.dumps(newest.document) == json.dumps(document):
            return
        if newest is not None and since_ns is not None and newest.time_ns > since_ns:
            return
        try:
            await store.put(KIND, name, document, expected_revision=newest.revision if newest else 0)
        except ConflictError:
            return  # another server has just kept the same machine


def _pv_folder(config: Config, machine: str) -> Path:
    """Find the folder in which the PV documents of a user's machine are kept."""
    return config.store_path().parent / "pvs" / machine


def _fetched_folder(config: Config, machine: str) -> Path:
    """The same folder, with what a store that is shared has of them."""
    folder = _pv_folder(config, machine)
    fetch_pv_documents(config.store_place(), machine, folder)
    return folder


def _keep_pv_documents(machine: LoadedMachine, config: Config) -> None:
    kept = _pv_folder(config, machine.document.name)
    if machine.folder is None or machine.folder == kept or machine.pvs:
        return
    files = pv_files(machine.document.pvs, partial(pv_document, beside=machine.folder))
    try:
        for name, file in files.items():
            if file.parent == machine.folder:
                kept.mkdir(parents=True, exist_ok=True)
                (kept / f"{name}.pvs.json").write_bytes(file.read_bytes())
    except OSError as error:
        raise DocumentError(f"{kept}: the PV documents cannot be kept: {error}") from error
    share_pv_documents(config.store_place(), machine.document.name, kept)


def pvs_of(machine: LoadedMachine, prefix: str) -> tuple[PvSpec, ...]:
    """Make all PVs of a machine under a prefix. Raises DocumentError."""
    name = machine.pvs or machine.document.pvs
    file = Path(name).expanduser()
    beside = machine.folder if file.suffix != ".json" else file.parent

    def find(other: str) -> Path:
        return file if file.suffix == ".json" and other == name else pv_document(other, beside=beside)

    bounds = read_pvs("bounds", pv_document) if machine.bounds else ()
    return expand((*read_pvs(name, find), *bounds), machine.ring, prefix)


def _stored(config: Config) -> Iterator[LoadedMachine]:
    """Yield the machines that were served from a file before."""
    place = config.store_place()
    for stored in _read_newest(place) if place.may_exist else ():
        if stored.name not in shipped_machines():
            document = parse_machine(json.dumps(stored.document), f"{place}: {KIND} {stored.name!r}")
            yield LoadedMachine(document, f"store, revision {stored.revision}", _fetched_folder(config, stored.name))


def _read_newest(place: StorePlace) -> list[StoredDocument]:
    with place.open_blocking() as store:
        return [store.get(KIND, revision.name) for revision in store.list(KIND)]
