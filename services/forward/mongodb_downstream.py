"""A copy of the journal in MongoDB: a document for each command, replaced with each further outcome. Needs `mongo`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from gnomon.db.mongo_address import MongoAddress, parse_mongo_address
from gnomon.db.mongo_store import end_if_cancelled, open_client
from gnomon.db.store import AwayError, StoreError
from gnomon.ioc.base.forward_config import MongodbConfig
from gnomon.recorder.command_document import command_document
from gnomon.services.forward.downstream import DeliveryError, Parcel, RefusedItemError
from gnomon.services.forward.forward_messages import Kind

__all__ = ["COMMANDS", "RESULTS", "MongodbDownstream"]

#: Collections: commands with their outcomes, and results without their data.
COMMANDS, RESULTS = "journal_commands", "results_copied"
#: Time for finding the server, and for an answer [ms].
FIND_MS, ANSWER_MS = 3_000, 20_000


class MongodbDownstream:
    """A database. `_id` of a document is the idempotency key, so that whatever comes twice is there once."""

    name = "mongodb"
    kinds: frozenset[Kind] = frozenset({"commands", "outcomes", "faults", "results"})
    batch = 200
    from_oldest = True

    def __init__(self, config: MongodbConfig, password: str | None = None) -> None:
        if find_spec("pymongo") is None:
            raise DeliveryError("MongoDB needs pymongo, which is not installed; pip install 'gnomon[mongo]'")
        self._config, self._password = config, password

    @asynccontextmanager
    async def session(self, prefix: str, journal: str) -> "AsyncIterator[MongodbSession]":
        """See `Downstream`."""
        from pymongo.errors import PyMongoError

        try:
            client = open_client(self._address())
        except AwayError as error:
            raise DeliveryError(str(error)) from error
        except StoreError as error:
            raise RefusedItemError(str(error)) from error
        try:
            await client.admin.command("ping")
            end_if_cancelled()
            yield MongodbSession(client[self._config.database])
        except PyMongoError as error:
            end_if_cancelled()
            raise DeliveryError(_reason(error)) from error
        finally:
            await client.close()

    def _address(self) -> MongoAddress:
        """The address with all that the configuration says besides. Raises StoreError."""
        config = self._config
        address = parse_mongo_address(str(config.uri))
        known = {name.lower() for name, _ in address.options}
        ours = {"serverSelectionTimeoutMS": str(FIND_MS), "timeoutMS": str(ANSWER_MS)}
        if config.ca_file is not None:
            ours |= {"tls": "true", "tlsCAFile": str(config.ca_file)}
        more = tuple((name, value) for name, value in ours.items() if name.lower() not in known)
        return replace(
            address,
            database=config.database,
            user=config.user or "",
            password=self._password or "",
            options=(*address.options, *more),
        )


class MongodbSession:
    """A connection to a database."""

    def __init__(self, database: Any) -> None:
        self._database = database

    async def deliver(self, parcels: Sequence[Parcel]) -> None:
        """See `Session`. The newest document of each command is written: it has all outcomes by now."""
        from pymongo import ReplaceOne
        from pymongo.errors import BulkWriteError, DocumentTooLarge

        commands: dict[str, dict[str, Any]] = {}
        results: dict[str, dict[str, Any]] = {}
        for parcel in parcels:
            if parcel.item is not None:
                key = ":".join(parcel.key.split(":")[:2])
                document = command_document(parcel.item.entry, parcel.item.run)
                commands[key] = {"_id": key, **document.model_dump(mode="json", by_alias=True)}
            else:
                results[parcel.key] = {"_id": parcel.key, **parcel.message.model_dump(mode="json", by_alias=True)}
        try:
            for name, documents in ((COMMANDS, commands), (RESULTS, results)):
                if documents:
                    writes = [ReplaceOne({"_id": key}, each, upsert=True) for key, each in documents.items()]
                    await self._database[name].bulk_write(writes, ordered=True)
                    end_if_cancelled()
        except (BulkWriteError, DocumentTooLarge, OverflowError) as error:
            raise RefusedItemError(f"the database refuses a document: {_reason(error)}") from error

    async def lost(self) -> None:
        """See `Session`: the driver connects again by itself."""
        await asyncio.Event().wait()


def _reason(error: Exception) -> str:
    """Take the first line of what the driver says, without its description of the topology."""
    return str(error).partition(", Timeout:")[0].partition("\n")[0][:300]
