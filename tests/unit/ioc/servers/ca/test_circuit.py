"""One client's conversation, message by message: channels, rights, reads, puts and their order."""

import asyncio
import logging
import struct
import threading
from typing import Any

import numpy as np
import pytest

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.config import AccessConfig, AccessRule, GuardConfig
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.ca import circuit, client_transport, dbr
from gnomon.ioc.servers.ca.circuit import Circuit
from gnomon.ioc.servers.ca.closing_circuits import ClosingCircuits
from gnomon.ioc.servers.ca.directory import Directory, Hosted
from gnomon.ioc.servers.connection_limits import Admission
from gnomon.ioc.wire.ca_framing import (
    BAD_COUNT,
    BAD_TYPE,
    GET_FAILED,
    HEADER,
    NO_READ,
    NO_WRITE,
    NORMAL,
    PUT_FAILED,
    TOO_MANY,
    Command,
    Message,
    Stream,
    pack,
)
from gnomon.lattice import Client
from system.fake_sink import FakeSink
from unit.ioc.servers.ca.fake_transport import FakeTransport

READ, WRITE = 1, 2
RULES = AccessRules(
    AccessConfig(
        user_groups={"guests": ("guest",)},
        rules=(
            AccessRule(pvs=("secret",), allow="none"),
            AccessRule(users=("guests",), allow="read"),
            AccessRule(allow="write"),
        ),
    )
)


def pv(name: str, kind: Kind = Kind.FLOAT, **more: Any) -> PvSpec:
    return PvSpec(name=name, kind=kind, source="", description="what it is", **more)


class Talk:
    """A circuit with a client's side in the test's hands: `ask` sends a message and gives what comes back."""

    def __init__(self, **limits: Any) -> None:
        guard = GuardConfig(**limits)
        self.bank = Bank(
            [
                pv("x", writable=True), pv("reading"), pv("secret"), pv("wave", Kind.FLOATS, length=3),
                pv("why", Kind.STRING), pv("mode", Kind.ENUM, states=("off", "on"), writable=True),
            ],
            0,
        )  # fmt: skip
        self.bank.publish((np.array([0, 1]), np.array([1.5, 2.5])), {}, time_ns=10**18, generation=1)
        self.sink = FakeSink(self.bank)
        self.hosted = Hosted(self.bank, self.sink)
        self.hosted.open()
        self.directory = Directory()
        self.directory.hosted.append(self.hosted)
        self.circuits: set[Circuit] = set()
        self.closing = ClosingCircuits()
        self.circuit = Circuit(self.directory, RULES, guard, Admission(guard), 5064, self.circuits, self.closing)
        self.transport = FakeTransport()
        self.circuit.connection_made(self.transport)
        self.said()
        self._cid = 100

    def said(self) -> list[Message]:
        """Return what has been sent since the last call."""
        stream = Stream(frozenset(Command), 2**20)
        stream.feed(b"".join(self.transport.written))
        self.transport.written.clear()
        return list(iter(stream.take, None))

    def ask(
        self, command: Command, data_type: int = 0, count: int = 0, first: int = 0, second: int = 0, data: bytes = b""
    ) -> list[Message]:
        self.circuit.data_received(pack(command, data_type, count, first, second, data))
        return self.said()

    def open(self, name: str) -> int:
        """A channel's number at the server."""
        self._cid += 1
        *_, made = self.ask(Command.CREATE_CHAN, first=self._cid, data=name.encode() + b"\0")
        assert made.command == Command.CREATE_CHAN
        return made.second

    def put(self, sid: int, value: float, command: Command = Command.WRITE_NOTIFY) -> list[Message]:
        return self.ask(command, dbr.DOUBLE, 1, sid, 77, struct.pack(">d", value))

    def get(self, sid: int, data_type: int = dbr.DOUBLE, count: int = 1) -> list[Message]:
        return self.ask(Command.READ_NOTIFY, data_type, count, sid, 88)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn of others comes between two messages, and no line of the log is held back."""
    monkeypatch.setattr(client_transport, "TURN_S", 10.0)
    monkeypatch.setattr(client_transport.log, "_next", 0.0)


@pytest.fixture
async def talk() -> Talk:
    return Talk()


def reason(message: Message) -> str:
    """The words in an error message."""
    return message.payload[16:].split(b"\0", 1)[0].decode()


async def test_the_server_begins_with_its_version() -> None:
    made = Talk()
    again = FakeTransport()
    made.circuit.connection_made(again)
    assert again.written == [pack(Command.VERSION, 0, 13, 0, 0)]
    assert made.circuits == {made.circuit}


@pytest.mark.parametrize(
    ("name", "rights", "data_type", "count"),
    [
        ("x", READ | WRITE, dbr.DOUBLE, 1),
        ("reading", READ, dbr.DOUBLE, 1),
        ("secret", 0, dbr.DOUBLE, 1),
        ("wave", READ, dbr.DOUBLE, 3),
        ("wave[0:1]", READ, dbr.DOUBLE, 2),
        ("x.DESC", READ, dbr.STRING, 1),
        ("reading.PROC", READ | WRITE, dbr.CHAR, 1),
    ],
)
def test_a_channel_has_type_count_and_rights(talk: Talk, name: str, rights: int, data_type: int, count: int) -> None:
    told, made = talk.ask(Command.CREATE_CHAN, first=5, data=name.encode() + b"\0")
    assert (told.command, told.first, told.second) == (Command.ACCESS_RIGHTS, 5, rights)
    assert (made.command, made.data_type, made.count, made.first) == (Command.CREATE_CHAN, data_type, count, 5)


def test_a_name_that_stands_for_nothing_has_no_channel(talk: Talk) -> None:
    (answer,) = talk.ask(Command.CREATE_CHAN, first=5, data=b"nobody\0")
    assert (answer.command, answer.first) == (Command.CREATE_CH_FAIL, 5)


async def test_more_channels_than_allowed_are_refused() -> None:
    talk = Talk(max_subscriptions=2)
    talk.open("x")
    talk.open("x")
    (answer,) = talk.ask(Command.CREATE_CHAN, first=5, data=b"x\0")
    assert (answer.command, answer.first) == (Command.CREATE_CH_FAIL, 5)


def test_rights_are_those_of_the_user_that_named_itself_first(talk: Talk) -> None:
    talk.ask(Command.CLIENT_NAME, data=b"guest\0")
    talk.ask(Command.HOST_NAME, data=b"console\0")
    assert talk.circuit.describe() == "10.0.0.7 (guest@console)"
    told, made = talk.ask(Command.CREATE_CHAN, first=5, data=b"x\0")
    assert told.second == READ
    talk.ask(Command.CLIENT_NAME, data=b"operator\0")  # too late: it has a channel
    talk.ask(Command.HOST_NAME, data=b"office\0")
    assert talk.circuit.describe() == "10.0.0.7 (guest@console)"
    (answer,) = talk.put(made.second, 1.0)
    assert (answer.command, answer.first, answer.second) == (Command.WRITE_NOTIFY, NO_WRITE, 77)
    assert talk.sink.puts == []


def test_a_client_that_names_itself_nonsense_is_shown_as_text(talk: Talk) -> None:
    talk.ask(Command.CLIENT_NAME, data=b"\xff" * 100 + b"\0")
    assert talk.circuit.describe() == f"10.0.0.7 ({'�' * 64})"


@pytest.mark.parametrize("command", [Command.ECHO, Command.READ_SYNC])
def test_an_echo_is_answered_as_it_came(talk: Talk, command: Command) -> None:
    (answer,) = talk.ask(command)
    assert answer == Message(command, 0, 0, 0, 0, b"")


def test_a_search_over_the_connection_is_answered_when_the_name_is_served(talk: Talk) -> None:
    (answer,) = talk.ask(Command.SEARCH, 5, 13, 42, 42, b"x\0")
    assert (answer.command, answer.data_type, answer.second) == (Command.SEARCH, 5064, 42)
    assert talk.ask(Command.SEARCH, 5, 13, 42, 42, b"nobody\0") == []


def test_a_read_has_the_value_in_the_type_that_was_asked_for(talk: Talk) -> None:
    sid = talk.open("x")
    (answer,) = talk.get(sid)
    assert (answer.command, answer.data_type, answer.count) == (Command.READ_NOTIFY, dbr.DOUBLE, 1)
    assert (answer.first, answer.second, answer.payload) == (NORMAL, 88, struct.pack(">d", 1.5))
    (answer,) = talk.get(sid, dbr.STRING)
    assert answer.payload.startswith(b"1.500000\0")


def test_the_old_way_of_reading_has_the_channel_where_the_status_is_now(talk: Talk) -> None:
    sid = talk.open("x")
    (answer,) = talk.ask(Command.READ, dbr.DOUBLE, 1, sid, 88)
    assert (answer.command, answer.first, answer.second) == (Command.READ, 101, 88)
    assert answer.payload == struct.pack(">d", 1.5)
    (error,) = talk.ask(Command.READ, 39, 1, sid, 88)
    assert (error.command, error.first, error.second) == (Command.ERROR, 101, BAD_TYPE)
    assert HEADER.unpack_from(error.payload) == (Command.READ, 0, 39, 1, sid, 88)
    assert reason(error) == "x: values cannot be read as type 39"


@pytest.mark.parametrize(
    ("name", "data_type", "count", "status"),
    [
        ("x", 39, 1, BAD_TYPE),
        ("x", dbr.PUT_ACKT, 1, BAD_TYPE),
        ("secret", dbr.DOUBLE, 1, NO_READ),
        ("wave", dbr.DOUBLE, 4, BAD_COUNT),
        ("why", dbr.DOUBLE, 1, GET_FAILED),
    ],
)
def test_a_read_that_is_not_possible_is_answered_with_its_status(
    talk: Talk, name: str, data_type: int, count: int, status: int
) -> None:
    talk.bank.publish((np.zeros(0, dtype=np.intp), np.zeros(0)), {4: "words"}, time_ns=0, generation=0)
    (answer,) = talk.get(talk.open(name), data_type, count)
    assert (answer.command, answer.first, answer.second) == (Command.READ_NOTIFY, status, 88)


def test_a_put_reaches_the_sink_with_who_made_it_and_is_answered(talk: Talk) -> None:
    talk.ask(Command.CLIENT_NAME, data=b"op\0")
    sid = talk.open("x")
    (answer,) = talk.put(sid, 0.25)
    assert answer == Message(Command.WRITE_NOTIFY, dbr.DOUBLE, 1, NORMAL, 77, b"")
    assert talk.sink.puts == [("x", 0.25, Client("op", "10.0.0.7", "ca", "10.0.0.7:4040"))]
    assert talk.put(sid, 0.5, Command.WRITE) == []  # nothing is said of one that is accepted


def test_a_put_that_is_refused_says_why(talk: Talk) -> None:
    sid = talk.open("x")
    (answer,) = talk.put(sid, float("nan"))
    assert (answer.command, answer.first) == (Command.WRITE_NOTIFY, PUT_FAILED)
    (error,) = talk.put(sid, float("nan"), Command.WRITE)
    assert (error.command, error.first, error.second) == (Command.ERROR, 101, PUT_FAILED)
    assert reason(error) == "x = nan A is not finite."


@pytest.mark.parametrize(
    ("data_type", "data", "words"),
    [
        (dbr.PUT_ACKT, bytes(8), "alarms are not acknowledged here"),
        (dbr.TIME_DOUBLE, bytes(24), "only plain values can be put"),
        (dbr.STRING, b"\xff\xfe\0".ljust(8, b"\0"), "not UTF-8"),
    ],
)
def test_a_put_without_a_valid_value_is_refused_and_does_not_reach_the_sink(
    talk: Talk, data_type: int, data: bytes, words: str
) -> None:
    (error,) = talk.ask(Command.WRITE, data_type, 1, talk.open("mode"), 77, data)
    assert (error.command, error.second) == (Command.ERROR, PUT_FAILED)
    assert words in reason(error)
    assert "nothing was changed" in reason(error)
    assert talk.sink.puts == []


def test_a_put_of_half_a_value_ends_the_connection(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    talk.ask(Command.WRITE, dbr.DOUBLE, 3, talk.open("x"), 77, bytes(8))
    assert talk.transport.closing
    assert "3 values were announced, but 8 bytes came" in caplog.records[-1].message
    assert talk.sink.puts == []


def test_a_put_to_proc_publishes_the_record_again(talk: Talk) -> None:
    sid = talk.open("reading.PROC")
    stamp = talk.bank.reading(1).time_ns
    (answer,) = talk.ask(Command.WRITE_NOTIFY, dbr.CHAR, 1, sid, 77, b"\1".ljust(8, b"\0"))
    assert answer.first == NORMAL
    assert talk.bank.reading(1).time_ns > stamp
    assert talk.sink.puts == []


class Slow:
    """Completes puts when it is told to."""

    def __init__(self, talk: Talk) -> None:
        self.futures: list[PutFuture] = []
        talk.sink.complete = lambda index, value, future: self.futures.append(future)


def test_a_put_is_answered_when_it_is_complete(talk: Talk) -> None:
    slow, sid = Slow(talk), talk.open("x")
    assert talk.put(sid, 1.0) == []
    slow.futures[0].set_result(PutReply(True))
    (answer,) = talk.said()
    assert (answer.command, answer.first, answer.second) == (Command.WRITE_NOTIFY, NORMAL, 77)


async def test_a_put_that_another_thread_completes_is_answered_in_the_loop(talk: Talk) -> None:
    slow, sid = Slow(talk), talk.open("x")
    talk.put(sid, 1.0)
    thread = threading.Thread(target=lambda: slow.futures[0].set_exception(RuntimeError("lost")))
    thread.start()
    thread.join()
    assert talk.said() == []  # the transport is the loop's alone
    await asyncio.sleep(0.0)
    (answer,) = talk.said()
    assert (answer.command, answer.first) == (Command.WRITE_NOTIFY, PUT_FAILED)


async def test_a_read_after_a_put_waits_until_the_put_is_shown(talk: Talk) -> None:
    slow, sid = Slow(talk), talk.open("x")
    talk.put(sid, 1.0)
    talk.put(sid, 2.0)
    assert talk.get(sid) == []
    talk.bank.publish((np.array([0]), np.array([2.0])), {}, time_ns=0, generation=0)
    slow.futures[0].show()
    await asyncio.sleep(0.0)
    assert talk.said() == []  # the second put is not shown yet
    slow.futures[1].show()
    await asyncio.sleep(0.0)
    (answer,) = talk.said()
    assert (answer.command, answer.payload) == (Command.READ_NOTIFY, struct.pack(">d", 2.0))
    for future in slow.futures:
        future.set_result(PutReply(True))
    assert [answer.command for answer in talk.said()] == [Command.WRITE_NOTIFY] * 2


async def test_a_client_with_many_puts_under_way_waits_until_half_have_ended(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "MAX_PUTS", 4)
    slow, sid = Slow(talk), talk.open("x")
    for value in range(6):
        talk.put(sid, float(value))
    assert len(slow.futures) == 4
    slow.futures[0].set_result(PutReply(True))
    await asyncio.sleep(0.0)
    assert len(slow.futures) == 4
    slow.futures[1].set_result(PutReply(True))
    await asyncio.sleep(0.0)
    assert [value for _, value, _ in talk.sink.puts] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_put_that_ends_after_its_client_has_gone_is_answered_to_nobody(talk: Talk) -> None:
    slow, sid = Slow(talk), talk.open("x")
    talk.put(sid, 1.0)
    talk.circuit.connection_lost(None)
    slow.futures[0].set_result(PutReply(True))
    assert talk.said() == []
    assert talk.circuits == set()


def mask(wanted: int) -> bytes:
    return struct.pack(">12xH2x", wanted)


def test_a_subscription_is_served_until_it_is_cancelled(talk: Talk) -> None:
    sid = talk.open("x")
    (first,) = talk.ask(Command.EVENT_ADD, dbr.TIME_DOUBLE, 1, sid, 9, mask(1))
    assert (first.command, first.first, first.second) == (Command.EVENT_ADD, NORMAL, 9)
    talk.bank.publish((np.array([0]), np.array([4.0])), {}, time_ns=0, generation=0)
    (update,) = talk.said()
    assert struct.unpack_from(">d", update.payload, 16) == (4.0,)
    (end,) = talk.ask(Command.EVENT_CANCEL, dbr.TIME_DOUBLE, 1, sid, 9)
    assert (end.command, end.first, end.second, end.payload) == (Command.EVENT_ADD, 101, 9, b"")
    talk.bank.publish((np.array([0]), np.array([5.0])), {}, time_ns=0, generation=0)
    assert talk.said() == []


@pytest.mark.parametrize(
    ("name", "count", "status"), [("secret", 1, NO_READ), ("x", 2, BAD_COUNT), ("wave", 4, BAD_COUNT)]
)
def test_a_subscription_that_cannot_be_had_ends_with_its_status(talk: Talk, name: str, count: int, status: int) -> None:
    (answer,) = talk.ask(Command.EVENT_ADD, dbr.TIME_DOUBLE, count, talk.open(name), 9, mask(1))
    assert (answer.command, answer.first, answer.second) == (Command.EVENT_ADD, status, 9)


async def test_subscriptions_are_counted_in_and_out() -> None:
    talk = Talk(max_subscriptions=2)
    sid = talk.open("x")
    for number in (1, 2):
        talk.ask(Command.EVENT_ADD, dbr.TIME_DOUBLE, 1, sid, number, mask(1))
    (answer,) = talk.ask(Command.EVENT_ADD, dbr.TIME_DOUBLE, 1, sid, 3, mask(1))
    assert answer.first == TOO_MANY
    talk.ask(Command.CLEAR_CHANNEL, first=sid, second=101)  # takes its subscriptions with it
    sid = talk.open("x")
    (answer,) = talk.ask(Command.EVENT_ADD, dbr.TIME_DOUBLE, 1, sid, 3, mask(1))
    assert answer.first == NORMAL
    talk.bank.publish((np.array([0]), np.array([4.0])), {}, time_ns=0, generation=0)
    assert [update.second for update in talk.said()] == [3]


@pytest.mark.parametrize(
    ("data_type", "data", "words"),
    [
        (39, mask(1), "type 39, which does not exist"),
        (dbr.DOUBLE, b"", "without a mask"),
    ],
)
def test_a_broken_subscription_ends_the_connection(
    talk: Talk, data_type: int, data: bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    talk.ask(Command.EVENT_ADD, data_type, 1, talk.open("x"), 9, data)
    assert talk.transport.closing
    assert words in caplog.records[-1].message


def test_the_same_subscription_twice_ends_the_connection(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    sid = talk.open("x")
    for _ in range(2):
        talk.ask(Command.EVENT_ADD, dbr.TIME_DOUBLE, 1, sid, 9, mask(1))
    assert talk.transport.closing
    assert "subscribed twice as number 9" in caplog.records[-1].message


def test_events_are_held_back_while_the_client_does_not_want_any(talk: Talk) -> None:
    sid = talk.open("x")
    talk.ask(Command.EVENT_ADD, dbr.TIME_DOUBLE, 1, sid, 9, mask(1))
    talk.ask(Command.EVENTS_OFF)
    for value in (4.0, 5.0):
        talk.bank.publish((np.array([0]), np.array([value])), {}, time_ns=0, generation=0)
    assert talk.said() == []
    (update,) = talk.ask(Command.EVENTS_ON)
    assert struct.unpack_from(">d", update.payload, 16) == (5.0,)


def test_a_channel_that_was_never_there_ends_the_connection(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    talk.open("x")
    talk.get(2)
    assert talk.transport.closing
    assert "spoke of channel 2, which it does not have" in caplog.records[-1].message


def test_messages_that_cross_the_end_of_their_channel_mean_nothing(talk: Talk) -> None:
    sid = talk.open("x")
    talk.ask(Command.EVENT_ADD, dbr.TIME_DOUBLE, 1, sid, 9, mask(1))
    talk.circuit.withdraw(talk.hosted)
    (gone,) = talk.said()
    assert (gone.command, gone.first) == (Command.SERVER_DISCONN, 101)
    assert talk.get(sid) == talk.put(sid, 1.0) == []
    (cleared,) = talk.ask(Command.CLEAR_CHANNEL, first=sid, second=101)
    assert (cleared.command, cleared.first, cleared.second) == (Command.CLEAR_CHANNEL, sid, 101)
    assert not talk.transport.closing
    talk.bank.publish((np.array([0]), np.array([4.0])), {}, time_ns=0, generation=0)
    assert talk.said() == []


def test_a_circuit_without_channels_holds_searches_back_until_it_has_one_again(talk: Talk) -> None:
    sid = talk.open("x")
    assert talk.closing.wait_s("10.0.0.7") == 0.0
    talk.ask(Command.CLEAR_CHANNEL, first=sid, second=101)
    assert talk.closing.wait_s("10.0.0.7") > 0.0
    talk.open("x")
    assert talk.closing.wait_s("10.0.0.7") == 0.0


def test_channels_and_subscriptions_of_a_client_are_counted_in_bytes(talk: Talk) -> None:
    before = talk.circuit.held_bytes
    sid = talk.open("x")
    one = talk.circuit.held_bytes
    assert one == before + circuit.CHANNEL_BYTES
    talk.ask(Command.EVENT_ADD, dbr.TIME_DOUBLE, 1, sid, 9, mask(1))
    talk.bank.publish((np.array([0]), np.array([4.0])), {}, time_ns=0, generation=0)
    plan = talk.hosted.publisher.plan_bytes(talk.circuit)
    assert plan > 0
    assert talk.circuit.held_bytes == one + circuit.SUBSCRIPTION_BYTES + plan


def test_a_reason_is_cut_to_what_a_client_can_show(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    talk.sink.complete = lambda index, value, future: future.set_result(PutReply(False, "ä" * 1000))
    (error,) = talk.put(talk.open("x"), 1.0, Command.WRITE)
    assert reason(error) == "ä" * (circuit.MAX_REASON // 2)
