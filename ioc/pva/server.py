"""Serves a bank over PV Access: what is published is posted at once, but only to PVs that a client has connected."""

import os
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from p4p import Value
from p4p.server import Server, StaticProvider
from p4p.server.raw import SharedPV

from gnomon.ioc.bank import Bank, Indices
from gnomon.ioc.puts import PutSink, RpcHandler
from gnomon.ioc.pva.channels import BankChannel, ProcedureChannel
from gnomon.ioc.pva.doorbell import Doorbell
from gnomon.ioc.pva.poster import Poster
from gnomon.ioc.pva.settings import Endpoint, PvaError, Settings, endpoint, server_conf
from gnomon.ioc.pva.structures import reply_type
from gnomon.ioc.pva.values import opening

_BATCH = 16  # from here on ringing the bell costs less than it saves


class PvaServer:
    """A PV Access server for all PVs of `bank`, and for remote procedures.

    One lock orders what clients see of a PV: it is held while the PV opens with the bank's reading and while a
    publication is posted, so an opening client gets either the reading before a publication and then its post, or the
    reading after it. The bank is written before its listeners are told, so no older value can follow a newer one.
    """

    def __init__(
        self,
        bank: Bank,
        sink: PutSink,
        rpcs: Mapping[str, RpcHandler] | None = None,
        settings: Settings | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.bank = bank
        self.sink = sink
        self._rpcs = dict(rpcs or {})
        self._conf = server_conf(settings or Settings(), os.environ if environ is None else environ)
        self._lock = Lock()
        self._poster = Poster(bank)
        self._bell = Doorbell(self._lock)
        self._server: Any = None
        self._provider: Any = None
        self._unlisten: Callable[[], None] | None = None

    def start(self) -> Endpoint:
        """Listen and answer; clients may connect from now on. Raises PvaError when no address can be used.

        A taken TCP port is no error: the server gets a free one, which searches announce; see `Endpoint.moved`.
        """
        if self._server is not None:
            raise PvaError("The PV Access server runs already: stop it before it is started again.")
        provider = StaticProvider()
        for index, spec in enumerate(self.bank.specs):
            provider.add(spec.name, SharedPV(handler=BankChannel(self, index, self._rpcs.get(spec.name))))
        for name, procedure in self._rpcs.items():
            if name not in self.bank.index:
                provider.add(name, SharedPV(handler=ProcedureChannel(procedure), initial=_procedure_value()))
        provider.add(self._bell.name, SharedPV(handler=self._bell, initial=_procedure_value()))
        unlisten = self.bank.listen(self._publish)  # before the first client can open a PV
        try:
            self._server = Server(providers=[provider], conf=self._conf, useenv=False)
        except RuntimeError as error:
            unlisten()
            where = self._conf.get("EPICS_PVAS_INTF_ADDR_LIST", "all interfaces")
            raise PvaError(f"PV Access cannot be served on {where}: {error}. Give an address of this host.") from error
        self._provider, self._unlisten = provider, unlisten
        real = endpoint(self._conf, self._server.conf())
        self._bell.hang(real.client_variables["EPICS_PVA_ADDR_LIST"], real.port)
        return real

    def stop(self) -> None:
        """Disconnect all clients and let go of everything; a put or call still under way gets no answer."""
        if self._server is None:
            return
        if self._unlisten is not None:
            self._unlisten()
        self._bell.close()
        self._server.stop()
        with self._lock:
            self._poster = Poster(self.bank)
        self._server = self._provider = self._unlisten = None

    @property
    def connected(self) -> int:
        """How many PVs of the bank have at least one client."""
        return self._poster.count

    def open_pv(self, index: int, pv: Any) -> None:
        """Start serving a PV, with the bank's present reading. Called by its channel in pvxs' thread."""
        with self._lock:
            reading = self.bank.reading(index)
            pv.open(opening(self.bank.specs[index], reading))
            self._poster.add(index, pv.post, reading)

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


def _procedure_value() -> Any:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    fields = {
        "value": "",
        "display.description": "remote procedure: call it (RPC) with its arguments as the query of an NTURI",
        "timeStamp.secondsPastEpoch": seconds,
        "timeStamp.nanoseconds": nanoseconds,
    }
    return Value(reply_type(), fields)
