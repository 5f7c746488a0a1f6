"""Troubles that users of p4p and pvxs have reported: none of them is ours to have."""

import gc
import socket
import struct
import threading
import time

import psutil
import pytest
from p4p import listRefs
from patience import PATIENCE_S, wait_for

from gnomon.ioc.servers.pva.search_messages import search_datagrams
from gnomon.ioc.wire.pva_framing import Command, message, string
from system.pva.stage import Served
from system.pva.test_guard import HELLO, MB, Start, start, subscribed

pytestmark = pytest.mark.slow  # servers and commands started one by one

__all__ = ["start"]

DEEP = "record[queueSize=1000]field()"


def _publish(served: Served, first: int, updates: int) -> None:
    for number in range(first, first + updates):
        served.publish("T:current", float(number), time_ns=number, generation=number)
        if number % 100 == 0:
            time.sleep(0.001)


def test_updates_leave_no_memory_behind(served: Served) -> None:
    """A leak for each monitor update (p4p 98) or each value read (p4p 147)."""
    last = [0.0]
    with served.context(nt=False) as context:

        def note(value: object) -> None:
            last[0] = value.value  # type: ignore[attr-defined]

        with context.monitor("T:current", note, request=DEEP):
            _publish(served, 1, 5_000)
            assert wait_for(lambda: last[0] == 5_000.0)
            before = psutil.Process().memory_info().rss
            _publish(served, 5_001, 15_000)
            assert wait_for(lambda: last[0] == 20_000.0)
            grown = psutil.Process().memory_info().rss - before
    assert grown < 3 * MB  # 200 bytes an update


def test_clients_that_come_and_go_leave_no_objects_behind(served: Served) -> None:
    """A leak of channels (pvxs 1.5.0), connections or operations."""

    def visit() -> None:
        with served.context(nt=False) as context:
            context.get(["T:current", "T:orbit", "T:mode"])
            context.put("T:current", 1.0)

    def objects() -> dict[str, int]:
        gc.collect()
        return {name: count for name, count in listRefs().items() if name.startswith(("Server", "Chan", "SharedPV"))}

    visit()
    assert wait_for(lambda: served.server.connected == 0)
    before = objects()
    assert before
    for _ in range(20):
        visit()
    assert wait_for(lambda: objects() == before), (before, objects())


def test_a_saturated_client_still_gets_new_values(start: Start) -> None:
    """Monitors over a link that is too slow for them fall to no updates at all (p4p 76, pvxs 136)."""
    server = start()
    socks = [subscribed(server, "G:wave", receive_bytes=2**18) for _ in range(6)]
    seen = [0] * len(socks)
    wave_bytes = 8 * 100_000
    end = time.monotonic() + PATIENCE_S

    def read_slowly(index: int) -> None:
        while seen[index] <= 3 * wave_bytes and time.monotonic() < end:
            seen[index] += len(socks[index].recv(2**17))
            time.sleep(0.02)

    threads = [threading.Thread(target=read_slowly, args=(index,)) for index in range(len(socks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(seen) > 3 * wave_bytes
    with server.context() as context:
        context.put("G:set", 1.0)


def test_very_long_names_are_answered_like_any_unknown_one(start: Start) -> None:
    """An assertion on names above 1400 bytes (pvxs 1.3)."""
    server = start()
    name = "T:" + "x" * 5000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for datagram in search_datagrams([name], 1, 9, unicast=True):
            asking.sendto(datagram, ("127.0.0.1", server.broadcast_port))
    with server.connect(hello=False) as sock:
        sock.sendall(HELLO + message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 1) + string(name)))
        data = b""
        while b"Refused" not in data:
            data += sock.recv(4096)
    server.check_serving()


def test_thousands_of_connections_one_after_another_leave_nothing(start: Start) -> None:
    """Descriptors or memory lost with each connection (pvxs 1.3.2)."""
    server = start()
    with server.context() as context:
        context.get("G:x1")

    def visits(count: int) -> None:
        for _ in range(count):
            with server.connect() as sock:
                sock.sendall(message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 1) + string("G:x1")))

    idle = server.descriptors
    visits(500)
    assert wait_for(lambda: server.descriptors <= idle)
    files, memory = server.descriptors, server.memory
    visits(1000)
    assert wait_for(lambda: server.descriptors <= files + 2)
    assert server.memory - memory < 20 * MB
