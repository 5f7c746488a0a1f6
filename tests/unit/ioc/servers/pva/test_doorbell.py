"""The server's connection to itself, against a server of the test: the handshake, the calls, and every way to fail."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock

import pytest
from patience import PATIENCE_S

from gnomon.ioc.servers.pva import doorbell
from gnomon.ioc.servers.pva.doorbell import Doorbell
from gnomon.ioc.wire.pva_framing import CONTROL, FROM_SERVER, HEADER_BYTES, Command, header, message
from unit.ioc.servers.pva.fake_operation import FakeOperation

SID = 77


class Pvxs:
    """Shakes hands as a PV Access server does; answers calls when `answering`. `heard` are the messages that came."""

    def __init__(self, sid: bytes = struct.pack("<I", SID)) -> None:
        self.sid = sid
        self.heard: list[tuple[int, bytes]] = []
        self.connections = 0
        self.answering = True
        self.validating = True
        self.come = threading.Semaphore(0)
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self.connections += 1
                self._open.append(client)
                if self.validating:
                    order = struct.pack("<BBBBI", 0xCA, 2, FROM_SERVER | CONTROL, 2, 0)
                    body = struct.pack("<IH", 0x4000, 0x7FFF) + b"\x01\x09anonymous"
                    client.sendall(order + self._reply(Command.VALIDATION, body))
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    @staticmethod
    def _reply(command: Command, body: bytes) -> bytes:
        """In the byte order that is not the client's."""
        return struct.pack("<BBBBI", 0xCA, 2, FROM_SERVER, command, len(body)) + body

    def _talk(self, client: socket.socket) -> None:
        data = b""
        with suppress(OSError), client:
            while received := client.recv(4096):
                data += received
                while len(data) >= HEADER_BYTES and len(data) >= HEADER_BYTES + header(data).size:
                    end = HEADER_BYTES + header(data).size
                    command, body, data = header(data).command, data[HEADER_BYTES:end], data[end:]
                    self.heard.append((command, body))
                    client.sendall(self._answer(command, body))
                    self.come.release()

    def _answer(self, command: int, body: bytes) -> bytes:
        match command:
            case Command.VALIDATION:
                return self._reply(Command.VALIDATED, b"\xff")
            case Command.CREATE_CHANNEL:
                return self._reply(Command.CREATE_CHANNEL, struct.pack("<I", 1) + self.sid + b"\xff")
            case Command.RPC if body[8] == 8 or self.answering:
                return self._reply(Command.RPC, struct.pack("<IB", 1, body[8]) + b"\xff")
            case _:
                return b""

    def answer_calls(self) -> None:
        """Answer a call that was left waiting."""
        self._open[-1].sendall(self._reply(Command.RPC, struct.pack("<IB", 1, 0) + b"\xff"))

    def hang_up(self) -> None:
        for client in self._open:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.hang_up()
        self._thread.join(PATIENCE_S)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "_HANDSHAKE_S", 2.0)  # a busy computer is not a failure here


@pytest.fixture
def pvxs() -> Iterator[Pvxs]:
    made = Pvxs()
    yield made
    made.close()


@pytest.fixture
def bell(pvxs: Pvxs) -> Iterator[Doorbell]:
    made = Doorbell(Lock())
    made.set_address("127.0.0.1", pvxs.port)
    yield made
    made.close()


def ready_again(bell: Doorbell, wanted: bool = True) -> bool:
    """Tell whether the bell becomes ready, when answers need a moment on their way."""
    end = time.monotonic() + PATIENCE_S
    while bell.ready() is not wanted:
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def test_the_handshake_opens_its_own_channel_and_begins_a_call(pvxs: Pvxs, bell: Doorbell) -> None:
    assert bell.ready()
    commands = [command for command, _ in pvxs.heard]
    assert commands == [Command.VALIDATION, Command.CREATE_CHANNEL, Command.RPC]
    assert bell.name.encode() in pvxs.heard[1][1]
    assert pvxs.heard[2][1] == struct.pack(">IIB", SID, 1, 8) + bytes([0x80, 0, 0])
    assert bell.ready()
    assert pvxs.connections == 1


def test_waking_calls_the_channel_and_is_ready_again_when_it_was_answered(pvxs: Pvxs, bell: Doorbell) -> None:
    pvxs.answering = False
    assert bell.ready()
    for _ in range(3):
        pvxs.come.acquire(timeout=PATIENCE_S)
    bell.wake()
    assert pvxs.come.acquire(timeout=PATIENCE_S)
    assert pvxs.heard[-1] == (Command.RPC, struct.pack(">IIB", SID, 1, 0) + bytes([0x80, 0, 0]))
    assert not bell.ready()  # the last call still waits: another would do nothing
    pvxs.answer_calls()
    assert ready_again(bell)


def test_waking_waits_until_the_call_has_arrived_and_no_longer(
    pvxs: Pvxs, bell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "_PATIENCE_S", 60.0)
    assert bell.ready()
    threading.Timer(0.02, bell.rpc, (None, operation := FakeOperation())).start()
    bell.wake()  # would last a minute
    end = time.monotonic() + PATIENCE_S
    while not operation.ended and time.monotonic() < end:
        time.sleep(0.001)
    assert operation.ended == "done"


def test_a_call_is_answered_when_the_lock_is_free() -> None:
    lock = Lock()
    bell, operation = Doorbell(lock), FakeOperation()
    with lock:
        thread = threading.Thread(target=bell.rpc, args=(None, operation))
        thread.start()
        thread.join(0.02)
        assert operation.ended == ""
    thread.join(PATIENCE_S)
    assert operation.ended == "done"


def test_a_put_to_the_bell_is_refused() -> None:
    bell, operation = Doorbell(Lock()), FakeOperation()
    bell.put(None, operation)
    assert operation.ended == f"{bell.name} cannot be written."


def test_without_a_server_it_is_not_ready_and_tries_again_later(
    pvxs: Pvxs, bell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        bell.set_address("127.0.0.1", unused.getsockname()[1])
        assert not bell.ready()
    bell.wake()  # does nothing
    bell.set_address("127.0.0.1", pvxs.port)
    assert not bell.ready()  # not at each publication
    assert pvxs.connections == 0
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 11.0)
    assert bell.ready()


def test_a_server_that_does_not_shake_hands_is_given_up(
    pvxs: Pvxs, bell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "_HANDSHAKE_S", 0.02)
    pvxs.validating = False
    assert not bell.ready()


def test_an_answer_that_makes_no_sense_is_given_up(pvxs: Pvxs, bell: Doorbell) -> None:
    pvxs.sid = b""  # the answer is too short for a number
    assert not bell.ready()


def test_after_the_server_hung_up_it_connects_again(pvxs: Pvxs, bell: Doorbell) -> None:
    assert bell.ready()
    pvxs.hang_up()
    end = time.monotonic() + PATIENCE_S
    while pvxs.connections < 2 and time.monotonic() < end:
        bell.ready()
        time.sleep(0.001)
    assert pvxs.connections == 2
    assert bell.ready()


def test_a_connection_that_is_not_used_for_a_while_is_closed(
    pvxs: Pvxs, bell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bell.ready()
    bell.close_if_idle()
    assert bell.ready()
    assert pvxs.connections == 1
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 16.0)
    bell.close_if_idle()
    assert bell.ready()
    assert pvxs.connections == 2


def test_messages_in_pieces_and_of_both_byte_orders_are_understood() -> None:
    bell = Doorbell(Lock())
    stream = message(Command.ECHO, b"abc") + Pvxs._reply(Command.RPC, b"defg")
    found = []
    for byte in stream:
        bell._unread += bytes([byte])
        found += [one] if (one := bell._next()) is not None else []
    assert found == [(Command.ECHO, ">", b"abc"), (Command.RPC, "<", b"defg")]
