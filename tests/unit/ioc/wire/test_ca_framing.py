"""Messages are split without trust in what they declare."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.ioc.servers.ca.client_transport import REQUESTS
from gnomon.ioc.wire.ca_framing import Command, InvalidMessageError, Stream, pack, text

MAX_BYTES = 2**16


def messages(stream: Stream) -> list[tuple[int, bytes]]:
    found = []
    while (message := stream.take()) is not None:
        found.append((message.command, message.payload))
    return found


def test_messages_come_out_as_they_went_in_however_they_are_cut() -> None:
    wanted = [
        (Command.ECHO, b""),
        (Command.WRITE, bytes(range(16))),
        (Command.WRITE, bytes(65536)),
        (Command.READ, b""),
    ]
    data = b"".join(pack(command, 6, 1, 2, 3, payload) for command, payload in wanted)
    cuts = random.Random(1)
    for _ in range(20):
        stream, found, start = Stream(REQUESTS, MAX_BYTES), [], 0
        while start < len(data):
            end = start + cuts.choice((1, 3, 16, 100, 70_000))
            stream.feed(data[start:end])
            found += messages(stream)
            start = end
        assert found == wanted
        assert len(stream) == 0


@pytest.mark.parametrize("count", [1, 0xFFFE, 0xFFFF, 100_000])
def test_long_payloads_and_counts_have_a_long_header(count: int) -> None:
    stream = Stream(REQUESTS, 2**20)
    stream.feed(pack(Command.WRITE, 6, count, 7, 8, bytes(8 * min(count, 20_000))))
    message = stream.take()
    assert message is not None
    assert (message.count, message.first, message.second) == (count, 7, 8)


@pytest.mark.parametrize(
    ("size", "count", "header"),
    [
        (5, 1, "0004 0008 0006 0001 00000007 00000009"),
        (8, 1, "0004 0008 0006 0001 00000007 00000009"),
        (0, 0xFFFE, "0004 0000 0006 fffe 00000007 00000009"),
        (0, 0xFFFF, "0004 ffff 0006 0000 00000007 00000009 00000000 0000ffff"),
        (0xFFF8, 1, "0004 fff8 0006 0001 00000007 00000009"),
        (0xFFF9, 1, "0004 ffff 0006 0000 00000007 00000009 00010000 00000001"),
    ],
)
def test_a_message_is_filled_up_and_has_the_header_of_the_specification(size: int, count: int, header: str) -> None:
    payload = b"\x01" * size
    filled = payload + bytes(-size % 8)
    assert pack(Command.WRITE, 6, count, 7, 9, payload) == bytes.fromhex(header) + filled


def test_a_text_ends_at_its_first_zero_and_keeps_bytes_that_are_not_utf_8_apart() -> None:
    assert text(b"op\0rest\0") == "op"
    assert text("µ".encode()) == "µ"
    assert text(b"\0\0") == ""
    assert text(b"a\xff") == "a\udcff"


def test_bytes_of_messages_that_were_taken_are_not_kept() -> None:
    stream = Stream(REQUESTS, MAX_BYTES)
    for _ in range(100):
        stream.feed(pack(Command.WRITE, 6, 1, 2, 3, bytes(800)) + b"\0")
        assert stream.take() is not None
        stream.feed(bytes(15))  # the rest of a message without effect
        assert stream.take() is not None
        assert len(stream) == 0
    stream.feed(b"")
    assert len(stream._data) == 0


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">HHHHIIII", 19, 0xFFFF, 6, 0, 1, 1, 0xFFFF_FFFF, 1),
        struct.pack(">HHHHIIII", 19, 0xFFFF, 6, 0, 1, 1, MAX_BYTES + 8, 1),
    ],
)
def test_a_header_that_declares_too_much_is_refused_before_its_payload(header: bytes) -> None:
    stream = Stream(REQUESTS, MAX_BYTES)
    stream.feed(header)
    with pytest.raises(InvalidMessageError, match=f"guard.max_message_bytes is {MAX_BYTES}"):
        stream.take()


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1", b"GE", b"\x16\x03", b"\x00\x1b" + bytes(14), b"\xff" * 16])
def test_another_protocol_is_known_by_two_bytes(data: bytes) -> None:
    stream = Stream(REQUESTS, MAX_BYTES)
    stream.feed(data)
    with pytest.raises(InvalidMessageError, match=r"sent what is not Channel Access|which no client has"):
        stream.take()


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_broken_and_nothing_else(data: bytes) -> None:
    stream = Stream(REQUESTS, MAX_BYTES)
    stream.feed(data)
    try:
        messages(stream)
    except InvalidMessageError:
        return
    assert len(stream) <= len(data)
