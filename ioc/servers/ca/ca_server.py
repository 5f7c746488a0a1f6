"""Serve banks over Channel Access.

caproto's server binds the ports and sends beacons. What clients say is heard by circuits of our own, since caproto's
keep all that a client declares or leaves unread, and take a hundred times as long for what is done most.
"""

import asyncio
import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from caproto.asyncio.server import Context

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.base.memory_budget import MemoryBudget
from gnomon.ioc.base.protocols import OPEN_GATE, ConnectionGate, PutSink
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.acceptor import Acceptor
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.ca.caproto_log import log, quieten
from gnomon.ioc.servers.ca.circuit import Circuit
from gnomon.ioc.servers.ca.closing_circuits import ClosingCircuits
from gnomon.ioc.servers.ca.directory import Directory, Hosted
from gnomon.ioc.servers.ca.udp_search import Searches
from gnomon.ioc.servers.connection_limits import Admission
from gnomon.ioc.servers.interfaces import LOOPBACK_BROADCAST, broadcast_addresses, broadcast_of
from gnomon.lattice import GnomonError
from gnomon.lattice.text import is_port

DEFAULT_PORT = 5064
#: Clients that may wait to be accepted: all of a control room's, when the server restarts.
BACKLOG = 1024
#: How often clients are looked after that do not move [s].
CHECK_S = 1.0


class CaError(GnomonError):
    """The Channel Access server cannot do what its settings ask for."""


@dataclass(frozen=True, slots=True)
class CaSettings:
    """Addresses and ports to listen on."""

    interfaces: tuple[str, ...] = ("127.0.0.1",)
    port: int = DEFAULT_PORT


def settings(interfaces: Sequence[str], port: int, environ: Mapping[str, str] | None = None) -> CaSettings:
    """The caller's wishes with the standard environment variables on top. Raises CaError for an invalid port."""
    environ = os.environ if environ is None else environ
    listed = environ.get("EPICS_CAS_INTF_ADDR_LIST", "").split()
    names = ("EPICS_CAS_SERVER_PORT", "EPICS_CA_SERVER_PORT")
    name, text = next(((n, environ[n].strip()) for n in names if environ.get(n, "").strip()), ("", ""))
    if text and not is_port(text):
        raise CaError(f"{name} is {text!r}; it must be a port from 1 to 65535")
    for interface in listed or interfaces:
        try:
            ip_address(interface)
        except ValueError as error:
            raise CaError(
                f"interface {interface!r} is not an IP address: Channel Access cannot listen there"
            ) from error
    return CaSettings(tuple(listed or interfaces), int(text) if text else port)


def beacon_variables(where: CaSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that keep beacons no further than the server reaches: caproto takes addresses from the environment.

    Nothing when the user has said where beacons go, or when the server listens beyond this host.
    """
    local = all(ip_address(interface).is_loopback for interface in where.interfaces)
    if not local or environ.get("EPICS_CAS_BEACON_ADDR_LIST", "").strip():
        return {}
    return {"EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1", "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO"}


def search_sockets(interface: str, wanted: int, port: int) -> list[tuple[str, int]]:
    """List the address and port of each UDP socket that hears searches on an interface; answers leave by the first.

    Where another server has the TCP port that we wanted, its UDP port is left to it: of two sockets on one port, the
    system gives each search to only one, and either server would be found by chance. We then hear searches on the
    number of our own TCP port, and those to all hosts of a network, which every server gets, on the usual one.
    """
    if interface == "0.0.0.0":
        networks = () if port == wanted else (*broadcast_addresses(), LOOPBACK_BROADCAST)
    elif ip_address(interface).is_loopback:
        networks = (LOOPBACK_BROADCAST,)
    else:
        networks = tuple(filter(None, (broadcast_of(interface),)))
    return [(interface, port), *((network, wanted) for network in networks)]


class ServerContext(Context):
    """caproto's server, which binds the ports and sends the beacons; what clients say is heard by our own circuits."""

    def __init__(self, directory: Directory, where: CaSettings, access: AccessRules, guard: GuardConfig) -> None:
        super().__init__(directory, list(where.interfaces))
        self.ca_server_port = where.port
        self.listening = asyncio.Event()
        self.searchable = asyncio.Event()
        self.our_circuits: set[Circuit] = set()
        self._called = asyncio.Event()
        self._access = access
        self._guard = guard
        self._admission = Admission(guard)
        self._closing = ClosingCircuits()
        self._accepting: list[Acceptor] = []
        self._joining: set[asyncio.Task[None]] = set()

    async def server_accept_loop(self, sock: Any) -> None:
        """Accept clients on one interface, until closed."""
        listening = socket.socket(fileno=sock.detach())
        listening.listen(BACKLOG)
        self._accepting.append(Acceptor(listening, self._accept, log))
        self.listening.set()

    def _accept(self, client: socket.socket, address: str) -> None:
        task = asyncio.get_running_loop().create_task(self._join(client), name="join")
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _join(self, client: socket.socket) -> None:
        def circuit() -> Circuit:
            return Circuit(
                self.pvdb, self._access, self._guard, self._admission, self.port, self.our_circuits, self._closing
            )

        client.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(circuit, client)
        except OSError:  # it has gone already
            client.close()

    async def _create_broadcaster_transport(self, interface: str) -> None:
        """Hear searches on one interface, those to all hosts of its network too, which a system keeps apart."""
        searches = Searches(self.pvdb.search_delay_s, lambda: self.port, self.ignore_addresses, self._closing)
        for address, port in search_sockets(interface, self.ca_server_port, self.port):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((address, port))
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: searches, sock=sock)
            self.udp_socks[address] = transport

    async def broadcast_beacon_loop(self) -> None:
        """Send beacons as caproto does, and start again with short pauses each time that clients are called."""
        while True:
            self._called.clear()
            called = asyncio.ensure_future(self._called.wait())
            beacons = asyncio.ensure_future(super().broadcast_beacon_loop())
            try:
                await asyncio.wait((called, beacons), return_when=asyncio.FIRST_COMPLETED)
                if beacons.done():
                    beacons.result()
            finally:
                called.cancel()
                beacons.cancel()

    def call_clients(self) -> None:
        """See `CaServer.call_clients`."""
        self._called.set()

    async def broadcaster_receive_loop(self) -> None:
        """caproto starts this once all its sockets are bound; here it looks after clients that do not move."""
        self.searchable.set()
        while True:
            await asyncio.sleep(CHECK_S)
            now = time.monotonic()
            for circuit in list(self.our_circuits):
                circuit.check(now)

    def close(self) -> None:
        """Stop accepting and drop all clients."""
        for accepting in self._accepting:
            accepting.close()
        for circuit in list(self.our_circuits):
            circuit.end()


class CaServer:
    """A Channel Access server for all PVs of the banks that are added to it.

    Banks come and go before and while it runs, in the thread of the event loop.
    """

    def __init__(
        self,
        where: CaSettings,
        access: AccessRules | None = None,
        guard: GuardConfig | None = None,
        budget: MemoryBudget | None = None,
    ) -> None:
        self.where = where
        self.access = access or AccessRules()
        self.guard = guard or GuardConfig()
        self._directory = Directory()
        self._budget = budget or MemoryBudget(self.guard)
        self._budget.watch(lambda: tuple(self._context.our_circuits))
        self._context = ServerContext(self._directory, where, self.access, self.guard)
        self._task: asyncio.Task[None] | None = None

    def add(self, bank: Bank, sink: PutSink, gate: ConnectionGate = OPEN_GATE) -> None:
        """Serve a bank, whose puts go to `sink`. Raises CaError when a name is served already; nothing has changed."""
        for other in self._directory:
            if taken := sorted(bank.index.keys() & other.bank.index.keys()):
                raise CaError(
                    f"{len(taken)} of these names are served already, the first is {taken[0]}: give another prefix."
                )
        hosted = Hosted(bank, sink, gate)
        self._directory.hosted.append(hosted)
        if self._task is not None:
            hosted.open()

    def remove(self, bank: Bank) -> None:
        """Serve a bank no longer: clients are told that its channels are gone. Raises CaError when it is not served."""
        hosted = self._hosted(bank)
        hosted.close()
        self._directory.hosted.remove(hosted)
        for circuit in list(self._context.our_circuits):
            circuit.withdraw(hosted)

    def disconnect(self, bank: Bank, *, close: bool) -> None:
        """End the channels that the bank's gate says are lost.

        With `close`, circuits on which no other channel is left are closed, as a server does that ends.
        """
        hosted = self._hosted(bank)
        for circuit in list(self._context.our_circuits):
            circuit.withdraw(hosted, lambda point: hosted.gate.is_lost(hosted.name_of(point)), close=close)

    def review_rights(self, bank: Bank) -> None:
        """Tell clients of rights to the PVs of a bank that its gate has changed."""
        hosted = self._hosted(bank)
        for circuit in list(self._context.our_circuits):
            circuit.review_rights(hosted)

    def send_puts(self, bank: Bank, sink: PutSink) -> None:
        """Send the puts to a bank's PVs to another sink from now on."""
        self._hosted(bank).sink = sink

    def call_clients(self) -> None:
        """Send beacons quickly, as a server does that has just started: clients search for what they miss."""
        self._context.call_clients()

    def _hosted(self, bank: Bank) -> Hosted:
        hosted = next((h for h in self._directory if h.bank is bank), None)
        if hosted is None:
            raise CaError("This bank is not served over Channel Access: add it before it is removed.")
        return hosted

    def redirect(self, bank: Bank, sink: PutSink, gate: ConnectionGate = OPEN_GATE) -> None:
        """Hand the puts to a bank that is served to another sink, and let another gate disturb its connections."""
        hosted = self._hosted(bank)
        hosted.sink, hosted.gate = sink, gate

    @property
    def port(self) -> int:
        """The TCP port, which is another than wanted when that was taken; searches announce it."""
        return int(self._context.port)

    @property
    def clients(self) -> int:
        """Number of connected clients."""
        return len(self._context.our_circuits)

    @property
    def client_variables(self) -> dict[str, str]:
        """The environment in which clients find this server."""
        address = next((i for i in self.where.interfaces if i not in ("0.0.0.0", "")), "127.0.0.1")
        if self.port != self.where.port:  # another server has that port, and searches sent to it
            return {"EPICS_CA_ADDR_LIST": f"{address}:{self.port}", "EPICS_CA_AUTO_ADDR_LIST": "NO"}
        variables = {"EPICS_CA_ADDR_LIST": address, "EPICS_CA_AUTO_ADDR_LIST": "NO"}
        if self.where.port != DEFAULT_PORT:
            variables["EPICS_CA_SERVER_PORT"] = str(self.where.port)
        return variables

    async def start(self) -> None:
        """Listen; clients can connect when this returns. Raises CaError when no port can be had."""
        quieten()
        os.environ.update(beacon_variables(self.where, os.environ))
        for hosted in self._directory:
            hosted.open()
        self._task = asyncio.create_task(self._context.run(), name="channel access")
        ready = asyncio.create_task(self._ready())
        done, _ = await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if self._task in done:
            ready.cancel()
            error = self._task.exception()
            where = ", ".join(self.where.interfaces)
            raise CaError(f"Channel Access cannot be served on {where} port {self.where.port}: {error}") from error
        self._budget.start()

    async def stop(self) -> None:
        """Disconnect all clients and let go of the ports."""
        self._budget.stop()
        for hosted in self._directory:
            hosted.close()
        self._context.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _ready(self) -> None:
        await self._context.listening.wait()
        await self._context.searchable.wait()
