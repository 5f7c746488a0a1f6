"""Snapshots in the document store, and the present settings of a server to make one."""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gnomon.db import StorePlace
from gnomon.db.pvs import PvSpec
from gnomon.db.store import NEW, Documents, NotFoundError, StoredDocument
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import pvs_of, recorded_machine
from gnomon.ioc.base.user import user_name
from gnomon.lattice import GnomonError, Lattice
from gnomon.recorder import Reader, ReviewError, Run
from gnomon.recorder.recorded_states import last_state_of
from gnomon.recorder.snapshots import Deleted, Entry, Signature, Snapshot, entries_of

__all__ = [
    "PresentState",
    "SnapshotError",
    "StoredSnapshot",
    "delete",
    "find",
    "list_snapshots",
    "read_present_state",
    "save",
    "signature",
    "snapshot_of",
]

KIND = "snapshot"
MAX_NAME = 100
#: Names that programs take for a place: a URL that ends in one leads to another.
PLACES = (".", "..")


class SnapshotError(GnomonError):
    """A snapshot that does not exist, exists already, or has an invalid name."""


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot with its name and revision in the store."""

    name: str
    revision: int
    snapshot: Snapshot


@dataclass(frozen=True)
class PresentState:
    """The present settings of a server, by its journal."""

    run: Run
    lattice: Lattice
    specs: Sequence[PvSpec]
    source: str

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The settings as entries of a snapshot."""
        return entries_of(self.lattice, self.specs, self.run.prefix)


def read_present_state(config: Config, journal: Path, prefix: str | None) -> PresentState:
    """Read the present settings of the newest server of a journal, or the newest under `prefix`. Raises GnomonError."""
    with Reader(journal) as reader:
        runs = [run for run in reader.runs() if prefix is None or run.prefix == prefix]
        if not runs:
            raise ReviewError(f"{journal}: no server under {prefix!r} has written to this journal")
        left = last_state_of(reader, runs[-1].machine, runs[-1].prefix)
    assert left is not None
    machine = recorded_machine(config, left.run.machine, left.run.digest)
    lattice = machine.ring.nominal.updated(left.settings)
    source = f"run {left.run.run}" + (f", command {left.sequence}" if left.sequence else "")
    return PresentState(left.run, lattice, pvs_of(machine, left.run.prefix), source)


def snapshot_of(now: PresentState, comment: str) -> Snapshot:
    """Make a snapshot of all present settings."""
    return Snapshot(
        machine=now.run.machine,
        digest=now.run.digest,
        prefix=now.run.prefix,
        lattice_id=now.lattice.id,
        complete=True,
        source=now.source,
        entries=now.entries,
        comment=comment,
        signed=signature(),
    )


def signature() -> Signature:
    """Make a signature with the present user, computer and time."""
    return Signature(time_ns=time.time_ns(), user=user_name(), host=socket.gethostname())


def save(config: Config, name: str, snapshot: Snapshot, *, replace: bool) -> StoredSnapshot:
    """Keep a snapshot; with `replace`, also as a new revision of an existing one. Raises SnapshotError."""
    if not name or len(name) > MAX_NAME or not name.isprintable() or name != name.strip() or name in PLACES:
        raise SnapshotError(f"invalid snapshot name {name!r}: use 1 to {MAX_NAME} printable characters, not . or ..")
    document = snapshot.model_dump(mode="json", by_alias=True)
    with config.store_place().open_blocking() as store:
        newest = _newest(store, name)
        if newest is not None and not newest.document.get("deleted") and not replace:
            raise SnapshotError(f"snapshot {name!r} already exists; save a new revision of it with --replace")
        put = store.put(KIND, name, document, newest.revision if newest else NEW)
    return StoredSnapshot(name, put.revision, snapshot)


def find(config: Config, name: str, revision: int | None = None, *, place: StorePlace | None = None) -> StoredSnapshot:
    """Find a snapshot by name, the newest revision or a given one; `place` is where the store is reached otherwise.

    Raises SnapshotError with the existing names, StoreError when the store fails.
    """
    with (place or config.store_place()).open_blocking() as store:
        stored = store.get(KIND, name, revision) if revision is not None else _newest(store, name)
    if stored is None or stored.document.get("deleted"):
        names = ", ".join(kept.name for kept in list_snapshots(config)) or "none"
        gone = f" (deleted; --revision {stored.revision - 1} still shows it)" if stored is not None else ""
        raise SnapshotError(f"there is no snapshot {name!r}{gone}; existing snapshots: {names}")
    return _kept(stored)


def list_snapshots(config: Config) -> list[StoredSnapshot]:
    """List all snapshots that have not been deleted, by name."""
    with config.store_place().open_blocking() as store:
        newest = [store.get(KIND, known.name) for known in store.list(KIND)]
    return [_kept(stored) for stored in newest if not stored.document.get("deleted")]


def delete(config: Config, name: str) -> StoredSnapshot:
    """Delete a snapshot; it stays in the store as an earlier revision. Raises SnapshotError."""
    kept = find(config, name)
    document = Deleted(signed=signature()).model_dump(mode="json", by_alias=True)
    with config.store_place().open_blocking() as store:
        store.put(KIND, name, document, kept.revision)
    return kept


def _newest(store: Documents, name: str) -> StoredDocument | None:
    try:
        return store.get(KIND, name)
    except NotFoundError:
        return None


def _kept(stored: StoredDocument) -> StoredSnapshot:
    return StoredSnapshot(stored.name, stored.revision, Snapshot.model_validate(stored.document))
