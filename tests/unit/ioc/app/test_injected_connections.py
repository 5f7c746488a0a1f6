"""Faults of connections: what is lost, denied and late at which time, what servers are told, and which puts hang."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gnomon.db import sources
from gnomon.db.pvs import Kind, PvSpec
from gnomon.fault_injection import Fault, Injector
from gnomon.ioc.app import injected_connections
from gnomon.ioc.app.fault_notes import MAX_NOTES
from gnomon.ioc.app.injected_connections import InjectedConnections
from gnomon.ioc.app.rpc.connection_targets import disturbs_nothing
from gnomon.ioc.base.protocols import PutFuture, PutReply, PutSink
from gnomon.ioc.outputs.bank import Bank
from gnomon.lattice import Client

CLIENT = Client("op", "console", "ca")


def pv(name: str, device: str = "", source: str = "", **more: Any) -> PvSpec:
    return PvSpec(name=f"T:{name}", kind=Kind.FLOAT, source=source, description="", device=device, **more)


class FakeDispatcher:
    """Takes puts, and completes them when told; keeps notes."""

    def __init__(self) -> None:
        self.puts: list[tuple[int, Any]] = []
        self.notes: list[str] = []
        self.under_way: list[PutFuture] = []

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        self.puts.append((index, value))
        self.under_way.append(PutFuture())
        return self.under_way[-1]

    def note(self, text: str, client: Client) -> PutFuture:
        self.notes.append(f"{client.protocol}: {text}")
        return PutFuture()


class Doors:
    """Keeps what the servers are told."""

    def __init__(self, dispatcher: FakeDispatcher) -> None:
        self.told: list[str] = []
        self.sink: PutSink = dispatcher

    def disconnect(self, *, close: bool) -> None:
        self.told.append("close" if close else "disconnect")

    def review_rights(self) -> None:
        self.told.append("rights")

    def send_puts(self, sink: PutSink) -> None:
        self.sink = sink

    def call_clients(self) -> None:
        self.told.append("call")


class Stage:
    """The faults of connections of a small twin, with a clock and servers in the test's hands."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.beam = 300.0
        self.bank = Bank(
            [
                pv("HS1:set", "HS1", writable=True),
                pv("HS1:rdbk", "HS1"),
                pv("B1:rdX", "B1"),
                pv("dt:queue"),
                pv("dt:faults:count", source=sources.FAULTS_COUNT.name),
                pv("dt:faults:active", source=sources.FAULTS_ACTIVE.name),
            ],
            0,
        )
        self.injector = Injector(clock_s=lambda: self.now_s, value_of=lambda name: self.beam)
        self.dispatcher = FakeDispatcher()
        self.doors = Doors(self.dispatcher)
        self.connections = InjectedConnections(self.bank, "T:", self.injector, self.dispatcher)
        self.connections.serve(self.doors, ["T:dt:fault", "T:dt:set"])

    def inject(self, kind: str, **keys: Any) -> int:
        number = self.injector.add(Fault.from_request({"kind": f"connection_{kind}"} | keys, created_by="ann@desk"))
        self.connections.refresh()
        return number

    def clear(self, number: int | None = None) -> None:
        self.injector.clear(number)
        self.connections.refresh()

    def at(self, time_s: float) -> list[str]:
        """Names that are lost some time after the beginning."""
        self.now_s = 100.0 + time_s
        self.connections.refresh()
        return self.lost()

    def lost(self) -> list[str]:
        names = (*self.bank.index, "T:dt:fault", "T:dt:set")
        return [name.removeprefix("T:") for name in names if self.connections.is_lost(name)]

    def put(self, value: float = 0.5) -> PutFuture:
        return self.doors.sink.put(0, value, CLIENT)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    made.connections.stop()


@pytest.mark.parametrize(
    ("keys", "lost", "told"),
    [
        ({"device": "HS*"}, ["HS1:set", "HS1:rdbk"], "disconnect"),
        ({"device": "*"}, ["HS1:set", "HS1:rdbk", "B1:rdX"], "disconnect"),
        ({"pv": "*:rdX"}, ["B1:rdX"], "disconnect"),
        ({"pv": "*"}, ["HS1:set", "HS1:rdbk", "B1:rdX", "dt:queue", "dt:set"], "disconnect"),
        ({}, ["HS1:set", "HS1:rdbk", "B1:rdX", "dt:queue", "dt:set"], "close"),
    ],
)
async def test_lost_pvs_return_and_those_that_end_faults_are_never_lost(
    stage: Stage, keys: dict[str, Any], lost: list[str], told: str
) -> None:
    idle = [stage.connections.idle]
    stage.inject("lost", **keys)
    assert (stage.lost(), stage.doors.told) == (lost, [told])
    idle.append(stage.connections.idle)
    stage.clear()
    assert [*idle, stage.connections.idle] == [True, False, True]
    assert (stage.lost(), stage.doors.told) == ([], [told] + ["call"] * (told == "close"))


async def test_an_outage_comes_again_and_again_and_stands_in_the_journal(stage: Stage) -> None:
    stage.inject("lost", device="B1", every_s=10, lasts_s=2, count=2)
    assert [stage.at(t) for t in (1.9, 2.1, 9.9, 10.1, 12.1)] == [["B1:rdX"], [], [], ["B1:rdX"], []]
    assert [stage.at(t) for t in (20.1, 30.1)] == [[], []]
    assert stage.injector.active() == ()
    assert stage.connections.idle
    texts = ["begins outage 1: 1 PV lost", "ends outage 1", "begins outage 2: 1 PV lost", "ends outage 2"]
    assert stage.dispatcher.notes == [f"fault: fault 1 {text}" for text in texts]


async def test_a_condition_that_comes_and_goes_does_not_fill_the_journal(stage: Stage) -> None:
    stage.inject("lost", device="B1", condition="beam < 100")
    for n in range(100):
        stage.beam = 50.0 if n % 2 else 300.0
        stage.at(0.01 * n)
    assert len(stage.dispatcher.notes) == MAX_NOTES


async def test_outages_follow_a_condition_and_a_probability(stage: Stage) -> None:
    stage.inject("lost", device="B1", condition="beam < 100")
    assert stage.lost() == []
    stage.beam = 50.0
    assert stage.at(1) == ["B1:rdX"]
    stage.beam = 300.0
    assert stage.at(2) == []
    stage.clear()
    stage.inject("lost", device="B1", every_s=1, probability=0.5)
    shown = [bool(stage.at(3.1 + n)) for n in range(60)]
    assert 15 < sum(shown) < 45
    again = Stage()
    again.inject("lost", device="HS1")
    again.clear()
    again.now_s = 102.0
    again.inject("lost", device="B1", every_s=1, probability=0.5)
    assert [bool(again.at(3.1 + n)) for n in range(60)] == shown
    again.connections.stop()


async def test_two_outages_end_one_by_one(stage: Stage) -> None:
    first = stage.inject("lost", device="HS1")
    stage.inject("lost", pv="HS1:set")
    stage.clear(first)
    assert stage.lost() == ["HS1:set"]
    assert stage.doors.told == ["disconnect"]  # nothing more was lost by the second


async def test_access_is_denied_and_comes_back(stage: Stage) -> None:
    stage.inject("denied", device="HS1")
    denied = stage.connections.is_denied
    assert [denied("T:HS1:set"), denied("T:HS1:set", reading=True), denied("T:B1:rdX")] == [True, False, False]
    number = stage.inject("denied", allow="none")
    assert [denied("T:HS1:set", reading=True), denied("T:dt:set"), denied("T:dt:fault")] == [True, True, False]
    assert not denied("T:dt:faults:count", reading=True)
    stage.clear(number)
    assert [denied("T:HS1:set"), denied("T:HS1:set", reading=True)] == [True, False]
    stage.clear()
    assert not denied("T:HS1:set")
    assert stage.doors.told == ["rights"] * 4


async def test_searches_and_channels_are_late_as_often_as_asked(stage: Stage) -> None:
    stage.inject("slow", device="HS1", delay_s=2, count=2)
    stage.inject("slow", pv="*:set", delay_s=1)
    stage.inject("slow", device="B1", delay_s=3, step="channel")
    search, channel = stage.connections.search_delay_s, stage.connections.channel_delay_s
    assert [search("T:HS1:set"), search("T:HS1:rdbk"), search("T:HS1:set"), search("T:B1:rdX")] == [3.0, 2.0, 1.0, 0.0]
    assert [channel("T:B1:rdX"), channel("T:HS1:set"), search("T:dt:faults:count")] == [3.0, 0.0, 0.0]


async def test_an_accepted_put_acts_and_never_completes(stage: Stage) -> None:
    sinks = [stage.doors.sink]
    stage.inject("put_hangs", device="HS1", count=1)
    sinks.append(stage.doors.sink)
    future = stage.put()
    shown: list[bool] = []
    future.when_shown(lambda: shown.append(True))
    assert (stage.dispatcher.puts, shown) == ([(0, 0.5)], [])
    stage.dispatcher.under_way[0].show()
    assert shown == [True]
    stage.dispatcher.under_way[0].set_result(PutReply(True))
    assert not future.done()
    assert stage.dispatcher.notes == ["ca: fault 1: the put of 0.5 to T:HS1:set hangs"]
    stage.connections.refresh()  # used up: puts go their usual way
    assert [*sinks, stage.doors.sink] == [stage.dispatcher, stage.connections, stage.dispatcher]
    stage.connections.stop()
    assert not future.result().accepted


async def test_a_put_that_is_not_accepted_does_nothing_and_what_is_read_next_does_not_wait(stage: Stage) -> None:
    stage.inject("put_hangs", accepted=False)
    future = stage.put()
    shown: list[bool] = []
    future.when_shown(lambda: shown.append(True))
    assert (stage.dispatcher.puts, shown, future.done()) == ([], [True], False)
    assert stage.dispatcher.notes == ["ca: fault 1: the put of 0.5 to T:HS1:set is lost, and hangs"]


async def test_a_put_that_is_refused_is_told_so(stage: Stage) -> None:
    stage.inject("put_hangs")
    future = stage.put(1e9)
    stage.dispatcher.under_way[0].set_result(PutReply(False, "outside the drive limits"))
    assert future.result().message == "outside the drive limits"
    assert stage.dispatcher.notes == []


async def test_puts_that_hang_are_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injected_connections, "MAX_HANGING", 3)
    stage.inject("put_hangs", accepted=False)
    futures = [stage.put() for _ in range(5)]
    assert [future.done() for future in futures] == [True, True, False, False, False]


async def test_no_fault_acts_while_the_twin_follows_a_machine(stage: Stage) -> None:
    stage.inject("lost")
    stage.injector.suspended = "the twin follows a machine"
    stage.connections.refresh()
    assert stage.lost() == []
    assert stage.doors.told == ["close", "call"]


async def test_a_twin_that_has_ended_tells_the_servers_nothing_more(stage: Stage) -> None:
    stage.inject("put_hangs")
    stage.inject("lost", every_s=1, lasts_s=0.5)
    stage.connections.stop()
    stage.doors.told.clear()
    stage.doors.sink = FakeDispatcher()
    sink = stage.doors.sink
    notes = list(stage.dispatcher.notes)
    stage.at(0.6)
    stage.at(1.1)
    assert (stage.doors.told, stage.doors.sink, stage.dispatcher.notes) == ([], sink, notes)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"device": "HS2"}, "no device with PVs matches 'HS2'; near names: HS1"),
        ({"device": "dt"}, "no device with PVs matches 'dt'; PVs begin with it: give pv=dt:*"),
        ({"pv": "HS1:st"}, "no PV matches 'HS1:st'; near names: T:HS1:set, T:HS1:rdbk, T:dt:set"),
        ({"kind": "connection_put_hangs", "device": "B1"}, "no device that matches 'B1' has a PV that can be written"),
        ({"pv": "dt:fault"}, "T:dt:fault is never disturbed, so that faults can be listed and cleared"),
        ({"pv": "T:dt:faults:*"}, "T:dt:faults:count is never disturbed, so that faults can be listed and cleared"),
        ({"pv": "dt:*"}, ""),
        ({}, ""),
        ({"kind": "abandon", "device": "nobody"}, ""),
    ],
)
async def test_a_fault_of_nothing_is_refused_with_near_names(stage: Stage, keys: dict[str, Any], reason: str) -> None:
    request = Fault.from_request({"kind": "connection_lost"} | keys).request
    assert disturbs_nothing(request, stage.connections) == reason
