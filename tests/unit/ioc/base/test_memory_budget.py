"""Choice of the client that has to go when clients together take too much memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from patience import PATIENCE_S

from gnomon.ioc.base import memory_budget
from gnomon.ioc.base.config import ConfigError, GuardConfig, changed, read_config
from gnomon.ioc.base.memory_budget import RELIEF_BYTES, SETTLE_S, TRIM_S, MemoryBudget, to_evict

MB = 10**6
LIMIT = 100 * MB


@dataclass
class Client:
    """One that holds so much, and frees it when it has to go."""

    held_bytes: int
    is_behind: bool = False
    reasons: list[str] = field(default_factory=list)

    def evict(self, reason: str) -> None:
        self.reasons.append(reason)


def test_no_client_has_to_go_while_the_process_is_within_its_budget() -> None:
    assert to_evict([Client(10**12)], LIMIT, LIMIT) == []
    assert to_evict([Client(10**12)], float("nan"), LIMIT) == []


def test_the_largest_holders_go_first_until_the_excess_is_gone() -> None:
    clients = [Client(size * MB) for size in (10, 30, 5, 60, 20)]
    assert [one.holder for one in to_evict(clients, 105 * MB, LIMIT)] == [clients[3]]
    assert [one.held for one in to_evict(clients, 170 * MB, LIMIT)] == [60 * MB, 30 * MB]


def test_a_client_that_does_not_read_goes_before_a_larger_one() -> None:
    good, stalled = Client(80 * MB), Client(20 * MB, is_behind=True)
    assert [one.holder for one in to_evict([good, stalled], 105 * MB, LIMIT)] == [stalled]


def test_clients_are_not_disconnected_for_memory_that_they_do_not_hold() -> None:
    """A fork more, a larger ring: the process grows, and every client is well-behaved."""
    clients = [Client(MB) for _ in range(40)]
    assert to_evict(clients, 1000 * MB, LIMIT) == []


def test_the_least_is_taken_from_clients_that_together_hold_a_little_too_much() -> None:
    clients = [Client(10 * MB) for _ in range(6)]
    assert len(to_evict(clients, 1000 * MB, LIMIT)) == 1


async def test_the_budget_acts_on_growth_and_waits_until_memory_has_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_budget, "CHECK_S", 0.02)
    monkeypatch.setattr(memory_budget, "SETTLE_S", 0.04)
    grown = [0.0]
    clients = [Client(300 * MB), Client(MB)]
    budget = MemoryBudget(GuardConfig(max_clients_bytes=100 * MB), lambda: 500 * MB + grown[0])
    budget.watch(lambda: [client for client in clients if not client.reasons])
    budget.start()
    try:
        await asyncio.sleep(0.05)
        assert not clients[0].reasons
        grown[0] = 150.0 * MB
        async with asyncio.timeout(PATIENCE_S):
            while not clients[0].reasons:
                await asyncio.sleep(0.005)
        assert len(clients[0].reasons) == 1
        assert "holds about 286.1 MiB, the most of all" in clients[0].reasons[0]
        assert "guard.max_clients_bytes is 95 MiB" in clients[0].reasons[0]
        await asyncio.sleep(0.15)  # the memory does not come back: what is left is not the clients'
        assert not clients[1].reasons
    finally:
        budget.stop()


def test_refused_memory_has_the_greediest_go() -> None:
    clients = [Client(MB), Client(3 * MB), Client(2 * MB)]
    budget = MemoryBudget(GuardConfig())
    budget.watch(lambda: clients)
    budget.relieve()
    assert [len(client.reasons) for client in clients] == [0, 1, 0]
    assert "no memory is left" in clients[1].reasons[0]


def test_a_budget_above_what_the_process_may_have_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="max_clients_bytes is 536870912; it must be less than max_growth_bytes"):
        changed(read_config(), {"guard": {"max_growth_bytes": 2**29}})


class Rig:
    """A budget of 100 MB whose clock, memory and checks are the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.grown, self.measured = 1000.0, 0.0, 0
        self.given_back: list[float] = []
        self.comes_back = 0.0
        self.clients: list[Client] = []
        self.budget = MemoryBudget(GuardConfig(max_clients_bytes=LIMIT), self.measure)
        self.budget.watch(lambda: [client for client in self.clients if not client.reasons])
        monkeypatch.setattr(memory_budget, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(memory_budget, "give_back", self.give_back)
        monkeypatch.setattr(memory_budget, "CHECK_S", 3600.0)

    def measure(self) -> float:
        self.measured += 1
        return 500 * MB + self.grown

    def give_back(self) -> None:
        self.given_back.append(self.now)
        self.grown -= self.comes_back

    def check(self, after_s: float, grown: float) -> list[int]:
        """Let time pass and memory grow; the number of reasons that each client got."""
        self.now, self.grown = self.now + after_s, grown
        self.budget._check()
        return [len(client.reasons) for client in self.clients]


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    made = Rig(monkeypatch)
    made.budget.start()
    yield made
    made.budget.stop()


async def test_growth_up_to_the_limit_is_allowed(rig: Rig) -> None:
    rig.clients = [Client(300 * MB)]
    assert rig.check(0.1, LIMIT) == [0]
    assert rig.given_back == []
    assert rig.check(0.1, LIMIT + 1) == [1]


async def test_memory_that_comes_back_when_it_is_asked_for_costs_no_client(rig: Rig) -> None:
    rig.clients, rig.comes_back = [Client(300 * MB)], 60.0 * MB
    assert rig.check(0.1, 150 * MB) == [0]
    assert rig.given_back == [rig.now]
    first = rig.now
    assert rig.check(TRIM_S / 2, 150 * MB) == [1], "it is not asked for again so soon"
    assert rig.given_back == [first]
    rig.clients = [Client(300 * MB)]
    assert rig.check(TRIM_S, 150 * MB) == [0]
    assert rig.given_back == [first, rig.now]


async def test_after_a_disconnection_the_next_client_stays_until_memory_had_time_to_come_back(rig: Rig) -> None:
    rig.clients = [Client(300 * MB), Client(200 * MB)]
    assert rig.check(0.1, 150 * MB) == [1, 0]
    assert "when clients and server have taken 143 MiB; guard.max_clients_bytes is 95 MiB" in rig.clients[0].reasons[0]
    assert rig.check(SETTLE_S / 2, 150 * MB) == [1, 0]
    assert rig.check(SETTLE_S, 150 * MB) == [1, 1]


async def test_growth_that_clients_do_not_cause_is_logged_once_a_second(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    log = SimpleNamespace(warning=lambda text, *values: lines.append(text % values))
    monkeypatch.setattr(memory_budget, "_log", log)
    rig.clients = [Client(MB)]
    for _ in range(5):
        rig.check(TRIM_S / 4, 150 * MB)
    rig.check(TRIM_S / 2, 150 * MB)
    assert len(lines) == 2
    assert lines[0].startswith("memory has grown by 143 MiB since the start, guard.max_clients_bytes is 95 MiB")
    assert rig.clients[0].reasons == []


async def test_a_second_start_counts_nothing_anew_and_a_stop_ends_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Rig(monkeypatch)
    monkeypatch.setattr(memory_budget, "CHECK_S", 0.01)
    made.budget.start()
    made.budget.start()
    assert made.measured == 1
    await asyncio.sleep(0.05)
    made.budget.stop()
    made.budget.stop()
    measured = made.measured
    assert measured > 1
    await asyncio.sleep(0.05)
    assert made.measured == measured


def test_refused_memory_makes_some_room_and_a_client_that_does_not_read_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room: list[int] = []
    monkeypatch.setattr(memory_budget, "raise_memory_limit", room.append)
    clients = [Client(3 * MB), Client(MB, is_behind=True)]
    budget = MemoryBudget(GuardConfig())
    budget.relieve()  # without clients there is nobody to disconnect
    budget.watch(lambda: clients)
    budget.relieve()
    assert room == [RELIEF_BYTES, RELIEF_BYTES]
    assert [len(client.reasons) for client in clients] == [0, 1]
