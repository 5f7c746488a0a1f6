"""Serves a bank over Channel Access with caproto.

What caproto's server does slowly or loudly is replaced here: name searches are answered with the client's sequence
number, so that connecting many PVs is quick; subscriptions are served by the publisher; broken traffic and vanished
clients are one log line, not a traceback.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from weakref import WeakSet

import caproto as ca
from caproto.asyncio.server import Context, VirtualCircuit
from caproto.asyncio.utils import _TransportWrapper
from caproto.server.common import DisconnectedCircuit

from gnomon.ioc.access import AccessRules
from gnomon.ioc.bank import Bank
from gnomon.ioc.ca.channels import channel
from gnomon.ioc.ca.fields import field
from gnomon.ioc.ca.logs import quieten
from gnomon.ioc.ca.publisher import Publisher
from gnomon.ioc.config import GuardConfig
from gnomon.ioc.puts import PutSink
from gnomon.lattice import GnomonError

DEFAULT_PORT = 5064
PROTOCOL_VERSION = 13
ANY_ADDRESS = 0xFFFFFFFF

HEADER = struct.Struct(">HHHHII")
SEARCH_REPLY = struct.Struct(">HHHHIIHHI")
VERSION, SEARCH = 0, 6
#: Replies that fit into one datagram of the size that clients read at least.
REPLIES = (1024 - HEADER.size) // SEARCH_REPLY.size


class CaError(GnomonError):
    """The Channel Access server cannot do what its settings ask for."""


@dataclass(frozen=True, slots=True)
class CaSettings:
    """Where to listen."""

    interfaces: tuple[str, ...] = ("127.0.0.1",)
    port: int = DEFAULT_PORT


def settings(interfaces: Sequence[str], port: int, environ: Mapping[str, str] | None = None) -> CaSettings:
    """The caller's wishes with the standard environment variables on top. Raises CaError for a port that is none."""
    environ = os.environ if environ is None else environ
    listed = environ.get("EPICS_CAS_INTF_ADDR_LIST", "").split()
    names = ("EPICS_CAS_SERVER_PORT", "EPICS_CA_SERVER_PORT")
    name, text = next(((n, environ[n].strip()) for n in names if environ.get(n, "").strip()), ("", ""))
    if text and not (text.isdecimal() and 0 < int(text) < 65536):
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
    """What to set so that beacons reach no further than the server: caproto takes their addresses from the environment.

    Nothing when the user has said where beacons go, or when the server listens beyond this host.
    """
    local = all(ip_address(interface).is_loopback for interface in where.interfaces)
    if not local or environ.get("EPICS_CAS_BEACON_ADDR_LIST", "").strip():
        return {}
    return {"EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1", "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO"}


class Channels(dict[str, Any]):
    """The channels of a bank by name, made when a client first asks: most PVs of a ring are never looked at."""

    def __init__(self, bank: Bank, sink: PutSink) -> None:
        super().__init__()
        self.bank = bank
        self.publisher = Publisher(bank)
        self._sink = sink
        self._unlisten: Callable[[], None] | None = None

    def open(self) -> None:
        """Send on what the bank publishes."""
        self._unlisten = self.bank.listen(self.publisher.publish)

    def close(self) -> None:
        """Send nothing more."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        self.publisher.stop()

    def __missing__(self, name: str) -> Any:
        index = self.bank.index.get(name)
        if index is not None:
            made: Any = channel(self.bank, index, self._sink, self.publisher)
        else:
            record, dot, wanted = name.rpartition(".")
            index = self.bank.index.get(record) if dot else None
            if index is None:
                raise KeyError(name)
            made = self[record] if wanted in ("", "VAL") else field(self.bank, index, wanted)
        self[name] = made
        return made


class Directory:
    """The channels of all banks by name, as caproto looks them up."""

    def __init__(self) -> None:
        self.banks: list[Channels] = []

    def __getitem__(self, name: str) -> Any:
        for channels in self.banks:
            with suppress(KeyError):
                return channels[name]
        raise KeyError(name)

    def items(self) -> tuple[()]:
        """caproto looks for channels with hooks at start; ours have none."""
        return ()

    def __setitem__(self, name: str, channel: Any) -> None:
        """caproto wants to remember what it has looked up; the banks' channels do so themselves."""


class Circuit(VirtualCircuit):
    """One client's connection; tells the publisher what ends, and ends when the client breaks the protocol."""

    def __init__(self, circuit: Any, client: Any, context: Any) -> None:
        super().__init__(circuit, client, context)
        context.all_circuits.add(self)

    async def _command_queue_iteration(self, command: Any) -> Any:
        try:
            if isinstance(command, ca.ClearChannelRequest):
                cleared = self.circuit.channels_sid[command.sid]
                await self._cull_subscriptions(None, lambda sub: sub.channel is cleared)
            elif (
                isinstance(command, ca.WriteRequest | ca.WriteNotifyRequest) and len(command.data) < command.data_count
            ):
                raise KeyError("values that were announced")
            return await super()._command_queue_iteration(command)
        except KeyError as error:
            self.log.warning("%s sent %s without %s; disconnected", self.circuit.address, command, error)
            raise DisconnectedCircuit from error

    async def _start_write_task(self, handle_write: Callable[[], Any]) -> None:
        async def write() -> None:
            with suppress(DisconnectedCircuit, OSError):  # the client has gone: nobody waits for the answer
                await handle_write()

        self.tasks.create(write())

    async def _cull_subscriptions(self, db_entry: Any, func: Callable[[Any], bool]) -> Any:
        gone = await super()._cull_subscriptions(db_entry, func)
        for channels in self.context.pvdb.banks:
            channels.publisher.unsubscribe(self, [sub for _, sub in gone])
        return gone

    async def _on_disconnect(self) -> None:
        for channels in self.context.pvdb.banks:
            channels.publisher.forget(self)
        await super()._on_disconnect()

    def withdraw(self, bank: Bank) -> None:
        """Tell the client that the channels to a bank's PVs are no more."""
        gone = [c for c in self.circuit.channels_sid.values() if getattr(self.context_entry(c), "bank", None) is bank]
        if gone and self.connected and not self.client.writer.transport.is_closing():
            buffers = [buffer for c in gone for buffer in self.circuit.send(c.disconnect())]
            self.client.writer.write(b"".join(bytes(buffer) for buffer in buffers))

    def context_entry(self, channel: Any) -> Any:
        """The entry of the directory that a client's channel is about."""
        with suppress(KeyError):
            return self.context[channel.name]
        return None


class ServerContext(Context):
    """caproto's server for several banks."""

    CircuitClass = Circuit

    def __init__(self, directory: Directory, where: CaSettings) -> None:
        super().__init__(directory, list(where.interfaces))
        self.ca_server_port = where.port
        self.listening = asyncio.Event()
        self.searchable = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self.all_circuits: WeakSet[Circuit] = WeakSet()  # also those that have gone, whose tasks may still end

    async def server_accept_loop(self, sock: Any) -> None:
        """Accept clients on one interface, until closed."""

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Without it, an answer that follows an update waits 40 ms for the client's acknowledgement of the first.
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = _TransportWrapper(reader, writer)
            self.server_tasks.create(self.tcp_handler(transport, transport.getpeername()))

        self._servers.append(await asyncio.start_server(accept, sock=sock))
        self.listening.set()

    async def broadcaster_receive_loop(self) -> None:
        """Hear searches; caproto starts this once all its sockets are bound."""
        self.searchable.set()
        await super().broadcaster_receive_loop()

    async def _broadcaster_queue_iteration(self, addr: Any, commands: Sequence[Any]) -> None:
        """Answer the searches of one datagram, echoing the client's sequence number as EPICS's own server does."""
        self.broadcaster.process_commands(commands)
        if addr[0] in self.ignore_addresses:
            return
        known: list[int] = []
        sequence: tuple[int, int] | None = None
        for command in commands:
            if isinstance(command, ca.VersionRequest):
                sequence = (command.header.data_type, command.header.parameter1)
            elif isinstance(command, ca.SearchRequest) and self._serves(command.name):
                known.append(command.cid)
        head = HEADER.pack(VERSION, 0, sequence[0], PROTOCOL_VERSION, sequence[1], 0) if sequence else b""
        for start in range(0, len(known), REPLIES):
            replies = (
                SEARCH_REPLY.pack(SEARCH, 8, self.port, 0, ANY_ADDRESS, cid, PROTOCOL_VERSION, 0, 0)
                for cid in known[start : start + REPLIES]
            )
            message = head + b"".join(replies)
            for sock in self.udp_socks.values():
                with suppress(OSError):  # the client has gone; it will search again
                    await sock.sendto(message, addr)

    def _serves(self, name: str) -> bool:
        try:
            self[name]
        except KeyError:
            return False
        return True

    async def close(self) -> None:
        """Stop accepting and drop all clients."""
        for server in self._servers:
            server.close()
        for circuit in list(self.all_circuits):
            await circuit._on_disconnect()
            await circuit.tasks.cancel_all(wait=True)


class CaServer:
    """A Channel Access server for all PVs of the banks that are added to it.

    Banks come and go before and while it runs, in the thread of the event loop.
    """

    def __init__(self, where: CaSettings, access: AccessRules | None = None, guard: GuardConfig | None = None) -> None:
        self.where = where
        self.access = access or AccessRules()
        self.guard = guard or GuardConfig()
        self._directory = Directory()
        self._context = ServerContext(self._directory, where)
        self._task: asyncio.Task[None] | None = None

    def add(self, bank: Bank, sink: PutSink) -> None:
        """Serve a bank, whose puts go to `sink`. Raises CaError when a name is served already; nothing has changed."""
        for other in self._directory.banks:
            if taken := sorted(bank.index.keys() & other.bank.index.keys()):
                raise CaError(
                    f"{len(taken)} of these names are served already, the first is {taken[0]}: give another prefix."
                )
        channels = Channels(bank, sink)
        self._directory.banks.append(channels)
        if self._task is not None:
            channels.open()

    def remove(self, bank: Bank) -> None:
        """Serve a bank no longer: clients are told that its channels are gone. Raises CaError when it is not served."""
        channels = next((c for c in self._directory.banks if c.bank is bank), None)
        if channels is None:
            raise CaError("This bank is not served over Channel Access: add it before it is removed.")
        channels.close()
        for circuit in list(self._context.all_circuits):
            circuit.withdraw(bank)
        self._directory.banks.remove(channels)

    @property
    def port(self) -> int:
        """The TCP port, which is another than wanted when that was taken; searches announce it."""
        return int(self._context.port)

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._context.circuits)

    @property
    def client_variables(self) -> dict[str, str]:
        """The environment in which clients find this server."""
        address = next((i for i in self.where.interfaces if i not in ("0.0.0.0", "")), "127.0.0.1")
        variables = {"EPICS_CA_ADDR_LIST": address, "EPICS_CA_AUTO_ADDR_LIST": "NO"}
        if self.where.port != DEFAULT_PORT:
            variables["EPICS_CA_SERVER_PORT"] = str(self.where.port)
        return variables

    async def start(self) -> None:
        """Listen; clients can connect when this returns. Raises CaError when no port can be had."""
        quieten()
        os.environ.update(beacon_variables(self.where, os.environ))
        for channels in self._directory.banks:
            channels.open()
        self._task = asyncio.create_task(self._context.run(), name="channel access")
        ready = asyncio.create_task(self._ready())
        done, _ = await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if self._task in done:
            ready.cancel()
            error = self._task.exception()
            where = ", ".join(self.where.interfaces)
            raise CaError(f"Channel Access cannot be served on {where} port {self.where.port}: {error}") from error

    async def stop(self) -> None:
        """Disconnect all clients and let go of the ports."""
        for channels in self._directory.banks:
            channels.close()
        await self._context.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _ready(self) -> None:
        await self._context.listening.wait()
        await self._context.searchable.wait()
