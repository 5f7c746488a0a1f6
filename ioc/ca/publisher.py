"""Sends what the bank publishes to all subscribers: one write for each client, however many PVs changed.

caproto's own road costs about 0.1 ms for each PV and client. Here, each client has a plan: the messages of its plain
scalar subscriptions (DBR_TIME_DOUBLE) as one array of wire structures, in which a publication fills in value, alarm and
time stamp of those concerned and sends them as they stand. Other subscriptions are converted by caproto, one by one.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from caproto import ChannelType, SubscriptionType
from numpy.typing import NDArray

from gnomon.db.pvs import Kind
from gnomon.ioc.bank import Bank, Indices
from gnomon.ioc.ca.channels import EPOCH_S, BankChannel

#: One update of a DBR_TIME_DOUBLE subscription as it goes over the wire (Channel Access protocol, EVENT_ADD reply).
MESSAGE = np.dtype(
    [
        ("command", ">u2"),
        ("size", ">u2"),
        ("type", ">u2"),
        ("count", ">u2"),
        ("status_code", ">u4"),
        ("subscription", ">u4"),
        ("status", ">u2"),
        ("severity", ">u2"),
        ("seconds", ">u4"),
        ("nanoseconds", ">u4"),
        ("pad", ">u4"),
        ("value", ">f8"),
    ]
)
EVENT_ADD = 1
HEADER_SIZE = 16
ECA_NORMAL = 1

#: A client with more than this waiting [bytes] is passed over; it gets the newest values when it has caught up.
BACKLOG = 4 * 2**20
#: How often such clients are looked after [s].
RETRY_S = 0.02

WANTED = SubscriptionType.DBE_VALUE | SubscriptionType.DBE_LOG | SubscriptionType.DBE_ALARM
VALUE = SubscriptionType.DBE_VALUE | SubscriptionType.DBE_LOG


@dataclass(slots=True)
class Slow:
    """A subscription that is converted by caproto. `alarm` is the last one sent, for those that want alarms alone."""

    channel: BankChannel
    subscription: Any
    alarm: tuple[int, int]


@dataclass(slots=True)
class Plan:
    """What one client subscribes to: `fast` is subscription -> PV. `waiting` marks PVs that it could not be sent."""

    fast: dict[int, int] = field(default_factory=dict)
    slow: dict[int, list[Slow]] = field(default_factory=lambda: defaultdict(list))
    waiting: NDArray[np.bool_] | None = None
    index: Indices | None = None
    messages: Any = None

    def build(self) -> None:
        """Lay out the messages of the fast subscriptions."""
        self.index = np.fromiter(self.fast.values(), dtype=np.intp, count=len(self.fast))
        self.messages = np.zeros(len(self.fast), dtype=MESSAGE)
        self.messages["command"] = EVENT_ADD
        self.messages["size"] = MESSAGE.itemsize - 16
        self.messages["type"] = ChannelType.TIME_DOUBLE
        self.messages["count"] = 1
        self.messages["status_code"] = ECA_NORMAL
        self.messages["subscription"] = list(self.fast)


class Publisher:
    """Listens to the bank and writes to the circuits of caproto's server, all in the event loop."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._plans: dict[Any, Plan] = {}
        self._retry: asyncio.TimerHandle | None = None

    def subscribe(self, channel: BankChannel, specification: Any, subscription: Any) -> bool:
        """See `Subscriber`. Repeated for the same subscription (events on again), it just sends the present value."""
        filters = specification.channel_filter
        if any(value is not None and value is not False for value in filters):
            return False
        circuit = subscription.circuit
        plan = self._plans.setdefault(circuit, Plan())
        one = Slow(channel, subscription, self._alarm(channel.index))
        if not self._known(plan, channel, subscription):
            if self._is_fast(channel, subscription):
                plan.fast[subscription.subscriptionid] = channel.index
                plan.index = None
            else:
                plan.slow[channel.index].append(one)
        self._write(circuit, self._convert(one))
        return True

    def unsubscribe(self, circuit: Any, subscriptions: Any) -> None:
        """Forget subscriptions of a client; nothing is sent for them from now on."""
        plan = self._plans.get(circuit)
        if plan is None:
            return
        gone = {sub.subscriptionid for sub in subscriptions}
        plan.fast = {s: i for s, i in plan.fast.items() if s not in gone}
        plan.index = None
        for index in {sub.db_entry.index for sub in subscriptions if isinstance(sub.db_entry, BankChannel)}:
            plan.slow[index] = [one for one in plan.slow[index] if one.subscription.subscriptionid not in gone]
            if not plan.slow[index]:
                del plan.slow[index]

    def forget(self, circuit: Any) -> None:
        """A client has gone."""
        self._plans.pop(circuit, None)

    def publish(self, indices: Indices) -> None:
        """Send what was published to all who subscribe to it."""
        if not self._plans:
            return
        published = np.zeros(len(self._bank.specs), dtype=bool)
        published[indices] = True
        cache: dict[tuple[int, Any], Any] = {}
        for circuit, plan in list(self._plans.items()):
            if self._ready(circuit):
                self._send(circuit, plan, published, cache)
            else:
                self._postpone(plan, published)

    def stop(self) -> None:
        """Send nothing more."""
        self._plans.clear()
        if self._retry is not None:
            self._retry.cancel()

    def _send(self, circuit: Any, plan: Plan, published: NDArray[np.bool_], cache: dict[tuple[int, Any], Any]) -> None:
        if plan.index is None:
            plan.build()
        assert plan.index is not None
        pick = published[plan.index]
        messages = plan.messages if pick.all() else plan.messages[pick]
        which = plan.index[pick]
        bank = self._bank
        seconds, nanoseconds = np.divmod(bank.time_ns[which], 1_000_000_000)
        messages["status"] = bank.status[which]
        messages["severity"] = bank.severity[which]
        messages["seconds"] = np.maximum(seconds - EPOCH_S, 0)
        messages["nanoseconds"] = nanoseconds
        messages["value"] = bank.values[which]
        parts = [messages.tobytes()]
        for index, subscriptions in plan.slow.items():
            if published[index]:
                parts.extend(self._convert(one, cache) for one in subscriptions if self._wanted(one))
        self._write(circuit, b"".join(parts))

    def _convert(self, one: Slow, cache: dict[tuple[int, Any], Any] | None = None) -> bytes:
        """One update of any type; `cache` holds what other subscribers of the same publication have had converted."""
        sub = one.subscription
        key = (one.channel.index, sub.data_type)
        converted = cache.get(key) if cache is not None else None
        if converted is None:
            converted = _now(one.channel._read(sub.data_type))
            if cache is not None:
                cache[key] = converted
        metadata, values = converted
        count = min(sub.data_count, len(values)) if sub.data_count else len(values)
        command = sub.channel.subscribe(
            data=values[:count],
            metadata=metadata,
            data_type=sub.data_type,
            data_count=count,
            subscriptionid=sub.subscriptionid,
            status=ECA_NORMAL,
        )
        message = bytes(command)
        if len(message) == HEADER_SIZE:
            # Without a payload it would end the subscription: send a zero, and that there are no values.
            message = message[:2] + (8).to_bytes(2, "big") + message[4:] + bytes(8)
        return message

    def _wanted(self, one: Slow) -> bool:
        """Whether a subscription's mask asks for this; one for alarms alone gets changes of the alarm alone."""
        mask = one.subscription.mask
        if mask & VALUE:
            return True
        if not mask & WANTED:
            return False
        alarm = self._alarm(one.channel.index)
        changed, one.alarm = one.alarm != alarm, alarm
        return changed

    def _alarm(self, index: int) -> tuple[int, int]:
        return int(self._bank.severity[index]), int(self._bank.status[index])

    def _is_fast(self, channel: BankChannel, subscription: Any) -> bool:
        return (
            subscription.data_type == ChannelType.TIME_DOUBLE
            and subscription.data_count <= 1
            and bool(subscription.mask & VALUE)
            and self._bank.specs[channel.index].kind in (Kind.FLOAT, Kind.INT, Kind.ENUM)
        )

    def _known(self, plan: Plan, channel: BankChannel, subscription: Any) -> bool:
        slow = plan.slow.get(channel.index, ())
        return subscription.subscriptionid in plan.fast or any(one.subscription is subscription for one in slow)

    def _ready(self, circuit: Any) -> bool:
        """Whether a client has asked for events and keeps up with them."""
        transport = circuit.client.writer.transport
        return bool(circuit.events_on.is_set()) and transport.get_write_buffer_size() <= BACKLOG

    def _write(self, circuit: Any, message: bytes) -> None:
        if message and circuit.connected and not circuit.client.writer.transport.is_closing():
            circuit.client.writer.write(message)

    def _postpone(self, plan: Plan, published: NDArray[np.bool_]) -> None:
        plan.waiting = published.copy() if plan.waiting is None else plan.waiting | published
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._catch_up)

    def _catch_up(self) -> None:
        """Send the newest values to clients that could not be sent earlier ones."""
        self._retry = None
        for circuit, plan in list(self._plans.items()):
            if plan.waiting is None:
                continue
            waiting, plan.waiting = plan.waiting, None
            if self._ready(circuit):
                self._send(circuit, plan, waiting, {})
            else:
                self._postpone(plan, waiting)


def _now(coroutine: Any) -> Any:
    """The result of a coroutine that never suspends: caproto's conversions are such."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("caproto's conversion suspended: gnomon was not made for this version of caproto")
