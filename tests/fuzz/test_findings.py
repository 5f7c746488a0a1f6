"""Everything that was found once, and kept conversations of real clients, sent as they are."""

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import EpicsPorts, free_port
from patience import PATIENCE_S

from fuzz.ca_messages import CREATE, VERSION, WRITE, message
from fuzz.cases import CORPUS
from gnomon.recorder.reader import Reader
from programs import access, setpoints
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one

TUNE = "TWIN:TUNEZRP:measX"


@pytest.fixture(scope="module")
def ports() -> EpicsPorts:
    return EpicsPorts(ca=free_port(), pva_tcp=free_port(), pva_udp=free_port())


@pytest.fixture(scope="module")
def twin(ports: EpicsPorts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("twin"), "--machine", "mls") as server:
        yield server


def send(ports: EpicsPorts, file: Path) -> bytes:
    """Send bytes and return what comes back within a moment."""
    content = file.read_bytes()
    if "-udp-" in file.name:
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            datagrams.sendto(content, ("127.0.0.1", ports.ca if file.name.startswith("ca") else ports.pva_udp))
        return b""
    answer = b""
    with socket.create_connection(("127.0.0.1", ports.ca if file.name.startswith("ca") else ports.pva_tcp)) as client:
        client.settimeout(0.3)
        client.sendall(content)
        try:
            while received := client.recv(65536):
                answer += received
        except (TimeoutError, ConnectionResetError):
            pass
    return answer


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*-found-*.bin")), ids=lambda file: file.stem)
def test_earlier_findings_do_no_more_harm(twin: TwinProcess, ports: EpicsPorts, file: Path) -> None:
    process = psutil.Process(twin.process.pid)
    before = process.memory_info().rss
    for _ in range(3):
        send(ports, file)
    assert process.memory_info().rss - before < 50e6
    assert twin.client(access.caget, TUNE) > 0.0
    assert twin.client(setpoints.values_over_pva, [TUNE])[0] > 0.0
    assert "Traceback" not in twin.log.read_text()


@pytest.mark.parametrize("file", sorted(CORPUS.glob("ca-tcp-pyepics-*.bin")), ids=lambda file: file.stem)
def test_a_kept_conversation_is_still_a_good_one(twin: TwinProcess, ports: EpicsPorts, file: Path) -> None:
    answer = send(ports, file)
    commands = set()
    while answer:
        commands.add(int.from_bytes(answer[:2], "big"))
        answer = answer[16 + int.from_bytes(answer[2:4], "big") :]
    assert 18 in commands  # the channel was made
    assert commands & {1, 15, 19}  # and its values came
    assert 11 not in commands  # without an error


def test_puts_of_a_client_that_leaves_at_once_are_all_done(twin: TwinProcess, ports: EpicsPorts) -> None:
    with socket.create_connection(("127.0.0.1", ports.ca)) as client:
        hello = message(VERSION, count=13) + message(CREATE, b"TWIN:HS1P2K1RP:setCur\0", first=1, second=13)
        puts = b"".join(message(WRITE, struct.pack(">d", i / 1000), 6, 1, 1, i) for i in range(200))
        client.sendall(hello)
        received = b""
        while len(received) < 48:
            received += client.recv(4096)
        client.sendall(puts)
    end = time.monotonic() + PATIENCE_S
    values: list[float | None] = []
    while len(values) < 200 and time.monotonic() < end:
        time.sleep(0.1)
        with Reader(twin.journal) as reader:
            values = [e.changes[0].new for e in reader.entries() if e.changes[0].pv == "TWIN:HS1P2K1RP:setCur"][-200:]
    assert values == [i / 1000 for i in range(200)]
