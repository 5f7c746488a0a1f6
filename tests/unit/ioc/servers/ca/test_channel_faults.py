"""Channels under injected faults of connections, message by message: they end, come late, and change their rights."""

import asyncio
import struct
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from gnomon.ioc.base.protocols import HangingPut, PutFuture, PutReply
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca import circuit, dbr
from gnomon.ioc.servers.ca.channel import rights_to
from gnomon.ioc.servers.ca.directory import Hosted
from gnomon.ioc.wire.ca_framing import NO_READ, NO_WRITE, NORMAL, PUT_IN_PROGRESS, Command, Message
from gnomon.lattice import Client
from unit.ioc.servers.ca.test_circuit import RULES, Talk, alone, pv  # noqa: F401  alone: no turn of others in between
from unit.ioc.servers.fake_gate import FakeGate

READ, WRITE = 1, 2
MASK = struct.pack(">fffHH", 0.0, 0.0, 0.0, 1, 0)


class Disturbed(Talk):
    """A conversation with a gate in the test's hands."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = FakeGate()
        self.hosted.gate = self.gate

    def subscribe(self, sid: int, number: int, data_type: int = dbr.TIME_DOUBLE) -> list[Message]:
        return self.ask(Command.EVENT_ADD, data_type, 1, sid, number, MASK)

    def deny(self, *names: str, reading: bool = False) -> list[Message]:
        (self.gate.unreadable if reading else self.gate.unwritable).update(names)
        self.circuit.review_rights(self.hosted)
        return self.said()

    def allow(self) -> list[Message]:
        self.gate.unreadable, self.gate.unwritable = set(), set()
        self.circuit.review_rights(self.hosted)
        return self.said()

    def lose(self, *names: str, close: bool = False) -> list[Message]:
        self.gate.lost.update(names)
        self.circuit.withdraw(self.hosted, lambda point: self.hosted.name_of(point) in names, close)
        return self.said()


@pytest.fixture
async def talk() -> Disturbed:
    return Disturbed()


def kinds(messages: list[Message]) -> list[tuple[int, int]]:
    return [(message.command, message.second) for message in messages]


async def test_a_lost_pv_is_neither_found_nor_opened_and_its_channels_end(talk: Disturbed) -> None:
    lost, other = talk.open("x"), talk.open("reading")
    (told,) = talk.lose("x")
    assert (told.command, told.first) == (Command.SERVER_DISCONN, 101)
    assert talk.ask(Command.SEARCH, 5, 13, 1, 1, b"x\0") == []
    assert [m.command for m in talk.ask(Command.CREATE_CHAN, first=7, data=b"x.EGU\0")] == [Command.CREATE_CH_FAIL]
    assert talk.get(lost) == []  # what crossed the news
    assert talk.get(other)[0].first == NORMAL
    talk.gate.lost.clear()
    assert talk.ask(Command.SEARCH, 5, 13, 1, 1, b"x\0") != []
    assert talk.get(talk.open("x"))[0].first == NORMAL


async def test_a_connection_closes_with_everything_on_it_and_stays_while_something_is_left(talk: Disturbed) -> None:
    talk.open("x")
    talk.open("reading")
    assert kinds(talk.lose("x", close=True)) == [(Command.SERVER_DISCONN, 0)]
    assert not talk.transport.is_closing()
    assert talk.lose("reading", close=True) == []
    assert talk.transport.is_closing()


async def test_the_channels_of_a_fork_stay_when_everything_of_its_origin_is_lost(talk: Disturbed) -> None:
    fork = Hosted(Bank([pv("fork:x")], 0), talk.sink)
    talk.directory.hosted.append(fork)
    talk.open("x")
    kept = talk.open("fork:x")
    assert kinds(talk.lose("x", close=True)) == [(Command.SERVER_DISCONN, 0)]
    assert talk.get(kept) != []
    assert not talk.transport.is_closing()


async def test_a_connection_without_channels_stays(talk: Disturbed) -> None:
    talk.lose("x", "reading", close=True)
    assert not talk.transport.is_closing()


async def test_a_put_under_way_is_not_answered_on_a_channel_that_has_ended(talk: Disturbed) -> None:
    waiting: list[PutFuture] = []
    talk.sink.complete = lambda index, value, future: waiting.append(future)
    sid = talk.open("x")
    assert talk.put(sid, 3.0) == []
    talk.lose("x")
    waiting[0].set_result(PutReply(True))
    assert talk.said() == []


async def test_write_access_goes_with_the_present_value_again_and_comes_back(talk: Disturbed) -> None:
    sid = talk.open("x")
    talk.subscribe(sid, 5)
    told = talk.deny("x", "reading")
    assert sorted(kinds(told)) == [(Command.EVENT_ADD, 5), (Command.ACCESS_RIGHTS, READ)]
    assert [m.first for m in talk.put(sid, 3.0)] == [NO_WRITE]
    assert talk.sink.puts == []
    assert talk.get(sid)[0].first == NORMAL
    assert sorted(kinds(talk.allow())) == [(Command.EVENT_ADD, 5), (Command.ACCESS_RIGHTS, READ | WRITE)]
    assert [m.first for m in talk.put(sid, 3.0)] == [NORMAL]


@pytest.mark.parametrize("data_type", [dbr.TIME_DOUBLE, dbr.STRING])
async def test_a_monitor_hears_that_it_may_not_read_and_goes_on_with_a_fresh_value(
    talk: Disturbed, data_type: int
) -> None:
    sid = talk.open("x")
    talk.subscribe(sid, 5, data_type)
    told = talk.deny("x", reading=True)
    assert kinds(told) == [(Command.EVENT_ADD, 5), (Command.ACCESS_RIGHTS, 0)]
    assert (told[0].first, told[0].count) == (NO_READ, 0)
    assert talk.get(sid)[0].first == NO_READ
    talk.bank.publish((np.array([0]), np.array([9.0])), {}, time_ns=10**18 + 1, generation=2)
    assert talk.said() == []
    told = talk.allow()
    assert kinds(told) == [(Command.EVENT_ADD, 5), (Command.ACCESS_RIGHTS, READ | WRITE)]
    assert (told[0].first, told[0].data_type) == (NORMAL, data_type)
    assert told[0].payload.endswith(struct.pack(">d", 9.0)) or told[0].payload.startswith(b"9.000000\0")
    talk.bank.publish((np.array([0]), np.array([8.0])), {}, time_ns=10**18 + 2, generation=3)
    assert kinds(talk.said()) == [(Command.EVENT_ADD, 5)]


async def test_a_monitor_that_begins_without_access_or_ends_without_it_is_right(talk: Disturbed) -> None:
    talk.deny("x", reading=True)
    sid = talk.open("x")
    (told,) = talk.subscribe(sid, 5)
    assert (told.command, told.first, told.count) == (Command.EVENT_ADD, NO_READ, 0)
    talk.subscribe(sid, 6)
    talk.ask(Command.EVENT_CANCEL, dbr.TIME_DOUBLE, 1, sid, 6)
    assert kinds(talk.allow()) == [(Command.EVENT_ADD, 5), (Command.ACCESS_RIGHTS, READ | WRITE)]


async def test_rights_that_do_not_change_are_not_told(talk: Disturbed) -> None:
    talk.open("secret")
    talk.open("x")
    assert talk.deny("secret", "reading") == []
    assert rights_to(talk.hosted, talk.hosted.find("secret"), RULES, "ann", "127.0.0.1") == 0


async def test_a_channel_is_made_late_and_others_meanwhile(talk: Disturbed) -> None:
    talk.gate.channels_s["x"] = 0.02
    assert talk.ask(Command.CREATE_CHAN, first=7, data=b"x\0") == []
    talk.open("reading")
    await asyncio.sleep(0.05)
    assert [(m.command, m.first) for m in talk.said()] == [(Command.ACCESS_RIGHTS, 7), (Command.CREATE_CHAN, 7)]


async def test_a_search_over_the_connection_is_answered_late(talk: Disturbed) -> None:
    talk.gate.searches_s["x"] = 0.02
    assert talk.ask(Command.SEARCH, 5, 13, 7, 7, b"x\0") == []
    await asyncio.sleep(0.05)
    assert [(m.command, m.second) for m in talk.said()] == [(Command.SEARCH, 7)]


async def test_a_client_that_has_gone_gets_nothing_late(talk: Disturbed) -> None:
    talk.gate.channels_s["x"] = 0.02
    talk.ask(Command.CREATE_CHAN, first=7, data=b"x\0")
    talk.circuit.connection_lost(None)
    await asyncio.sleep(0.05)
    assert talk.said() == []


async def test_a_second_put_waits_for_one_that_hangs_and_then_takes_its_place(
    talk: Disturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "PUT_PATIENCE_S", 0.05)
    hanging = [HangingPut(), HangingPut()]
    puts = iter(hanging)

    class Sink:
        def put(self, index: int, value: Any, client: Client) -> PutFuture:
            future = next(puts)
            future.show()
            return future

    talk.hosted.sink = Sink()
    sid, other = talk.open("x"), talk.open("reading")
    talk.subscribe(other, 5)
    assert talk.put(sid, 3.0) == []
    assert talk.get(sid)[0].first == NORMAL  # other requests go on
    assert talk.put(sid, 4.0) == []
    assert talk.get(other) == []
    talk.bank.publish((np.array([1]), np.array([9.0])), {}, time_ns=10**18 + 1, generation=2)
    assert kinds(talk.said()) == [(Command.EVENT_ADD, 5)]  # and so do monitors
    await asyncio.sleep(0.1)
    told = talk.said()
    assert [(m.command, m.first) for m in told] == [
        (Command.WRITE_NOTIFY, PUT_IN_PROGRESS),
        (Command.READ_NOTIFY, NORMAL),
    ]
    hanging[1].set_result(PutReply(True))
    assert [(m.command, m.first) for m in talk.said()] == [(Command.WRITE_NOTIFY, NORMAL)]


async def test_a_put_that_waits_for_one_that_hangs_goes_on_when_its_channel_is_lost(talk: Disturbed) -> None:
    future = HangingPut()
    future.show()
    talk.hosted.sink = Mock(put=Mock(return_value=future))
    sid, other = talk.open("x"), talk.open("reading")
    talk.put(sid, 3.0)
    talk.put(sid, 4.0)
    assert talk.get(other) == []
    talk.lose("x")
    await asyncio.sleep(0.01)
    assert [m.command for m in talk.said()] == [Command.READ_NOTIFY]
