"""Bytes between two sockets, and our own messages between those of the server."""

import asyncio
import socket
from contextlib import closing

from gnomon.ioc.pva.inspection import Inspector, Limits
from gnomon.ioc.pva.relay import Relay
from gnomon.ioc.pva.wire import FROM_SERVER, HEADER_BYTES, Command, message

ANSWER = message(Command.SEARCH_RESPONSE, bytes(1000), FROM_SERVER)


async def _read(sock: socket.socket, silence_s: float = 0.3) -> bytes:
    """All that comes until nothing does."""
    data = b""
    while True:
        try:
            data += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 2**16), silence_s)
        except TimeoutError:
            return data


async def _answers(said: int) -> tuple[bytes, bytes]:
    """What the client gets when so many answers were said before the server's echo came; and one more after that."""
    client, outside = socket.socketpair()
    server, pvxs = socket.socketpair()
    loop = asyncio.get_running_loop()
    with closing(outside), closing(pvxs):
        for sock in (client, outside, server, pvxs):
            sock.setblocking(False)
        ends: list[str | None] = []
        inspector = Inspector(Limits(1000, 10), lambda name: True, lambda body, order: relay.say(ANSWER))
        relay = Relay(client, server, inspector, lambda ended, reason: ends.append(reason))
        search, got = message(Command.SEARCH, b""), []
        for number in (said, 1):
            await loop.sock_sendall(outside, search * number)
            echo = await _read(pvxs)
            assert len(echo) == HEADER_BYTES + 16  # one token, however many answers
            await loop.sock_sendall(pvxs, message(Command.ECHO, echo[HEADER_BYTES:], FROM_SERVER))
            got.append(await _read(outside))
        relay.close()
        assert ends == [None]
        return got[0], got[1]


def test_answers_stand_in_the_place_of_one_echo() -> None:
    assert asyncio.run(_answers(3)) == (ANSWER * 3, ANSWER)


def test_answers_to_a_client_that_reads_none_of_them_are_left_out() -> None:
    first, second = asyncio.run(_answers(5000))
    assert 500 * len(ANSWER) < len(first) <= 2**20
    assert (len(first) % len(ANSWER), second) == (0, ANSWER)
