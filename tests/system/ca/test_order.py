"""A client's reads after a put of its own show that put, or wait for it."""

import struct
import threading
from typing import Any

from gnomon.ioc.base.protocols import PutFuture, PutReply
from system.ca.stage import DOUBLE, ECHO, EVENT_ADD, READ, RawClient, Served

WRITE_SILENTLY = 4


def later(served: Served, shown: list[PutFuture], delay_s: float = 0.05) -> None:
    """Have puts shown, and published, after a while; they do not complete."""

    def complete(index: int, value: Any, future: PutFuture) -> None:
        def show() -> None:
            served.publish_here({served.bank.specs[index].name: value})
            future.show()

        shown.append(future)
        threading.Timer(delay_s, lambda: served.loop.call_soon_threadsafe(show)).start()

    served.sink.complete = complete


def value_of(client: RawClient, name: str) -> float:
    client.send(READ, DOUBLE, 1, client.sids[name], 77)
    return float(struct.unpack(">d", client.wait(READ).payload)[0])


def test_read_after_a_put_without_completion_shows_it(served: Served, client: RawClient) -> None:
    later(served, [], 0.01)
    client.connect("T:current")
    for number in range(20):
        client.send(WRITE_SILENTLY, DOUBLE, 1, client.sids["T:current"], 1, struct.pack(">d", float(number)))
        assert value_of(client, "T:current") == number


def test_first_event_of_a_subscription_after_a_put_shows_it(served: Served, client: RawClient) -> None:
    later(served, [])
    client.connect("T:current")
    client.put("T:current", 3.5, 1)
    client.subscribe("T:current", 5)
    assert client.wait(EVENT_ADD).double[3] == 3.5


def test_reading_another_pv_of_the_circuit_waits_too(served: Served, client: RawClient) -> None:
    shown: list[PutFuture] = []
    later(served, shown)
    client.connect("T:current", "T:x1")
    client.put("T:current", 1.0, 1)
    value_of(client, "T:x1")
    assert shown[0]._shown


def test_puts_do_not_wait_for_each_other_and_reads_wait_for_all(served: Served, client: RawClient) -> None:
    shown: list[PutFuture] = []
    later(served, shown)
    client.connect("T:current")
    for number in range(50):
        client.put("T:current", float(number), number)
    value_of(client, "T:current")
    assert [future._shown for future in shown] == [True] * 50


def test_requests_behind_a_read_that_waits_are_answered_in_their_order(served: Served, client: RawClient) -> None:
    later(served, [])
    client.connect("T:current")
    client.put("T:current", 1.0, 1)
    client.send(READ, DOUBLE, 1, client.sids["T:current"], 77)
    client.send(ECHO)
    client.put("T:current", 2.0, 2)
    client.send(READ, DOUBLE, 1, client.sids["T:current"], 78)
    answers = [message for _ in range(3) if (message := client.receive()) is not None]
    assert [(a.command, a.second) for a in answers] == [(READ, 77), (ECHO, 0), (READ, 78)]
    assert [struct.unpack(">d", a.payload)[0] for a in answers if a.command == READ] == [1.0, 2.0]


def test_another_client_does_not_wait(served: Served, client: RawClient) -> None:
    served.sink.complete = lambda index, value, future: None
    client.connect("T:current")
    client.put("T:current", 1.0, 1)
    other = RawClient(served.server.port)
    other.connect("T:current")
    assert value_of(other, "T:current") == 0.0
    other.close()


def test_reading_goes_on_when_the_put_is_refused(served: Served, client: RawClient) -> None:
    def refuse(index: int, value: Any, future: PutFuture) -> None:
        threading.Timer(0.02, lambda: future.set_result(PutReply(False, "no"))).start()

    served.sink.complete = refuse
    client.connect("T:current")
    client.put("T:current", 1.0, 1)
    assert value_of(client, "T:current") == 0.0
