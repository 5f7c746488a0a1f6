"""Send what a bank publishes to all subscribers: one write for each client, however many PVs changed.

Each client has a plan. For each set of PVs that are published together, it keeps the messages of its plain scalar
subscriptions (DBR_TIME_DOUBLE) to them as one array of wire structures; a publication fills in values, alarms and time
stamps, which are the same for all clients, and sends the array as it stands.
Other subscriptions are packed one by one, once for all clients that want the same.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from caproto import SubscriptionType
from numpy.typing import NDArray

from gnomon.db.pvs import Kind
from gnomon.ioc.outputs.bank import Bank, Indices
from gnomon.ioc.servers.ca.dbr import TIME_DOUBLE, Unconvertible
from gnomon.ioc.servers.ca.points import NO_FILTERS, Point
from gnomon.ioc.wire.ca_framing import EPOCH_S, GET_FAILED, NORMAL, Command, pack

#: Alarm, time stamp and value of a DBR_TIME_DOUBLE; the same for all clients.
BODY = np.dtype(
    [
        ("status", ">u2"),
        ("severity", ">u2"),
        ("seconds", ">u4"),
        ("nanoseconds", ">u4"),
        ("pad", ">u4"),
        ("value", ">f8"),
    ]
)
#: One update of such a subscription as it goes over the wire (Channel Access protocol, EVENT_ADD reply).
MESSAGE = np.dtype(
    [
        ("command", ">u2"),
        ("size", ">u2"),
        ("type", ">u2"),
        ("count", ">u2"),
        ("status_code", ">u4"),
        ("subscription", ">u4"),
        ("body", BODY),
    ]
)

VALUE = SubscriptionType.DBE_VALUE | SubscriptionType.DBE_LOG
ALARM = SubscriptionType.DBE_ALARM

#: Patterns that are kept for a client; each takes 48 bytes for each PV in it.
MAX_PATTERNS = 32

#: Kinds of updates that are remembered, so that clients which want the same share it.
MAX_CONTENTS = 100_000

#: Bytes of single updates that a client is sent in one go; then it is seen whether it keeps up.
PORTION = 2**18

#: A subscription of a client: the numbers of its channel and of itself.
Key = tuple[int, int]


class Receiver(Protocol):
    """A client as the publisher sees it."""

    @property
    def ready(self) -> bool:
        """True while it wants events and keeps up with them."""
        ...

    def write(self, data: bytes) -> None:
        """Send."""
        ...


@dataclass(slots=True)
class Subscription:
    """One subscription; `sent` and `alarm` are the value and alarm sent last, for those that do not want all."""

    key: Key
    point: Point
    data_type: int
    count: int
    mask: int
    sent: Any = None
    alarm: tuple[int, int] | None = None
    wants_all: bool = field(init=False)
    content: int = field(init=False, default=-1)  # the publisher's number of what it shares with others

    def __post_init__(self) -> None:
        filtered = self.point.field is not None or self.point.filters.deadband is not None
        self.wants_all = bool(self.mask & VALUE) and not filtered

    @property
    def is_fast(self) -> bool:
        """True if it wants each value as DBR_TIME_DOUBLE and nothing else done to it."""
        return (
            self.data_type == TIME_DOUBLE
            and self.count <= 1
            and bool(self.mask & VALUE)
            and self.point.field is None
            and self.point.length == 1
            and self.point.filters is NO_FILTERS
        )


@dataclass(frozen=True, slots=True)
class Pattern:
    """Messages to one client when certain PVs are published: messages without bodies, whose bodies, single ones."""

    messages: NDArray[Any]
    take: Indices
    singles: tuple[Subscription, ...]

    @property
    def nbytes(self) -> int:
        """Number of bytes that it takes."""
        return int(self.messages.nbytes + self.take.nbytes) + 8 * len(self.singles)


@dataclass(slots=True)
class Plan:
    """Subscriptions of one client: `fast` is subscription -> PV.

    `waiting` marks PVs that it could not be sent, `late` has the single subscriptions at which it fell behind.

    Publications repeat themselves, so their patterns are kept, by the PVs published, until a subscription changes.
    """

    fast: dict[Key, int] = field(default_factory=dict)
    slow: dict[int, dict[Key, Subscription]] = field(default_factory=dict)
    waiting: NDArray[np.bool_] | None = None
    late: dict[Key, Subscription] = field(default_factory=dict)
    patterns: dict[bytes, Pattern] = field(default_factory=dict)
    index: Indices | None = None
    messages: Any = None

    def changed(self) -> None:
        """Subscriptions are others now."""
        self.index = None
        self.patterns.clear()

    def pattern(self, indices: Indices, key: bytes, total: int) -> Pattern:
        """The pattern of the PVs in `indices`, of `total` in all; `key` is what it is kept by."""
        known = self.patterns.get(key)
        if known is None:
            if len(self.patterns) >= MAX_PATTERNS:
                self.patterns.clear()
            known = self.patterns[key] = self._make(indices, total)
        return known

    def _make(self, indices: Indices, total: int) -> Pattern:
        index = self._build() if self.index is None else self.index
        position = np.full(total, -1, dtype=np.intp)
        position[indices] = np.arange(len(indices))
        take = position[index]
        pick = take >= 0
        singles = (one for at, some in self.slow.items() if position[at] >= 0 for one in some.values())
        return Pattern(self.messages[pick], take[pick], tuple(singles))

    def _build(self) -> Indices:
        """Lay out the messages of the fast subscriptions."""
        self.index = np.fromiter(self.fast.values(), dtype=np.intp, count=len(self.fast))
        self.messages = np.zeros(len(self.fast), dtype=MESSAGE)
        self.messages["command"] = Command.EVENT_ADD
        self.messages["size"] = BODY.itemsize
        self.messages["type"] = TIME_DOUBLE
        self.messages["count"] = 1
        self.messages["status_code"] = NORMAL
        self.messages["subscription"] = [number for _, number in self.fast]
        return self.index


#: What other subscribers of the same publication have had packed, by the number of PV, field, type, count and filters.
Cache = dict[int, tuple[bytes, int, int]]


class Publisher:
    """Listener to a bank that writes to its clients, all in the event loop."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._plans: dict[Receiver, Plan] = {}
        self._contents: dict[tuple[Point, int, int], int] = {}
        self._numbers = itertools.count()
        # Which PVs are numeric scalars; the others have no place in the messages of the fast way.
        self._scalar = [spec.kind in (Kind.FLOAT, Kind.INT, Kind.ENUM) for spec in bank.specs]

    def subscribe(self, receiver: Receiver, subscription: Subscription) -> None:
        """Serve a subscription from now on, beginning with the present value."""
        plan = self._plans.setdefault(receiver, Plan())
        index = subscription.point.index
        wanted = (subscription.point, subscription.data_type, subscription.count)
        if len(self._contents) >= MAX_CONTENTS:
            self._contents.clear()  # numbers are not used again: clients only share less
        subscription.content = self._contents.setdefault(wanted, next(self._numbers))
        if subscription.is_fast and self._scalar[index]:
            plan.fast[subscription.key] = index
        else:
            plan.slow.setdefault(index, {})[subscription.key] = subscription
        plan.changed()
        if receiver.ready:
            self._changed(subscription)  # remembers what is sent now
            receiver.write(self._message(subscription, {}))
        else:
            self._postpone(plan, np.array([index]))

    def unsubscribe(self, receiver: Receiver, key: Key, point: Point) -> Subscription | None:
        """Forget a subscription of a client, and return it; nothing is sent for it from now on."""
        plan, index = self._plans.get(receiver), point.index
        if plan is None:
            return None
        plan.changed()
        plan.late.pop(key, None)
        if plan.fast.pop(key, None) is not None:
            return Subscription(key, point, TIME_DOUBLE, 1, VALUE | ALARM)
        found = None
        if (slow := plan.slow.get(index)) is not None:
            found = slow.pop(key, None)
            if not slow:
                del plan.slow[index]
        return found

    def renew(self, receiver: Receiver, indices: Indices) -> None:
        """Send a client the present state of PVs that it has subscribed to once more."""
        plan = self._plans.get(receiver)
        if plan is None:
            return
        if receiver.ready:
            self._send([(receiver, plan)], indices)
        else:
            self._postpone(plan, indices)

    def forget(self, receiver: Receiver) -> None:
        """A client has gone."""
        self._plans.pop(receiver, None)

    def plan_bytes(self, receiver: Receiver) -> int:
        """Number of bytes that are kept of the messages of a client."""
        plan = self._plans.get(receiver)
        return 0 if plan is None else sum(pattern.nbytes for pattern in plan.patterns.values())

    def publish(self, indices: Indices) -> None:
        """Send what was published to all who subscribe to it."""
        if not self._plans:
            return
        ready = []
        for receiver, plan in list(self._plans.items()):
            if receiver.ready:
                ready.append((receiver, plan))
            else:
                self._postpone(plan, indices)
        self._send(ready, indices)

    def catch_up(self, receiver: Receiver) -> None:
        """A client is ready again: send the newest of what it has missed."""
        plan = self._plans.get(receiver)
        if plan is None:
            return
        if plan.late:
            late, plan.late = tuple(plan.late.values()), {}
            self._send_singles(receiver, plan, [], late, {})
        if plan.waiting is not None and receiver.ready:
            waiting, plan.waiting = np.flatnonzero(plan.waiting), None
            self._send([(receiver, plan)], waiting)

    def stop(self) -> None:
        """Send nothing more."""
        self._plans.clear()

    def _send(self, clients: Sequence[tuple[Receiver, Plan]], indices: Indices) -> None:
        """Send the present state of PVs to clients that are ready for it."""
        bodies, key, total = self._bodies(indices), indices.tobytes(), len(self._bank.specs)
        cache: Cache = {}
        for receiver, plan in clients:
            pattern = plan.pattern(indices, key, total)
            pattern.messages["body"] = bodies[pattern.take]
            self._send_singles(receiver, plan, [pattern.messages.tobytes()], pattern.singles, cache)

    def _send_singles(
        self, receiver: Receiver, plan: Plan, parts: list[bytes], singles: Sequence[Subscription], cache: Cache
    ) -> None:
        """Send `parts` and updates one by one; those that come after a client has fallen behind have to wait."""
        size = 0
        for number, one in enumerate(singles):
            if one.wants_all or self._changed(one):
                parts.append(message := self._message(one, cache))
                size += len(message)
            if size > PORTION:
                receiver.write(b"".join(parts))
                parts, size = [], 0
                if not receiver.ready:
                    plan.late.update((one.key, one) for one in singles[number + 1 :])
                    return
        if data := b"".join(parts):
            receiver.write(data)

    def _bodies(self, indices: Indices) -> NDArray[Any]:
        """Return what the fast messages of these PVs have in common for all clients."""
        bank = self._bank
        made = np.zeros(len(indices), dtype=BODY)
        seconds, nanoseconds = np.divmod(bank.time_ns[indices], 1_000_000_000)
        made["status"] = bank.status[indices]
        made["severity"] = bank.severity[indices]
        made["seconds"] = np.maximum(seconds - EPOCH_S, 0)
        made["nanoseconds"] = nanoseconds
        made["value"] = bank.values[indices]
        return made

    def _message(self, one: Subscription, cache: Cache) -> bytes:
        """One update of any type."""
        packed = cache.get(one.content)
        if packed is None:
            try:
                packed = (*one.point.payload(self._bank, one.data_type, one.count), NORMAL)
            except Unconvertible:
                packed = (b"", 0, GET_FAILED)
            cache[one.content] = packed
        payload, count, status = packed
        # Without a payload it would end the subscription: send a zero, and that there are no values.
        return pack(Command.EVENT_ADD, one.data_type, count, status, one.key[1], payload or bytes(8))

    def _changed(self, one: Subscription) -> bool:
        """Tell whether a subscriber wants to hear of the present state, which is then taken for sent.

        Those for alarms alone hear of changed alarms; subscribers to a field of changed fields; a deadband holds back.
        """
        index, point = one.point.index, one.point
        alarm = int(self._bank.severity[index]), int(self._bank.status[index])
        before, one.alarm = one.alarm, alarm
        if not one.mask & VALUE and not (one.mask & ALARM and before != alarm):
            return False
        if point.field is not None:
            value = point.field.fetch(self._bank, index)
            old, one.sent = one.sent, value
            return bool(old != value)
        if point.filters.deadband is not None:
            value = point.state(self._bank).value
            if not (before != alarm or point.filters.passes(one.sent, value)):
                return False
            one.sent = value
        return True

    def _postpone(self, plan: Plan, indices: Indices) -> None:
        if plan.waiting is None:
            plan.waiting = np.zeros(len(self._bank.specs), dtype=bool)
        plan.waiting[indices] = True
