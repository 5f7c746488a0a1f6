"""Only whole, known and bounded messages pass, in whatever pieces they come."""

import random
import struct

import pytest

from gnomon.ioc.servers.pva.guard.message_inspection import Breach, Inspector, Limits, user_of
from gnomon.ioc.wire.pva_framing import BIG_ENDIAN, FIRST, LAST, MIDDLE, Command, message, string

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
            len,
        )

    def passed(self, *sent: bytes) -> bytes:
        return b"".join(piece for data in sent for piece in self.inspector.feed(data))


def _create(*names: str) -> bytes:
    channels = b"".join(struct.pack(">I", cid) + string(name) for cid, name in enumerate(names))
    return message(Command.CREATE_CHANNEL, struct.pack(">H", len(names)) + channels)


def _operation(command: Command, sid: int, identity: int, step: int) -> bytes:
    return message(command, struct.pack(">IIB", sid, identity, step) + b"\x80\x00\x00")


def _monitor(queue: str | int) -> bytes:
    """A subscription that asks for its updates to be kept in a queue of this length."""
    kind, value = (b"\x60", string(queue)) if isinstance(queue, str) else (b"\x22", struct.pack(">i", queue))
    inner = b"\x80\x00\x01" + string("_options") + b"\x80\x00\x01" + string("queueSize") + kind
    request = b"\x80\x00\x02" + string("field") + b"\x80\x00\x00" + string("record") + inner + value
    return message(Command.MONITOR, struct.pack(">IIB", 1, 1, 0x08) + request)


#: The type and value of an argument that announces more texts than it brings.
ENDLESS = b"\x80\x00\x01" + string("a") + b"\x68" + b"\xfe" + struct.pack(">I", 30_000_000)


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
        (HELLO + message(Command.PUT, bytes(9) + b"\xfe\0", FIRST) + message(Command.PUT, b"", LAST), "too short"),
        (HELLO + message(Command.RPC, bytes(9), FIRST) + message(Command.RPC, ENDLESS, LAST), "are announced"),
        (HELLO + message(Command.RPC, b"", FIRST) + message(Command.RPC, bytes(9) + ENDLESS, LAST), "are announced"),
        (HELLO + _monitor("4294967295"), "a queue of 4.29497e[+]09 updates; the limit is 10000"),
        (HELLO + _monitor("-1"), "a queue of -1 updates"),
        (HELLO + _monitor("0x7fffffff"), "not a number"),
        (HELLO + _monitor(2**31 - 1), "a queue of 2.14748e[+]09 updates"),
        (HELLO + message(Command.CANCEL_REQUEST, bytes(7)), "too short"),
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
def test_a_message_that_breaks_the_protocol_or_a_limit_is_a_breach(sent: bytes, reason: str) -> None:
    with pytest.raises(Breach, match=reason):
        Watched().passed(sent)


@pytest.mark.parametrize("command", [Command.SEARCH, Command.CREATE_CHANNEL])
def test_names_are_looked_up_as_many_at_a_time_as_a_datagram_has(command: Command) -> None:
    head = struct.pack(">BBBBI", 0xCA, 2, 0x80, command, 2**16 + 1)
    with pytest.raises(Breach, match="65537 bytes; the limit is 65536"):
        Watched(message_bytes=2**20).passed(HELLO, head)


def test_a_message_in_segments_passes_as_one_when_it_is_whole() -> None:
    segments = [message(Command.PUT, bytes(300), flags) for flags in (FIRST, MIDDLE, LAST)]
    control = struct.pack(">BBBBI", 0xCA, 2, 0x01, 3, 0xFFFF)
    watched = Watched()
    assert watched.passed(HELLO, *segments[:2], control) == HELLO + control
    assert not watched.inspector.between_messages
    assert watched.passed(segments[2], ECHO) == message(Command.PUT, bytes(900)) + ECHO
    assert watched.inspector.between_messages


@pytest.mark.parametrize("cut", range(1, 28))
def test_a_message_passes_only_when_it_is_whole(cut: int) -> None:
    put = message(Command.PUT, bytes(9) + b"\x01\x02" + struct.pack(">d", 1.0))
    watched = Watched()
    watched.passed(HELLO)
    whole = cut == len(put)
    assert watched.passed(put[:cut]) == (put if whole else b"")
    assert watched.passed(put[cut:] + message(Command.SEARCH, b"question")) == (b"" if whole else put)
    assert len(watched.searches) == 1


def test_no_more_passes_than_may_be_asked_until_that_is_answered() -> None:
    watched = Watched()
    watched.passed(HELLO)
    watched.inspector.asked_bytes, watched.inspector.max_asked_bytes = 0, 4 * (len(ECHO) + 500)
    assert watched.passed(ECHO * 10) == ECHO * 4
    assert watched.inspector.full
    for expected in (ECHO * 4, ECHO * 3):
        assert watched.passed(ECHO if len(expected) < len(ECHO * 4) else b"") == b""
        watched.inspector.asked_bytes = 0
        assert watched.passed(b"") == expected
    assert watched.inspector.between_messages


def test_the_answers_to_reads_count_with_the_size_of_the_value() -> None:
    watched = Watched()
    watched.passed(HELLO, _create("T:wave" * 100))
    watched.inspector.created(0, 7)
    before = watched.inspector.asked_bytes
    watched.passed(_operation(Command.GET, 7, 1, 0x00))
    assert watched.inspector.asked_bytes - before > 1100


def test_channels_and_operations_that_ended_are_no_longer_counted() -> None:
    watched = Watched()
    inspector = watched.inspector
    watched.passed(HELLO)
    for number in range(20):
        watched.passed(_create("T:a"))
        inspector.created(0, number)
        sent = (
            _operation(Command.MONITOR, number, 1, 0x08),
            _operation(Command.GET, number, 2, 0x08),
            _operation(Command.GET, number, 2, 0x10),
            message(Command.DESTROY_REQUEST, struct.pack(">II", number, 1)),
            _operation(Command.MONITOR, number, 3, 0x08),
            message(Command.DESTROY_CHANNEL, struct.pack(">II", number, 0)),
        )
        assert watched.passed(*sent) == b"".join(sent)
        inspector.destroyed(number)
    assert (inspector.held_bytes, inspector.queue_bytes) == (0, 0)


def test_channels_that_the_server_has_not_made_do_not_count_and_ends_of_what_never_was_neither() -> None:
    watched = Watched()
    watched.passed(HELLO)
    for number in range(20):
        watched.passed(_create("T:a"))
        watched.inspector.created(0, None)
        watched.passed(message(Command.DESTROY_CHANNEL, struct.pack(">II", number, 0)))
        watched.inspector.destroyed(number)
    for sid in range(3):
        watched.passed(_create("T:a"))
        watched.inspector.created(0, sid)
    with pytest.raises(Breach, match="more than 3 channels"):
        watched.passed(_create("T:a"))


def test_the_same_number_may_be_used_again_before_it_is_answered() -> None:
    watched = Watched()
    watched.passed(HELLO, _create("T:a"), _create("T:a"))
    watched.inspector.created(0, 1)
    watched.inspector.created(0, 2)
    watched.passed(_create("T:a"))
    with pytest.raises(Breach, match="more than 3 channels"):
        watched.passed(_create("T:a"))


def test_queues_count_with_the_size_of_their_updates_until_they_end() -> None:
    watched = Watched()
    watched.passed(HELLO, _create("T:a"))
    watched.inspector.created(0, 1)
    watched.passed(_monitor("100"))
    assert watched.inspector.queue_bytes == 96 * (len("T:a") + 600)
    watched.passed(_monitor("10"))
    assert watched.inspector.queue_bytes == 6 * (len("T:a") + 600)
    watched.inspector.destroyed(1)
    assert watched.inspector.queue_bytes == 0


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


def test_channels_are_known_by_name_and_nothing_passes_to_one_that_is_withdrawn() -> None:
    watched = Watched()
    watched.passed(HELLO, _create("T:a", "T:b"))
    for cid, sid in ((0, 11), (1, 12)):
        watched.inspector.created(cid, sid)
    assert watched.inspector.channels_to(lambda name: name == "T:b") == [(12, 1)]
    watched.inspector.withdraw(12)
    lost = _operation(Command.GET, 12, 1, 0x08) + message(Command.DESTROY_CHANNEL, struct.pack(">II", 12, 1))
    lost += message(Command.GET_FIELD, struct.pack(">II", 12, 5) + b"\x00")
    kept = _operation(Command.GET, 11, 2, 0x08)
    assert watched.passed(lost + kept + lost) == kept
    watched.inspector.destroyed(12)
    assert watched.inspector.channels_to(lambda name: True) == [(11, 0)]
    assert watched.inspector.channels == 1


def test_a_late_channel_is_held_back_and_made_when_its_time_has_come() -> None:
    waiting: list[tuple[float, bytes]] = []
    inspector = Inspector(
        Limits(1000, 3),
        lambda name: name != "hidden",
        lambda body, order: None,
        delay_s=lambda name: 1.5 if name.startswith("T:late") else 0.0,
        wait=lambda delay_s, wish: waiting.append((delay_s, wish)),
    )
    inspector.feed(HELLO)
    assert b"".join(inspector.feed(_create("T:late"))) == b""
    assert b"".join(inspector.feed(_create("T:late2", "T:a"))).endswith(struct.pack(">HI", 1, 1) + string("T:a"))
    assert [delay_s for delay_s, _ in waiting] == [1.5, 1.5]
    made = inspector.late_channel(waiting[0][1])
    assert made == message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 0) + string("T:late"))
    inspector.created(0, 7)
    assert inspector.channels_to(lambda name: name == "T:late") == [(7, 0)]
    inspector.feed(_create("T:b"))
    assert inspector.late_channel(waiting[1][1]) == b""  # three channels are its limit
