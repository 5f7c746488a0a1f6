"""The place of a document store, a SQLite file or a database of a MongoDB server, and the store that is there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gnomon.db.document_file import Connect, DocumentFile
from gnomon.db.mongo_address import MongoAddress, is_mongo_address, parse_mongo_address
from gnomon.db.store import Documents, MachineStore

__all__ = ["StorePlace"]


@dataclass(frozen=True, slots=True)
class StorePlace:
    """A file, or the address of a database. `connect` opens the file; `check` is called before a server is asked."""

    at: Path | MongoAddress
    connect: Connect | None = None
    check: Callable[[], None] | None = None

    @classmethod
    def of(cls, text: str) -> "StorePlace":
        """Read a place: the address of a MongoDB server, or the name of a file. Raises StoreError."""
        return cls(parse_mongo_address(text) if is_mongo_address(text) else Path(text).expanduser())

    def __str__(self) -> str:
        """The place as messages show it."""
        return str(self.at)

    def to_text(self) -> str:
        """The place so that `of` reads it again, anywhere on this computer; it has no password."""
        return self.at.to_text() if isinstance(self.at, MongoAddress) else str(self.at.absolute())

    @property
    def folder(self) -> Path | None:
        """The folder of a file."""
        return None if isinstance(self.at, MongoAddress) else self.at.parent

    @property
    def may_exist(self) -> bool:
        """False for a file that is not there: reading it would make it."""
        return isinstance(self.at, MongoAddress) or self.at.exists()

    def open(self) -> MachineStore:
        """The store; a file or a connection is opened by its first call."""
        if isinstance(self.at, MongoAddress):
            from gnomon.db.mongo_store import MongoStore

            return MongoStore(self.at, check=self.check)
        from gnomon.db.sqlite_store import SqliteStore

        return SqliteStore(self.at, connect=self.connect)

    def open_blocking(self) -> Documents:
        """The store by plain calls."""
        if isinstance(self.at, MongoAddress):
            from gnomon.db.blocking_store import BlockingStore
            from gnomon.db.mongo_store import MongoStore

            return BlockingStore(partial(MongoStore, self.at, check=self.check))
        return DocumentFile(self.at, connect=self.connect)
