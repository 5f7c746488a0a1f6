"""One bank behind a PV Access server: its PVs and procedures as channels, and what is published on its way to them."""

from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from types import MethodType
from typing import Any

from p4p import _p4p
from p4p.server.raw import SharedPV

from gnomon.db.pvs import Kind
from gnomon.ioc.bank import Bank, Indices
from gnomon.ioc.puts import PutSink, RpcHandler
from gnomon.ioc.pva.channels import BankChannel, ProcedureChannel
from gnomon.ioc.pva.doorbell import Doorbell
from gnomon.ioc.pva.permits import Permits
from gnomon.ioc.pva.poster import Poster
from gnomon.ioc.pva.values import opening, procedure_value
from gnomon.lattice.commands import Client

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
    ) -> None:
        self.bank = bank
        self.sink = sink
        self.client_of = client_of
        self.permits = permits
        self._rpcs = dict(rpcs)
        self._lock = lock
        self._bell = bell
        self._poster = Poster(bank)
        self._unlisten: Callable[[], None] | None = None

    @property
    def names(self) -> set[str]:
        """All names that are served: PVs and procedures."""
        return self.bank.index.keys() | self._rpcs.keys()

    def serves(self, name: str) -> bool:
        """Whether a name is one of ours."""
        return name in self.bank.index or name in self._rpcs

    def value_bytes(self, name: str) -> int:
        """How many bytes the value of a name has, about; 0 for what is small."""
        index = self.bank.index.get(name)
        return 0 if index is None else _BYTES_OF_ONE.get(self.bank.specs[index].kind, 0) * self.bank.specs[index].length

    @property
    def connected(self) -> int:
        """How many PVs have at least one client."""
        return self._poster.count

    def channels(self) -> Iterator[tuple[str, Any]]:
        """Name and p4p's PV, new ones, of all that is served."""
        for index, spec in enumerate(self.bank.specs):
            yield spec.name, SharedPV(handler=BankChannel(self, index, self._rpcs.get(spec.name)))
        for name, procedure in self._rpcs.items():
            if name not in self.bank.index:
                yield name, SharedPV(handler=ProcedureChannel(self, procedure), initial=procedure_value())

    def listen(self) -> None:
        """Post from now on what the bank publishes. To be called before the first client can open a PV."""
        if self._unlisten is None:
            self._unlisten = self.bank.listen(self._publish)

    def hush(self) -> None:
        """Post nothing any more; clients are gone."""
        unlisten, self._unlisten = self._unlisten, None
        if unlisten is not None:
            unlisten()
        with self._lock:
            self._poster = Poster(self.bank)

    def open_pv(self, index: int, pv: Any) -> None:
        """Start serving a PV, with the bank's present reading. Called by its channel in pvxs' thread."""
        with self._lock:
            reading = self.bank.reading(index)
            pv.open(opening(self.bank.specs[index], reading))
            # The class below p4p's SharedPV: its own post would first look for a conversion, and there is none.
            self._poster.add(index, MethodType(_p4p.SharedPV.post, pv), reading)

    def close_pv(self, index: int, pv: Any) -> None:
        """Stop serving a PV. Called by its channel in pvxs' thread."""
        with self._lock:
            self._poster.remove(index)
            pv.close()

    def _publish(self, indices: Indices) -> None:
        # Counted without the lock, since only speed depends on it.
        ready = self._poster.count_of(indices) >= _BATCH and self._bell.ready()
        if not ready:
            self._bell.rest()
        with self._lock:
            if ready:
                self._bell.ring()
            self._poster.post(indices)
