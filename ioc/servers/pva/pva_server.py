"""Serve banks over PV Access: what is published is posted at once, but only to PVs that a client has connected."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

from p4p.server import DynamicProvider, Server, StaticProvider
from p4p.server.raw import SharedPV

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.base.memory_budget import MemoryBudget
from gnomon.ioc.base.protocols import OPEN_GATE, ConnectionGate, PutFuture, PutSink, RpcHandler
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.pva.doorbell import Doorbell
from gnomon.ioc.servers.pva.guard.guard import Guard
from gnomon.ioc.servers.pva.guard.message_inspection import SERVER_CHANNEL
from gnomon.ioc.servers.pva.hosting import Hosted
from gnomon.ioc.servers.pva.listening import listening
from gnomon.ioc.servers.pva.permits import Permits
from gnomon.ioc.servers.pva.pvxs_log import quieten
from gnomon.ioc.servers.pva.server_channel import Listing
from gnomon.ioc.servers.pva.settings import Endpoint, PvaError, Settings, endpoint, private_conf, server_conf
from gnomon.ioc.servers.pva.values import procedure_value
from gnomon.lattice import Client

#: The address of a client that did not come through the guard.
UNKNOWN = "unknown"


class PvaServer:
    """A PV Access server for all PVs of the banks that are added to it, and for their remote procedures.

    Banks come and go before and while it runs, in one thread: the one that publishes.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        access: AccessRules | None = None,
        guard: GuardConfig | None = None,
        environ: Mapping[str, str] | None = None,
        budget: MemoryBudget | None = None,
    ) -> None:
        self._conf = server_conf(settings or Settings(), os.environ if environ is None else environ)
        self._permits = Permits(access or AccessRules())
        self._limits = guard or GuardConfig()
        self._guard: Guard | None = None
        self._budget = budget or MemoryBudget(self._limits)
        self._budget.watch(lambda: self._guard.relays if self._guard is not None else ())
        self._lock = Lock()
        self._bell = Doorbell(self._lock)
        self._hosted: list[Hosted] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listing = Listing(self._readable_by, self._client_of)
        self._server: Any = None
        self._provider: Any = None
        self._fields: Any = None  # kept here, since p4p does not

    def add(
        self,
        bank: Bank,
        sink: PutSink,
        rpcs: Mapping[str, RpcHandler] | None = None,
        gate: ConnectionGate = OPEN_GATE,
    ) -> None:
        """Serve a bank, whose puts go to `sink`, and remote procedures by name; `gate` disturbs their connections.

        Raises PvaError when a name is served already; then nothing has changed.
        """
        hosted = Hosted(
            bank,
            sink,
            rpcs or {},
            self._lock,
            self._bell,
            self._client_of,
            self._permits,
            self._in_loop,
            self._order,
            gate,
        )
        for other in self._hosted:
            if taken := sorted(hosted.names & other.names):
                raise PvaError(
                    f"{len(taken)} of these names are served already, the first is {taken[0]}: give another prefix."
                )
        self._hosted.append(hosted)
        self._listing.forget()
        if self._server is not None:
            self._open(hosted)

    def remove(self, bank: Bank) -> None:
        """Serve a bank no longer: its channels are closed, puts and calls under way get no answer.

        Raises PvaError when it is not served.
        """
        hosted = self._host_of(bank)
        self._hosted.remove(hosted)
        self._listing.forget()
        if self._server is not None:
            for name in hosted.names:
                self._provider.remove(name)
        hosted.stop_posting()

    def disconnect(self, bank: Bank, *, close: bool) -> None:
        """End the channels that the bank's gate says are lost.

        With `close`, connections on which no other channel is left are closed, as a server does that ends.
        """
        hosted = self._host_of(bank)
        if self._guard is not None:
            self._guard.disconnect(hosted.is_lost, close=close)

    def review_rights(self) -> None:
        """Refuse from now on the puts and calls that the gates deny. Channels stay: nothing else is told over PVA."""
        denies = any(not hosted.gate.idle for hosted in self._hosted)
        self._permits.is_denied = self._is_denied if denies else None

    def send_puts(self, bank: Bank, sink: PutSink) -> None:
        """Send the puts to a bank's PVs to another sink from now on."""
        self._host_of(bank).sink = sink

    def call_clients(self) -> None:
        """Let clients search for what they miss, as when a server has just started."""
        if self._guard is not None:
            self._guard.call_clients()

    def _host_of(self, bank: Bank) -> Hosted:
        hosted = next((h for h in self._hosted if h.bank is bank), None)
        if hosted is None:
            raise PvaError("This bank is not served over PV Access: add it before it is removed.")
        return hosted

    def redirect(
        self, bank: Bank, sink: PutSink, rpcs: Mapping[str, RpcHandler], gate: ConnectionGate = OPEN_GATE
    ) -> None:
        """Hand the puts to a bank that is served, and calls to procedures of the same names, to others from now on.

        Another gate disturbs its connections.
        """
        self._host_of(bank).redirect(sink, rpcs, gate)

    def start(self) -> Endpoint:
        """Listen and answer, in the running event loop. Raises PvaError when no address can be used.

        A taken TCP port is not an error: the server gets a free one, which searches announce; see `Endpoint.moved`.
        """
        if self._server is not None:
            raise PvaError("The PV Access server runs already: stop it before it is started again.")
        quieten()
        self._provider = StaticProvider()
        self._provider.add(self._bell.name, SharedPV(handler=self._bell, initial=procedure_value()))
        self._provider.add(SERVER_CHANNEL, SharedPV(handler=self._listing, initial=procedure_value()))
        self._loop = asyncio.get_running_loop()
        for hosted in self._hosted:
            self._open(hosted)
        self._fields = DynamicProvider(f"{self._bell.name}-fields", self)
        where = listening(self._conf)
        self._server = Server(
            providers=[self._provider, (self._fields, 1)], conf=private_conf(self._conf), useenv=False
        )
        behind = ("127.0.0.1", int(self._server.conf()["EPICS_PVAS_SERVER_PORT"]))
        self._guard = Guard(
            self._limits, self._may_read, self._value_bytes, self._search_delay_s, self._channel_delay_s
        )
        try:
            port, broadcast_port = self._guard.start(where, behind)
        except OSError as error:
            self.stop()
            hosts = ", ".join(host for host, _ in where.interfaces)
            raise PvaError(f"PV Access cannot be served on {hosts}: {error}. Give an address of this host.") from error
        self._bell.set_address(*behind)
        self._budget.start()
        return endpoint([host for host, _ in where.interfaces], where.interfaces[0][1], port, broadcast_port)

    def stop(self) -> None:
        """Disconnect all clients and let go of everything; a put or call still under way gets no answer."""
        if self._server is None:
            return
        self._budget.stop()
        if self._guard is not None:
            self._guard.stop()
        self._bell.close()
        self._server.stop()
        self._close()

    @property
    def clients(self) -> int:
        """Number of connected clients."""
        return self._guard.clients if self._guard is not None else 0

    @property
    def connected(self) -> int:
        """Number of PVs that have at least one client."""
        return sum(hosted.connected for hosted in self._hosted)

    def _client_of(self, operation: Any) -> Client:
        """Identify who is behind an operation: the account that the client says, the address that the guard knows."""
        guard = self._guard
        host = guard.peer(operation.peer()) if guard is not None else ""
        return Client(operation.account(), host or UNKNOWN, "pva", operation.peer())

    def _may_read(self, name: str, user: str, host: str) -> bool:
        hosted, record = self._find(name)
        if hosted is None or (not hosted.gate.idle and hosted.gate.is_lost(record)):
            return False
        return self._permits.may_read(record, user, host)

    def _find(self, name: str) -> tuple[Hosted | None, str]:
        """The bank that has a name, and the record that it belongs to."""
        for hosted in tuple(self._hosted):
            if (record := hosted.record_of(name)) is not None:
                return hosted, record
        return None, ""

    def _search_delay_s(self, name: str) -> float:
        hosted, record = self._find(name)
        return 0.0 if hosted is None or hosted.gate.idle else hosted.gate.search_delay_s(record)

    def _channel_delay_s(self, name: str) -> float:
        hosted, record = self._find(name)
        return 0.0 if hosted is None or hosted.gate.idle else hosted.gate.channel_delay_s(record)

    def _is_denied(self, name: str) -> bool:
        hosted, record = self._find(name)
        return hosted is not None and hosted.gate.is_denied(record)

    def _readable_by(self, client: Client) -> list[str]:
        names = (name for hosted in tuple(self._hosted) for name in sorted(hosted.names))
        return [name for name in names if self._permits.may_read(name, client.user, client.host)]

    def _order(self, operation: Any, future: PutFuture) -> None:
        if self._guard is not None:
            self._guard.order(operation.peer(), future)

    def _in_loop(self, call: Callable[[], None]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(call)

    def testChannel(self, name: str) -> bool:
        """p4p asks whether a name that is not a PV's is a field's."""
        return any(hosted.record_of(name) is not None for hosted in tuple(self._hosted))

    def makeChannel(self, name: str, peer: str) -> Any:
        """p4p asks for the channel of such a name. The guard has looked whether the client may read it."""
        for hosted in tuple(self._hosted):
            with suppress(KeyError):
                return hosted.field(name)
        return None

    def _value_bytes(self, name: str) -> int:
        return max((hosted.value_bytes(name) for hosted in self._hosted), default=0)

    def _open(self, hosted: Hosted) -> None:
        hosted.listen()
        for name, pv in hosted.channels():
            self._provider.add(name, pv)

    def _close(self) -> None:
        for hosted in self._hosted:
            hosted.stop_posting()
        self._server = self._provider = self._fields = self._guard = None
