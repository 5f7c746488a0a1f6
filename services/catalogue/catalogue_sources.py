"""Sources of entries: folders of files and the document store, each listed cheaply and read one by one."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from gnomon.db import StorePlace
from gnomon.lattice.identifiers import Identifier
from gnomon.procedures.documents import Provenance
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.nexus import read_head, read_identifier
from gnomon.procedures.registry import PROCEDURES
from gnomon.propagator.studies import read_study_head
from gnomon.recorder.calibration_folder import read_calibration
from gnomon.recorder.recordings import read_recording_file
from gnomon.recorder.snapshots import Snapshot
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry, CatalogueError
from gnomon.services.catalogue.catalogue_places import CataloguePlaces

__all__ = ["FoundEntry", "Listed", "Source", "sources_of"]

#: Time after which a folder that has not changed can be relied on [s]: clocks of file systems are coarse.
SETTLED_S = 2.0
#: Most characters of names that an entry can be found by, besides its fields.
MAX_NAMES = 20_000
#: Begins the bytes of a file's name that are not UTF-8, in its key.
NOT_TEXT = "\\x"

#: What a source has: a key for each, and a stamp that changes when the content does.
Listed = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry, whether it is the present one of its name, and more words by which it is found."""

    entry: CatalogueEntry
    words: tuple[str, ...] = ()
    current: bool = True


class Source(Protocol):
    """One place with entries."""

    name: str

    def state(self) -> str | None:
        """Return a text that changes when the list does; None if that is not known."""

    def list(self) -> Listed:
        """List what there is."""

    def file_of(self, key: str) -> str:
        """Name the file of a key, for people."""

    def read(self, key: str) -> FoundEntry | None:
        """Read one; None if it is not an entry after all. Raises GnomonError, OSError, ValueError."""


class FolderSource:
    """A folder of files that never change: a key is a file's name, and has no stamp but that."""

    suffixes: tuple[str, ...] = (".h5",)

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder

    def state(self) -> str | None:
        """Return the time of the last change of the folder, unless it is too recent to be relied on."""
        try:
            changed_ns = self.folder.stat().st_mtime_ns
        except OSError:
            return "none"
        recent = abs(time.time_ns() - changed_ns) < SETTLED_S * 1e9
        return None if recent else str(changed_ns)

    def list(self) -> Listed:
        """List the files, hidden ones left out."""
        try:
            with os.scandir(self.folder) as found:
                names = [each.name for each in found]
        except OSError:
            return {}
        return {_key_of(name): "" for name in names if name.endswith(self.suffixes) and not name.startswith(".")}

    def path(self, key: str) -> Path:
        """Return the file's path. Raises CatalogueError for a name that no text can hold."""
        path = self.folder / key
        if NOT_TEXT in key and not path.exists():
            raise CatalogueError(f"{path}: its name is not UTF-8; rename it")
        return path

    def file_of(self, key: str) -> str:
        """Return the file's path, for people."""
        return str(self.folder / key)

    def size(self, key: str) -> int:
        """Return the file's size [bytes]."""
        return self.path(key).stat().st_size


class ResultSource(FolderSource):
    """Runs of procedures."""

    def read(self, key: str) -> FoundEntry:
        """Read the head of a run; an older file without an identifier is read as a whole."""
        path = self.path(key)
        head = read_head(path)
        document = head.document
        told = Provenance.model_validate(document.get("provenance", {}))
        procedure = str(document["procedure"])
        entry = CatalogueEntry(
            identifier=str(read_identifier(path, head)),
            kind="result",
            name=path.stem,
            title=PROCEDURES[procedure].title if procedure in PROCEDURES else procedure,
            procedure=procedure,
            status=str(document.get("status", "")),
            made=told.started or _time_of(path),
            ended=told.ended,
            user=told.user,
            proposal=told.proposal,
            machine=told.machine,
            document=told.machine_document,
            prefix=told.prefix,
            lattice=told.settings_id or told.lattice_id,
            optics=told.optics,
            note=str(document.get("note", "")),
            sources=told.sources or ((told.fit,) if told.fit else ()),
            versions=told.versions,
            file=str(path),
            size=self.size(key),
        )
        words = (str(document.get("reason", "")), told.lattice_id, told.lattice_id_after, told.role, *head.names)
        return FoundEntry(entry, words)


class StudySource(FolderSource):
    """Kept studies."""

    suffixes = (".h5", ".json")

    def read(self, key: str) -> FoundEntry:
        """Read the head of a study."""
        path = self.path(key)
        document = read_study_head(path)
        told: dict[str, str] = {name: text for name, text in document.items() if isinstance(text, str)}
        entry = CatalogueEntry(
            identifier=told["identifier"],
            kind="study",
            name=path.stem,
            title=f"study {told['study']}",
            procedure=told["study"],
            made=told.get("made", "") or _time_of(path),
            user=told.get("user", ""),
            proposal=told.get("proposal", ""),
            machine=told.get("machine", ""),
            document=told.get("machine document", ""),
            lattice=told.get("lattice", ""),
            optics=told.get("optics", ""),
            note=told.get("note", ""),
            versions={"gnomon": told["gnomon"]} if "gnomon" in told else {},
            file=str(path),
            size=self.size(key),
        )
        names = document.get("names", {})
        return FoundEntry(entry, (told.get("settings", ""), *(each for axis in names.values() for each in axis)))


class RecordingSource(FolderSource):
    """Recordings; the files of their approvals beside them have an ending of their own."""

    suffixes = (".json",)

    def list(self) -> Listed:
        """List the files of recordings."""
        return {name: "" for name in super().list() if ".approval-" not in name}

    def read(self, key: str) -> FoundEntry:
        """Read a recording, and check its id."""
        path = self.path(key)
        recording = read_recording_file(path).recording
        sources = [str(Identifier("recording", recording.parent))] if recording.parent else []
        if recording.calibration_id:
            sources.append(f"gnomon:calibration/{recording.calibration_id}")
        entry = CatalogueEntry(
            identifier=str(Identifier("recording", recording.id)),
            kind="recording",
            name=recording.name,
            title=f"recording of {len(recording.steps)} steps",
            made=recording.made,
            user=recording.author.partition("@")[0],
            machine=recording.machine,
            document=recording.digest,
            prefix=recording.prefix,
            lattice=recording.start.lattice_id,
            optics=recording.start.optics,
            note=recording.purpose,
            sources=tuple(sources),
            file=str(path),
            size=self.size(key),
        )
        changes = [change for step in recording.steps for change in step.changes]
        pvs = dict.fromkeys(change.pv or f"{change.device} {change.property}" for change in changes)
        return FoundEntry(entry, (recording.author, *pvs, *dict.fromkeys(step.note for step in recording.steps)))


class CalibrationSource(FolderSource):
    """Calibrations of confidence bounds."""

    suffixes = (".json",)

    def read(self, key: str) -> FoundEntry:
        """Read a calibration, and check its id."""
        path = self.path(key)
        found = read_calibration(path)
        entry = CatalogueEntry(
            identifier=str(Identifier("calibration", found.id)),
            kind="calibration",
            name=found.id,
            title="calibration of confidence bounds",
            made=found.made,
            user=found.author.partition("@")[0],
            machine=found.machine,
            document=found.document_digest,
            prefix=found.prefix or "",
            optics=found.optics,
            note=found.note,
            sources=tuple(used.source for used in found.data if used.source),
            file=str(path),
            size=self.size(key),
        )
        return FoundEntry(entry, (found.author,))


class SnapshotSource:
    """Snapshots in the document store: a key is a name with a revision."""

    name = "snapshots"

    def __init__(self, place: StorePlace) -> None:
        self.place = place

    def state(self) -> str | None:
        """A store of documents does not tell cheaply whether it has changed."""
        return None

    def list(self) -> Listed:
        """List all revisions; the stamp says whether a revision is the newest one of a snapshot that exists."""
        if not self.place.may_exist:
            return {}
        with self.place.open_blocking() as store:
            revisions = store.revisions("snapshot")
        newest = {each.name: each.revision for each in revisions}  # those of a name stand in their order
        return {json.dumps([each.name, each.revision]): f"{each.digest} of {newest[each.name]}" for each in revisions}

    def file_of(self, key: str) -> str:
        """Return the store's place, and the snapshot in it."""
        name, revision = json.loads(key)
        return f"{self.place}: snapshot {name!r}, revision {revision}"

    def read(self, key: str) -> FoundEntry | None:
        """Read a revision of a snapshot; None of the last one of a snapshot that was deleted."""
        name, number = json.loads(key)
        with self.place.open_blocking() as store:
            newest = store.get("snapshot", name)
            kept = newest if newest.revision == number else store.get("snapshot", name, number)
        if kept.document.get("deleted"):
            return None
        snapshot = Snapshot.model_validate(kept.document)
        deleted, last = bool(newest.document.get("deleted")), newest.revision == number
        entry = CatalogueEntry(
            identifier=str(Identifier("snapshot", kept.digest)),
            kind="snapshot",
            name=name,
            title=f"snapshot of {len(snapshot.entries)} settings",
            status=f"revision {number}" + (", deleted" if deleted else "" if last else ", an older one"),
            made=_iso(snapshot.signed.time_ns),
            user=snapshot.signed.user,
            machine=snapshot.machine,
            document=snapshot.digest,
            prefix=snapshot.prefix,
            lattice=snapshot.lattice_id,
            note=snapshot.comment,
            file=str(self.place),
        )
        return FoundEntry(entry, (snapshot.source, snapshot.signed.host), current=last and not deleted)


def sources_of(places: CataloguePlaces) -> tuple[Source, ...]:
    """Make all sources of a configuration."""
    return (
        ResultSource("results", places.results),
        StudySource("studies", places.studies),
        RecordingSource("recordings", places.recordings),
        CalibrationSource("calibrations", places.calibrations),
        SnapshotSource(places.config.store_place()),
    )


def words_of(found: FoundEntry) -> str:
    """Return all words by which an entry is found, bounded."""
    entry = found.entry
    fields: list[Any] = [
        entry.name, entry.title, entry.procedure, entry.status, entry.note, entry.user, entry.proposal, entry.machine,
        entry.prefix, entry.optics, entry.lattice, entry.doi, *entry.tags, *entry.sources,
    ]  # fmt: skip
    return "\n".join(_bounded([*map(str, fields), *found.words]))


def _bounded(words: list[str]) -> Iterator[str]:
    left = MAX_NAMES
    for word in words:
        if len(word) > left:
            return
        left -= len(word)
        yield word


def _key_of(name: str) -> str:
    """Return a file's name as a text that every file and table can hold."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds")


def _time_of(path: Path) -> str:
    """Return the time of a file, for one that does not say when it was made."""
    try:
        return _iso(path.stat().st_mtime_ns)
    except OSError as error:
        raise ProcedureError(f"{path}: {error}") from error
