"""Many clients at once: idle, storming, vanishing, searching. The server answers a good one all the while."""

import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psutil
import pytest
from conftest import EpicsPorts, free_port
from patience import PATIENCE_S, wait_for

from fuzz.ca_messages import CREATE, EVENT_ADD, SEARCH, VERSION, WRITE_NOTIFY, message
from gnomon.recorder.reader import Reader
from system.ca.test_guard import Guarded
from system.twin_process import TwinProcess

READING = b"TWIN:TUNEZRP:measX\0"
SETPOINT = b"TWIN:HS1P2K1RP:setCur\0"
HELLO = message(VERSION, count=13)
MASK = struct.pack(">fffHH", 0.0, 0.0, 0.0, 1, 0)

#: What nine of ten reads of a good client may take, on top of what they take from a server in peace [s], and memory
#: that may come [bytes].
WAIT_S, GROWTH = 1.0, 50e6
LEAST_READS = 20


@pytest.fixture(scope="module")
def ports() -> EpicsPorts:
    return EpicsPorts(ca=free_port(), pva_tcp=free_port(), pva_udp=free_port())


@pytest.fixture(scope="module")
def twin(ports: EpicsPorts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("twin"), "--machine", "mls") as server:
        yield server
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def in_peace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server that nobody attacks."""
    server = Guarded(free_port(), tmp_path_factory.mktemp("in_peace") / "log")
    yield server
    server.stop()


class GoodClient:
    """Reads one PV over one connection again and again, and remembers how long each took."""

    def __init__(self, port: int, name: bytes) -> None:
        self.times: list[float] = []
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._socket.sendall(HELLO + message(CREATE, name, first=1, second=13))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        received = b""
        while len(received) < 48:  # version, rights, channel
            received += self._socket.recv(4096)

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            begin = time.perf_counter()
            self._socket.sendall(message(15, b"", 6, 1, 1, 1))
            assert self._socket.recv(4096)
            self.times.append(time.perf_counter() - begin)

    def __enter__(self) -> "GoodClient":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        self._socket.close()

    def p90(self) -> float:
        return sorted(self.times)[int(0.9 * (len(self.times) - 1))]


def during(twin: TwinProcess, ports: EpicsPorts, in_peace: Guarded, work: Callable[[], None]) -> None:
    """Do something to the server, and see that a good client hardly noticed and the memory is as before."""
    process = psutil.Process(twin.process.pid)
    with GoodClient(in_peace.port, b"G:count\0") as other, GoodClient(ports.ca, READING) as client:
        before = process.memory_info().rss
        work()
        grown = process.memory_info().rss - before
        assert wait_for(lambda: min(len(client.times), len(other.times)) > LEAST_READS)
    p90_s = client.p90()
    print(f"p90 of a good client {1e3 * p90_s:.1f} ms of {len(client.times)} reads, memory {grown / 1e6:+.1f} MB")
    assert p90_s < WAIT_S + 5.0 * other.p90()
    assert grown < GROWTH
    assert twin.process.poll() is None
    assert "Traceback" not in twin.log.read_text()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def test_a_thousand_idle_clients_cost_little_and_leave_nothing(
    twin: TwinProcess, ports: EpicsPorts, in_peace: Guarded
) -> None:
    process = psutil.Process(twin.process.pid)
    files = process.num_fds()

    def crowd() -> None:
        with ExitStack() as stack:
            for number in range(1000):
                client = stack.enter_context(connect(ports.ca if number % 2 else ports.pva_tcp))
                if number % 2:
                    client.sendall(HELLO + message(CREATE, READING, first=1, second=13))
                    client.sendall(message(EVENT_ADD, MASK, 20, 1, 1, 1))
            time.sleep(1.0)

    during(twin, ports, in_peace, crowd)
    assert wait_for(lambda: process.num_fds() <= files + 5)


def test_storms_of_connections_leave_no_files_open(twin: TwinProcess, ports: EpicsPorts, in_peace: Guarded) -> None:
    process = psutil.Process(twin.process.pid)
    files = process.num_fds()

    def storm() -> None:
        for number in range(2000):
            with connect(ports.ca if number % 2 else ports.pva_tcp) as client:
                if number % 4 == 1:
                    client.sendall(HELLO)
                if number % 8 == 0:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    during(twin, ports, in_peace, storm)
    assert wait_for(lambda: process.num_fds() <= files + 5)


def test_clients_that_vanish_amid_puts_leave_their_puts_in_the_journal(
    twin: TwinProcess, ports: EpicsPorts, in_peace: Guarded
) -> None:
    def vanish() -> None:
        for number in range(200):
            with connect(ports.ca) as client:
                client.sendall(HELLO + message(CREATE, SETPOINT, first=1, second=13))
                received = b""
                while len(received) < 48:
                    received += client.recv(4096)
                client.sendall(message(WRITE_NOTIFY, struct.pack(">d", number / 1000), 6, 1, 1, number))

    def recorded() -> list[float | None]:
        with Reader(twin.journal) as reader:
            return [e.changes[0].new for e in reader.entries() if e.changes[0].pv == "TWIN:HS1P2K1RP:setCur"]

    during(twin, ports, in_peace, vanish)
    assert wait_for(lambda: recorded() == [number / 1000 for number in range(200)])


def test_a_flood_of_the_same_searches_is_answered_without_harm(
    twin: TwinProcess, ports: EpicsPorts, in_peace: Guarded
) -> None:
    searches = HELLO + b"".join(message(SEARCH, READING, 10, 13, cid, cid) for cid in range(25))

    def flood() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(PATIENCE_S)
            for number in range(4000):
                datagrams.sendto(searches, ("127.0.0.1", ports.ca))
                if number % 50 == 0:
                    time.sleep(0.005)
            assert datagrams.recv(4096)

    during(twin, ports, in_peace, flood)
