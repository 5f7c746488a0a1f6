"""Values are taken at each look: the newest one of each PV, however many came."""

from collections.abc import Callable
from functools import partial

import pytest
from p4p.client import raw

from gnomon.clients.reading import Reading
from gnomon.clients.sampled_values import MAX_WAITING, CallbackSampler, PvaSampler, SampledValues

Callback = Callable[[Reading | None], None]


class FakeProtocol:
    def __init__(self) -> None:
        self.callbacks: dict[str, Callback] = {}

    def monitor(self, name: str, callback: Callback) -> Callable[[], None]:
        self.callbacks[name] = callback
        return partial(self.callbacks.__delitem__, name)

    def post(self, name: str, value: float | None) -> None:
        self.callbacks[name](None if value is None else Reading(name, value))


def test_only_the_newest_value_of_each_pv_is_taken() -> None:
    protocol = FakeProtocol()
    values = SampledValues(CallbackSampler(protocol.monitor))
    values.follow({"a", "b"})
    for number in range(5):
        protocol.post("a", number)
    taken = values.take()
    assert {name: reading and reading.value for name, reading in taken.items()} == {"a": 4}
    assert values.take() == {}
    protocol.post("b", None)
    assert values.take() == {"b": None}


def test_pvs_that_are_no_longer_followed_are_ended_and_not_taken() -> None:
    protocol = FakeProtocol()
    values = SampledValues(CallbackSampler(protocol.monitor))
    values.follow({"a", "b"})
    protocol.post("a", 1.0)
    kept = protocol.callbacks["b"]
    values.follow({"b", "c"})
    assert set(protocol.callbacks) == {"b", "c"}
    assert protocol.callbacks["b"] is kept
    assert values.take() == {}
    values.close()
    assert protocol.callbacks == {}


class FakeHandle:
    """A subscription of p4p in whose queue values wait."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.popped = 0

    def pop(self) -> object:
        if self.popped == self.waiting:
            return None
        self.popped += 1
        return RuntimeError("a value that is not shown")

    def close(self) -> None:
        """Nothing is held."""


def test_a_look_ends_while_a_server_never_stops_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = FakeHandle(waiting=10**9)
    monkeypatch.setattr(raw.Context, "monitor", lambda *_: handle)
    sampler = PvaSampler(None)
    sampler.add("a")
    assert list(sampler.take()) == []
    assert handle.popped == MAX_WAITING
    assert list(sampler.take()) == []  # the rest waits for the next look
    assert handle.popped == 2 * MAX_WAITING
