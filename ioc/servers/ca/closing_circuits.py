"""Hold back answers to searches while the client that searches may still be closing its circuit.

EPICS's client library closes a circuit when its last channel is cleared, and keeps it in its table until we have closed
it too. An answer that comes before finds it there; the library drops the answer and searches again seconds later.
A client is known by its address alone in a search, so the circuits of its address decide.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable

#: How long an answer to an address with circuits waits, for word of their end that is on its way [s].
GRACE_S = 0.003
#: How long an answer waits after a circuit of the address has closed, for the client to take note of that [s].
REST_S = 0.02
#: Longest time that an answer waits for a circuit without channels, which a client may well keep [s].
PATIENCE_S = 0.05
#: Answers that may wait; more are sent at once.
MAX_WAITING = 1000


class ClosingCircuits:
    """The circuits that have lost their last channel, by address, and the answers that wait for their end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._empty: dict[str, dict[int, float]] = {}
        self._closed: deque[tuple[float, str]] = deque()
        self._waiting = 0

    def opened(self, address: str) -> None:
        """Count a circuit."""
        self._open[address] += 1

    def emptied(self, address: str, circuit: int) -> None:
        """Note that a circuit has lost its last channel: it will most likely be closed."""
        self._empty.setdefault(address, {})[circuit] = self._clock()

    def used(self, address: str, circuit: int) -> None:
        """Note that a circuit has a channel again."""
        if (circuits := self._empty.get(address)) is not None:
            circuits.pop(circuit, None)
            if not circuits:
                del self._empty[address]

    def closed(self, address: str, circuit: int) -> None:
        """Note that a circuit has been closed by both sides."""
        self.used(address, circuit)
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
        self._closed.append((self._clock(), address))

    def wait_s(self, address: str) -> float:
        """Return how long an answer to this address has to wait before it is asked again; 0 when it may be sent."""
        now = self._clock()
        while self._closed and now - self._closed[0][0] >= REST_S:
            self._closed.popleft()
        if any(since > now - PATIENCE_S for since in self._empty.get(address, {}).values()):
            return GRACE_S
        return GRACE_S if any(one == address for _, one in self._closed) else 0.0

    def answer(self, address: str, send: Callable[[], None]) -> None:
        """Have an answer sent when nothing speaks against it: at once to an address without circuits."""
        if (self._open[address] or self.wait_s(address)) and self._waiting < MAX_WAITING:
            self._waiting += 1
            asyncio.get_running_loop().call_later(GRACE_S, self._again, address, send, self._clock() + 2 * PATIENCE_S)
        else:
            send()

    def _again(self, address: str, send: Callable[[], None], until: float) -> None:
        wait_s = self.wait_s(address)
        if wait_s and self._clock() < until:
            asyncio.get_running_loop().call_later(wait_s, self._again, address, send, until)
        else:
            self._waiting -= 1
            send()
