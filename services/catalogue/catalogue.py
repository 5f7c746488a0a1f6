"""The catalogue of a configuration: an index that follows the files, questions to it, and names and identifiers."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Self

from gnomon.lattice import GnomonError
from gnomon.lattice.identifiers import KINDS, parse_identifier
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import shorten
from gnomon.services.catalogue import annotations
from gnomon.services.catalogue.annotations import Annotation, read_annotation
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry, CatalogueError, RemovedError, Unread
from gnomon.services.catalogue.catalogue_index import CatalogueIndex, Row, delete_index
from gnomon.services.catalogue.catalogue_places import CataloguePlaces
from gnomon.services.catalogue.catalogue_query import CatalogueQuery
from gnomon.services.catalogue.catalogue_sources import FolderSource, FoundEntry, Listed, Source, sources_of, words_of

__all__ = ["Catalogue"]

#: Number of files after which the index is written while many are new.
BATCH = 500
#: Number of entries that a message lists, and file of what was removed.
MAX_LISTED, REMOVED = 8, "removed.jsonl"
#: Characters of a text that a message repeats: an identifier fits.
MAX_ASKED = 100

#: Function that is told a phrase, the number of files that have been read, and that of all.
Progress = Callable[[str, int, int], None]


class Catalogue:
    """All that is kept. Opening it brings the index up to date: new files are read, and what is gone is taken out.

    `progress` is told while many files are read; `again` makes the whole index again.
    """

    def __init__(self, places: CataloguePlaces, progress: Progress | None = None, *, again: bool = False) -> None:
        self.places = places
        self._progress = progress or (lambda phrase, done, total: None)
        self._sources = {source.name: source for source in sources_of(places)}
        path = places.index()
        if again:
            delete_index(path)
        self._index = CatalogueIndex(path)
        try:
            self.update()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    def __enter__(self) -> Self:
        """The catalogue; leaving closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def update(self) -> None:
        """Bring the index up to date with the files. A file that cannot be read is left out, and said so."""
        stale, annotated = self._annotated_again()
        for source in self._sources.values():
            state = source.state()
            told = state is not None and state == self._index.state(source.name)
            if not told or source.name in stale or self._index.known_unread(source.name):
                self._update(source, state, stale.get(source.name, frozenset()))
        annotated()  # last: were it interrupted before, the entries are found to be out of date once more

    def find(self, query: CatalogueQuery) -> list[CatalogueEntry]:
        """Answer a question, the newest first. Raises CatalogueError."""
        return self._index.find(query)

    def entries(self) -> Iterator[CatalogueEntry]:
        """Yield all entries, the oldest first."""
        return self._index.entries()

    def unread(self) -> list[Unread]:
        """List the files that are left out, with reasons."""
        return self._index.unread()

    def resolve(self, text: str) -> CatalogueEntry:
        """Find what an identifier, the beginning of one, or a name stands for. Raises CatalogueError."""
        named = self._index.named(text)
        if len({entry.identifier for entry in named}) == 1:
            return named[0]
        if named:
            raise _several(text, named)
        wanted = parse_identifier(text)
        if wanted is not None:
            found = self._index.beginning([wanted.kind] if wanted.kind else KINDS, wanted.digits, MAX_LISTED + 1)
            if len(found) == 1:
                return found[0]
            if found:
                raise _several(text, found)
            for removed in self._removed():
                known = parse_identifier(str(removed.get("identifier", "")))
                if known is not None and wanted.fits(known):
                    raise RemovedError(
                        f"{known}: {removed.get('name')} was removed at {removed.get('time')} by {removed.get('by')}: "
                        f"{removed.get('reason')}"
                    )
        near = "" if wanted is not None else near_names_hint(text, (entry.name for entry in self.entries()))
        raise CatalogueError(
            f"there is nothing with the name or identifier {shorten(text, MAX_ASKED)}{near}; `gnomon results find` "
            f"lists what there is in {self.places.results} and beside the journal"
        )

    def _removed(self) -> Iterator[dict[str, object]]:
        try:
            with (self.places.results / REMOVED).open(encoding="utf-8") as file:
                for line in file:
                    try:
                        told = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(told, dict):
                        yield told
        except OSError:
            return

    def _annotated_again(self) -> tuple[dict[str, frozenset[str]], Callable[[], None]]:
        """Find the entries whose annotations have changed, by source; the call notes the annotations that there are."""
        folder = self.places.results / annotations.FOLDER
        found: dict[str, str] = {}
        try:
            with os.scandir(folder) as files:
                for each in files:
                    if each.name.endswith(".json") and not each.name.startswith("."):
                        found[each.name] = f"{each.stat().st_mtime_ns} {each.stat().st_size}"
        except OSError:
            pass
        known = dict(json.loads(self._index.state("annotations") or "{}"))
        if found == known:
            return {}, lambda: None
        stale: dict[str, set[str]] = {}
        for name in {name for name, _ in found.items() ^ known.items()}:
            if (identifier := annotations.identifier_of_file(name)) is not None:
                for source, key in self._index.keys_of(identifier):
                    stale.setdefault(source, set()).add(key)
        unread = [
            (name, found.get(name, ""), Unread(file=str(folder / name), reason=reason))
            for name in found
            if (reason := self._fault_of_annotation(name))
        ]

        def note() -> None:
            gone = self._index.known_unread("annotations")
            self._index.change("annotations", gone, unread=unread, state=json.dumps(found))

        return {source: frozenset(keys) for source, keys in stale.items()}, note

    def _fault_of_annotation(self, name: str) -> str:
        """Say why an annotation cannot be read; empty if it can. What it is about is found all the same."""
        identifier = annotations.identifier_of_file(name)
        if identifier is None:
            return "its name is not that of an annotation; remove it"
        try:
            read_annotation(self.places.results, identifier)
        except CatalogueError as error:
            return str(error)
        return ""

    def _update(self, source: Source, state: str | None, stale: frozenset[str]) -> None:
        try:
            listed = source.list()
        except GnomonError as error:  # a store that does not answer now: what is known of it stays
            if self._index.known_unread(source.name).get("") != str(error):
                told_of = Unread(file=source.name, reason=f"not looked at: {error}")
                self._index.change(source.name, unread=[("", str(error), told_of)])
            return
        known, unread = self._index.known(source.name), self._index.known_unread(source.name)
        gone = [key for key in (*known, *unread) if key not in listed]
        fresh = [key for key, stamp in listed.items() if key in stale or known.get(key) != stamp]
        fresh = [key for key in fresh if key not in unread or unread[key] != _stamp_of_file(source, key, listed)]
        rows: list[Row] = []
        failed: list[tuple[str, str, Unread]] = []
        for done, key in enumerate(fresh):
            self._progress(source.name, done, len(fresh))
            self._read(source, key, listed, rows, failed)
            if len(rows) + len(failed) >= BATCH:
                self._index.change(source.name, (), rows, failed)
                rows, failed = [], []
        if gone or rows or failed or state != self._index.state(source.name):  # a question does not wait for a writer
            self._index.change(source.name, gone, rows, failed, state)

    def _read(
        self, source: Source, key: str, listed: Listed, rows: list[Row], failed: list[tuple[str, str, Unread]]
    ) -> None:
        """Read one file: its row, or the reason why there is none."""
        stamp = _stamp_of_file(source, key, listed)
        try:
            found = source.read(key)
            if found is None:
                failed.append((key, stamp, Unread(file=source.file_of(key), reason="")))
                return
            identifier = parse_identifier(found.entry.identifier)
            if identifier is None:
                raise CatalogueError(f"{found.entry.identifier!r} is not an identifier")
            _check_text(found)
        except Exception as error:  # noqa: BLE001  files of others: none of them keeps the rest from being found
            failed.append((key, stamp, Unread(file=source.file_of(key), reason=_text_of(error))))
            return
        try:
            told = read_annotation(self.places.results, identifier)
        except CatalogueError:  # which is told of the annotation itself
            told = Annotation(identifier=str(identifier))
        more: dict[str, object] = {"identifier": str(identifier), "doi": told.doi, "tags": told.tags}
        more |= {"proposal": told.proposal} if told.proposal else {}
        found = replace(found, entry=found.entry.model_copy(update=more))
        rows.append((source.name, key, listed[key], found.current, found.entry, words_of(found)))


def _check_text(found: FoundEntry) -> None:
    """Raise CatalogueError for texts that are not Unicode, which no index can hold: JSON can have half of a pair."""
    try:
        found.entry.model_dump_json()
        words_of(found).encode()
    except ValueError as error:
        raise CatalogueError("it has a text that is not Unicode; make it again") from error


def _text_of(error: Exception) -> str:
    """Return the text of an error; of one that is not about files, that the content is not as it should be."""
    text = str(error).encode("utf-8", "backslashreplace").decode()
    if isinstance(error, GnomonError | OSError):
        return text
    return f"not in a form that this gnomon knows ({type(error).__name__}: {text}); take it from a backup, or remove it"


def _stamp_of_file(source: Source, key: str, listed: Listed) -> str:
    """Return the stamp of a file that could not be read: it is tried again when it has changed."""
    if not isinstance(source, FolderSource):
        return listed[key]
    try:
        told = source.path(key).stat()
    except (OSError, CatalogueError):
        return "gone"
    return f"{told.st_mtime_ns} {told.st_size}"


def _several(text: str, found: Sequence[CatalogueEntry]) -> CatalogueError:
    listed = ", ".join(f"{entry.name} ({_short(entry)})" for entry in found[:MAX_LISTED])
    more = " and more" if len(found) > MAX_LISTED else ""
    return CatalogueError(f"{text!r} fits several: {listed}{more}; give more digits of the identifier")


def _short(entry: CatalogueEntry) -> str:
    identifier = parse_identifier(entry.identifier)
    return entry.identifier if identifier is None else identifier.short
