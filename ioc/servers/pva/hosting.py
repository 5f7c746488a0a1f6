"""One bank behind a PV Access server: its PVs and procedures as channels, and what is published on its way to them."""

import time
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from types import MethodType
from typing import Any

from p4p import _p4p
from p4p.server.raw import SharedPV

from gnomon.db.pvs import Kind
from gnomon.ioc.base.protocols import OPEN_GATE, ConnectionGate, PutFuture, PutSink, RpcHandler
from gnomon.ioc.outputs.bank import Bank, Indices
from gnomon.ioc.servers.ca.points import NO_FILTERS, find
from gnomon.ioc.servers.pva.channel_host import FieldListener
from gnomon.ioc.servers.pva.channels import BankChannel, ProcedureChannel
from gnomon.ioc.servers.pva.doorbell import Doorbell
from gnomon.ioc.servers.pva.operations import answer_put
from gnomon.ioc.servers.pva.permits import Permits
from gnomon.ioc.servers.pva.poster import Poster
from gnomon.ioc.servers.pva.record_fields import FieldChannel
from gnomon.ioc.servers.pva.values import opening, procedure_value
from gnomon.ioc.wire.ca_framing import MAX_NAME_BYTES
from gnomon.lattice import Client

_BYTES_OF_ONE = {Kind.FLOATS: 8, Kind.INTS: 4, Kind.STRINGS: 40, Kind.TABLE: 2**16}
_BATCH = 16  # from here on ringing the bell costs less than it saves


class Hosted:
    """A bank, the sink of its puts and its procedures, served by one server.

    The server's one lock orders what clients see of a PV: it is held while the PV opens with the bank's reading and
    while a publication is posted, so an opening client gets either the reading before a publication and then its
    post, or the reading after it. The bank is written before its listeners are told, so no older value can follow a
    newer one.
    """

    def __init__(
        self,
        bank: Bank,
        sink: PutSink,
        rpcs: Mapping[str, RpcHandler],
        lock: Lock,
        bell: Doorbell,
        client_of: Callable[[Any], Client],
        permits: Permits,
        in_loop: Callable[[Callable[[], None]], None],
        order: Callable[[Any, PutFuture], None],
        gate: ConnectionGate = OPEN_GATE,
    ) -> None:
        self.bank = bank
        self.sink = sink
        self.gate = gate
        self.client_of = client_of
        self.permits = permits
        self._rpcs = dict(rpcs)
        self.lock = lock
        self._in_loop = in_loop
        self._order = order
        self._pvs: list[Any] = []
        self._fields: dict[str, FieldChannel] = {}  # that clients have, or are about to
        self._open_fields: dict[int, list[FieldListener]] = {}
        self._bell = bell
        self._poster = Poster(bank)
        self._unlisten: Callable[[], None] | None = None

    @property
    def names(self) -> set[str]:
        """All names that are served: PVs and procedures."""
        return self.bank.index.keys() | self._rpcs.keys()

    def serves(self, name: str) -> bool:
        """Tell whether a name is one of ours."""
        return name in self.bank.index or name in self._rpcs

    def value_bytes(self, name: str) -> int:
        """Approximate number of bytes of the value of a name; 0 for what is small."""
        try:
            spec = self.bank.specs[
                find(self.bank, name).index if name not in self.bank.index else self.bank.index[name]
            ]
        except KeyError:
            return 0
        return _BYTES_OF_ONE.get(spec.kind, 0) * spec.length

    def record_of(self, name: str) -> str | None:
        """The PV or procedure whose rights a name has: itself, or the record of a field; None when it is not ours."""
        if self.serves(name):
            return name
        try:
            return self.bank.specs[find(self.bank, name).index].name if len(name) <= MAX_NAME_BYTES else None
        except KeyError:
            return None

    def is_lost(self, name: str) -> bool:
        """Tell whether an injected fault has disconnected a name of ours."""
        return not self.gate.idle and (record := self.record_of(name)) is not None and self.gate.is_lost(record)

    def field(self, name: str) -> Any:
        """p4p's PV for a field or filter of ours. Called in pvxs' thread. Raises KeyError."""
        point = find(self.bank, name)
        if point.field is None and not point.long and point.filters is NO_FILTERS:
            return self._pvs[point.index]
        channel = self._fields.get(name)
        if channel is None:
            channel = self._fields[name] = FieldChannel(self, name, point)
        return channel.pv

    def opened(self, channel: FieldListener) -> None:
        """Post to a field from now on. The caller has the lock."""
        self._open_fields.setdefault(channel.index, []).append(channel)

    def closed(self, channel: FieldListener) -> None:
        """Forget a field. The caller has the lock."""
        self._fields.pop(channel.name, None)
        channels = self._open_fields.get(channel.index, [])
        if channel in channels:
            channels.remove(channel)
        if not channels:
            self._open_fields.pop(channel.index, None)

    def put(self, operation: Any, index: int, value: Any, client: Client) -> None:
        """Hand on a put, and have the client answered, and what it reads next wait. Called in pvxs' thread."""
        future = self.sink.put(index, value, client)
        self._order(operation, future)
        answer_put(operation, future)

    def process(self, index: int) -> None:
        """Have a PV published once more. Called in any thread."""
        self._in_loop(lambda: self.bank.process(index, time.time_ns()))

    def redirect(self, sink: PutSink, rpcs: Mapping[str, RpcHandler], gate: ConnectionGate) -> None:
        """Hand puts and calls to others from now on; the procedures have the names of those before."""
        self.sink, self.gate = sink, gate
        self._rpcs.update(rpcs)

    def procedure(self, name: str) -> RpcHandler | None:
        """The procedure behind a name, if there is one."""
        return self._rpcs.get(name)

    @property
    def connected(self) -> int:
        """Number of PVs that have at least one client."""
        return self._poster.count

    def channels(self) -> Iterator[tuple[str, Any]]:
        """Name and p4p's PV, new ones, of all that is served."""
        self._pvs = [SharedPV(handler=BankChannel(self, index)) for index in range(len(self.bank.specs))]
        yield from zip((spec.name for spec in self.bank.specs), self._pvs, strict=True)
        for name in self._rpcs:
            if name not in self.bank.index:
                yield name, SharedPV(handler=ProcedureChannel(self, name), initial=procedure_value())

    def listen(self) -> None:
        """Post from now on what the bank publishes. To be called before the first client can open a PV."""
        if self._unlisten is None:
            self._unlisten = self.bank.listen(self._publish)

    def stop_posting(self) -> None:
        """Stop posting publications; clients are gone."""
        unlisten, self._unlisten = self._unlisten, None
        if unlisten is not None:
            unlisten()
        with self.lock:
            self._poster = Poster(self.bank)
            self._open_fields = {}
        self._pvs, self._fields = [], {}

    def open_pv(self, index: int, pv: Any) -> None:
        """Start serving a PV, with the bank's present reading. Called by its channel in pvxs' thread."""
        with self.lock:
            reading = self.bank.reading(index)
            pv.open(opening(self.bank.specs[index], reading))
            # The class below p4p's SharedPV: its own post would first look for a conversion, and there is none.
            self._poster.add(index, MethodType(_p4p.SharedPV.post, pv), reading)

    def close_pv(self, index: int, pv: Any) -> None:
        """Stop serving a PV. Called by its channel in pvxs' thread."""
        with self.lock:
            self._poster.remove(index)
            pv.close()

    def _publish(self, indices: Indices) -> None:
        # Counted without the lock, since only speed depends on it.
        ready = self._poster.count_of(indices) >= _BATCH and self._bell.ready()
        if not ready:
            self._bell.close_if_idle()
        with self.lock:
            if ready:
                self._bell.wake()
            self._poster.post(indices)
            if self._open_fields:
                for index in self._open_fields.keys() & set(indices.tolist()):
                    for channel in self._open_fields[index]:
                        channel.post()
