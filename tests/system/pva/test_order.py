"""A client's reads after a put of its own, on the same connection, show that put, or wait for it."""

import threading
import time
from typing import Any

import pytest
from p4p.client.thread import Context, RemoteError
from patience import PATIENCE_S, wait_for

from gnomon.ioc.base.protocols import PutFuture, PutReply
from system.pva.stage import START_NS, Served

DELAY_S = 0.2


def putting(client: Context, name: str, value: float) -> threading.Thread:
    """A put under way, in a thread that waits for its end."""
    thread = threading.Thread(target=lambda: client.put(name, value))
    thread.start()
    return thread


def complete_in_two_steps(served: Served, ends: threading.Event) -> None:
    """Have puts shown after a while, and complete them much later."""

    def complete(index: int, value: Any, future: PutFuture) -> None:
        def run() -> None:
            time.sleep(DELAY_S)
            name = served.bank.specs[index].name
            served.server.call(lambda: served.publish(name, value, time_ns=START_NS + 1, generation=1))
            future.show()
            ends.wait(PATIENCE_S)
            future.set_result(PutReply(True))

        threading.Thread(target=run).start()

    served.sink.complete = complete


def test_a_get_waits_until_the_put_is_shown_but_not_until_it_is_complete(served: Served, client: Context) -> None:
    ends = threading.Event()
    complete_in_two_steps(served, ends)
    client.get(["T:current", "T:fixed"])
    thread = putting(client, "T:current", 3.5)
    assert wait_for(lambda: len(served.sink.puts) == 1)
    assert client.get("T:current").value == 3.5
    assert thread.is_alive()
    ends.set()
    thread.join()


def test_a_get_of_another_channel_of_the_connection_waits_too(served: Served, client: Context) -> None:
    ends = threading.Event()
    complete_in_two_steps(served, ends)
    client.get(["T:current", "T:fixed"])
    thread = putting(client, "T:current", 3.5)
    assert wait_for(lambda: len(served.sink.puts) == 1)
    client.get("T:fixed")
    assert served.bank.reading(served.bank.index["T:current"]).value == 3.5
    ends.set()
    thread.join()


def test_the_first_event_of_a_subscription_shows_the_put(served: Served, client: Context) -> None:
    ends = threading.Event()
    complete_in_two_steps(served, ends)
    client.get("T:current")
    thread = putting(client, "T:current", 7.25)
    assert wait_for(lambda: len(served.sink.puts) == 1)
    seen: list[float] = []
    subscription = client.monitor("T:current", lambda value: seen.append(value.value))
    assert wait_for(lambda: bool(seen))
    assert seen[0] == 7.25
    subscription.close()
    ends.set()
    thread.join()


def test_another_connection_does_not_wait(served: Served, client: Context) -> None:
    waiting: list[PutFuture] = []
    served.sink.complete = lambda index, value, future: waiting.append(future)
    client.get("T:current")
    with served.context(nt=False) as other:
        other.get("T:current")
        thread = putting(client, "T:current", 1.0)
        assert wait_for(lambda: len(waiting) == 1)
        assert other.get("T:current").value == 0.0
        assert thread.is_alive()
    waiting[0].set_result(PutReply(True))
    thread.join()


def test_reading_goes_on_after_a_put_that_is_refused_or_reaches_no_handler(served: Served, client: Context) -> None:
    for name in ("T:fixed", "T:call"):
        with pytest.raises(RemoteError):
            client.put(name, {"value": "1" if name == "T:call" else 1.0})
        assert client.get("T:current").value == 0.0
