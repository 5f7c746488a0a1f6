"""`dt:journal`: the journal of a running server, and `dt:archive`: move its older commands to a part beside it."""

import asyncio
import logging
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from gnomon.ioc.app.twin import Twin
from gnomon.lattice import Client, GnomonError
from gnomon.recorder import archive

_log = logging.getLogger("gnomon.journal")


class JournalQueryError(GnomonError):
    """A call with arguments that the procedure does not take."""


class JournalProcedure:
    """Answer the journal that the server writes: its path, run and last command, with the machine and the prefix."""

    changes_nothing = True

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[dict[str, Any]]":
        """See `RpcHandler`."""
        answer: Future[dict[str, Any]] = Future()
        if arguments:
            answer.set_exception(_unknown(f"{self._twin.prefix}dt:journal", arguments))
            return answer
        twin = self._twin
        answer.set_result(
            {
                "journal": str(Path(twin.journal.path).absolute()),
                "run": twin.journal.run,
                "last": twin.journal.next_sequence - 1,
                "machine": twin.machine.ring.name,
                "digest": twin.machine.ring.digest,
                "prefix": twin.prefix,
            }
        )
        return answer


class ArchiveProcedure:
    """Archive the older commands of the server's journal; ends with the part, or with an empty `part`."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._loop = asyncio.get_running_loop()

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[dict[str, Any]]":
        """See `RpcHandler`."""
        if arguments:
            answer: Future[dict[str, Any]] = Future()
            answer.set_exception(_unknown(f"{self._twin.prefix}dt:archive", arguments))
            return answer
        return asyncio.run_coroutine_threadsafe(self._archive(client), self._loop)

    async def _archive(self, client: Client) -> dict[str, Any]:
        part = await asyncio.to_thread(archive, self._twin.journal)
        if part is None:
            return {"part": "", "first": 0, "last": 0}
        who = f"{client.user}@{client.host}"
        _log.info("commands %d to %d are archived in %s, as %s asked", part.first, part.last, part.path, who)
        return {"part": str(part.path), "first": part.first, "last": part.last}


def _unknown(name: str, arguments: dict[str, Any]) -> JournalQueryError:
    return JournalQueryError(f"{name}: unknown argument {', '.join(sorted(arguments))}; it takes none")
