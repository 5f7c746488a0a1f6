"""Machine structure: where it is kept, and the PVs that it gets."""

from functools import cache
from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.db.document_file import Connect, DocumentFile, open_documents
    from gnomon.db.machines import pv_document, shipped_document, shipped_machines
    from gnomon.db.sqlite_store import SqliteStore
    from gnomon.db.store_place import StorePlace
    from gnomon.db.templates import expand, pv_files, read_pvs
    from gnomon.lattice import Ring

__all__ = [
    "Connect",
    "DocumentFile",
    "SqliteStore",
    "StorePlace",
    "expand",
    "open_documents",
    "pv_document",
    "pv_files",
    "read_pvs",
    "shipped_document",
    "shipped_machine",
    "shipped_machines",
]

__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Connect", "DocumentFile", "open_documents"), "document_file"),
        "SqliteStore": "sqlite_store",
        "StorePlace": "store_place",
        **dict.fromkeys(("expand", "pv_files", "read_pvs"), "templates"),
        **dict.fromkeys(("pv_document", "shipped_document", "shipped_machines"), "machines"),
    },
)


@cache
def shipped_machine(name: str) -> "Ring":
    """The ring of a shipped machine, built once in a process. Raises DocumentError when there is none of that name."""
    from gnomon.db.machines import shipped_document
    from gnomon.lattice import Ring

    return Ring(shipped_document(name))
