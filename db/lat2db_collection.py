"""Machines that lat2db has written: documents of the collection `machines`, as its server hands them out.

Each has a name, an id of its own and a list `sequences` of elements; `gnomon.lattice.exchange` reads such a document.
"""

from typing import Any

from gnomon.db.mongo_address import MongoAddress
from gnomon.db.mongo_errors import store_error
from gnomon.db.mongo_store import open_blocking_client
from gnomon.db.store import NotFoundError

__all__ = ["lat2db_machine"]

COLLECTION = "machines"


def lat2db_machine(address: MongoAddress, wanted: str | None = None) -> dict[str, Any]:
    """Read a machine by its name or its id; without one, the only machine that there is.

    Raises NotFoundError with the machines that there are, and StoreError.
    """
    opened = open_blocking_client(address)
    from pymongo.errors import PyMongoError

    try:
        with opened as client:
            machines = client[address.database][COLLECTION]
            known = [
                (each["_id"], str(each.get("name", "")), str(each.get("id", "")))
                for each in machines.find({}, {"name": 1, "id": 1})
            ]
            keys = [key for key, *names in known if wanted is None or wanted in (str(key), *names)]
            if len(keys) == 1:
                found = machines.find_one({"_id": keys[0]})
                if found is not None:
                    return found
    except (PyMongoError, ValueError) as error:
        raise store_error(error, address) from error
    there = "; ".join(f"{name or 'without a name'} (id {own or key})" for key, name, own in known) or "none"
    asked = "there is not one machine alone" if wanted is None else f"{len(keys)} machines are called {wanted!r}"
    raise NotFoundError(
        f"{address}: {asked} in the collection {COLLECTION!r}: give --use NAME or ID; there are {there}"
    )
