"""Counts in a document of a store that others count in too: `python -m programs.store_writer FILE TIMES`."""

import asyncio
import sys

from gnomon.db.sqlite_store import SqliteStore
from gnomon.db.store import ConflictError


async def count(path: str, times: int) -> None:
    """Add one so many times, again after each conflict."""
    async with SqliteStore(path) as store:
        while times:
            seen = await store.get("counter", "n")
            try:
                await store.put("counter", "n", {"value": seen.document["value"] + 1}, seen.revision)
            except ConflictError:
                continue
            times -= 1


if __name__ == "__main__":
    asyncio.run(count(sys.argv[1], int(sys.argv[2])))
