"""Limits to what clients can do to the server and to each other."""

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest
from conftest import EpicsPorts, free_port
from patience import PATIENCE_S, at_any_pace, wait_for

from system.ca.stage import CREATE, ECHO, EVENT_ADD, EVENTS_OFF, EVENTS_ON, HEADER, VERSION, RawClient

pytestmark = pytest.mark.slow  # servers and commands started one by one

TESTS = Path(__file__).parents[2]
MEGABYTE = 2**20
#: What a server may grow by, whatever clients do.
GROWTH_MB = 50.0
#: How long another client may have to wait for an answer, on top of what a busy computer takes without any attack.
WAIT_S = 0.05
LEAST_ECHOES = 50
#: Of the times after which the server gives a client up, a test has those that it is about.
NEVER = {"handshake_s": 3600.0, "stalled_s": 3600.0}


class Guarded:
    """The server process; `stderr` is its log."""

    def __init__(self, port: int, log: Path, **limits: float) -> None:
        limits = NEVER | limits
        self.log = log
        self._stderr = log.open("w")
        paths = filter(None, (str(TESTS), os.environ.get("PYTHONPATH")))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "system.ca.guarded_server", str(port), json.dumps(limits)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready"), log.read_text()
        self.port = int(line.split()[1])
        self._process = psutil.Process(self.process.pid)

    @property
    def megabytes(self) -> float:
        return float(self._process.memory_info().rss / MEGABYTE)

    @property
    def descriptors(self) -> int:
        return int(self._process.num_fds())

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE_S)
        sock.connect(("127.0.0.1", self.port))
        return sock

    def lines(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line]

    def stop(self) -> None:
        self.process.terminate()
        try:
            assert self.process.wait(PATIENCE_S) == 0
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._stderr.close()
        assert "Traceback" not in self.log.read_text()


@pytest.fixture
def serve(epics_ports: EpicsPorts, tmp_path: Path) -> Iterator[Callable[..., Guarded]]:
    with ExitStack() as stack:

        def start(**limits: float) -> Guarded:
            guarded = Guarded(epics_ports.ca, tmp_path / "log", **limits)
            stack.callback(guarded.stop)
            return guarded

        yield start


@pytest.fixture(scope="module")
def in_peace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server that nobody attacks."""
    server = Guarded(free_port(), tmp_path_factory.mktemp("in_peace") / "log")
    yield server
    server.stop()


def late(times: list[float]) -> float:
    """Time that nine of ten answers stay below; a computer busy with other work delays some of any process's."""
    return sorted(times)[int(0.9 * len(times))]


class Watched:
    """A client of the server, and one of a server in peace, whose answers are measured in turns."""

    def __init__(self, server: Guarded, in_peace: Guarded) -> None:
        self.client, self._other = RawClient(server.port), RawClient(in_peace.port)
        self._times: tuple[list[float], list[float]] = ([], [])

    def close(self) -> None:
        self.client.close()
        self._other.close()

    def measure(self, seconds: float) -> None:
        """Measure the times of many echoes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(self._times[0]) < LEAST_ECHOES:
            for client, times in zip((self.client, self._other), self._times, strict=True):
                begin = time.monotonic()
                client.send(ECHO)
                client.wait(ECHO)
                times.append(time.monotonic() - begin)
            time.sleep(0.005)

    @property
    def is_unharmed(self) -> bool:
        """The client's answers came about as quickly as those of the server in peace."""
        meanwhile, in_peace = map(late, self._times)
        return meanwhile < WAIT_S + 3.0 * in_peace


def stalled_reader(server: Guarded, receive_buffer: int = 4096) -> socket.socket:
    """A client that subscribes to the wave and reads no more."""
    sock = server.connect(receive_buffer)
    name = b"G:wave\0\0"
    sock.sendall(HEADER.pack(VERSION, 0, 0, 13, 0, 0) + HEADER.pack(CREATE, 8, 0, 0, 0, 13) + name)
    sock.sendall(HEADER.pack(EVENT_ADD, 16, 20, 0, 1, 7) + struct.pack(">fffHH", 0.0, 0.0, 0.0, 1, 0))
    return sock


class Frames:
    """Messages one after the other; `number` is the last parameter of the last one."""

    def __init__(self, sock: socket.socket) -> None:
        self._file = sock.makefile("rb")

    def next(self) -> int:
        """The number of the subscription that the next update is for."""
        self.next_of(EVENT_ADD)
        return self.number

    def next_of(self, *commands: int) -> int:
        """The next message that is one of these commands."""
        while True:
            command, size, _, _, _, self.number = HEADER.unpack(self._file.read(HEADER.size))
            if size == 0xFFFF:
                size, _ = struct.unpack(">II", self._file.read(8))
            self._file.read(size)
            if command in commands:
                return int(command)


def ended(sock: socket.socket, within_s: float = PATIENCE_S) -> bool:
    """Tell whether the server ends the connection in time."""
    end = time.monotonic() + within_s
    while (left := end - time.monotonic()) > 0.0:
        sock.settimeout(left)
        try:
            if not sock.recv(65536):
                return True
        except TimeoutError:
            return False
        except OSError:
            return True
    return False


def test_stalled_readers_cost_little_memory_and_delay_no_other_client(
    serve: Callable[..., Guarded], in_peace: Guarded
) -> None:
    server = serve()
    with closing(Watched(server, in_peace)) as watched, ExitStack() as stack:
        watched.client.connect("G:count")
        watched.client.subscribe("G:count", 1)
        before = server.megabytes
        for _ in range(10):
            stack.enter_context(closing(stalled_reader(server)))
        watched.measure(4.0)
        grown = server.megabytes - before
    assert grown < GROWTH_MB
    assert watched.is_unharmed


def test_many_subscriptions_to_one_wave_cost_no_more_than_may_wait(serve: Callable[..., Guarded]) -> None:
    server = serve()
    with closing(server.connect(4096)) as sock:
        before = server.megabytes
        sock.sendall(HEADER.pack(VERSION, 0, 0, 13, 0, 0) + HEADER.pack(CREATE, 8, 0, 0, 0, 13) + b"G:wave\0\0")
        wanted = struct.pack(">fffHH", 0.0, 0.0, 0.0, 1, 0)
        sock.sendall(HEADER.pack(EVENTS_OFF, 0, 0, 0, 0, 0))
        sock.sendall(b"".join(HEADER.pack(EVENT_ADD, 16, 20, 0, 1, number) + wanted for number in range(300)))
        sock.sendall(HEADER.pack(EVENTS_ON, 0, 0, 0, 0, 0))
        heard: set[int] = set()
        peak, end = before, time.monotonic() + 200.0
        reader = Frames(sock)
        while len(heard) < 300 and time.monotonic() < end:
            heard.add(reader.next())
            peak = max(peak, server.megabytes)
    assert peak - before < GROWTH_MB  # all at once are 240 MB
    assert heard == set(range(300))  # and each has its turn


def test_a_client_that_cannot_keep_up_with_updates_is_still_served(serve: Callable[..., Guarded]) -> None:
    server = serve()
    with closing(stalled_reader(server, 65536)) as sock:
        sock.sendall(HEADER.pack(CREATE, 8, 0, 0, 1, 13) + b"G:set\0\0\0")
        wanted = struct.pack(">fffHH", 0.0, 0.0, 0.0, 1, 0)
        sock.sendall(HEADER.pack(EVENTS_OFF, 0, 0, 0, 0, 0))
        sock.sendall(b"".join(HEADER.pack(EVENT_ADD, 16, 20, 0, 1, number) + wanted for number in range(10, 20)))
        sock.sendall(HEADER.pack(EVENTS_ON, 0, 0, 0, 0, 0))
        reader = Frames(sock)
        for _ in range(5):
            reader.next()
            time.sleep(0.1)
        sock.sendall(HEADER.pack(19, 8, 6, 1, 2, 9) + struct.pack(">d", 1.0))
        end = time.monotonic() + PATIENCE_S
        while reader.next_of(EVENT_ADD, 19) != 19:
            assert time.monotonic() < end
            time.sleep(0.05)


@at_any_pace
def test_a_stalled_reader_is_dropped_and_a_slow_one_is_not(serve: Callable[..., Guarded], pace: float) -> None:
    server = serve(stalled_s=1.5 * pace, max_waiting_bytes=2**20)
    with closing(stalled_reader(server)) as stalled, closing(stalled_reader(server, 65536)) as slow:
        end = time.monotonic() + 5.0 * pace
        got = 0
        while time.monotonic() < end:
            got += len(slow.recv(100_000))
            time.sleep(0.02)
        slow.settimeout(PATIENCE_S)
        assert got > 2**20  # in more than one go
        assert slow.recv(1000)
        assert ended(stalled)
    assert sum(f"has read nothing for {1.5 * pace:g} s" in line for line in server.lines()) == 1


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">HHHHIIII", 19, 0xFFFF, 6, 0, 1, 1, 0xFFFF_FFF0, 1),
        struct.pack(">HHHHIIII", 19, 0xFFFF, 6, 0, 1, 1, 2**20 + 8, 1),
    ],
    ids=["4 GiB", "a little too much"],
)
def test_a_message_that_is_announced_too_long_ends_the_connection_before_it_is_kept(
    serve: Callable[..., Guarded], header: bytes
) -> None:
    server = serve()
    before = server.megabytes
    with closing(server.connect()) as sock:
        sock.sendall(HEADER.pack(VERSION, 0, 0, 13, 0, 0) + header)
        sent, block = 0, bytes(2**20)
        with suppress(OSError):
            while sent < 400 * 2**20:
                sent += sock.send(block)
    assert sent < 20 * 2**20
    assert server.megabytes - before < 20.0
    assert any("guard.max_message_bytes is 1048576" in line for line in server.lines())


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS handshake
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"G",
        b"\xff" * 5000,
        HEADER.pack(1, 16, 20, 1, 77, 5) + bytes(16),
        b"\0\0\0\0",  # the beginning of a message, then silence
    ],
    ids=["http", "tls", "ssh", "a byte", "ones", "unknown channel", "half a header"],
)
def test_other_protocols_are_ended(serve: Callable[..., Guarded], garbage: bytes) -> None:
    server = serve(handshake_s=1.0)
    with closing(server.connect()) as sock:
        sock.sendall(garbage)
        assert ended(sock)


@at_any_pace
def test_a_silent_client_is_ended_unless_it_has_channels(serve: Callable[..., Guarded], pace: float) -> None:
    server = serve(handshake_s=0.5 * pace)
    with closing(server.connect()) as silent, closing(RawClient(server.port)) as client:
        client.connect("G:set")
        assert ended(silent)
        time.sleep(1.0 * pace)
        client.put("G:set", 1.0, 1)
        client.wait(19)


def test_broken_clients_get_one_line_a_second_together(serve: Callable[..., Guarded]) -> None:
    server = serve()
    begin = time.monotonic()
    for _ in range(300):
        with closing(server.connect()) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert ended(sock)
    seconds = time.monotonic() - begin
    assert 1 <= len(server.lines()) <= seconds + 2


def is_taken(server: Guarded) -> bool:
    """Tell whether the server takes one more client."""
    with closing(RawClient(server.port)) as client, suppress(OSError, AssertionError):
        client.connect("G:set")
        return True
    return False


def test_connections_are_limited_in_total_and_by_address(serve: Callable[..., Guarded]) -> None:
    server = serve(max_connections=20, max_connections_per_address=15)
    with ExitStack() as stack:
        here = [stack.enter_context(closing(RawClient(server.port))) for _ in range(15)]
        here[-1].connect("G:set")
        one_more = stack.enter_context(closing(server.connect()))
        assert ended(one_more)
        others = []
        for _ in range(6):
            sock = stack.enter_context(closing(socket.socket()))
            sock.bind(("127.0.0.2", 0))
            sock.connect(("127.0.0.1", server.port))
            others.append(sock)
        assert ended(others[-1])
        here[0].close()
        assert wait_for(lambda: is_taken(server))
    assert any("guard.max_connections_per_address" in line for line in server.lines())


def test_channels_and_subscriptions_of_a_client_are_limited(serve: Callable[..., Guarded]) -> None:
    server = serve(max_subscriptions=5)
    with closing(RawClient(server.port)) as client:
        client.connect("G:count", "G:set")
        for number in range(7):
            client.subscribe("G:set", number)
        statuses = [client.wait(EVENT_ADD).first for _ in range(7)]
        assert statuses == [1, 1, 1, 1, 1, 48, 48]
        for cid in range(10, 14):
            client.send(CREATE, first=cid, second=13, payload=b"G:set\0")
        answers = [message.command for _ in range(7) if (message := client.receive()) is not None]
        assert answers.count(CREATE) == 3
        assert answers.count(26) == 1


def test_a_flood_of_requests_by_a_client_that_does_not_read_is_not_worked_off(
    serve: Callable[..., Guarded], in_peace: Guarded
) -> None:
    server = serve()
    with closing(Watched(server, in_peace)) as watched, closing(server.connect(receive_buffer=4096)) as sock:
        before = server.megabytes
        sock.sendall(HEADER.pack(VERSION, 0, 0, 13, 0, 0) + HEADER.pack(CREATE, 8, 0, 0, 0, 13) + b"G:wave\0\0")
        sock.setblocking(False)
        reads = HEADER.pack(15, 0, 6, 0, 1, 9) * 4096  # each is answered with 800 kB
        for _ in range(50):
            try:
                sock.send(reads)
            except BlockingIOError:
                break
        watched.measure(1.5)
        assert server.megabytes - before < GROWTH_MB
    assert watched.is_unharmed


def test_a_flood_of_searches_starves_nobody_and_is_not_amplified(
    serve: Callable[..., Guarded], in_peace: Guarded
) -> None:
    server = serve()
    search = HEADER.pack(0, 0, 1, 13, 1, 0) + b"".join(
        HEADER.pack(6, 16, 5, 13, i, i) + (b"G:count" if i % 2 else b"nobody's").ljust(16, b"\0") for i in range(40)
    )
    with closing(Watched(server, in_peace)) as watched, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        before = server.megabytes
        sock.sendto(search, ("127.0.0.1", server.port))
        assert len(sock.recv(65536)) <= len(search)
        for _ in range(10):
            for i in range(300):
                payload = search if i % 3 else os.urandom(64)
                sock.sendto(payload, ("127.0.0.1", server.port))
            watched.measure(0.1)
        unknown = b"".join(HEADER.pack(6, 16, 5, 13, i, i) + f"no:{i:08d}".encode().ljust(16, b"\0") for i in range(40))
        for _ in range(500):
            sock.sendto(unknown, ("127.0.0.1", server.port))
        watched.measure(0.3)
        assert server.megabytes - before < 10.0  # nothing is kept of what nobody serves
    assert watched.is_unharmed
    assert server.lines() == []


def test_clients_that_vanish_in_the_middle_of_anything_leave_nothing(serve: Callable[..., Guarded]) -> None:
    server = serve()
    process = psutil.Process(server.process.pid)
    with closing(RawClient(server.port)) as client:
        client.connect("G:set")
        descriptors = process.num_fds()
        for number in range(200):
            sock = stalled_reader(server) if number % 2 else server.connect()
            if not number % 2:
                sock.sendall(
                    HEADER.pack(VERSION, 0, 0, 13, 0, 0) + HEADER.pack(CREATE, 8, 0, 0, 0, 13) + b"G:set\0\0\0"
                )
                sock.sendall(HEADER.pack(19, 8, 6, 1, 1, 9) + struct.pack(">d", 1.0) + HEADER.pack(19, 8, 6, 1, 1, 10))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
            sock.close()
        assert wait_for(lambda: process.num_fds() <= descriptors)
        client.put("G:set", 2.0, 1)
        client.wait(19)


@at_any_pace
def test_a_message_has_to_end_and_a_busy_client_that_is_always_in_the_middle_of_one_may_go_on(
    serve: Callable[..., Guarded], pace: float
) -> None:
    server = serve(stalled_s=1.0 * pace)
    hello = HEADER.pack(VERSION, 0, 0, 13, 0, 0)
    echo = HEADER.pack(ECHO, 0, 0, 0, 0, 0)
    with closing(server.connect()) as half, closing(server.connect()) as busy:
        half.sendall(hello + HEADER.pack(19, 1000, 6, 1, 1, 1))
        busy.sendall(hello + echo[:5])
        end = time.monotonic() + 3.5 * pace
        while time.monotonic() < end:
            busy.sendall(echo[5:] + echo[:5])
            assert busy.recv(4096)
            time.sleep(0.05)
        assert ended(half)


def hoard(server: Guarded, channels: int) -> socket.socket:
    """A client with so many channels and subscriptions, which reads all its answers."""
    sock = server.connect()
    wanted = struct.pack(">fffHH", 0.0, 0.0, 0.0, 1, 0)
    sock.sendall(HEADER.pack(VERSION, 0, 0, 13, 0, 0))
    with suppress(OSError):
        for first in range(0, channels, 500):
            last = min(first + 500, channels)
            create = b"".join(HEADER.pack(CREATE, 8, 0, 0, cid, 13) + b"G:count\0" for cid in range(first, last))
            add = b"".join(HEADER.pack(EVENT_ADD, 16, 20, 1, sid + 1, sid) + wanted for sid in range(first, last))
            sock.sendall(create + add)
            sock.settimeout(0.02)
            with suppress(TimeoutError):
                while sock.recv(2**16):
                    pass
            sock.settimeout(PATIENCE_S)
    return sock


def test_many_channels_of_many_clients_are_within_one_budget(serve: Callable[..., Guarded]) -> None:
    server = serve(max_clients_bytes=2**25)
    with closing(RawClient(server.port)) as client, ExitStack() as stack:
        client.connect("G:count", "G:set")
        client.subscribe("G:count", 1)
        before = server.megabytes
        for _ in range(12):
            stack.enter_context(closing(hoard(server, 10_000)))
        assert wait_for(lambda: any("the most of all" in line for line in server.lines()))
        named = [line for line in server.lines() if "holds about" in line]
        assert named
        assert all("guard.max_clients_bytes is 32 MiB" in line for line in named)
        assert server.megabytes - before < 120.0
        client.put("G:set", 1.0, 1)  # and who takes little stays
        client.wait(19)


def test_stalled_readers_that_are_too_many_together_are_thinned_out_and_others_stay(
    serve: Callable[..., Guarded],
) -> None:
    server = serve(max_clients_bytes=2**24, max_waiting_bytes=2**20)
    with closing(RawClient(server.port)) as client, ExitStack() as stack:
        client.connect("G:count")
        client.subscribe("G:count", 1)
        before, files = server.megabytes, server.descriptors
        stalled = [stack.enter_context(closing(stalled_reader(server))) for _ in range(100)]
        end, peak = time.monotonic() + PATIENCE_S, 0.0
        while time.monotonic() < end and not any("the most of all" in line for line in server.lines()):
            peak = max(peak, server.megabytes)
            time.sleep(0.05)
        while time.monotonic() < end and server.megabytes - before >= 30.0:
            peak = max(peak, server.megabytes)
            time.sleep(0.05)
        assert peak - before < 130.0  # all of them fill up within a second, sooner than it can be seen
        assert server.megabytes - before < 30.0
        assert 0 < server.descriptors - files < len(stalled)
        client.send(ECHO)
        client.wait(ECHO)
    assert any("the most of all" in line for line in server.lines())
