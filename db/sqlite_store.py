"""The embedded document store behind the asynchronous interface: a document file, used by a thread of its own."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from gnomon.db.document_file import Connect, DocumentFile
from gnomon.db.store import DamagedError, Revision, StoredDocument, StoreError

T = TypeVar("T")


class SqliteStore:
    """A MachineStore in one file, or in memory for ":memory:"; the work is done by a `DocumentFile`.

    One thread owns the file, so calls from any task run one after the other and never block the event loop.
    Raises StoreError from the first call when the file cannot be opened or is something else.
    """

    def __init__(
        self, path: str | Path, *, clock_ns: Callable[[], int] = time.time_ns, connect: Connect | None = None
    ) -> None:
        self._path = str(path)
        self._file = DocumentFile(path, clock_ns=clock_ns, connect=connect)
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gnomon-store")

    async def put(self, kind: str, name: str, document: Mapping[str, Any], expected_revision: int) -> Revision:
        """Add the revision after `expected_revision`; see MachineStore."""
        return await self._run(lambda: self._file.put(kind, name, document, expected_revision))

    async def get(self, kind: str, name: str, revision: int | None = None) -> StoredDocument:
        """Return the latest revision, or the one asked for; see MachineStore."""
        return await self._run(lambda: self._file.get(kind, name, revision))

    async def read(self, wanted: Sequence[Revision]) -> Sequence[StoredDocument | DamagedError]:
        """Return the content of some revisions; see MachineStore."""
        return await self._run(lambda: self._file.read(wanted))

    async def list(self, kind: str) -> tuple[Revision, ...]:
        """Return the latest revision of each document of a kind, by name; see MachineStore."""
        return await self._run(lambda: self._file.list(kind))

    async def history(self, kind: str, name: str) -> tuple[Revision, ...]:
        """Return all revisions, the oldest first; see MachineStore."""
        return await self._run(lambda: self._file.history(kind, name))

    async def kinds(self) -> tuple[str, ...]:
        """Return the kinds that there are documents of; see MachineStore."""
        return await self._run(self._file.kinds)

    async def revisions(self, kind: str) -> tuple[Revision, ...]:
        """Return all revisions of all documents of a kind; see MachineStore."""
        return await self._run(lambda: self._file.revisions(kind))

    async def adopt(self, documents: Sequence[StoredDocument]) -> None:
        """Add revisions of another store; see MachineStore."""
        await self._run(lambda: self._file.adopt(documents))

    async def wait_for_change(self, kind: str, name: str, timeout_s: float) -> None:
        """Wait until it is time to look again: a file tells nobody that it has changed."""
        await asyncio.sleep(timeout_s)

    async def close(self) -> None:
        """Let go of the file; closing twice is not an error."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        """The store itself; leaving closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def _run(self, call: Callable[[], T]) -> T:
        if self._closed:
            raise StoreError(f"{self._path}: the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
