"""Channel Access and PV Access as a user's script sees them, behind one interface: pyepics (libca) and p4p."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

LIMIT_S = 10.0


class ClientError(Exception):
    """A PV did not connect or answer in time; the text says which."""


class Client(Protocol):
    """Puts, gets and monitors of one protocol; each get is a round trip to the server, never a cached value."""

    def put(self, name: str, value: float, *, wait: bool) -> None: ...

    def get(self, name: str) -> float: ...

    def monitor(self, name: str, callback: Callable[[float], None]) -> None: ...

    def end_monitors(self) -> None: ...


class ChannelAccess:
    """pyepics."""

    def __init__(self) -> None:
        import epics

        self._new_pv = epics.PV
        self._pvs: dict[str, Any] = {}
        self._monitors: list[Any] = []

    def put(self, name: str, value: float, *, wait: bool) -> None:
        if self._pv(name).put(value, wait=wait, timeout=LIMIT_S) != 1:
            raise ClientError(f"{name}: put of {value:g} was not completed within {LIMIT_S:g} s")

    def get(self, name: str) -> float:
        value = self._pv(name).get(use_monitor=False, timeout=LIMIT_S)
        if value is None:
            raise ClientError(f"{name}: no value within {LIMIT_S:g} s")
        return scalar(value)

    def monitor(self, name: str, callback: Callable[[float], None]) -> None:
        def on_event(value: Any = None, **_: Any) -> None:
            callback(scalar(value))

        self._monitors.append(self._connected(self._new_pv(name, auto_monitor=True, callback=on_event)))

    def end_monitors(self) -> None:
        for pv in self._monitors:
            pv.clear_auto_monitor()
        self._monitors.clear()

    def _pv(self, name: str) -> Any:
        if name not in self._pvs:
            self._pvs[name] = self._connected(self._new_pv(name, auto_monitor=False))
        return self._pvs[name]

    def _connected(self, pv: Any) -> Any:
        if not pv.wait_for_connection(timeout=LIMIT_S):
            raise ClientError(f"{pv.pvname}: not connected within {LIMIT_S:g} s")
        return pv


class PvAccess:
    """p4p. Its put fetches the structure first, as it does by default: a put is two round trips."""

    def __init__(self) -> None:
        from p4p.client.thread import Context

        self._context = Context("pva", nt=False)
        self._monitors: list[Any] = []

    def put(self, name: str, value: float, *, wait: bool) -> None:
        try:
            self._context.put(name, value, timeout=LIMIT_S, wait=wait)
        except Exception as error:  # p4p: TimeoutError, RemoteError, RuntimeError ...
            raise ClientError(f"{name}: put of {value:g}: {error!r}") from error

    def get(self, name: str) -> float:
        try:
            return scalar(self._context.get(name, timeout=LIMIT_S).value)
        except Exception as error:
            raise ClientError(f"{name}: get: {error!r}") from error

    def monitor(self, name: str, callback: Callable[[float], None]) -> None:
        def on_event(value: Any) -> None:
            if not isinstance(value, Exception):
                callback(scalar(value.value))

        self._monitors.append(self._context.monitor(name, on_event))

    def end_monitors(self) -> None:
        for subscription in self._monitors:
            subscription.close()
        self._monitors.clear()


CLIENTS: dict[str, Callable[[], Client]] = {"ca": ChannelAccess, "pva": PvAccess}


def scalar(value: Any) -> float:
    """The number that stands for a value: itself, or the element in the middle of an array."""
    values = np.ravel(np.asarray(value, dtype=float))
    return float(values[values.size // 2])
