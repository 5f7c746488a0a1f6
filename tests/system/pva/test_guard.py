"""A hostile or careless client costs the server little memory and other clients no time, and is told to go."""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from conftest import EpicsPorts, free_port
from p4p import Type, Value
from p4p.client.thread import Context, RemoteError
from patience import PATIENCE_S, wait_for

from gnomon.ioc.wire.pva_framing import FIRST, LAST, Command, header, message, string

pytestmark = pytest.mark.slow  # servers and commands started one by one

HELLO = message(Command.VALIDATION, struct.pack(">IHH", 0x10000, 0x7FFF, 0) + string("anonymous") + b"\xff")
DEEP = "record[queueSize=1000]field()"
MB = 1e6
#: Its connection, the one to pvxs, and the end of pvxs.
DESCRIPTORS_OF_A_CLIENT = 3
#: Of the times after which the server gives a client up, a test has those that it is about.
NEVER = {"handshake_s": 3600.0, "stalled_s": 3600.0}


class GuardedServer:
    """The process of `guarded_server.py`."""

    def __init__(self, ports: EpicsPorts, folder: Path, **limits: Any) -> None:
        limits = NEVER | limits
        self.log = folder / "guard.log"
        self._stderr = self.log.open("a")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
        here = Path(__file__).with_name("guarded_server.py")
        self.process = subprocess.Popen(
            [sys.executable, str(here), json.dumps(limits), str(ports.pva_tcp), str(ports.pva_udp)],
            env=environment | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=self._stderr, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port, self.broadcast_port = (int(word) for word in self.process.stdout.readline().split())

    def stop(self) -> float:
        """Ask it to end; how long that took [s]."""
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._stderr.close()
        return time.monotonic() - began

    @property
    def memory(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss)

    @property
    def descriptors(self) -> int:
        return int(psutil.Process(self.process.pid).num_fds())

    def context(self) -> Context:
        conf = {"EPICS_PVA_ADDR_LIST": "127.0.0.1", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
        conf["EPICS_PVA_BROADCAST_PORT"] = str(self.broadcast_port)
        return Context("pva", conf=conf, useenv=False, nt=False)

    def connect(self, hello: bool = True, receive_bytes: int | None = None) -> socket.socket:
        """A connection as a program without an EPICS library makes it."""
        sock = socket.socket()
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.settimeout(PATIENCE_S)
        sock.connect(("127.0.0.1", self.port))
        if hello:
            sock.sendall(HELLO)
        return sock

    def check_serving(self) -> None:
        """A new client gets values, and newer ones while they are published."""
        with self.context() as context:
            first = context.get("G:x1").value
            assert first >= 1.0
            assert wait_for(lambda: context.get("G:x1").value > first)


Start = Callable[..., GuardedServer]


@pytest.fixture
def start(epics_ports: EpicsPorts, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def started(**limits: Any) -> GuardedServer:
            server = GuardedServer(epics_ports, tmp_path, **limits)
            stack.callback(server.stop)
            return server

        yield started


@pytest.fixture(scope="module")
def in_peace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedServer]:
    """A server that nobody attacks."""
    server = GuardedServer(EpicsPorts(free_port(), free_port(), free_port()), tmp_path_factory.mktemp("in_peace"))
    yield server
    server.stop()


class Reader:
    """A client that reads now and then meanwhile: it must not notice. Another one reads from a server in peace."""

    QUIET = 40

    def __init__(self, server: GuardedServer, in_peace: GuardedServer) -> None:
        self._servers = (server, in_peace)
        self._took: tuple[list[float], list[float]] = ([], [])
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=pair) for pair in zip(self._servers, self._took, strict=True)
        ]

    def _run(self, server: GuardedServer, took: list[float]) -> None:
        with server.context() as context:
            context.get("G:x1")
            while not self._stop.is_set():
                began = time.perf_counter()
                context.get("G:x1")
                took.append(time.perf_counter() - began)
                time.sleep(0.01)

    def __enter__(self) -> "Reader":
        for thread in self._threads:
            thread.start()
        assert wait_for(lambda: min(map(len, self._took)) >= self.QUIET)
        for took in self._took:
            took.clear()
        return self

    def __exit__(self, *_: object) -> None:
        assert wait_for(lambda: min(map(len, self._took)) >= self.QUIET)
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def noticed_nothing(self) -> bool:
        """Nine of ten reads took less than 50 ms, or not much longer than from the server that was left in peace."""
        meanwhile, in_peace = (float(np.percentile(took, 90)) for took in self._took)
        return meanwhile < max(0.05, 5.0 * in_peace)


def _is_closed(sock: socket.socket, within_s: float = PATIENCE_S) -> bool:
    """Tell whether the server hangs up, whatever it says before."""
    sock.settimeout(within_s)
    try:
        while sock.recv(2**16):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def test_a_size_bomb_is_turned_away_at_its_header(start: Start, in_peace: GuardedServer) -> None:
    server = start()
    before = server.memory
    with Reader(server, in_peace) as reader:
        for command in (Command.PUT, Command.SEARCH, Command.CREATE_CHANNEL, Command.ECHO, Command.VALIDATION):
            sock = server.connect()
            sock.sendall(struct.pack(">BBBBI", 0xCA, 2, 0x80, command, 2**32 - 1) + bytes(64))
            assert _is_closed(sock), command
    assert server.memory - before < 20 * MB
    assert reader.noticed_nothing


def test_a_stream_of_four_hundred_megabytes_is_cut_off(start: Start) -> None:
    server = start()
    before = server.memory
    sock = server.connect()
    sock.sendall(struct.pack(">BBBBI", 0xCA, 2, 0x80, Command.PUT, 2**30))
    sent = 0
    with suppress(ConnectionError):
        while sent < 400 * MB:
            sent += sock.send(bytes(2**20))
    assert sent < 20 * MB
    assert server.memory - before < 20 * MB


def test_allowed_messages_in_a_stream_leave_no_memory_behind(start: Start) -> None:
    server = start()
    with server.context() as context:
        context.get("G:x1")
    before = server.memory
    sock = server.connect()
    block = message(Command.AUTHNZ, bytes(2**20 - 64))
    for _ in range(200):
        sock.sendall(block)
    server.check_serving()
    assert server.memory - before < 50 * MB


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        bytes.fromhex("1603010200010001fc0303"),
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00" * 100,
        b"\xca",
        struct.pack(">BBBBI", 0xCA, 2, 0xC0, Command.ECHO, 0),
        message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 1) + string("G:x1")),
        HELLO + message(Command.BEACON, b""),
        HELLO + struct.pack(">BBBBI", 0xCA, 2, 0x80, 200, 0),
        HELLO + struct.pack(">BBBBI", 0xCA, 2, 0x80 | 0x20, Command.PUT, 0),
        HELLO + message(Command.MONITOR, b"\x00"),
        HELLO + message(Command.CREATE_CHANNEL, struct.pack(">HI", 3, 1) + string("G:x1")),
        HELLO + message(Command.GET_FIELD, b"\xff\xff"),
    ],
    ids=["http", "tls", "ssh", "zeros", "half a header", "as a server", "no hello", "beacon", "unknown", "segment",
         "short", "too few names", "pvxs cannot read it"],
)  # fmt: skip
def test_bytes_of_another_protocol_end_the_connection(start: Start, sent: bytes) -> None:
    server = start(handshake_s=1.0)
    sock = server.connect(hello=False)
    sock.sendall(sent)
    assert _is_closed(sock)


def test_garbage_costs_one_line_a_second(start: Start) -> None:
    server = start()
    began = time.monotonic()
    for number in range(300):
        with server.connect(hello=False) as sock:
            sock.sendall(np.random.default_rng(number).bytes(200))
    for _ in range(100):
        with server.connect() as sock:
            sock.sendall(message(Command.MESSAGE, b"\xff\xff"))
            _is_closed(sock)
    server.stop()
    seconds = time.monotonic() - began
    lines = server.log.read_text().splitlines()
    assert 1 <= len(lines) <= seconds + 2
    assert all("was disconnected" in line for line in lines)


def test_stalled_readers_of_an_array_cost_little_and_are_dropped(start: Start, in_peace: GuardedServer) -> None:
    server = start(stalled_s=2.0)
    with Reader(server, in_peace) as reader:
        before = server.memory
        stalled = [subscribed(server, "G:wave") for _ in range(10)]
        peak = 0.0
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and not lines_of(server, "has read nothing"):
            peak = max(peak, server.memory)
            time.sleep(0.05)
        assert all(_is_closed(sock) for sock in stalled)
    assert peak - before < 50 * MB
    assert reader.noticed_nothing


def subscribed(server: GuardedServer, name: str, receive_bytes: int = 4096) -> socket.socket:
    """A client that has subscribed and read nothing since."""
    sock = server.connect(receive_bytes=receive_bytes)
    sock.sendall(message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 1) + string(name)))
    sid = _sid(sock)
    request = b"\x80\x00\x00"  # an empty structure: all fields
    sock.sendall(message(Command.MONITOR, struct.pack(">IIB", sid, 1, 0x08) + request))
    sock.sendall(message(Command.MONITOR, struct.pack(">IIB", sid, 1, 0x44)))
    return sock


def _sid(sock: socket.socket) -> int:
    data = b""
    while True:
        data += sock.recv(2**16)
        at = 0
        while len(data) - at >= 8:
            head = header(data, at)
            size = 0 if head.flags & 1 else head.size
            if head.command == Command.CREATE_CHANNEL and not head.flags & 1:
                return int(struct.unpack_from(head.order + "4xI", data, at + 8)[0])
            at += 8 + size


def test_a_thousand_idle_connections_cost_little_and_one_more_is_refused(start: Start) -> None:
    server = start(max_connections=1500, max_connections_per_address=1000)
    with server.context() as context:
        context.get("G:x1")
        before, files = server.memory, server.descriptors
        idle = [server.connect() for _ in range(999)]
        assert wait_for(lambda: server.descriptors >= files + 2 * 999)
        extra = server.connect(hello=False)
        assert _is_closed(extra)
        context.put("G:set", 1.0)
        assert server.memory - before < 50 * MB
        for sock in idle:
            sock.close()
        assert wait_for(lambda: server.descriptors <= files + 4)
        server.check_serving()


def test_slow_handshakes_and_slow_messages_are_ended(start: Start) -> None:
    server = start(handshake_s=1.0)
    silent, halfway = server.connect(hello=False), server.connect(hello=False)
    unfinished = server.connect()
    halfway.sendall(HELLO[:10])
    unfinished.sendall(message(Command.AUTHNZ, bytes(1000))[:500])
    fine = server.connect()
    began = time.monotonic()
    assert _is_closed(silent)
    assert _is_closed(halfway)
    assert _is_closed(unfinished)
    assert time.monotonic() - began > 0.5
    assert not _is_closed(fine, 0.2)


def test_a_client_that_always_has_a_message_under_way_stays(start: Start) -> None:
    server = start(handshake_s=0.5)
    sock = server.connect()
    rest = b""
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        rest += message(Command.AUTHNZ, bytes(1000))
        sock.sendall(rest[:-100])
        rest = rest[-100:]
        time.sleep(0.05)
    sock.sendall(rest)
    assert not _is_closed(sock, 0.3)


def test_too_many_subscriptions_end_the_connection(start: Start) -> None:
    server = start(max_subscriptions=50)
    sock = server.connect()
    sock.sendall(message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 1) + string("G:x1")))
    sid = _sid(sock)
    for operation in range(50):
        sock.sendall(message(Command.MONITOR, struct.pack(">IIB", sid, operation, 0x08) + b"\x80\x00\x00"))
    assert not _is_closed(sock, 0.2)
    sock.sendall(message(Command.MONITOR, struct.pack(">IIB", sid, 99, 0x08) + b"\x80\x00\x00"))
    assert _is_closed(sock)


def test_a_client_may_write_for_ever_within_its_limits(start: Start) -> None:
    server = start(max_subscriptions=20)
    with server.context() as context:
        for number in range(100):
            context.put("G:set", float(number))
            context.get([f"G:x{i}" for i in range(5)])
    assert "disconnected" not in server.log.read_text()  # of which a client that comes back says nothing


def test_clients_that_vanish_in_the_middle_of_a_put_leave_nothing(start: Start) -> None:
    server = start()
    with server.context() as context:
        context.put("G:set", 1.0)
        files = server.descriptors
        for cut in range(8, 60, 2):
            sock = server.connect()
            sock.sendall(message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 1) + string("G:set")))
            sid = _sid(sock)
            put = message(Command.PUT, struct.pack(">IIB", sid, 1, 0x08) + b"\x80\x00\x00")
            put += message(Command.PUT, struct.pack(">IIB", sid, 1, 0x00) + b"\x01\x02" + struct.pack(">d", 1.0))
            sock.sendall(put[:cut])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        assert wait_for(lambda: server.descriptors <= files)
        context.put("G:set", 2.0)


def test_a_flood_of_searches_leaves_time_for_others(start: Start, in_peace: GuardedServer) -> None:
    server = start()
    stop = threading.Event()
    names = b"".join(struct.pack(">I", i) + string(f"no:such:{i}") for i in range(80))
    body = struct.pack(">IB3x16sH", 1, 0, bytes(16), 9) + b"\x01" + string("tcp") + struct.pack(">H", 80) + names
    search = message(Command.SEARCH, body)

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while not stop.is_set():
                for _ in range(50):
                    sock.sendto(search, ("127.0.0.1", server.broadcast_port))
                time.sleep(0.001)

    thread = threading.Thread(target=flood)
    with Reader(
        server, in_peace
    ) as reader:  # connected before: the system drops searches where a flood fills its buffer
        thread.start()
        try:
            time.sleep(2.0)
        finally:
            stop.set()
            thread.join()
    assert reader.noticed_nothing
    server.check_serving()


def test_clients_come_back_after_a_restart(start: Start) -> None:
    server = start()
    values: list[float] = []
    with server.context() as context, context.monitor("G:x1", lambda value: values.append(value.value)):
        assert wait_for(lambda: bool(values))
        server.stop()
        values.clear()
        again = start()
        assert (again.port, again.broadcast_port) == (server.port, server.broadcast_port)
        assert wait_for(lambda: bool(values))


def test_arrays_and_bursts_pass_whole(start: Start) -> None:
    server = start()
    waves: list[Any] = []
    with server.context() as context:
        with context.monitor("G:wave", lambda value: waves.append(value.value), request="record[pipeline=true]field()"):
            assert wait_for(lambda: len(waves) > 20)
        assert all(len(wave) == 100_000 and (wave == wave[0]).all() for wave in waves)
        numbers = [wave[0] for wave in waves]
        assert numbers == sorted(set(numbers))


def opened(server: GuardedServer, name: str, receive_bytes: int | None = None) -> tuple[socket.socket, int]:
    """A connection, and the server's number of its channel."""
    sock = server.connect(receive_bytes=receive_bytes)
    sock.sendall(message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 1) + string(name)))
    return sock, _sid(sock)


def question(*names: str) -> bytes:
    """A search over a connection."""
    body = struct.pack(">IB3x16sH", 77, 0, bytes(16), 0) + b"\x01" + string("tcp") + struct.pack(">H", len(names))
    return message(Command.SEARCH, body + b"".join(struct.pack(">I", i) + string(n) for i, n in enumerate(names)))


def received(sock: socket.socket, *wanted: Command) -> list[tuple[Command, bytes]]:
    """Command and body of the messages that come until one of each kind wanted is there."""
    data, got = b"", []
    left = list(wanted)
    while left:
        if not (more := sock.recv(2**16)):
            raise ConnectionError("the server hung up")
        data += more
        while len(data) >= 8:
            head = header(data)
            size = 0 if head.flags & 1 else head.size
            if len(data) < 8 + size:
                break
            if not head.flags & 1:
                got.append((Command(head.command), data[8 : 8 + size]))
                if head.command in left:
                    left.remove(Command(head.command))
            data = data[8 + size :]
    return got


def put_of(sid: int, value: float) -> bytes:
    return message(Command.PUT, struct.pack(">IIB", sid, 1, 0x00) + b"\x01\x02" + struct.pack(">d", value))


@pytest.mark.parametrize("cut", [1, 8, 16, 19, 20, 26])
def test_a_put_in_two_pieces_with_a_search_behind_it_sets_what_was_sent(start: Start, cut: int) -> None:
    server = start()
    sock, sid = opened(server, "G:set")
    sock.sendall(message(Command.PUT, struct.pack(">IIB", sid, 1, 0x08) + b"\x80\x00\x00"))
    received(sock, Command.PUT)
    put = put_of(sid, 1.5)
    sock.sendall(put[:cut])
    time.sleep(0.1)
    sock.sendall(put[cut:] + question("G:set", "G:other"))
    answers = dict(received(sock, Command.PUT, Command.SEARCH_RESPONSE))
    assert answers[Command.SEARCH_RESPONSE].endswith(struct.pack(">?HI", True, 1, 0))
    with server.context() as context:
        assert context.get("G:set").value == 1.5


def test_a_put_in_segments_sets_what_was_sent_and_a_search_between_them_ends_the_connection(start: Start) -> None:
    server = start()
    for between in (b"", question("G:set")):
        sock, sid = opened(server, "G:set")
        sock.sendall(message(Command.PUT, struct.pack(">IIB", sid, 1, 0x08) + b"\x80\x00\x00"))
        received(sock, Command.PUT)
        body = put_of(sid, 2.5)[8:]
        sock.sendall(message(Command.PUT, body[:12], FIRST) + between + message(Command.PUT, body[12:], LAST))
        if between:
            assert _is_closed(sock)
        else:
            received(sock, Command.PUT)
    with server.context() as context:
        assert context.get("G:set").value == 2.5


def test_searches_over_a_connection_that_is_busy_with_updates_are_answered_between_them(start: Start) -> None:
    server = start()
    sock = subscribed(server, "G:wave", 2**20)
    for number in range(100):
        sock.sendall(question(f"G:x{number % 50}"))
        time.sleep(0.01)
    got = received(sock, *[Command.SEARCH_RESPONSE] * 100)  # which reads messages one by one
    assert sum(command == Command.MONITOR for command, _ in got) > 3


def test_a_call_whose_first_segment_is_empty_is_inspected_too(start: Start) -> None:
    server = start()
    endless = b"\x80\x00\x01" + string("a") + b"\x68" + b"\xfe" + struct.pack(">I", 30_000_000)
    before = server.memory
    for first in (9, 0):
        sock, sid = opened(server, "G:call")
        sock.sendall(message(Command.RPC, struct.pack(">IIB", sid, 1, 0x08) + b"\x80\x00\x00"))
        received(sock, Command.RPC)
        body = struct.pack(">IIB", sid, 1, 0x00) + endless
        sock.sendall(message(Command.RPC, body[:first], FIRST) + message(Command.RPC, body[first:], LAST))
        peak, end = before, time.monotonic() + 1.0
        while time.monotonic() < end:
            peak = max(peak, server.memory)
        assert _is_closed(sock)
        assert peak - before < 20 * MB


def test_a_queue_without_end_is_refused_by_name(start: Start) -> None:
    server = start()
    sock, sid = opened(server, "G:wave")
    request = b"\x80\x00\x01" + string("record") + b"\x80\x00\x01" + string("_options") + b"\x80\x00\x02"
    request += string("pipeline") + b"\x60" + string("queueSize") + b"\x60" + string("true") + string("2147483648")
    sock.sendall(message(Command.MONITOR, struct.pack(">IIB", sid, 1, 0x88) + request + struct.pack(">I", 1)))
    assert _is_closed(sock)
    reason = "asked for a queue of 2.14748e+09 updates; the limit is 10000"
    assert wait_for(lambda: reason in server.log.read_text())


@pytest.mark.parametrize("asks", ["GET", "GET_FIELD", "ECHO"])
def test_requests_whose_answers_are_not_read_wait(start: Start, asks: str) -> None:
    """The answers to all of them are 1.6 GB of values, 6 MB of types, 80 MB of echoes."""
    server = start()
    sock, sid = opened(server, "G:wave", receive_bytes=4096)
    one = {
        "GET": b"".join(message(Command.GET, struct.pack(">IIB", sid, i, 0)) for i in range(1, 2001)),
        "GET_FIELD": message(Command.GET_FIELD, struct.pack(">II", sid, 1) + string("")) * 20_000,
        "ECHO": message(Command.ECHO, bytes(2**16)) * 1200,
    }[asks]
    if asks == "GET":
        wanted = b"\x80\x00\x00"
        for i in range(1, 2001):
            sock.sendall(message(Command.GET, struct.pack(">IIB", sid, i, 0x08) + wanted))
            if not i % 100:
                received(sock, *[Command.GET] * 100)
    before = server.memory
    sock.setblocking(False)
    peak, end = before, time.monotonic() + 2.0
    while time.monotonic() < end:
        with suppress(BlockingIOError):
            one = one[sock.send(one) :]
        peak = max(peak, server.memory)
        time.sleep(0.01)
    assert peak - before < 40 * MB
    sock.settimeout(PATIENCE_S)
    reader = threading.Thread(target=received, args=(sock, *[Command[asks]] * 20))
    reader.start()
    reader.join(PATIENCE_S)
    assert not reader.is_alive()  # and go on when they are read


def test_channels_that_never_existed_and_end_do_not_make_room_for_more(start: Start) -> None:
    server = start(max_subscriptions=20)
    sock = server.connect()
    sock.sendall(b"".join(message(Command.DESTROY_CHANNEL, struct.pack(">II", i, i)) for i in range(1000)))
    for i in range(20):
        sock.sendall(message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, i) + string(f"G:x{i}")))
    received(sock, *[Command.CREATE_CHANNEL] * 20)
    assert not _is_closed(sock, 0.2)
    sock.sendall(message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 99) + string("G:x99")))
    assert _is_closed(sock)
    sock = (
        server.connect()
    )  # while channels that there are make room when they end, and names that nobody has take none
    for i in range(100):
        name = f"G:x{i}" if i % 2 else "nobody's"
        sock.sendall(message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, i) + string(name)))
        _, body = received(sock, Command.CREATE_CHANNEL)[-1]
        if i % 2:
            (sid,) = struct.unpack_from("<4xI", body)
            sock.sendall(message(Command.DESTROY_CHANNEL, struct.pack(">II", sid, i)))
            received(sock, Command.DESTROY_CHANNEL)
    assert not _is_closed(sock, 0.2)


def test_puts_that_are_refused_and_cancelled_cost_one_line_a_second(start: Start) -> None:
    server = start(allow="read")
    began = time.monotonic()
    for number in range(20):
        sock, sid = opened(server, "G:set")
        sock.sendall(message(Command.PUT, struct.pack(">IIB", sid, 1, 0x08) + b"\x80\x00\x00"))
        received(sock, Command.PUT)
        end = message(Command.CANCEL_REQUEST if number % 2 else Command.DESTROY_REQUEST, struct.pack(">II", sid, 1))
        for _ in range(20):
            sock.sendall(put_of(sid, 1.0) + end)
        time.sleep(0.05)
        sock.close()
    server.stop()
    seconds = time.monotonic() - began
    lines = server.log.read_text().splitlines()
    assert 1 <= len(lines) <= seconds + 2
    assert all("may not write G:set" in line or "was disconnected" in line for line in lines)


def test_names_that_nobody_has_cost_one_line_a_second(start: Start) -> None:
    server = start()
    began = time.monotonic()
    sock = server.connect()
    for number in range(200):
        name = "G:nobody" if number % 2 else "\n\x1b"
        sock.sendall(message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, number) + string(name)))
    received(sock, *[Command.CREATE_CHANNEL] * 200)
    sock.close()
    server.stop()
    seconds = time.monotonic() - began
    assert len(server.log.read_text().splitlines()) <= seconds + 2


def test_a_procedure_that_fails_costs_one_line_a_second_and_the_client_is_told(start: Start) -> None:
    server = start()
    began = time.monotonic()
    with server.context() as context:
        argument = Value(Type([("a", "s")]), {"a": "x"})
        for _ in range(50):
            with pytest.raises(RemoteError, match="cannot do"):
                context.rpc("G:call", argument)
    server.stop()
    seconds = time.monotonic() - began
    text = server.log.read_text()
    assert "Traceback" not in text
    assert 1 <= len(text.splitlines()) <= seconds + 2


def test_connections_that_cannot_be_accepted_cost_one_line_a_second(start: Start) -> None:
    server = start()
    process = psutil.Process(server.process.pid)
    with server.context() as context:
        context.get("G:x1")
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 16, process.num_fds() + 16))
        socks = []
        began = time.monotonic()
        for _ in range(50):
            socks.append(server.connect(hello=False))
        time.sleep(2.5)
        assert context.get("G:x1") is not None  # who is connected is served all the while
        for sock in socks:
            sock.close()
        server.check_serving()
        server.stop()
    seconds = time.monotonic() - began
    lines = server.log.read_text().splitlines()
    assert any("no connection can be accepted" in line for line in lines)
    assert not any("was not connected" in line for line in lines)  # they wait; one that is hung up on comes back late
    assert 1 <= len(lines) <= seconds + 3


def lines_of(server: GuardedServer, text: str) -> list[str]:
    return [line for line in server.log.read_text().splitlines() if text in line]


def test_readers_that_are_each_within_their_limits_and_too_many_together_are_thinned_out(
    start: Start, in_peace: GuardedServer
) -> None:
    server = start(max_clients_bytes=2**26, max_waiting_bytes=2**20)
    with Reader(server, in_peace) as reader, server.context() as context:
        values: list[float] = []
        with context.monitor("G:x1", lambda value: values.append(value.value)):
            assert wait_for(lambda: bool(values))
            before, files = server.memory, server.descriptors
            stalled = [subscribed(server, "G:wave") for _ in range(100)]  # 180 MB, were it not for the budget
            peak, end = 0.0, time.monotonic() + PATIENCE_S
            while time.monotonic() < end and not lines_of(server, "the most of all"):
                peak = max(peak, server.memory)
                time.sleep(0.05)
            assert wait_for(lambda: server.memory - before < 80 * MB)
            time.sleep(1.0)  # none of those that are left takes more than its share later
            left = (server.descriptors - files) / DESCRIPTORS_OF_A_CLIENT
            seen = len(values)
            assert wait_for(lambda: len(values) > seen + 10)  # who reads is not disconnected
            assert server.memory - before < 80 * MB
    assert peak - before < 200 * MB  # all of them fill up within a second, sooner than it can be seen
    assert 0 < left < len(stalled)
    assert lines_of(server, "the most of all")
    assert all("guard.max_clients_bytes is 64 MiB" in line for line in lines_of(server, "holds about"))
    assert reader.noticed_nothing


def test_a_deep_queue_that_is_never_acknowledged_is_ended_when_it_has_taken_too_much(start: Start) -> None:
    server = start(max_clients_bytes=2**26)
    with server.context() as context:
        context.get("G:x1")
        before = server.memory
        sock, sid = opened(server, "G:wave")
        request = b"\x80\x00\x01" + string("record") + b"\x80\x00\x01" + string("_options") + b"\x80\x00\x02"
        request += string("pipeline") + b"\x60" + string("queueSize") + b"\x60" + string("true") + string("9999")
        sock.sendall(message(Command.MONITOR, struct.pack(">IIB", sid, 1, 0x88) + request + struct.pack(">I", 1)))
        sock.sendall(message(Command.MONITOR, struct.pack(">IIB", sid, 1, 0x44)))
        peak, end = before, time.monotonic() + 60.0
        while time.monotonic() < end and not lines_of(server, "the most of all"):
            peak = max(peak, server.memory)
            time.sleep(0.05)
        assert _is_closed(sock)
        assert peak - before < 200 * MB
        context.put("G:set", 3.0)
        assert wait_for(lambda: server.memory - before < 60 * MB)


def test_many_operations_of_many_clients_are_within_one_budget(start: Start) -> None:
    server = start(max_clients_bytes=2**25)
    with server.context() as context:
        context.get("G:x1")
        before = server.memory
        socks = []
        for _ in range(8):  # 84 MB
            sock, sid = opened(server, "G:x2")
            socks.append(sock)
            with suppress(OSError):
                for i in range(3000):
                    sock.sendall(message(Command.MONITOR, struct.pack(">IIB", sid, i, 0x08) + b"\x80\x00\x00"))
                    if not (i + 1) % 100:
                        received(sock, *[Command.MONITOR] * 100)
        assert wait_for(lambda: bool(lines_of(server, "the most of all")))
        server.check_serving()
        assert server.memory - before < 80 * MB
        assert any(not _is_closed(sock, 0.05) for sock in socks)
        for sock in socks:
            sock.close()
