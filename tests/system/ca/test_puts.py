"""Puts: their order, their refusal, and what is on the wire before their answer."""

import struct
import threading
import time
from concurrent.futures import Future
from typing import Any

import pytest
from patience import PATIENCE_S

from gnomon.ioc.base.protocols import PutReply
from gnomon.ioc.servers.ca.caproto_log import HARMLESS
from gnomon.ioc.servers.ca.circuit import MAX_PUTS
from system.ca.stage import DOUBLE, EVENT_ADD, WRITE, RawClient, Served

NORMAL, PUTFAIL = 1, 160


def test_puts_reach_the_sink_in_the_order_of_the_wire(served: Served, client: RawClient) -> None:
    client.connect("T:current")
    for i in range(300):
        client.put("T:current", float(i), i)
    for _ in range(300):
        client.wait(WRITE)
    assert [value for _, value, _ in served.sink.puts] == [float(i) for i in range(300)]


def test_put_completes_after_outputs_are_published(served: Served, client: RawClient) -> None:
    def complete(index: int, value: Any, future: Future[PutReply]) -> None:
        def finish() -> None:
            served.publish_here({"T:x1": value, "T:orbit": [value]})
            future.set_result(PutReply(True))

        threading.Timer(0.02, lambda: served.loop.call_soon_threadsafe(finish)).start()

    served.sink.complete = complete
    client.connect("T:current", "T:x1", "T:orbit")
    client.subscribe("T:x1", 5)
    client.subscribe("T:orbit", 6)
    client.wait(EVENT_ADD)
    client.wait(EVENT_ADD)
    client.put("T:current", 4.0, 9)
    messages = [client.receive() for _ in range(3)]
    assert [m.command for m in messages if m] == [EVENT_ADD, EVENT_ADD, WRITE]
    assert messages[0] is not None
    assert messages[0].double[3] == 4.0


@pytest.mark.parametrize(
    ("name", "data_type", "count", "payload"),
    [
        ("T:current", DOUBLE, 1, struct.pack(">d", float("nan"))),
        ("T:current", DOUBLE, 2, struct.pack(">dd", 1.0, 2.0)),
        ("T:current", 0, 1, b"no number".ljust(40, b"\0")),
        ("T:current", 4, 0, b""),
        ("T:current", 20, 1, b"\0" * 24),
        ("T:fixed", DOUBLE, 1, struct.pack(">d", 1.0)),
    ],
    ids=["not-a-number", "two values", "text", "nothing", "with metadata", "read-only"],
)
def test_a_value_that_no_setpoint_takes_is_refused_on_one_line(
    served: Served, client: RawClient, caplog: pytest.LogCaptureFixture, name: str, data_type: int, count: int,
    payload: bytes,
) -> None:  # fmt: skip
    served.publish({"T:current": 2.0})
    client.connect(name)
    client.send(WRITE, data_type, count, client.sids[name], 7, payload)
    answer = client.receive()
    assert answer is not None
    if data_type != 20:  # some protocol versions take a value with metadata for the value
        assert (answer.command, answer.first, answer.second) == (WRITE, PUTFAIL, 7)
    told = [record for record in caplog.records if not record.msg.startswith(HARMLESS)]  # which the server leaves out
    assert [record for record in told if record.exc_info] == []
    assert served.bank.reading(served.bank.index["T:current"]).value == 2.0


def test_rights_are_shown(client: RawClient) -> None:
    client.connect("T:current", "T:fixed", "T:current.DESC")
    assert client.rights == {"T:current": 3, "T:fixed": 1, "T:current.DESC": 1}


def test_an_accepted_put_is_answered_as_normal_and_names_the_client(served: Served, client: RawClient) -> None:
    client.send(20, payload=b"operator\0")
    client.send(21, payload=b"console7\0")
    client.connect("T:mode")
    client.send(WRITE, 0, 1, client.sids["T:mode"], 3, b"ramp".ljust(40, b"\0"))
    assert client.wait(WRITE).first == NORMAL
    ((_, value, who),) = served.sink.puts
    assert (value, who.user, who.host, who.protocol) == (2, "operator", "console7", "ca")


def test_a_client_with_thousands_of_puts_under_way_has_to_wait(served: Served, client: RawClient) -> None:
    waiting: list[Future[PutReply]] = []
    served.sink.complete = lambda index, value, future: waiting.append(future)
    client.connect("T:current")
    for number in range(MAX_PUTS + 1000):
        client.put("T:current", 1.0, number)
    end = time.monotonic() + PATIENCE_S
    while len(waiting) < MAX_PUTS and time.monotonic() < end:
        time.sleep(0.01)
    other = RawClient(served.server.port)
    other.connect("T:x1")  # it is served meanwhile
    other.close()
    assert len(waiting) == MAX_PUTS
    for number in range(MAX_PUTS + 1000):
        end = time.monotonic() + PATIENCE_S
        while len(waiting) <= number and time.monotonic() < end:
            time.sleep(0.001)
        waiting[number].set_result(PutReply(True))
    assert {client.wait(WRITE).first for _ in range(MAX_PUTS + 1000)} == {NORMAL}
