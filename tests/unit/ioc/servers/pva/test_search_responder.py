"""Searches over UDP: who is answered, who is not, and how much of the loop's time they get."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from patience import PATIENCE_S

from gnomon.ioc.servers.pva import search_responder
from gnomon.ioc.servers.pva.listening import LOCAL_GROUP, Listening
from gnomon.ioc.servers.pva.search_messages import answers, handed_on, question_of, search_datagrams
from gnomon.ioc.servers.pva.search_responder import Searches

GUID = bytes(range(12))
TCP_PORT = 4711


class Socket:
    """A UDP socket of the test's: `sent` is what left it; what is sent to the group reaches nobody."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ours.setblocking(False)
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.arriving: list[tuple[bytes, Any]] = []
        self.fails: type[Exception] | None = None
        self.group = True

    def fileno(self) -> int:
        return self.ours.fileno()

    def getsockname(self) -> tuple[str, int]:
        return "0.0.0.0", 5076

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        if self.fails is not None:
            raise self.fails
        if address[0] == LOCAL_GROUP and not self.group:
            raise OSError
        self.sent.append((data, address))
        return len(data)

    def recvmsg(self, size: int, ancillary: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[str, int]]:
        self.ours.recv(1)
        data, (ours, destination, sender) = self.arriving.pop(0)
        packet = struct.pack("=i4s4s", 1, socket.inet_aton(ours), socket.inet_aton(destination))
        return data, [(socket.IPPROTO_IP, 8, packet)], 0, sender


class Asked:
    """Searches with their socket: `hear` brings a datagram from a sender to one of our addresses."""

    def __init__(
        self, interfaces: tuple[str, ...] = ("10.0.0.1",), beacons: tuple[str, ...] = (), ignored: tuple = ()
    ) -> None:
        self.socket = Socket()
        where = Listening(
            tuple((host, 5075) for host in interfaces), 5076, tuple((host, 5076) for host in beacons), ignored
        )
        self.clients: list[tuple[str, str]] = []
        self.searches = Searches(self.socket, where, GUID, TCP_PORT, self._delay_s)  # type: ignore[arg-type]

    def _delay_s(self, name: str, host: str) -> float | None:
        self.clients.append((name, host))
        return (0.05 if name == "T:late" else 0.0) if name.startswith("T:") else None

    async def hear(
        self,
        data: bytes,
        sender: tuple[str, int] = ("10.0.0.9", 999),
        ours: str = "10.0.0.1",
        destination: str = "10.0.0.255",
    ) -> list[tuple[bytes, tuple[str, int]]]:
        self.socket.sent.clear()
        self.socket.arriving.append((data, (ours, destination, sender)))
        self.socket.theirs.send(b"!")
        for _ in range(3):
            await asyncio.sleep(0.0)
        return list(self.socket.sent)


def search(*names: str, port: int = 4040, unicast: bool = False) -> bytes:
    (datagram,) = search_datagrams(list(names), 77, port, unicast)
    return datagram


@pytest.fixture
async def asked(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asked]:
    monkeypatch.setattr(search_responder, "_SHARE", 100.0)  # no rest, whatever the computer does besides
    made = Asked()
    yield made
    made.searches.close()


async def test_known_names_are_answered_to_the_port_that_the_client_gave(asked: Asked) -> None:
    ((reply, address),) = await asked.hear(search("T:a", "other", "T:b"))
    (found,) = answers(reply)
    assert (found.sequence, found.ids, found.port) == (77, (0, 2), TCP_PORT)
    assert address == ("10.0.0.9", 4040)
    assert asked.clients == [("T:a", "10.0.0.9"), ("other", "10.0.0.9"), ("T:b", "10.0.0.9")]


async def test_unknown_names_are_not_answered(asked: Asked) -> None:
    assert await asked.hear(search("other")) == []
    assert await asked.hear(search("x").replace(b"\x01x", b"\x01\xff")) == []


async def test_a_client_that_wants_an_answer_in_any_case_gets_one(asked: Asked) -> None:
    datagram = bytearray(search("other"))
    datagram[12] |= 0x01
    ((reply, _),) = await asked.hear(bytes(datagram))
    assert list(answers(reply)) == []  # found: no
    assert reply[3] == 4


@pytest.mark.parametrize("data", [b"", b"GET / HTTP", search("T:a")[:-1], bytes(100)])
async def test_other_messages_than_searches_are_passed_over(asked: Asked, data: bytes) -> None:
    assert await asked.hear(data) == []
    assert len(await asked.hear(search("T:a"))) == 1


async def test_only_the_interfaces_that_are_served_answer(asked: Asked) -> None:
    assert await asked.hear(search("T:a"), ours="10.0.1.1") == []
    everywhere = Asked(("0.0.0.0",))
    assert len(await everywhere.hear(search("T:a"), ours="10.0.1.1")) == 1
    everywhere.searches.close()


async def test_ignored_clients_are_not_answered() -> None:
    asked = Asked(ignored=(("10.0.0.9", 0), ("10.0.0.8", 4040)))
    assert await asked.hear(search("T:a")) == []
    assert await asked.hear(search("T:a"), ("10.0.0.8", 1)) == []
    assert len(await asked.hear(search("T:a", port=4041), ("10.0.0.8", 1))) == 1
    assert len(await asked.hear(search("T:a"), ("10.0.0.7", 1))) == 1
    asked.searches.close()


async def test_a_search_to_us_alone_from_this_computer_is_handed_on_to_all_its_servers(asked: Asked) -> None:
    datagram = search("T:a", unicast=True)
    ((handed, address),) = await asked.hear(datagram, ("10.0.0.1", 999), destination="10.0.0.1")
    assert address == (LOCAL_GROUP, 5076)
    ((reply, client),) = await asked.hear(handed, ("10.0.0.1", 5076), "127.0.0.1", LOCAL_GROUP)
    assert [found.ids for found in answers(reply)] == [(0,)]
    assert client == ("10.0.0.1", 4040)
    asked.socket.group = False  # without the group we answer alone
    assert len(await asked.hear(datagram, ("10.0.0.1", 999), destination="10.0.0.1")) == 1


async def test_only_servers_of_this_computer_hand_questions_on(asked: Asked) -> None:
    asking = question_of(search("T:a", unicast=True))
    assert asking is not None
    handed = handed_on(asking[1], asking[2], "10.0.0.1", "10.0.0.66")
    assert await asked.hear(handed, ("10.0.0.9", 5076), destination=LOCAL_GROUP) == []
    assert await asked.hear(handed, ("10.0.0.1", 5076), destination="10.0.0.1") == []
    ((_, client),) = await asked.hear(handed, ("127.0.0.1", 5076), "127.0.0.1", LOCAL_GROUP)
    assert client == ("10.0.0.66", 4040)


async def test_a_client_that_cannot_be_reached_does_no_harm(asked: Asked) -> None:
    for error in (OSError, OverflowError):
        asked.socket.fails = error
        assert await asked.hear(search("T:a")) == []
    asked.socket.fails = None
    assert len(await asked.hear(search("T:a"))) == 1


async def test_searches_that_take_too_much_time_are_left_in_the_socket_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_responder, "_PERIOD_S", 0.05)
    monkeypatch.setattr(search_responder, "_SHARE", 0.0)
    asked = Asked()
    assert len(await asked.hear(search("T:a"))) == 1
    assert await asked.hear(search("T:a")) == []
    async with asyncio.timeout(PATIENCE_S):
        while not asked.socket.sent:
            await asyncio.sleep(0.005)
    asked.searches.close()


async def test_beacons_say_that_the_server_is_here_first_often_and_then_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_responder, "_BEACON_S", 0.001)
    monkeypatch.setattr(search_responder, "_QUICK_BEACONS", 3)
    asked = Asked(beacons=("10.0.0.255", "10.0.1.255"))
    async with asyncio.timeout(PATIENCE_S):
        while len(asked.socket.sent) < 6:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert [address[0] for _, address in asked.socket.sent] == ["10.0.0.255", "10.0.1.255"] * 3
    counts = [data[8 + 13] for data, _ in asked.socket.sent]
    assert counts == [0, 0, 1, 1, 2, 2]
    asked.searches.close()


async def test_without_a_network_beacons_are_left_out_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_responder, "_BEACON_S", 0.01)
    monkeypatch.setattr(Socket, "sendto", lambda *_: (_ for _ in ()).throw(OSError("no network")))
    asked = Asked(beacons=("10.0.0.255",))
    assert asked.socket.sent == []
    monkeypatch.undo()
    async with asyncio.timeout(PATIENCE_S):
        while not asked.socket.sent:
            await asyncio.sleep(0.001)
    asked.searches.close()


async def test_after_the_end_nothing_is_heard(asked: Asked) -> None:
    other = Asked(beacons=("10.0.0.255",))
    descriptor = other.socket.fileno()
    other.searches.close()
    assert not asyncio.get_running_loop().remove_reader(descriptor)


async def test_a_late_name_is_answered_late_and_the_others_at_once(asked: Asked) -> None:
    ((reply, _),) = await asked.hear(search("T:a", "T:late"))
    assert [found.ids for found in answers(reply)] == [(0,)]
    await asyncio.sleep(0.1)
    assert [found.ids for reply, _ in asked.socket.sent[1:] for found in answers(reply)] == [(1,)]


async def test_called_clients_hear_the_beacon_of_another_server() -> None:
    asked = Asked(beacons=("10.0.0.255",))
    asked.socket.sent.clear()
    asked.searches.call_clients(b"another one.")
    ((beacon, address),) = asked.socket.sent
    assert (beacon[8:20], address) == (b"another one.", ("10.0.0.255", 5076))
    asked.searches.close()
