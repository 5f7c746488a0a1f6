"""Signals of both protocols whose errors are gnomon's: what a server refuses, and what does not answer.

ophyd-async 0.21 loses a put that Channel Access refused: aioca's exception is false, which its retry takes for success.
"""

from typing import Any, Literal

from aioca import CANothing
from ophyd_async.core import SignalR, SignalRW
from ophyd_async.epics.core import CaSignalBackend, PvaSignalBackend
from p4p.client.raw import Disconnected, RemoteError

from gnomon.clients.bluesky_devices.beacon_repeater import start_repeater_once
from gnomon.clients.errors import NoAnswerError, RefusedError

__all__ = ["ANSWER_S", "LOST", "Protocol", "readable", "settable"]

Protocol = Literal["ca", "pva"]

#: Time in which a PV that is there answers [s].
ANSWER_S = 5.0
#: ECA_DISCONN of Channel Access.
DISCONNECTED = 192
#: How the libraries of both protocols say that a PV does not answer.
LOST = (CANothing, Disconnected, ConnectionError)


class _Ca(CaSignalBackend[Any]):
    async def connect(self, timeout: float) -> None:
        """Connect, with a repeater that does not hold our streams."""
        start_repeater_once()
        await super().connect(timeout)

    async def put(self, value: Any) -> None:
        """Put a value. Raises RefusedError, and NoAnswerError."""
        try:
            await super().put(value)
        except CANothing as error:
            asked, told = f"{self.write_pv} = {_shown(value)}", str(error).removeprefix(f"{self.write_pv}: ")
            if error.errorcode == DISCONNECTED:
                raise NoAnswerError(f"{asked}: the connection was lost") from error
            raise RefusedError(
                f"{asked}: the server refused it ({told}); Channel Access does not tell why: `gnomon log` does, and so "
                "does protocol pva"
            ) from error


class _Pva(PvaSignalBackend[Any]):
    async def put(self, value: Any) -> None:
        """Put a value. Raises RefusedError with the server's reason, and NoAnswerError."""
        try:
            await super().put(value)
        except RemoteError as error:
            told = str(error)
            asked = "" if self.write_pv in told else f"{self.write_pv} = {_shown(value)}: "
            raise RefusedError(f"{asked}{told}") from error
        except Disconnected as error:
            raise NoAnswerError(f"{self.write_pv} = {_shown(value)}: the connection was lost") from error


_BACKENDS: dict[Protocol, type[_Ca] | type[_Pva]] = {"ca": _Ca, "pva": _Pva}


def readable(protocol: Protocol, kind: type[Any], pv: str, timeout_s: float = ANSWER_S) -> SignalR[Any]:
    """Make a signal that reads a PV."""
    return SignalR(_BACKENDS[protocol](kind, pv, pv), timeout=timeout_s)


def settable(protocol: Protocol, kind: type[Any], pv: str) -> SignalRW[Any]:
    """Make a signal that reads and writes a PV; it is written when the server says so."""
    return SignalRW(_BACKENDS[protocol](kind, pv, pv), timeout=ANSWER_S)


def _shown(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, int | float) else repr(value)
