"""A machine over PV Access, read only: of p4p's client, its monitors alone."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Any

from p4p import Value
from p4p.client.raw import Context

from gnomon.ioc.shadow.link import LinkSink, Update

DEFAULT_PORT = 5076
_REQUEST = "field(value,alarm,timeStamp)"


class PvaLink:
    """`Link` over PV Access. `addresses` are "host" or "host:port", where servers hear searches (UDP)."""

    def __init__(self, addresses: Sequence[str], timeout_s: float) -> None:
        configuration = {
            "EPICS_PVA_ADDR_LIST": " ".join(addresses),
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
            "EPICS_PVA_CONN_TMO": f"{timeout_s:g}",
        }
        context = Context("pva", conf=configuration, useenv=False, nt=False)
        self._monitor: Callable[..., Any] = context.monitor
        self._close: Callable[[], None] = context.close
        self._loop = asyncio.get_running_loop()
        self._sink: LinkSink | None = None
        self._subscriptions: list[Any] = []
        self._connected: set[int] = set()
        self._lock = Lock()
        self._heard: list[Update | int] = []  # an update, or the channel that was lost

    def start(self, names: Sequence[str], sink: LinkSink) -> None:
        """See `Link`."""
        self._sink = sink
        for channel, name in enumerate(names):
            subscription = self._monitor(name, partial(self._ready, channel), _REQUEST)
            with self._lock:
                self._subscriptions.append(subscription)
            self._ready(channel)  # what came before the subscription was known here

    def close(self) -> None:
        """See `Link`."""
        self._sink = None
        for subscription in self._subscriptions:
            subscription.close()
        self._close()

    def _ready(self, channel: int) -> None:
        """Take what has come for a channel; called by the library's thread."""
        with self._lock:
            if channel >= len(self._subscriptions):
                return
            subscription = self._subscriptions[channel]
            idle = not self._heard
            while (found := subscription.pop()) is not None:
                self._heard.append(_heard(channel, found))
            if idle and self._heard:
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            heard, self._heard = self._heard, []
        if self._sink is None:
            return
        updates: list[Update] = []
        lost: list[int] = []
        for one in heard:
            if isinstance(one, Update):
                if lost:
                    self._sink.lost(lost)
                    lost = []
                first = one.channel not in self._connected
                self._connected.add(one.channel)
                updates.append(Update(one.channel, one.value, one.severity, one.time_ns, first))
            elif one in self._connected:
                if updates:
                    self._sink.updated(updates)
                    updates = []
                self._connected.discard(one)
                lost.append(one)
        if updates:
            self._sink.updated(updates)
        if lost:
            self._sink.lost(lost)


def _heard(channel: int, found: Any) -> Update | int:
    """A value, of time 0 where its PV has no time stamp, or the channel of a PV that is lost or has no value."""
    if isinstance(found, Exception) or "value" not in found:
        return channel
    value = found["value"]
    if isinstance(value, Value):  # an enum is a structure of its number and its texts
        value = value.get("index")
    severity = int(found.get("alarm.severity", 0))
    seconds, rest = found.get("timeStamp.secondsPastEpoch", 0), found.get("timeStamp.nanoseconds", 0)
    return Update(channel, value, severity, int(seconds) * 1_000_000_000 + int(rest), False)
