"""Choice of the client that has to go when clients together take too much memory."""

import asyncio
from dataclasses import dataclass, field

import pytest

from gnomon.ioc.base import memory_budget
from gnomon.ioc.base.config import ConfigError, GuardConfig, changed, read_config
from gnomon.ioc.base.memory_budget import MemoryBudget, to_evict

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
        async with asyncio.timeout(5.0):
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
