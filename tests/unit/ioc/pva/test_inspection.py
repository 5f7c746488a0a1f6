"""Only whole, known and bounded messages pass, in whatever pieces they come."""

import random
import struct

import pytest

from gnomon.ioc.pva.inspection import Breach, Inspector, Limits, user_of
from gnomon.ioc.pva.wire import BIG_ENDIAN, FIRST, LAST, MIDDLE, Command, message, string

HELLO = message(Command.VALIDATION, struct.pack(">IHH", 0x10000, 0x7FFF, 0) + string("anonymous") + b"\xff")
ECHO = message(Command.ECHO, b"are you there")


class Watched:
    """An inspector, what it called, and small limits."""

    def __init__(self, message_bytes: int = 1000, subscriptions: int = 3, hidden: str = "") -> None:
        self.searches: list[tuple[bytes, str]] = []
        self.inspector = Inspector(
            Limits(message_bytes, subscriptions),
            lambda name: name != hidden,
            lambda body, order: self.searches.append((body, order)),
        )

    def passed(self, *sent: bytes) -> bytes:
        return b"".join(piece for data in sent for piece in self.inspector.feed(data))


def _create(*names: str) -> bytes:
    channels = b"".join(struct.pack(">I", cid) + string(name) for cid, name in enumerate(names))
    return message(Command.CREATE_CHANNEL, struct.pack(">H", len(names)) + channels)


def _operation(command: Command, sid: int, identity: int, step: int) -> bytes:
    return message(command, struct.pack(">IIB", sid, identity, step) + b"\x80\x00\x00")


def _validation(user: str, registered: bytes = b"\xfd\x00\x01") -> bytes:
    kind = registered + b"\x80" + string("") + b"\x02" + string("user") + b"\x60" + string("host") + b"\x60"
    return struct.pack(">IHH", 0, 0, 0) + string("ca") + kind + string(user) + string("console")


@pytest.mark.parametrize("seed", range(20))
def test_good_messages_pass_unchanged_in_any_pieces(seed: int) -> None:
    sent = HELLO + ECHO + _create("T:a") + _operation(Command.MONITOR, 1, 1, 0x08) + message(Command.PUT, bytes(600))
    sent += message(Command.PUT, bytes(9)) + message(Command.PUT, bytes(9) + b"\xfe" + struct.pack(">I", 1) + bytes(9))
    sent += (
        struct.pack(">BBBBI", 0xCA, 2, 0x01, 3, 0xFFFF) + struct.pack("<BBBBI", 0xCA, 2, 0, Command.ECHO, 3) + b"abc"
    )
    dice = random.Random(seed)
    watched, passed = Watched(), b""
    rest = sent
    while rest:
        size = dice.choice((1, 2, 7, 8, 9, 30, 500))
        passed += watched.passed(rest[:size])
        rest = rest[size:]
    assert passed == sent
    assert watched.inspector.validated
    assert watched.inspector.between_messages


def test_a_search_is_taken_out_and_handed_over() -> None:
    watched = Watched()
    search = message(Command.SEARCH, b"question")
    sent = HELLO + ECHO + search + ECHO
    assert watched.passed(sent[:60], sent[60:]) == HELLO + ECHO + ECHO
    assert watched.searches == [(b"question", ">")]


def test_a_name_that_may_not_be_read_becomes_one_that_no_pv_has() -> None:
    watched = Watched(hidden="T:secret")
    passed = watched.passed(HELLO, _create("T:a", "T:secret"))
    assert b"T:secret" not in passed
    assert len(passed) == len(HELLO + _create("T:a", "T:secret"))
    assert b"T:a" in passed


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GET / HT", "not a header"),
        (b"G", "not PV Access"),
        (struct.pack(">BBBBI", 0xCA, 0, 0x80, Command.ECHO, 0), "not a header"),
        (struct.pack(">BBBBI", 0xCA, 2, 0xC0, Command.ECHO, 0), "only a server"),
        (struct.pack(">BBBBI", 0xCA, 2, 0x81, 9, 0), "unknown control"),
        (ECHO + _create("T:a"), "before it said who it is"),
        (HELLO + message(Command.BEACON, b""), "no client sends"),
        (HELLO + struct.pack(">BBBBI", 0xCA, 2, 0x80, 99, 0), "no client sends"),
        (HELLO + struct.pack(">BBBBI", 0xCA, 2, 0x80, Command.PUT, 1001), "1001 bytes; the limit is 1000"),
        (HELLO + message(Command.PUT, bytes(8)), "PUT that is too short"),
        (HELLO + message(Command.PUT, bytes(9) + b"\xfe" + struct.pack(">I", 9 * 10**8)), "mask of 900000000 bytes"),
        (HELLO + message(Command.PUT_GET, bytes(9) + b"\xfe\0\0"), "too short"),
        (HELLO + message(Command.PUT, bytes(9) + b"\xfe\0", FIRST), "too short"),
        (HELLO + message(Command.DESTROY_CHANNEL, bytes(7)), "too short"),
        (HELLO + message(Command.PUT, bytes(9), LAST), "do not belong together"),
        (HELLO + message(Command.PUT, bytes(9), FIRST) + ECHO, "do not belong together"),
        (HELLO + message(Command.PUT, bytes(600), FIRST) + message(Command.PUT, bytes(600), MIDDLE), "1200 bytes"),
        (HELLO + message(Command.SEARCH, b"", FIRST), "SEARCH in pieces"),
        (HELLO + message(Command.CREATE_CHANNEL, b"\x00"), "number of channels is missing"),
        (HELLO + message(Command.CREATE_CHANNEL, struct.pack(">HI", 2, 0) + string("T:a")), "is missing"),
        (HELLO + _create("a", "b", "c", "d"), "more than 3 channels"),
        (HELLO + b"".join(_operation(Command.MONITOR, 1, i, 0x08) for i in range(4)), "more than 3 subscriptions"),
    ],
)  # fmt: skip
def test_what_breaks_the_protocol_or_a_limit_is_a_breach(sent: bytes, reason: str) -> None:
    with pytest.raises(Breach, match=reason):
        Watched().passed(sent)


@pytest.mark.parametrize("command", [Command.SEARCH, Command.CREATE_CHANNEL])
def test_names_are_looked_up_as_many_at_a_time_as_a_datagram_has(command: Command) -> None:
    head = struct.pack(">BBBBI", 0xCA, 2, 0x80, command, 2**16 + 1)
    with pytest.raises(Breach, match="65537 bytes; the limit is 65536"):
        Watched(message_bytes=2**20).passed(HELLO, head)


def test_a_message_in_pieces_passes_when_they_fit_together() -> None:
    pieces = [message(Command.PUT, bytes(300), flags) for flags in (FIRST, MIDDLE, LAST)]
    assert Watched().passed(HELLO, *pieces, ECHO) == HELLO + b"".join(pieces) + ECHO


def test_what_ends_does_not_count_any_more() -> None:
    watched = Watched()
    watched.passed(HELLO)
    for number in range(20):
        sent = (
            _create("T:a"),
            _operation(Command.MONITOR, number, 1, 0x08),
            _operation(Command.GET, number, 2, 0x08),
            _operation(Command.GET, number, 2, 0x10),
            message(Command.DESTROY_REQUEST, struct.pack(">II", number, 1)),
            _operation(Command.MONITOR, number, 3, 0x08),
            message(Command.DESTROY_CHANNEL, struct.pack(">II", number, 0)),
        )
        assert watched.passed(*sent) == b"".join(sent)


@pytest.mark.parametrize("registered", [b"", b"\xfd\x00\x01"])
@pytest.mark.parametrize(("said", "user"), [("operator", "operator"), ("realm/operator", "operator"), ("", "")])
def test_the_user_is_read_from_the_validation(said: str, user: str, registered: bytes) -> None:
    assert user_of(_validation(said, registered), ">") == user


def test_a_client_without_a_name_has_none() -> None:
    watched = Watched()
    watched.passed(HELLO)
    assert watched.inspector.user == ""


def test_a_broken_validation_is_a_breach() -> None:
    with pytest.raises(Breach, match="VALIDATION"):
        Watched().passed(message(Command.VALIDATION, _validation("operator")[:-10]))


def test_byte_order_is_each_messages_own() -> None:
    little = struct.pack("<BBBBI", 0xCA, 2, 0, Command.PUT, 2000)
    with pytest.raises(Breach, match="2000 bytes"):
        Watched().passed(HELLO, little)
    assert HELLO[2] & BIG_ENDIAN
