"""The running server as the forwarding process reaches it: its state, and what clients of MQTT ask of it.

It is asked as the services ask it: over PV Access, in threads, through its own procedures, by the rules that it has for
the user and the computer of this process.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import ClientError
from gnomon.clients.overview import read_overview
from gnomon.clients.reading import jsonable
from gnomon.clients.running_twins import ClientPool, choose_one
from gnomon.services.forward.forward_messages import StateMessage, StateReading

__all__ = ["ServerAccess"]

T = TypeVar("T")

#: Time that the server has for an answer [s].
ANSWER_S = 5.0
#: Number of requests that are carried out at the same time.
TOGETHER = 4
#: Figures that change all the time and say nothing about the machine.
_RESTLESS = ("status.", "model.time", "model.generation")


class ServerAccess:
    """Asks the server of a prefix. Close it when nothing is asked any more."""

    def __init__(self) -> None:
        self._pool = ClientPool(2, ANSWER_S)
        self._threads = ThreadPoolExecutor(TOGETHER, "gnomon forward server")

    async def ask(self, prefix: str, ask: Callable[[EpicsClient], T]) -> T:
        """Ask the server. Raises ClientError (none runs, no answer, refused), and what `ask` raises."""

        def work() -> T:
            with self._pool.client(choose_one(prefix)) as client:
                return ask(client)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def read_state(self, prefix: str) -> StateMessage:
        """Read the state of the server; one that does not answer is told as such."""
        try:
            seen = await self.ask(prefix, lambda client: read_overview(client, 0))
        except ClientError as error:
            return _state(prefix, False, (f"no server: {error}",), {})
        readings = {
            source: StateReading(
                value=None if reading.severity >= 3 else jsonable(reading.value),
                unit=reading.unit,
                severity=reading.severity_name,
            )
            for source, reading in seen.readings.items()
            if not source.startswith(_RESTLESS)
        }
        return _state(prefix, not seen.trouble, tuple(map(str, seen.attention())), readings)

    def close(self) -> None:
        """Disconnect."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()


def _state(prefix: str, runs: bool, attention: tuple[str, ...], readings: dict[str, Any]) -> StateMessage:
    now_ns = time.time_ns()
    text = "; ".join(attention) or "all is well"
    return StateMessage(
        key=f"{prefix}:{now_ns}", prefix=prefix, text=text, runs=runs, time_ns=now_ns, attention=attention,
        readings=readings,
    )  # fmt: skip
