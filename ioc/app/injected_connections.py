"""Faults of connections: which PVs are lost, late or denied now, and the word to the servers when that changes.

What ends faults is never disturbed: `dt:fault`, and the PVs that show which faults are active.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.fault_injection import (
    Active,
    ConnectionDenied,
    ConnectionFault,
    ConnectionLost,
    ConnectionPutHangs,
    ConnectionSlow,
    Injector,
)
from gnomon.ioc.app.fault_notes import FaultNotes
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.protocols import HangingPut, PutFuture, PutReply, PutSink
from gnomon.ioc.outputs.bank import Bank
from gnomon.lattice import Client

GROUP = "connections"
#: The procedure that ends faults, behind a prefix.
PROCEDURE = "dt:fault"
#: Time between two looks at outages, while there are faults of connections [s].
PERIOD_S = 0.1
#: Puts that may hang; before one more, the oldest fails. Fewer than one client may have under way.
MAX_HANGING = 2000

ALWAYS_THERE = tuple(
    source.name for source in (sources.FAULTS_COUNT, sources.FAULTS_ACTIVE, sources.FAULTS_TABLE, sources.FAULTS_CLEAR)
)
_NOTHING: frozenset[str] = frozenset()
_log = SparingLog(logging.getLogger("gnomon.faults"))


class Doors(Protocol):
    """The servers of both protocols, as far as they serve one twin."""

    def disconnect(self, *, close: bool) -> None:
        """End the channels that are lost; with `close`, connections on which no other channel is left."""
        ...

    def review_rights(self) -> None:
        """Take note, and tell clients, of what is denied."""
        ...

    def send_puts(self, sink: PutSink) -> None:
        """Send puts to another sink from now on."""
        ...

    def call_clients(self) -> None:
        """Let clients search for what they miss."""
        ...


class Notes(PutSink, Protocol):
    """The dispatcher, as far as it is needed here."""

    def note(self, text: str, client: Client) -> PutFuture:
        """Record something in the journal that sets nothing."""
        ...


@dataclass(frozen=True, slots=True)
class _State:
    """The names that are lost or denied, and whether everything is lost."""

    lost: frozenset[str] = _NOTHING
    unwritable: frozenset[str] = _NOTHING
    unreadable: frozenset[str] = _NOTHING
    everything: bool = False


class InjectedConnections:
    """The gate of a twin's connections (`ConnectionGate`), in the event loop; servers ask it from any thread.

    While a fault lets puts hang, it is their sink too. Without faults of connections, servers only ask whether it is
    idle, when clients search and connect.
    """

    def __init__(self, bank: Bank, prefix: str, injector: Injector, dispatcher: Notes) -> None:
        self._bank = bank
        self.prefix = prefix
        self._injector = injector
        self._dispatcher = dispatcher
        self._notes = FaultNotes()
        self._notes.begin(dispatcher.note)
        self._doors: Doors | None = None
        self._names = {spec.name: spec.device for spec in bank.specs if spec.source not in ALWAYS_THERE}
        self._version = -1
        self._targets: Mapping[int, tuple[ConnectionFault, frozenset[str]]] = {}
        self._uses: dict[tuple[str, str], tuple[int, ...]] = {}  # the faults that match, by use and name
        self._state = _State()
        self._outages: dict[int, Active] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        self._numbers = itertools.count(1)
        self._hanging: deque[HangingPut] = deque()
        self._loop = asyncio.get_running_loop()

    @property
    def always_there(self) -> tuple[str, ...]:
        """The names that are never disturbed."""
        shown = (spec.name for spec in self._bank.specs if spec.source in ALWAYS_THERE)
        return self.prefix + PROCEDURE, *shown

    @property
    def names(self) -> Mapping[str, str]:
        """The names that faults can be about, with their devices."""
        return MappingProxyType(self._names)

    def serve(self, doors: Doors, procedures: Iterable[str]) -> None:
        """Begin to act on servers, which serve these procedures too."""
        self._doors = doors
        self._names.update((name, "") for name in procedures if name != self.prefix + PROCEDURE)
        self.refresh()

    def named(self, request: ConnectionFault) -> frozenset[str]:
        """Return the names that a fault is about."""
        return names_meant(request, self._names, self._bank.specs, self.prefix)

    @property
    def idle(self) -> bool:
        """See `ConnectionGate`."""
        return not self._targets

    def is_lost(self, name: str) -> bool:
        """See `ConnectionGate`."""
        return name in self._state.lost

    def is_denied(self, name: str, *, reading: bool = False) -> bool:
        """See `ConnectionGate`."""
        return name in (self._state.unreadable if reading else self._state.unwritable)

    def search_delay_s(self, name: str) -> float:
        """See `ConnectionGate`."""
        return self._delay_s(name, "search")

    def channel_delay_s(self, name: str) -> float:
        """See `ConnectionGate`."""
        return self._delay_s(name, "channel")

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        """See `PutSink`: let a put hang that a fault matches. One that is refused is told so."""
        name = self._bank.specs[index].name
        acting = self._acting(name, "put")
        if not acting:
            return self._dispatcher.put(index, value, client)
        future = HangingPut()
        future.set_running_or_notify_cancel()
        lost = next((each for each in acting if not _is_accepted(each)), None)
        what = f"the put of {value:g}" if isinstance(value, int | float) else "a put"
        if lost is not None:
            future.show()
            self._hang(future, client, f"fault {lost.fault.id}: {what} to {name} is lost, and hangs")
            return future
        put = self._dispatcher.put(index, value, client)
        put.when_shown(future.show)

        def ended(done: "Future[PutReply]") -> None:
            failed = done.cancelled() or done.exception() is not None
            reply = PutReply(False, "the put has failed") if failed else done.result()
            if reply.accepted:
                self._hang(future, client, f"fault {acting[0].fault.id}: {what} to {name} hangs")
            else:
                future.set_result(reply)

        put.add_done_callback(ended)
        return future

    def refresh(self) -> None:
        """Look at what acts now, and act on what has changed; look again soon while there are such faults."""
        if self._stopped or (self._injector.version == self._version and not self._targets):
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._injector.version != self._version:
            self._version = self._injector.version
            self._find_targets()
        self._act()
        if self._targets:
            self._timer = self._loop.call_later(PERIOD_S, self.refresh)

    def stop(self) -> None:
        """Look no more, and answer the puts that hang."""
        self._doors, self._stopped = None, True
        if self._timer is not None:
            self._timer.cancel()
        while self._hanging:
            self._fail_oldest("the server is stopping; the put has not completed")

    def _find_targets(self) -> None:
        known = self._targets
        found: dict[int, tuple[ConnectionFault, frozenset[str]]] = {}
        for fault in self._injector.of_group(GROUP):
            if isinstance(fault.request, ConnectionFault):
                found[fault.id] = known.get(fault.id) or (fault.request, self.named(fault.request))
        self._targets = found
        self._uses = {}

    def _act(self) -> None:
        """Compare what acts now with what has acted so far, and tell the servers."""
        outages = self._injector.on_occasion(GROUP)
        before, self._state = self._state, self._gather(outages)
        now, doors = self._state, self._doors
        if doors is not None:
            hangs = any(isinstance(request, ConnectionPutHangs) for request, _ in self._targets.values())
            doors.send_puts(self if hangs else self._dispatcher)
            if now.lost - before.lost or now.everything > before.everything:
                doors.disconnect(close=now.everything)
            if before.everything and not now.everything:
                doors.call_clients()
            if (now.unwritable, now.unreadable) != (before.unwritable, before.unreadable):
                doors.review_rights()
        self._tell(outages)

    def _gather(self, outages: Iterable[Active]) -> _State:
        lost, unwritable, unreadable, everything = set[str](), set[str](), set[str](), False
        for active in outages:
            request, names = self._targets.get(active.fault.id, (None, _NOTHING))
            if isinstance(request, ConnectionLost):
                lost |= names
                everything |= request.of_everything
            elif isinstance(request, ConnectionDenied):
                unwritable |= names
                if request.allow == "none":
                    unreadable |= names
        return _State(frozenset(lost), frozenset(unwritable), frozenset(unreadable), everything)

    def _tell(self, outages: Iterable[Active]) -> None:
        """Record outages that have begun or ended."""
        acting = {active.fault.id: active for active in outages}
        for number, active in list(self._outages.items()):
            if number not in acting or acting[number].times != active.times:
                del self._outages[number]
                self._note(active, f"ends outage {active.times}")
        for number, active in acting.items():
            if number not in self._outages:
                what = "lost" if isinstance(active.fault.request, ConnectionLost) else "denied"
                count = len(self._targets[number][1]) if number in self._targets else 0
                self._outages[number] = active
                self._note(active, f"begins outage {active.times}: {count} PV{'s' if count != 1 else ''} {what}")

    def _note(self, active: Active, text: str) -> None:
        _log.info("fault %d %s", active.fault.id, text)
        self._notes.add(active.fault, text)

    def _delay_s(self, name: str, step: str) -> float:
        acting = self._acting(name, step)
        return sum(each.fault.request.delay_s for each in acting if isinstance(each.fault.request, ConnectionSlow))

    def _acting(self, name: str, use: str) -> tuple[Active, ...]:
        """List the faults that act on a use of a name, `search`, `channel` or `put`, and count it against them."""
        uses = self._uses  # before the targets: what is found for old ones is then kept in the old dictionary
        only = uses.get((use, name))
        if only is None:
            matching = (n for n, (request, names) in self._targets.items() if _use_of(request) == use and name in names)
            only = uses[use, name] = tuple(matching)
        return self._injector.acting(GROUP, next(self._numbers), only=only) if only else ()

    def _hang(self, future: HangingPut, client: Client, text: str) -> None:
        self._dispatcher.note(text, client)
        self._hanging.append(future)
        if len(self._hanging) > MAX_HANGING:
            self._fail_oldest("an injected fault: the put has never completed")

    def _fail_oldest(self, reason: str) -> None:
        future = self._hanging.popleft()
        if not future.done():  # another one may have taken its place
            future.set_result(PutReply(False, reason))


def names_meant(
    request: ConnectionFault, names: Mapping[str, str], specs: Iterable[PvSpec], prefix: str
) -> frozenset[str]:
    """Return which of these names, given with their devices, a fault is about: puts hang where something is put."""
    found = frozenset(name for name, device in names.items() if request.matches_pv(name, prefix, device))
    if isinstance(request, ConnectionPutHangs):
        return found & {spec.name for spec in specs if spec.writable}
    return found


def _use_of(request: ConnectionFault) -> str:
    """Return the use of a name that a fault disturbs one by one; empty for outages."""
    if isinstance(request, ConnectionSlow):
        return request.step
    return "put" if isinstance(request, ConnectionPutHangs) else ""


def _is_accepted(active: Active) -> bool:
    request = active.fault.request
    return isinstance(request, ConnectionPutHangs) and request.accepted
