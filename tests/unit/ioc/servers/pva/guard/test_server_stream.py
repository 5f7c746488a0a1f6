"""The server's messages followed byte by byte: answers stand between them, and our own echo is taken out."""

import struct

import pytest

from gnomon.ioc.servers.pva.guard.server_stream import ServerStream, ServerStreamError
from gnomon.ioc.wire.pva_framing import CONTROL, FIRST, FROM_SERVER, LAST, MIDDLE, Command, message

UPDATE = message(Command.MONITOR, bytes(72), FROM_SERVER)
ANSWER = message(Command.SEARCH_RESPONSE, b"ours", FROM_SERVER)


class Watched:
    """A connection, and the channels that it has told of."""

    def __init__(self) -> None:
        self.created: list[tuple[int, int | None]] = []
        self.destroyed: list[int] = []
        self.stream = ServerStream(lambda cid, sid: self.created.append((cid, sid)), self.destroyed.append)

    def feed(self, data: bytes, answers: bytes = b"") -> tuple[bytes, bytes]:
        """Return what goes to the client, and what is left of the answers."""
        pieces, left = self.stream.feed(memoryview(data), answers)
        assert all(len(piece) for piece in pieces)
        return b"".join(bytes(piece) for piece in pieces), left


def created(cid: int, sid: int, status: int = 0xFF, order: str = ">") -> bytes:
    body = struct.pack(order + "IIB", cid, sid, status)
    if order == ">":
        return message(Command.CREATE_CHANNEL, body, FROM_SERVER)
    return struct.pack("<BBBBI", 0xCA, 2, FROM_SERVER, Command.CREATE_CHANNEL, len(body)) + body


def every_cut(stream: bytes) -> list[tuple[bytes, bytes]]:
    return [(stream[:at], stream[at:]) for at in range(1, len(stream))]


def test_bytes_go_through_unchanged_wherever_they_are_cut() -> None:
    stream = UPDATE + created(1, 2) + message(Command.ECHO, b"theirs", FROM_SERVER) + UPDATE
    for first, second in every_cut(stream):
        watched = Watched()
        assert watched.feed(first)[0] + watched.feed(second)[0] == stream
        assert watched.stream.between_messages
        assert watched.created == [(1, 2)]


def test_an_answer_stands_at_the_next_end_of_a_message_wherever_the_bytes_are_cut() -> None:
    size = len(UPDATE)
    for first, second in every_cut(UPDATE * 3):
        watched = Watched()
        before, _ = watched.feed(first)
        after, left = watched.feed(second, ANSWER)
        assert left == b""
        at = -(-len(before) // size) * size  # what had gone, to the end of its last message
        assert before + after == UPDATE * (at // size) + ANSWER + UPDATE * (3 - at // size)


def test_an_answer_waits_for_the_end_of_a_long_message() -> None:
    watched = Watched()
    watched.feed(UPDATE[:20])
    assert not watched.stream.between_messages
    assert watched.feed(UPDATE[20:50], ANSWER) == (UPDATE[20:50], ANSWER)
    assert watched.feed(UPDATE[50:], ANSWER) == (UPDATE[50:] + ANSWER, b"")
    assert watched.stream.between_messages


def test_an_answer_does_not_stand_between_the_segments_of_a_message() -> None:
    parts = [message(Command.MONITOR, bytes(8), FROM_SERVER | flag) for flag in (FIRST, MIDDLE, LAST)]
    watched = Watched()
    assert watched.feed(parts[0], b"") == (parts[0], b"")
    assert not watched.stream.between_messages
    assert watched.feed(parts[1], ANSWER) == (parts[1], ANSWER)
    assert watched.feed(parts[2], ANSWER) == (parts[2] + ANSWER, b"")


def test_a_control_message_has_no_body_whatever_its_size_says() -> None:
    control = struct.pack(">BBBBI", 0xCA, 2, FROM_SERVER | CONTROL | 0x80, 2, 12345)
    watched = Watched()
    assert watched.feed(control + UPDATE) == (control + UPDATE, b"")
    assert watched.stream.between_messages


@pytest.mark.parametrize("order", [">", "<"])
def test_created_channels_are_reported_with_both_numbers_in_either_byte_order(order: str) -> None:
    watched = Watched()
    watched.feed(created(7, 9, order=order) + created(8, 10, status=0x02, order=order))
    assert watched.created == [(7, 9), (8, None)]
    watched.feed(message(Command.DESTROY_CHANNEL, struct.pack(">II", 9, 7), FROM_SERVER))
    assert watched.destroyed == [9]


@pytest.mark.parametrize(("status", "made"), [(0xFF, True), (0x00, True), (0x01, True), (0x02, False), (0x03, False)])
def test_a_channel_is_made_unless_the_status_is_an_error(status: int, made: bool) -> None:
    watched = Watched()
    watched.feed(created(7, 9, status))
    assert watched.created == [(7, 9 if made else None)]


def test_a_message_too_short_to_tell_of_a_channel_is_passed_on() -> None:
    short = message(Command.CREATE_CHANNEL, b"\0" * 7, FROM_SERVER)
    watched = Watched()
    assert watched.feed(short)[0] == short
    assert watched.created == []


def test_our_echo_is_taken_out_once_and_the_client_s_own_are_not() -> None:
    ours, theirs = (message(Command.ECHO, body, FROM_SERVER) for body in (b"ours", b"theirs"))
    for first, second in every_cut(UPDATE + theirs + ours + UPDATE):
        watched = Watched()
        watched.stream.echo = b"ours"
        assert watched.feed(first)[0] + watched.feed(second)[0] == UPDATE + theirs + UPDATE
        assert watched.stream.echoed
        assert watched.feed(ours)[0] == ours  # none was asked for any more


def test_a_long_echo_is_not_ours_and_is_not_kept() -> None:
    watched = Watched()
    watched.stream.echo = b"ours"
    long = message(Command.ECHO, bytes(5000), FROM_SERVER)
    assert watched.feed(long[:4000])[0] == long[:4000]
    assert watched.feed(long[4000:])[0] == long[4000:]
    assert not watched.stream.echoed


def test_bytes_that_are_not_a_message_end_the_stream() -> None:
    with pytest.raises(ServerStreamError):
        Watched().feed(UPDATE + b"GET / HTTP/1.0\r\n")
