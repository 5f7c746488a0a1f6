"""An asynchronous store by plain calls: its event loop runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Self, TypeVar

from gnomon.db.store import MachineStore, Revision, StoredDocument, StoreError

T = TypeVar("T")


class BlockingStore:
    """`Documents` over a MachineStore, which `make` makes; usable where an event loop runs, too.

    The thread begins with the first call and ends with `close`.
    """

    def __init__(self, make: Callable[[], MachineStore]) -> None:
        self._store = make()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, kind: str, name: str, document: Mapping[str, Any], expected_revision: int) -> Revision:
        """Add the revision after `expected_revision`; see MachineStore."""
        return self._run(self._store.put(kind, name, document, expected_revision))

    def get(self, kind: str, name: str, revision: int | None = None) -> StoredDocument:
        """Return the latest revision, or the one asked for; see MachineStore."""
        return self._run(self._store.get(kind, name, revision))

    def list(self, kind: str) -> tuple[Revision, ...]:
        """Return the latest revision of each document of a kind, by name; see MachineStore."""
        return self._run(self._store.list(kind))

    def history(self, kind: str, name: str) -> tuple[Revision, ...]:
        """Return all revisions, the oldest first; see MachineStore."""
        return self._run(self._store.history(kind, name))

    def revisions(self, kind: str) -> tuple[Revision, ...]:
        """Return all revisions of all documents of a kind; see MachineStore."""
        return self._run(self._store.revisions(kind))

    def close(self) -> None:
        """Let go of the database; closing twice is not an error."""
        if self._closed:
            return
        loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._store.close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
        self._closed = True

    def __enter__(self) -> Self:
        """The store itself; leaving closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            call.close()
            raise StoreError("the store is closed")
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="gnomon-store", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()
