"""Each event of a subscription arrives, whenever it comes, and none after its end."""

import gc
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any, cast

import pytest
from p4p.client import raw
from patience import PATIENCE_S

from gnomon.clients.pva_subscriptions import Subscriptions


class FakeHandle:
    """p4p's end of a subscription: values that wait, and a call for each that comes."""

    def __init__(self, look: Callable[[], None]) -> None:
        self.look, self.values, self.closed = look, deque[Any](), False

    def pop(self) -> Any:
        return self.values.popleft() if self.values else None

    def close(self) -> None:
        self.closed = True

    def event(self, *values: Any) -> None:
        self.values.extend(values)
        self.look()


class Rig:
    """Subscriptions over a context whose events the test makes; `early` come before p4p returns the subscription."""

    def __init__(self) -> None:
        self.early: list[Any] = []
        self.handles: dict[str, FakeHandle] = {}
        self.subscriptions = Subscriptions(cast("raw.Context", None))

    def monitor(self, _: Any, name: str, look: Callable[[], None]) -> FakeHandle:
        handle = self.handles[name] = FakeHandle(look)
        if self.early:
            handle.event(*self.early)
            end = time.monotonic() + PATIENCE_S
            while not self.subscriptions._to_look_at.empty() and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(0.02)  # the thread has looked, and found no subscription yet
        return handle


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    made = Rig()
    monkeypatch.setattr(raw.Context, "monitor", made.monitor)
    yield made
    made.subscriptions.stop()


def test_an_event_before_the_subscription_is_known_is_delivered(rig: Rig) -> None:
    rig.early = ["first"]
    got: Queue[Any] = Queue()
    rig.subscriptions.add("A", got.put)
    assert got.get(timeout=PATIENCE_S) == "first"


def test_all_values_of_one_event_come_in_order_and_errors_too(rig: Rig) -> None:
    got: Queue[Any] = Queue()
    rig.subscriptions.add("A", got.put)
    error = raw.Disconnected()
    rig.handles["A"].event(1, 2, error)
    assert [got.get(timeout=PATIENCE_S) for _ in range(3)] == [1, 2, error]


def test_a_subscription_that_was_ended_delivers_no_more_and_the_others_go_on(rig: Rig) -> None:
    ended, other = Queue[Any](), Queue[Any]()
    end = rig.subscriptions.add("A", ended.put)
    rig.subscriptions.add("B", other.put)
    end()
    end()
    assert rig.handles["A"].closed
    rig.handles["A"].event("late")
    rig.handles["B"].event("here")
    assert other.get(timeout=PATIENCE_S) == "here"  # one thread: by now it has looked at A
    assert ended.empty()
    assert not rig.handles["B"].closed


def test_a_callback_that_raises_ends_no_subscription(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    got: Queue[Any] = Queue()

    def picky(value: Any) -> None:
        if value == "bad":
            raise ValueError(value)
        got.put(value)

    rig.subscriptions.add("A", picky)
    rig.handles["A"].event("bad", "good")
    assert got.get(timeout=PATIENCE_S) == "good"
    assert "a callback of a subscription failed" in caplog.text


def test_one_thread_serves_all_and_is_gone_after_stop(rig: Rig) -> None:
    rig.subscriptions.stop()  # nothing has been started: nothing to do
    for name in "AB":
        rig.subscriptions.add(name, lambda _: None)
    thread = rig.subscriptions._thread
    assert thread is not None
    assert thread.is_alive()
    rig.subscriptions.stop()
    rig.subscriptions.stop()
    assert not thread.is_alive()


def test_a_subscription_lives_until_its_end_though_nobody_holds_it(rig: Rig) -> None:
    gc.freeze()  # so that only what is new is looked through
    end = rig.subscriptions.add("A", lambda _: None)
    rig.subscriptions.add("B", lambda _: None)
    alive = [weakref.ref(handle) for handle in rig.handles.values()]
    rig.handles.clear()
    gc.collect()
    assert [ref() is not None for ref in alive] == [True, True]
    end()
    del end
    gc.collect()
    assert [ref() is not None for ref in alive] == [False, True]
