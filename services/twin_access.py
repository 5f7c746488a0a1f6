"""Running servers as routes reach them: chosen by prefix, asked in threads, each within a time limit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.journal_choice import ServedJournal, read_served_journal
from gnomon.clients.running_twins import ClientPool, choose_one
from gnomon.services.calculations import Calculations
from gnomon.services.service_settings import ServiceLimits

T = TypeVar("T")

#: Number of requests to running servers at the same time: they wait for others, and compute little.
TOGETHER = 16


@dataclass(frozen=True, slots=True)
class Chosen:
    """The server that a request is about."""

    prefix: str | None
    server: str | None


def _chosen(
    prefix: Annotated[
        str | None,
        Query(max_length=100, description="prefix of the server's PVs; default: the only server that runs"),
    ] = None,
    server: Annotated[
        str | None,
        Query(
            max_length=20,
            pattern=r"^([0-9]+|epics)$",
            description="number of its process; `epics`: search the network by the EPICS variables",
        ),
    ] = None,
) -> Chosen:
    return Chosen(prefix, server)


#: Parameter of a route about a running server: query parameters `prefix` and `server`.
ChosenServer = Annotated[Chosen, Depends(_chosen)]


class TwinAccess:
    """Asks running servers in threads of their own; none can stop the event loop, nor calculations."""

    def __init__(self, limits: ServiceLimits) -> None:
        asking = replace(limits, calculation_s=limits.asking_s, together=TOGETHER, hung=TOGETHER)
        self._asking = Calculations(asking, "check that the server answers; see /v1/state")
        self._pool = ClientPool(limits.servers, timeout_s=limits.asking_s / 3)

    async def run(self, what: str, compute: Callable[[], T]) -> T:
        """Run something that waits for files or servers. Raises ProblemError (503, 504), or what it raises."""
        return await self._asking.run(what, compute)

    async def ask(self, what: str, chosen: Chosen, ask: Callable[[EpicsClient], T]) -> T:
        """Ask a running server. Raises ClientError (none runs, no answer, refused), and what `ask` raises."""

        def work() -> T:
            with self._pool.client(choose_one(chosen.prefix, chosen.server)) as client:
                return ask(client)

        return await self.run(what, work)

    async def with_journal(self, what: str, chosen: Chosen, ask: Callable[[EpicsClient, ServedJournal], T]) -> T:
        """Ask a running server, and use the journal that it writes. Raises ReviewError if that is not here, too."""
        return await self.ask(what, chosen, lambda client: ask(client, read_served_journal(client.target, client.call)))
