"""Documents in a database of a MongoDB server: the store of a facility, which several computers share.

Each revision is one document of the collection `documents`, with kind, name, revision, digest, time and content, under
a unique index of the first three: to insert the next revision is the compare-and-set.
"""

import asyncio
import json
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

from gnomon.db.mongo_address import MongoAddress
from gnomon.db.mongo_errors import NO_CHANGE_STREAMS, is_duplicate, store_error
from gnomon.db.store import (
    NEW,
    DamagedError,
    Revision,
    StoredDocument,
    StoreError,
    TooLargeError,
    adopting_conflict,
    canonical_json,
    check_named,
    conflict,
    damaged,
    digest_of,
    kept_json,
    not_found,
)

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient, MongoClient
    from pymongo.asynchronous.collection import AsyncCollection

__all__ = ["MongoStore", "client_options", "end_if_cancelled", "open_blocking_client", "open_client"]

T = TypeVar("T")

COLLECTION = "documents"
#: Fields of a revision without its content, and how they are asked for.
FACTS = ("kind", "name", "revision", "digest", "time_ns")
WITHOUT_CONTENT = {"_id": 0, **dict.fromkeys(FACTS, 1)}
#: Times allowed for finding a server, for a connection, and for an answer [s]; options of the address come first.
TIMEOUTS = {"serverSelectionTimeoutMS": 5.0, "connectTimeoutMS": 5.0, "socketTimeoutMS": 30.0}
MISSING = "a store in MongoDB needs pymongo, which is in an extra: pip install 'gnomon[mongo]'"
#: Whole numbers that BSON can hold, and how deep its documents may be.
INT64 = range(-(2**63), 2**63)
MAX_DEPTH = 90
#: Largest record [bytes], without the number that it gets.
MAX_RECORD_BYTES = 2**24 - 64


class MongoStore:
    """A MachineStore in one database of a MongoDB server. Connections are made when they are needed, and made again.

    Raises StoreError from the first call when no server answers, naming it, the database and what to do. `check` is
    called before each operation, and may raise StoreError.
    """

    def __init__(
        self,
        address: MongoAddress,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._address = address
        self._clock_ns = clock_ns
        self._check = check
        self._client: AsyncMongoClient[dict[str, Any]] | None = None
        self._indexed = False
        self._watched = True  # until the server says that it has no change streams
        self._closed = False

    async def put(self, kind: str, name: str, document: Mapping[str, Any], expected_revision: int) -> Revision:
        """Add the revision after `expected_revision`; see MachineStore."""
        check_named(kind, name)
        digest = digest_of(canonical_json(document))
        async with self._documents(write=True) as documents:
            latest = await _number_of_latest(documents, kind, name)
            if latest != expected_revision:
                raise conflict(kind, name, expected_revision, latest)
            new = Revision(kind, name, latest + 1, digest, self._clock_ns())
            if not await _insert(documents, new, document):
                raise conflict(kind, name, expected_revision, await _number_of_latest(documents, kind, name))
        return new

    async def get(self, kind: str, name: str, revision: int | None = None) -> StoredDocument:
        """Return the latest revision, or the one asked for; see MachineStore."""
        wanted = {"kind": kind, "name": name} | ({} if revision is None else {"revision": revision})
        async with self._documents() as documents:
            found = await documents.find_one(wanted, sort=[("revision", -1)])
            if found is None:
                raise not_found(kind, name, revision, tuple(known.name for known in await _latest(documents, kind)))
        return _stored(found)

    async def read(self, wanted: Sequence[Revision]) -> Sequence[StoredDocument | DamagedError]:
        """Return the content of some revisions, of one question for each kind; see MachineStore."""
        found: dict[tuple[str, str, int], StoredDocument | DamagedError] = {}
        async with self._documents() as documents:
            for kind in dict.fromkeys(each.kind for each in wanted):
                names = list({each.name for each in wanted if each.kind == kind})
                numbers = list({each.revision for each in wanted if each.kind == kind})
                asked = {"kind": kind, "name": {"$in": names}, "revision": {"$in": numbers}}
                async for record in documents.find(asked):
                    found[record["kind"], record["name"], int(record["revision"])] = _stored_or_damaged(record)
        for each in wanted:
            if (each.kind, each.name, each.revision) not in found:
                raise not_found(each.kind, each.name, each.revision, ())
        return [found[each.kind, each.name, each.revision] for each in wanted]

    async def list(self, kind: str) -> tuple[Revision, ...]:
        """Return the latest revision of each document of a kind, by name; see MachineStore."""
        async with self._documents() as documents:
            return await _latest(documents, kind)

    async def history(self, kind: str, name: str) -> tuple[Revision, ...]:
        """Return all revisions, the oldest first; see MachineStore."""
        async with self._documents() as documents:
            found = documents.find({"kind": kind, "name": name}, WITHOUT_CONTENT).sort("revision", 1)
            revisions = tuple([_revision(each) async for each in found])
            if not revisions:
                raise not_found(kind, name, None, tuple(known.name for known in await _latest(documents, kind)))
        return revisions

    async def kinds(self) -> tuple[str, ...]:
        """Return the kinds that there are documents of; see MachineStore."""
        async with self._documents() as documents:
            return tuple(sorted(await documents.distinct("kind")))

    async def revisions(self, kind: str) -> tuple[Revision, ...]:
        """Return all revisions of all documents of a kind; see MachineStore."""
        async with self._documents() as documents:
            found = documents.find({"kind": kind}, WITHOUT_CONTENT).sort([("name", 1), ("revision", 1)])
            return tuple([_revision(each) async for each in found])

    async def adopt(self, documents: Sequence[StoredDocument]) -> None:
        """Add revisions of another store; see MachineStore."""
        if not documents:
            return
        from pymongo.errors import OperationFailure

        async with self._documents(write=True) as kept:
            await _check_follow(kept, documents)
            try:
                await kept.insert_many([_record(new, new.document) for new in documents], ordered=True)
            except OperationFailure as error:
                if not is_duplicate(error):
                    raise
                for new in documents:  # some are here already
                    if not await _insert(kept, new, new.document):
                        there = await kept.find_one(_key(new), {"_id": 0, "digest": 1})
                        if there is None or there["digest"] != new.digest:
                            raise adopting_conflict(new, new.revision) from error

    async def wait_for_change(self, kind: str, name: str, timeout_s: float) -> None:
        """Wait until the server tells of a new revision, where it can (a replica set), or until the time is over."""
        from pymongo.errors import OperationFailure

        if self._watched:
            try:
                async with self._documents() as documents:
                    return await _wait_for_revision(documents, kind, name, timeout_s)
            except StoreError as error:
                cause = error.__cause__
                if not isinstance(cause, OperationFailure) or cause.code not in NO_CHANGE_STREAMS:
                    raise
                self._watched = False
        await asyncio.sleep(timeout_s)

    async def close(self) -> None:
        """Close the connections; closing twice is not an error."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def __aenter__(self) -> Self:
        """The store itself; leaving closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    @asynccontextmanager
    async def _documents(self, *, write: bool = False) -> "AsyncIterator[AsyncCollection[dict[str, Any]]]":
        """The collection; what the library raises within becomes a StoreError."""
        if self._closed:
            raise StoreError(f"{self._address}: the store is closed")
        if self._check is not None:
            self._check()
        if self._client is None:
            self._client = open_client(self._address)
        from pymongo.errors import DocumentTooLarge, PyMongoError

        try:
            documents = self._client[self._address.database][COLLECTION]
            if write and not self._indexed:
                await documents.create_index([("kind", 1), ("name", 1), ("revision", 1)], unique=True)
                self._indexed = True
            yield documents
            end_if_cancelled()
        except (PyMongoError, DocumentTooLarge) as error:
            end_if_cancelled()
            raise store_error(error, self._address) from error


def open_client(address: MongoAddress) -> "AsyncMongoClient[dict[str, Any]]":
    """Make a client of a server, which connects when it is used. Raises StoreError, also without pymongo."""
    try:
        from pymongo import AsyncMongoClient
    except ImportError as error:
        raise StoreError(MISSING) from error
    return _checked(AsyncMongoClient, address)


def open_blocking_client(address: MongoAddress) -> "MongoClient[dict[str, Any]]":
    """Make a client by plain calls, for what is not a store; otherwise as `open_client`."""
    try:
        from pymongo import MongoClient
    except ImportError as error:
        raise StoreError(MISSING) from error
    return _checked(MongoClient, address)


def _checked(client: Callable[..., T], address: MongoAddress) -> T:
    from pymongo.errors import PyMongoError

    options = client_options(address)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # an option that is not known: it could have been of security
            return client(address.uri(), **options)
    except (PyMongoError, ValueError, OSError, UserWarning) as error:
        raise store_error(error, address) from error


def client_options(address: MongoAddress) -> dict[str, Any]:
    """Options of a client besides its address: password, time-outs, acknowledgement. Raises StoreError."""
    given = {name.lower() for name, _ in address.options}
    options: dict[str, Any] = {key: int(1e3 * value) for key, value in TIMEOUTS.items() if key.lower() not in given}
    options["appname"] = "gnomon"
    if "w" not in given:
        options["w"] = "majority"
    if address.user and (password := address.secret()):
        options["password"] = password
    return options


def end_if_cancelled() -> None:
    """Raise CancelledError if the task was cancelled during an operation.

    The library takes that for a lost connection, tries once more and goes on, as if nothing had been cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _key(revision: Revision) -> dict[str, Any]:
    return {"kind": revision.kind, "name": revision.name, "revision": revision.revision}


def _record(new: Revision, document: Mapping[str, Any]) -> dict[str, Any]:
    """A revision as the collection has it: its content as a document, or as JSON text where BSON cannot hold it.

    Raises TooLargeError: servers answer that with several codes, or end the connection.
    """
    from bson import encode

    facts = {name: getattr(new, name) for name in FACTS}
    record = facts | ({"document": document} if _fits_bson(document) else {"text": kept_json(document)})
    if (size := len(encode(record))) > MAX_RECORD_BYTES:
        raise TooLargeError(f"the document is too large for MongoDB, which takes 16 MB ({size / 1e6:.1f} MB)")
    return record


def _fits_bson(value: Any, depth: int = 0) -> bool:
    """Tell whether MongoDB of every version keeps a value of JSON as it is."""
    if isinstance(value, Mapping):
        keys = all(isinstance(key, str) and not key.startswith("$") and not set(key) & {".", "\0"} for key in value)
        return keys and depth < MAX_DEPTH and all(_fits_bson(each, depth + 1) for each in value.values())
    if isinstance(value, list | tuple):
        return depth < MAX_DEPTH and all(_fits_bson(each, depth + 1) for each in value)
    return not isinstance(value, int) or value in INT64


def _revision(found: Mapping[str, Any]) -> Revision:
    return Revision(found["kind"], found["name"], int(found["revision"]), found["digest"], int(found["time_ns"]))


def _stored(found: Mapping[str, Any]) -> StoredDocument:
    facts = _revision(found)
    try:
        document = found["document"] if "document" in found else json.loads(found["text"])
        matches = digest_of(canonical_json(document)) == facts.digest
    except (KeyError, ValueError, StoreError) as error:
        raise damaged(facts.kind, facts.name, facts.revision) from error
    if not matches:
        raise damaged(facts.kind, facts.name, facts.revision)
    return StoredDocument(facts.kind, facts.name, facts.revision, facts.digest, facts.time_ns, document)


def _stored_or_damaged(found: Mapping[str, Any]) -> StoredDocument | DamagedError:
    try:
        return _stored(found)
    except DamagedError as error:
        return error


async def _number_of_latest(documents: "AsyncCollection[dict[str, Any]]", kind: str, name: str) -> int:
    found = await documents.find_one({"kind": kind, "name": name}, {"_id": 0, "revision": 1}, sort=[("revision", -1)])
    return NEW if found is None else int(found["revision"])


async def _latest(documents: "AsyncCollection[dict[str, Any]]", kind: str) -> tuple[Revision, ...]:
    last = {name: {"$last": f"${name}"} for name in FACTS if name != "name"}
    found = await documents.aggregate(
        [
            {"$match": {"kind": kind}},
            {"$project": WITHOUT_CONTENT},
            {"$sort": {"name": 1, "revision": 1}},
            {"$group": {"_id": "$name", **last}},
            {"$sort": {"_id": 1}},
        ],
        allowDiskUse=True,
    )
    return tuple([_revision(each | {"name": each["_id"]}) async for each in found])


async def _insert(documents: "AsyncCollection[dict[str, Any]]", new: Revision, document: Mapping[str, Any]) -> bool:
    """Insert a revision; False if there is one of this number. A connection that breaks is tried once more.

    The record has a number of its own, so that an insertion whose answer was lost is known again.
    """
    from bson import ObjectId
    from pymongo.errors import AutoReconnect, OperationFailure

    record = {"_id": ObjectId()} | _record(new, document)

    async def insert() -> bool:
        try:
            await documents.insert_one(record)
        except OperationFailure as error:
            if not is_duplicate(error):
                raise
            there = await documents.find_one(_key(new), {"_id": 1})
            if there is None:
                raise
            return bool(there["_id"] == record["_id"])
        return True

    return await _again_after(AutoReconnect, insert)


async def _again_after(failure: type[Exception], call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except failure:
        return await call()


async def _check_follow(documents: "AsyncCollection[dict[str, Any]]", new: Sequence[StoredDocument]) -> None:
    """Raise ConflictError unless the first new revision of each name follows one that is here."""
    latest: dict[tuple[str, str], int] = {}
    for each in new:
        name = (each.kind, each.name)
        if name not in latest:  # nothing need be there before a first revision
            latest[name] = await _number_of_latest(documents, *name) if each.revision > 1 else NEW
        if each.revision > latest[name] + 1:
            raise adopting_conflict(each, latest[name])
        latest[name] = max(latest[name], each.revision)


async def _wait_for_revision(
    documents: "AsyncCollection[dict[str, Any]]", kind: str, name: str, timeout_s: float
) -> None:
    """Wait for the server's word of a new revision, `timeout_s` at the latest."""
    deadline = time.monotonic() + timeout_s
    wanted = {"$match": {"fullDocument.kind": kind, "fullDocument.name": name}}
    async with await documents.watch([wanted], max_await_time_ms=int(1e3 * min(timeout_s, 1.0))) as stream:
        for _ in iter(lambda: time.monotonic() < deadline, False):
            found = await stream.try_next()
            end_if_cancelled()
            if found is not None:
                return
            await asyncio.sleep(0.1)  # some servers answer at once that there is nothing
