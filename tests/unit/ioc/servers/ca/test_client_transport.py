"""One client's transport: messages in order, answers in batches, and an end for those that do not move."""

import asyncio
import logging
import time
from typing import Any

import pytest

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.servers.ca import client_transport
from gnomon.ioc.servers.ca.client_transport import BATCH, CONNECTION_BYTES, Connection
from gnomon.ioc.servers.connection_limits import Admission
from gnomon.ioc.wire.ca_framing import Command, InvalidMessageError, Message, pack
from unit.ioc.servers.ca.fake_transport import FakeTransport

GUARD = GuardConfig(max_connections=2, max_connections_per_address=1, handshake_s=60.0, stalled_s=10.0)


def echo(number: int, payload: bytes = b"") -> bytes:
    return pack(Command.ECHO, 0, 0, number, 0, payload)


class Echoing(Connection):
    """Answers each message with its number, and does what a test says besides."""

    def __init__(self, admission: Admission, guard: GuardConfig) -> None:
        super().__init__(guard, admission)
        self.taken: list[int] = []
        self.caught = 0
        self.holding = False
        self.waits_for: int | None = None
        self.fails: dict[int, Exception] = {}

    @property
    def held(self) -> bool:
        return super().held or self.holding

    def has_to_wait(self, message: Message) -> bool:
        if message.first == self.waits_for:
            self.holding = True
        return self.holding

    def take(self, message: Message) -> None:
        self.taken.append(message.first)
        if message.first in self.fails:
            raise self.fails[message.first]
        self.send(Command.ECHO, 0, 0, message.first, 0)

    def caught_up(self) -> None:
        self.caught += 1


class Joined:
    """A connection and the transport that it writes to."""

    def __init__(
        self,
        admission: Admission | None = None,
        peer: tuple[str, int] = ("10.0.0.7", 4040),
        guard: GuardConfig = GUARD,
    ) -> None:
        self.transport = FakeTransport(peer)
        self.connection = Echoing(admission or Admission(guard), guard)
        self.connection.connection_made(self.transport)

    def closed(self) -> bool:
        return self.transport.closing

    def heard(self) -> bool:
        return self.transport.reading

    def ready(self) -> bool:
        return self.connection.ready

    def behind(self) -> bool:
        return self.connection.is_behind


@pytest.fixture
async def joined(monkeypatch: pytest.MonkeyPatch) -> Joined:
    monkeypatch.setattr(client_transport, "TURN_S", 10.0)  # no turn of others comes in between
    return Joined()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, whose line is not held back because another test has just written one."""
    monkeypatch.setattr(client_transport.log, "_next", 0.0)
    caplog.set_level(logging.WARNING)
    return caplog


def test_answers_to_messages_that_came_together_leave_together(joined: Joined) -> None:
    joined.connection.data_received(echo(1) + echo(2) + echo(3)[:10])
    assert joined.transport.written == [echo(1) + echo(2)]
    joined.connection.data_received(echo(3)[10:])
    assert joined.transport.written[1:] == [echo(3)]
    assert joined.connection.taken == [1, 2, 3]


def test_collected_answers_are_sent_when_they_fill_a_batch(joined: Joined) -> None:
    joined.connection.data_received(echo(1) * 3000)
    assert all(len(data) <= BATCH + 16 for data in joined.transport.written)
    assert [len(data) > BATCH for data in joined.transport.written] == [True, False]
    assert b"".join(joined.transport.written) == echo(1) * 3000


def test_without_a_message_at_hand_an_update_leaves_at_once(joined: Joined) -> None:
    joined.connection.write(b"update")
    assert joined.transport.written == [b"update"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidMessageError("spoke of channel 9"), "10.0.0.7 spoke of channel 9; disconnected"),
        (MemoryError(), "more memory than"),
    ],
)
def test_a_client_that_breaks_the_rules_is_dropped_with_one_line(
    joined: Joined, error: Exception, words: str, lines: pytest.LogCaptureFixture
) -> None:
    joined.connection.fails[2] = error
    joined.connection.data_received(echo(1) + echo(2) + echo(3))
    assert joined.closed()
    assert joined.connection.taken == [1, 2]
    (record,) = lines.records
    assert words in record.message


async def test_a_client_that_says_nothing_is_dropped_and_one_that_speaks_is_not() -> None:
    guard = GuardConfig(handshake_s=0.02)
    silent, speaks = Joined(guard=guard), Joined(guard=guard)
    speaks.connection.data_received(echo(1))
    await asyncio.sleep(2 * guard.handshake_s)
    assert (silent.transport.closing, speaks.transport.closing) == (True, False)


async def test_connections_are_counted_in_and_out(lines: pytest.LogCaptureFixture) -> None:
    admission = Admission(GUARD)
    first = Joined(admission)
    second = Joined(admission)  # of the same address
    assert (first.transport.closing, second.transport.closing) == (False, True)
    assert "10.0.0.7 has 1 connections already" in lines.records[0].message
    second.connection.connection_lost(None)  # was never counted
    assert Joined(admission).transport.closing
    first.connection.connection_lost(None)
    assert not Joined(admission).transport.closing


async def test_a_client_that_does_not_read_is_not_heard_until_it_has(joined: Joined) -> None:
    joined.connection.pause_writing()
    assert not joined.ready()
    assert not joined.heard()
    joined.connection.data_received(echo(1))
    assert joined.connection.taken == []
    joined.connection.resume_writing()
    assert joined.ready()
    assert joined.connection.taken == [1]
    assert joined.heard()


async def test_requests_and_missed_updates_take_turns(joined: Joined) -> None:
    ours = joined.connection
    ours.pause_writing()
    ours.data_received(echo(1))
    ours.resume_writing()
    assert (ours.taken, ours.caught) == ([1], 0)  # requests first
    await asyncio.sleep(0.002)
    assert ours.caught == 1
    ours.pause_writing()
    ours.data_received(echo(2))
    ours.resume_writing()
    assert (ours.taken, ours.caught) == ([1], 2)  # then what it has missed
    await asyncio.sleep(0.002)
    assert ours.taken == [1, 2]


async def test_a_message_that_has_to_wait_keeps_its_place(joined: Joined) -> None:
    ours = joined.connection
    ours.waits_for = 2
    ours.data_received(echo(1) + echo(2) + echo(3))
    assert ours.taken == [1]
    assert not joined.heard()
    ours.data_received(echo(4))
    assert ours.taken == [1]
    ours.waits_for, ours.holding = None, False
    ours.go_on()
    ours.go_on()
    await asyncio.sleep(0.0)
    assert ours.taken == [1, 2, 3, 4]
    assert joined.heard()


async def test_many_messages_are_worked_off_in_turns(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_transport, "TURN_S", -1.0)
    joined.connection.data_received(echo(1) + echo(2))
    joined.connection.data_received(echo(3))  # does not have its turn early
    assert joined.connection.taken == [1]
    assert not joined.heard()
    for _ in range(3):
        await asyncio.sleep(0.0)
    assert joined.connection.taken == [1, 2, 3]


def test_a_client_that_reads_nothing_is_dropped_after_the_time_allowed(
    joined: Joined, lines: pytest.LogCaptureFixture
) -> None:
    joined.transport.unread = 5000
    joined.connection.pause_writing()
    now = time.monotonic()
    joined.connection.check(now + 9.0)
    joined.transport.unread = 4000  # it has read something
    joined.connection.check(now + 12.0)
    joined.connection.check(now + 21.0)
    assert not joined.closed()
    joined.connection.check(now + 22.5)
    assert joined.closed()
    assert "has read nothing for 10 s while 4000 bytes wait" in lines.records[0].message


def test_a_client_with_an_unfinished_message_is_dropped_after_the_time_allowed(
    joined: Joined, lines: pytest.LogCaptureFixture
) -> None:
    ours, now = joined.connection, time.monotonic()
    ours.data_received(echo(1))
    ours.check(now + 100.0)
    ours.data_received(echo(2)[:5])
    ours.data_received(echo(2)[5:10])  # one byte at a time does not help
    ours.check(now + 9.0)
    assert not joined.closed()
    ours.check(now + 11.0)
    assert joined.closed()
    assert "has not ended a message that it began 10 s ago" in lines.records[0].message


def test_a_message_that_was_ended_in_time_is_forgotten(joined: Joined) -> None:
    ours, now = joined.connection, time.monotonic()
    ours.data_received(echo(1)[:5])
    ours.data_received(echo(1)[5:])
    ours.check(now + 100.0)
    assert not joined.closed()


def test_a_client_that_has_gone_is_not_written_to(joined: Joined, lines: pytest.LogCaptureFixture) -> None:
    joined.connection.end()
    joined.connection.write(b"update")
    joined.connection.data_received(echo(1))
    joined.connection.drop("said nothing")
    assert joined.transport.written == []
    assert joined.connection.taken == []
    assert lines.records == []


def test_unread_and_unsent_bytes_of_a_client_are_counted(joined: Joined) -> None:
    assert joined.connection.held_bytes == CONNECTION_BYTES
    joined.transport.unread = 1000
    joined.connection.data_received(echo(1)[:10])
    assert joined.connection.held_bytes == CONNECTION_BYTES + 1010


async def test_a_client_is_behind_when_it_has_not_read_for_a_while(
    joined: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    joined.connection.pause_writing()
    assert not joined.behind()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1.5)
    assert joined.behind()
    joined.connection.resume_writing()
    assert not joined.behind()


def test_a_transport_without_a_peer_has_no_address() -> None:
    class Nowhere(FakeTransport):
        def get_extra_info(self, name: str) -> Any:
            return None if name == "peername" else super().get_extra_info(name)

    async def join() -> Echoing:
        made = Echoing(Admission(GUARD), GUARD)
        made.connection_made(Nowhere())
        made.connection_lost(None)
        return made

    made = asyncio.run(join())
    assert (made.address, made.peer) == ("", "")
