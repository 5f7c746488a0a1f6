"""State that the devices of one ring share: protocol, kind of server, and when the last setting has settled."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from bluesky.protocols import Reading
from ophyd_async.core import DEFAULT_TIMEOUT, Device, DeviceMock, NotConnectedError, SignalR, SignalRW

from gnomon.clients.bluesky_devices.signals import ANSWER_S, LOST, Protocol, readable, settable
from gnomon.clients.errors import NoAnswerError
from gnomon.db.pvs import PvSpec

__all__ = ["Served", "ServerKind", "Session", "age_of", "in_few_words", "read_now"]

#: A twin has a reading for each setting, by generation; a machine reads in its own time.
ServerKind = Literal["twin", "machine"]

#: Time in which a server of gnomon tells its role, once the first PV was connected [s]. A machine has no such PV.
ROLE_S = 1.0
#: Largest number of PVs that a message names.
MAX_NAMED = 4


class Session:
    """Makes the signals of one ring's devices, and knows when the last setting has settled.

    `kind` None: it is found out when the first device is connected.
    """

    def __init__(
        self,
        protocol: Protocol,
        kind: ServerKind | None,
        *,
        role: PvSpec | None,
        generation: PvSpec | None,
        reason: PvSpec | None,
    ) -> None:
        self.protocol = protocol
        self.is_mock = False
        self._kind = kind
        self._reason = reason
        self._finding: asyncio.Task[None] | None = None
        self._role = self.readable(str, role) if role else None
        self.generation: SignalR[int] | None = self.readable(int, generation) if generation else None
        #: From this time on, by our monotonic clock, the beam is that of the last setting; 0: none was made [s].
        self.settled_s = 0.0

    def readable(self, kind: type[Any], spec: PvSpec) -> SignalR[Any]:
        """Make a signal that reads a PV."""
        return readable(self.protocol, kind, spec.name)

    def settable(self, kind: type[Any], spec: PvSpec) -> SignalRW[Any]:
        """Make a signal that reads and writes a PV; it is written when the server says so."""
        return settable(self.protocol, kind, spec.name)

    @property
    def is_twin(self) -> bool:
        """Tell whether each setting has its reading, told by the generation."""
        return self._kind == "twin"

    async def find_kind(self, *, mock: bool = False) -> None:
        """Ask the server for its role, once; one that has none is a machine. Of mock signals nothing is expected."""
        self.is_mock = mock
        if mock:
            return
        if self._finding is None or (self._finding.done() and self._finding.exception()):
            self._finding = asyncio.create_task(self._find_kind())
        await asyncio.shield(self._finding)

    async def _find_kind(self) -> None:
        if self._kind == "machine" or self._role is None or self.generation is None:
            self._kind = "machine"
            return
        try:
            await asyncio.gather(*(each.connect(timeout=ROLE_S) for each in (self._role, self.generation)))
        except NotConnectedError:
            if self._kind is not None:
                raise
            self._kind = "machine"
            return
        self._kind = self._kind or ("machine" if await self._role.get_value() == "machine" else "twin")

    async def trouble(self) -> str:
        """Read why there is no beam, where the server says so; empty if it does not."""
        if self._reason is None:
            return ""
        text = "VAL$" if self.protocol == "ca" else "VAL"  # a text of Channel Access has 39 bytes, unless in characters
        signal = readable(self.protocol, str, f"{self._reason.name}.{text}", ROLE_S)
        try:
            await signal.connect(timeout=ROLE_S)
            return str(await signal.get_value())
        except (NotConnectedError, TimeoutError, TypeError, *LOST):  # TypeError: an empty text is no array
            return ""

    def note_setting(self, settle_s: float) -> None:
        """Note that a setting has arrived; the beam of a machine shows it `settle_s` later."""
        self.settled_s = max(self.settled_s, time.monotonic() + (0.0 if self.is_twin else settle_s))


class Served(Device):
    """A device of a server that tells its kind when the first device is connected."""

    _session: Session

    async def connect(
        self, mock: bool | DeviceMock[Any] = False, timeout: float = DEFAULT_TIMEOUT, force_reconnect: bool = False
    ) -> None:
        """Connect the PVs, and find out which kind of server it is."""
        await super().connect(mock, timeout, force_reconnect)
        await self._session.find_kind(mock=bool(mock))


@contextmanager
def in_few_words(what: str) -> Iterator[None]:
    """Say in a line that PVs do not answer; ophyd-async has a line for each, of a ring thousands."""
    try:
        yield
    except NotConnectedError as error:
        names = list(dict.fromkeys(re.findall(r"(?:ca|pva)://[^\s,]+", str(error))))
        if len(names) <= MAX_NAMED:
            raise
        some = ", ".join(names[:MAX_NAMED])
        raise NotConnectedError(f"{what}: no answer for {some} and more") from None


async def read_now(signal: SignalR[Any], timeout_s: float = ANSWER_S) -> Reading[Any]:
    """Read a PV from its server, not from what a subscription brought. Raises NoAnswerError."""
    reading: Reading[Any]
    try:
        (reading,) = (await asyncio.wait_for(signal.read(cached=False), timeout_s)).values()
    except (TimeoutError, *LOST) as error:
        raise NoAnswerError(f"{signal.source}: no answer within {timeout_s:g} s; the connection is lost") from error
    return reading


def age_of(time_s: float) -> str:
    """Say how old a time stamp is, for a message."""
    if time_s <= 0.0:
        return "that never had a value"
    return f"of {time.strftime('%H:%M:%S', time.localtime(time_s))}, {time.time() - time_s:.1f} s ago"
