"""A put is handed on raw, completed late, or refused with the reason."""

import logging
import threading
import time
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from p4p.client.thread import Context, RemoteError
from patience import PATIENCE_S, wait_for

from gnomon.ioc.base.protocols import PutFuture, PutReply
from system.pva.stage import START_NS, Served


def test_put_completes_after_what_it_caused_is_published(served: Served, client: Context) -> None:
    def later(index: int, value: Any, future: Future[PutReply]) -> None:
        def run() -> None:
            time.sleep(0.1)
            served.publish("T:count", value, time_ns=START_NS + 1, generation=1)
            future.set_result(PutReply(True))

        threading.Thread(target=run).start()

    served.sink.complete = later
    client.get("T:count")
    started = time.monotonic()
    client.put("T:current", 42.0, wait=True)
    assert time.monotonic() - started > 0.09
    assert client.get("T:count").value == 42


def test_the_server_never_stores_what_a_client_wrote(served: Served, client: Context) -> None:
    client.put("T:current", 42.0)
    assert client.get("T:current").value == 0.0


def test_puts_tell_who_and_from_where(served: Served, client: Context) -> None:
    client.put("T:current", 1.0)
    _, _, who = served.sink.puts[0]
    assert (who.host, who.protocol) == ("127.0.0.1", "pva")
    assert who.user


@pytest.mark.parametrize(
    ("name", "value", "handed_on"),
    [("T:current", 3, 3.0), ("T:count", 7, 7), ("T:reason", "because", "because"), ("T:current", "4.5", 4.5)],
)
def test_plain_puts_are_handed_on(served: Served, client: Context, name: str, value: Any, handed_on: Any) -> None:
    client.put(name, {"value": value}, get=False)
    assert served.sink.puts[0][:2] == (name, handed_on)


def test_arrays_are_handed_on_whole(served: Served, client: Context) -> None:
    client.put("T:orbit", [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(served.sink.puts[0][1], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(("given", "index"), [("ramp", 2), (1, 1), ("0", 0)])
def test_enum_takes_index_and_choice(served: Served, given: Any, index: int) -> None:
    with served.context() as context:
        context.put("T:mode", given)
    assert served.sink.puts[0][:2] == ("T:mode", index)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("T:fixed", {"value": 1.0}, "read-only"),
        ("T:current", {"value": float("nan")}, "not finite"),
        ("T:current", {"alarm.severity": 2}, "no value"),
        ("T:mode", {"value.index": 9}, "no state 9"),
    ],
)
def test_refusals_reach_the_client_with_their_reason(
    served: Served, client: Context, caplog: pytest.LogCaptureFixture, name: str, value: Any, reason: str
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(RemoteError, match=reason):
        client.put(name, value, get=False)
    assert not caplog.records


def test_a_put_without_value_shows_what_was_asked(served: Served, client: Context) -> None:
    with pytest.raises(RemoteError):
        client.put("T:current", {"alarm.severity": 2}, get=False)
    assert served.sink.puts[0][1] == {"alarm.severity": 2}


def test_a_failed_put_says_why(served: Served, client: Context) -> None:
    served.sink.complete = lambda index, value, future: future.set_exception(RuntimeError("model crashed"))
    with pytest.raises(RemoteError, match="internal error: RuntimeError: model crashed"):
        client.put("T:current", 1.0)


def test_an_abandoned_future_says_that_the_server_stopped(served: Served, client: Context) -> None:
    def cancel(index: int, value: Any, future: Future[PutReply]) -> None:
        future.cancel()

    served.sink.complete = cancel
    with pytest.raises(RemoteError, match="stopped"):
        client.put("T:current", 1.0)


def test_waiting_puts_block_nobody(served: Served, client: Context) -> None:
    waiting: list[PutFuture] = []

    def show(index: int, value: Any, future: PutFuture) -> None:
        waiting.append(future)
        future.show()

    served.sink.complete = show
    threads = [threading.Thread(target=client.put, args=("T:current", float(i))) for i in range(8)]
    for thread in threads:
        thread.start()
    assert wait_for(lambda: len(waiting) == 8)
    assert client.get("T:count").value == 0
    for future in waiting:
        future.set_result(PutReply(True))
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_a_put_of_a_client_that_went_away_ends_quietly(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    waiting: list[Future[PutReply]] = []
    served.sink.complete = lambda index, value, future: waiting.append(future)
    for timeout_s in (0.2, 2.0, 20.0):  # longer where other work has the processors, and the put did not get so far
        with served.context(nt=False) as context, pytest.raises(TimeoutError):
            context.put("T:current", 1.0, timeout=timeout_s)
        if waiting:
            break
    assert wait_for(lambda: served.server.connected == 0)
    with caplog.at_level(logging.WARNING):
        waiting[0].set_result(PutReply(True))
    assert not caplog.records
    with served.context(nt=False) as context:
        assert context.get("T:current").value == 0.0
