"""The journal of a running server, as the server itself tells it (`dt:journal`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.clients.server_choice import Target
from gnomon.recorder import Reader, ReviewError

__all__ = ["ServedJournal", "read_served_journal", "served_journal"]

#: Name of the procedure behind a server's prefix.
PROCEDURE = "dt:journal"

#: Calls a remote procedure of a server with arguments, and returns its answer.
Call = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class ServedJournal:
    """A journal, and the prefix of the server that writes it; from a file alone, the prefix that was given, if any.

    `machine` is what the server serves, and `store` its document store where it runs on this computer; else empty.
    """

    path: Path
    prefix: str | None
    machine: str = ""
    store: str = ""


def read_served_journal(target: Target, call: Call) -> ServedJournal:
    """Ask a server for its journal. Raises ReviewError if that is not on this computer, or what `call` raises."""
    return served_journal(target, call(PROCEDURE, {}))


def served_journal(target: Target, answer: Mapping[str, Any]) -> ServedJournal:
    """Find the journal that a server has told. Raises ReviewError if it is not here, or has another server's runs."""
    path, name = Path(answer["journal"]), f"the server with prefix {target.prefix!r}"
    if not path.exists():
        raise ReviewError(f"{name} writes {path}, which is not on this computer: call this where the server runs")
    with Reader(path) as reader:
        if reader.newest_run().run != int(answer["run"]):
            raise ReviewError(f"{name} writes run {answer['run']:.0f}, and {path} has run {reader.newest_run().run}")
    store = target.server.store if target.server is not None else ""
    return ServedJournal(path, target.prefix, str(answer["machine"]), store)
