"""Bytes between two sockets: what is ours stands between messages, never in one."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress

import pytest

from gnomon.ioc.base.protocols import PutFuture
from gnomon.ioc.servers.pva.guard.message_inspection import Inspector, Limits
from gnomon.ioc.servers.pva.guard.relay import Relay
from gnomon.ioc.servers.pva.pending_puts import PendingPuts
from gnomon.ioc.wire.pva_framing import FIRST, FROM_SERVER, HEADER_BYTES, LAST, Command, header, message, string

ANSWER = message(Command.SEARCH_RESPONSE, bytes(1000), FROM_SERVER)
SEARCH = message(Command.SEARCH, b"")
HELLO = message(Command.VALIDATION, struct.pack(">IHH", 0x10000, 0x7FFF, 0) + string("anonymous") + b"\xff")
UPDATE = message(Command.MONITOR, bytes(72), FROM_SERVER)


class Joined:
    """A relay between two sockets: `client` and `pvxs` are what others hold."""

    def __init__(self) -> None:
        ours, self.client = socket.socketpair()
        theirs, self.pvxs = socket.socketpair()
        for sock in (ours, self.client, theirs, self.pvxs):
            sock.setblocking(False)
        self.ends: list[str | None] = []
        self.inspector = Inspector(Limits(2**20, 10), lambda name: True, lambda body, order: self.relay.say(ANSWER))
        self.pending_puts = PendingPuts(asyncio.get_running_loop())
        self.relay = Relay(
            ours, theirs, self.inspector, lambda ended, reason: self.ends.append(reason), self.pending_puts
        )


@asynccontextmanager
async def joined() -> AsyncIterator[Joined]:
    made = Joined()
    with closing(made.client), closing(made.pvxs):
        yield made
        made.relay.close()


async def _send(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def _read(sock: socket.socket) -> bytes:
    """Read until nothing more comes."""
    data = bytearray()

    async def listen() -> None:
        while got := await asyncio.get_running_loop().sock_recv(sock, 2**16):
            data.extend(got)

    listening = asyncio.create_task(listen())
    await _until_still(lambda: len(data))
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    return bytes(data)


async def _until_still(count: Callable[[], int]) -> None:
    """Wait until a number has stayed the same for many turns of the event loop, in which all parties are."""
    last, turns = count(), 0
    while turns < 25:
        await asyncio.sleep(0.001)
        last, turns = count(), (turns + 1 if count() == last else 0)


def _split(data: bytes) -> list[bytes]:
    """Messages one by one."""
    found, at = [], 0
    while at < len(data):
        end = at + HEADER_BYTES + (0 if data[at + 2] & 1 else header(data, at).size)
        found.append(data[at:end])
        at = end
    return found


async def _answer_echoes(pvxs: socket.socket, got: list[bytes]) -> None:
    """Answer echoes as pvxs does; all whole messages that come are kept in `got`."""
    data = b""
    while received := await asyncio.get_running_loop().sock_recv(pvxs, 2**16):
        data += received
        while len(data) >= HEADER_BYTES and len(data) >= HEADER_BYTES + header(data).size:
            one, data = data[: HEADER_BYTES + header(data).size], data[HEADER_BYTES + header(data).size :]
            got.append(one)
            if header(one).command == Command.ECHO:
                await _send(pvxs, message(Command.ECHO, one[HEADER_BYTES:], FROM_SERVER))


async def test_an_answer_goes_at_once_and_asks_pvxs_nothing() -> None:
    async with joined() as made:
        await _send(made.client, SEARCH * 3)
        assert await _read(made.client) == ANSWER * 3
        assert await _read(made.pvxs) == b""


@pytest.mark.parametrize("cut", [1, 7, 8, 40, 79, 80, 81, 88, 120])
async def test_an_answer_stands_between_the_server_s_messages_wherever_they_are_cut(cut: int) -> None:
    stream = UPDATE * 2
    async with joined() as made:
        await _send(made.pvxs, stream[:cut])
        first = await _read(made.client)
        await _send(made.client, SEARCH)
        early = await _read(made.client)
        await _send(made.pvxs, stream[cut:])
        late = await _read(made.client)
    assert (early == ANSWER) == (cut % len(UPDATE) < HEADER_BYTES)
    assert sorted(_split(first + early + late)) == sorted([UPDATE, ANSWER, UPDATE])


@pytest.mark.parametrize("seed", range(10))
async def test_answers_never_stand_inside_a_message_in_either_direction(seed: int) -> None:
    """Searches, puts, segments and controls in pieces of any size, against a server that writes in any pieces."""
    dice = random.Random(seed)
    put = message(Command.PUT, bytes(9) + b"\x01\x02" + struct.pack(">d", 1.5))
    segments = message(Command.PUT, put[8:20], FIRST) + message(Command.PUT, put[20:], LAST)
    control = struct.pack(">BBBBI", 0xCA, 2, 0x41, 2, 123)
    asked = HELLO + b"".join(dice.choice((put, segments, SEARCH + put, put + SEARCH)) for _ in range(200))
    halves = ((bytes(10), FIRST), (b"", LAST))
    in_two = b"".join(message(Command.MONITOR, body, FROM_SERVER | part) for body, part in halves)
    told = [dice.choice((UPDATE, control, in_two, message(Command.GET, dice.randbytes(300), FROM_SERVER)))
            for _ in range(300)]  # fmt: skip
    async with joined() as made:
        loop = asyncio.get_running_loop()
        got: list[bytes] = []
        pvxs = loop.create_task(_answer_echoes(made.pvxs, got))
        answered = b""

        async def listen() -> None:
            nonlocal answered
            while True:
                answered += await loop.sock_recv(made.client, dice.choice((100, 2**16)))

        listening = loop.create_task(listen())
        rest, said = asked, list(told)
        while rest or said:
            size = dice.choice((1, 7, 8, 9, 30, 500))
            await _send(made.client, rest[:size])
            rest = rest[size:]
            if said:  # whole messages, so that echoes can go between them, as pvxs' own do
                one = said.pop(0)
                await _send(made.pvxs, one)
            await asyncio.sleep(0)
        await _until_still(lambda: len(answered) + len(got))
        for task in (pvxs, listening):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert [one for one in got if header(one).command == Command.PUT] == [put] * 200
    assert {header(one).command for one in got} <= {Command.PUT, Command.VALIDATION, Command.ECHO}
    searches = asked.count(SEARCH)
    messages = _split(answered)
    assert messages.count(ANSWER) == searches
    assert b"".join(one for one in messages if one != ANSWER) == b"".join(told)
    for place, one in enumerate(messages):
        if one[2] & 0x10 and not one[2] & 1:
            assert messages[place + 1][2] & 0x30 == LAST  # nothing between segments either


async def test_answers_are_left_out_for_a_client_that_does_not_read_them() -> None:
    async with joined() as made:
        task = asyncio.create_task(_answer_echoes(made.pvxs, []))
        sending = asyncio.create_task(_send(made.client, SEARCH * 5000))
        await _until_still(lambda: made.relay.waiting_bytes)
        waiting = made.relay.waiting_bytes
        got = await _read(made.client)
        await sending
        await _send(made.client, SEARCH)
        after = await _read(made.client)
        task.cancel()
    assert waiting <= 2**20
    assert 500 * len(ANSWER) < len(got) <= 5000 * len(ANSWER)
    assert (len(got) % len(ANSWER), after) == (0, ANSWER)


async def test_a_client_that_asks_without_reading_is_not_heard_until_it_reads() -> None:
    async with joined() as made:
        got: list[bytes] = []
        loop = asyncio.get_running_loop()

        async def answer_with_much() -> None:
            data = b""
            while received := await loop.sock_recv(made.pvxs, 2**16):
                data += received
                while len(data) >= HEADER_BYTES and len(data) >= HEADER_BYTES + header(data).size:
                    one, data = data[: HEADER_BYTES + header(data).size], data[HEADER_BYTES + header(data).size :]
                    got.append(one)
                    if header(one).command == Command.GET_FIELD:
                        await _send(made.pvxs, message(Command.GET_FIELD, bytes(2**16), FROM_SERVER))
                    elif header(one).command == Command.ECHO:
                        await _send(made.pvxs, message(Command.ECHO, one[HEADER_BYTES:], FROM_SERVER))

        task = loop.create_task(answer_with_much())
        ask = message(Command.GET_FIELD, bytes(2**14))
        sending = loop.create_task(_send(made.client, HELLO + ask * 100))
        await _until_still(lambda: len(got))
        heard = len(got)
        answers = await _read(made.client)
        await sending
        task.cancel()
    assert heard < 50
    assert _split(answers) == [message(Command.GET_FIELD, bytes(2**16), FROM_SERVER)] * 100


async def test_a_server_that_says_what_no_server_says_ends_the_connection() -> None:
    async with joined() as made:
        await _send(made.pvxs, b"something else")
        await asyncio.sleep(0.05)
        assert made.ends
        assert "something else than messages" in str(made.ends[0])


PUT = message(Command.PUT, struct.pack(">IIB", 1, 1, 0) + b"\x01\x02" + bytes(8))
GET = message(Command.GET, struct.pack(">IIB", 1, 2, 0))


async def test_a_get_behind_a_put_waits_for_an_echo_and_for_the_put_to_be_shown() -> None:
    async with joined() as made:
        await _send(made.client, HELLO + PUT + PUT + GET + PUT)
        hello, *puts, echo = _split(await _read(made.pvxs))
        assert (hello, puts) == (HELLO, [PUT, PUT])
        assert header(echo).command == Command.ECHO
        future = PutFuture()
        made.pending_puts.add(future)
        await _send(made.pvxs, message(Command.ECHO, echo[HEADER_BYTES:], FROM_SERVER))
        assert await _read(made.pvxs) == b""
        future.show()
        assert await _read(made.pvxs) == GET + PUT


async def test_a_get_behind_a_put_that_no_handler_took_waits_for_the_echo_alone() -> None:
    async with joined() as made:
        await _send(made.client, HELLO + PUT + GET)
        *_, echo = _split(await _read(made.pvxs))
        await _send(made.pvxs, message(Command.ECHO, echo[HEADER_BYTES:], FROM_SERVER))
        assert await _read(made.pvxs) == GET
        await _send(made.client, GET)
        assert await _read(made.pvxs) == GET


CREATED = message(Command.CREATE_CHANNEL, struct.pack(">II", 1, 11) + b"\xff", FROM_SERVER)


async def _with_channel(join: Joined) -> None:
    create = message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 1) + string("T:a"))
    await _send(join.client, HELLO + create)
    assert await _read(join.pvxs) == HELLO + create
    await _send(join.pvxs, CREATED)
    assert await _read(join.client) == CREATED


async def test_a_lost_channel_is_ended_by_the_server_itself_between_whole_messages() -> None:
    async with joined() as join:
        await _with_channel(join)
        echo = message(Command.ECHO, b"12345")
        await _send(join.client, echo[:9])
        join.relay.withdraw(lambda name: name == "T:a", close=False)
        await _send(join.client, echo[9:])
        ended = message(Command.DESTROY_CHANNEL, struct.pack(">II", 11, 1))
        assert await _read(join.pvxs) == ended + echo
        join.relay.withdraw(lambda name: name == "T:b", close=True)
        assert join.ends == []


async def test_a_connection_with_nothing_but_lost_channels_is_closed() -> None:
    async with joined() as join:
        join.relay.withdraw(lambda name: True, close=True)
        assert join.ends == []  # it has no channel, and may want one that is there
        await _with_channel(join)
        join.relay.withdraw(lambda name: True, close=True)
        assert join.ends == [None]
