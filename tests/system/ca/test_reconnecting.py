"""A client that clears its last channel and connects the next at once is answered after its old circuit is closed."""

import os
import select
import socket
import subprocess
import sys

from conftest import EpicsPorts

from system.ca.stage import CLEAR, HEADER, RawClient, Served

SEARCH = 6


def test_the_answer_to_a_search_follows_the_end_of_the_circuit(served: Served) -> None:
    name = b"T:current\0".ljust(16, b"\0")
    question = HEADER.pack(0, 0, 1, 13, 0, 0) + HEADER.pack(SEARCH, len(name), 5, 13, 1, 1) + name
    with socket.socket(type=socket.SOCK_DGRAM) as searching:
        searching.connect(("127.0.0.1", served.port))
        for _ in range(50):
            client = RawClient(served.server.port)
            client.connect("T:current")
            client.send(CLEAR, first=client.sids["T:current"], second=0)
            searching.send(question)
            client._socket.shutdown(socket.SHUT_WR)
            readable, _, _ = select.select([searching], [], [], 5.0)
            assert readable
            searching.recv(100)
            client._socket.settimeout(0.0)
            while client._socket.recv(1000):  # raises when the circuit is still open
                pass
            client.close()


CYCLES = """
import time
from epics import ca
ca.initialize_libca()
worst = 0.0
for number in range(300):
    began = time.perf_counter()
    channel = ca.create_channel(f'T:x{number}', connect=False)
    assert ca.connect_channel(channel, timeout=10)
    worst = max(worst, time.perf_counter() - began)
    ca.clear_channel(channel)
    ca.flush_io()
print(worst)
"""


def test_libca_connects_at_once_each_time(served: Served, epics_ports: EpicsPorts) -> None:
    environment = os.environ | epics_ports.environment
    done = subprocess.run(
        [sys.executable, "-c", CYCLES], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert float(done.stdout) < 1.0
