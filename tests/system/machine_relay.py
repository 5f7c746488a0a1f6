"""A network between a machine and its shadow: a test can cut it, and every message to the machine is counted.

It stands where the shadow searches (UDP), tells it to connect to itself (TCP), and passes everything on.
"""

import selectors
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from patience import PATIENCE_S

#: Commands of a client that make a server do something, by protocol.
CA_WRITES = {4: "WRITE", 19: "WRITE_NOTIFY"}
PVA_WRITES = {11: "PUT", 12: "PUT_GET", 14: "ARRAY", 16: "PROCESS", 20: "RPC"}


class Relay:
    """`port` is where it hears searches; `commands` counts what the shadow sent, by number."""

    def __init__(self, protocol: str, machine_udp: int) -> None:
        self.protocol = protocol
        self.commands: Counter[int] = Counter()
        self.searches = 0
        self._machine_udp = machine_udp
        self._machine_tcp = 0
        self._cut = False
        self._selector = selectors.DefaultSelector()
        self._front = self._bound(socket.SOCK_DGRAM)
        self._back = self._bound(socket.SOCK_DGRAM)
        self._listener = self._bound(socket.SOCK_STREAM)
        self._listener.listen()
        self._shadow: tuple[str, int] | None = None
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._counters: dict[socket.socket, Callable[[bytes], None]] = {}
        self._wake, self._woken = socket.socketpair()
        self._watch(self._front, self._from_shadow)
        self._watch(self._back, self._from_machine)
        self._watch(self._listener, self._connect)
        self._watch(self._woken, lambda: None)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._front.getsockname()[1])

    @property
    def writes(self) -> dict[str, int]:
        """Messages to the machine that would have written to it, or asked it to do something."""
        writes = CA_WRITES if self.protocol == "ca" else PVA_WRITES
        return {name: self.commands[number] for number, name in writes.items() if self.commands[number]}

    def cut(self) -> None:
        """Let nothing through any more; nobody is told, as when a cable is pulled."""
        self._cut = True

    def mend(self) -> None:
        """Let everything through again. Connections of before have lost data, and end."""
        for one in list(self._pairs):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._cut = False

    def stop(self) -> None:
        self._stopped = True
        self._wake.send(b"x")
        self._thread.join(PATIENCE_S)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        self._wake.close()

    def _run(self) -> None:
        while not self._stopped:
            for key, _ in self._selector.select():
                with suppress(OSError):
                    key.data()

    def _bound(self, kind: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, kind)
        sock.bind(("127.0.0.1", 0))
        return sock

    def _watch(self, sock: socket.socket, act: Callable[[], None]) -> None:
        self._selector.register(sock, selectors.EVENT_READ, act)

    def _from_shadow(self) -> None:
        data, self._shadow = self._front.recvfrom(65536)
        self.searches += 1
        if self._cut:
            return
        if self.protocol == "pva":
            data = self._redirected(data, command=3, offset=24, port=self._back.getsockname()[1])
        self._back.sendto(data, ("127.0.0.1", self._machine_udp))

    def _from_machine(self) -> None:
        data, _ = self._back.recvfrom(65536)
        if self._cut or self._shadow is None:
            return
        here = self._listener.getsockname()[1]
        data = self._ca_answer(data, here) if self.protocol == "ca" else self._redirected(data, 4, 32, here)
        self._front.sendto(data, self._shadow)

    def _ca_answer(self, data: bytes, here: int) -> bytes:
        """Answers to searches with our TCP port instead of the machine's."""
        result, at = bytearray(data), 0
        while at + 16 <= len(data):
            command, size, port = struct.unpack_from(">HHH", data, at)
            if command == 6:
                self._machine_tcp = port
                struct.pack_into(">H", result, at + 4, here)
            at += 16 + size
        return bytes(result)

    def _redirected(self, data: bytes, command: int, offset: int, port: int) -> bytes:
        """PV Access messages with another port in them: where answers go (3), or where to connect (4)."""
        result, at = bytearray(data), 0
        while at + 8 <= len(data):
            order = ">" if data[at + 2] & 0x80 else "<"
            (size,) = struct.unpack_from(order + "I", data, at + 4)
            if data[at + 3] == command:
                (given,) = struct.unpack_from(order + "H", data, at + 8 + offset)
                if command == 4:
                    self._machine_tcp = given
                struct.pack_into(order + "H", result, at + 8 + offset, port)
            at += 8 + size
        return bytes(result)

    def _connect(self) -> None:
        shadow, _ = self._listener.accept()
        try:
            machine = socket.create_connection(("127.0.0.1", self._machine_tcp), timeout=PATIENCE_S)
        except OSError:
            shadow.close()
            return
        machine.settimeout(None)
        self._counters[shadow] = self._ca_counter() if self.protocol == "ca" else self._pva_counter()
        for one, other in ((shadow, machine), (machine, shadow)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs[one] = other
            self._watch(one, lambda one=one: self._pass(one))  # type: ignore[misc]

    def _pass(self, one: socket.socket) -> None:
        if one not in self._pairs:
            return  # its other end was closed in this very turn
        try:
            data = one.recv(65536)
            if data and one in self._counters:
                self._counters[one](data)
            if data and not self._cut:
                self._pairs[one].sendall(data)
        except OSError:
            data = b""
        if not data:
            other = self._pairs[one]
            for end in (one, other):
                self._pairs.pop(end, None)
                self._counters.pop(end, None)
                self._selector.unregister(end)
                end.close()

    def _ca_counter(self) -> Callable[[bytes], None]:
        buffer = bytearray()

        def take(data: bytes) -> None:
            buffer.extend(data)
            while len(buffer) >= 16:
                command, size = struct.unpack_from(">HH", buffer)
                if len(buffer) < 16 + size:
                    return
                self.commands[command] += 1
                del buffer[: 16 + size]

        return take

    def _pva_counter(self) -> Callable[[bytes], None]:
        buffer = bytearray()

        def take(data: bytes) -> None:
            buffer.extend(data)
            while len(buffer) >= 8:
                control = buffer[2] & 1
                (size,) = struct.unpack_from(">I" if buffer[2] & 0x80 else "<I", buffer, 4)
                size = 0 if control else size
                if len(buffer) < 8 + size:
                    return
                if not control:
                    self.commands[buffer[3]] += 1
                del buffer[: 8 + size]

        return take
