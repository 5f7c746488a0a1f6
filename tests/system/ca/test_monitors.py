"""Updates that subscribers see, and their order."""

import struct
import threading
import time

import numpy as np
import pytest
from patience import PATIENCE_S

from system.ca.stage import (
    ALARM,
    CLEAR,
    DOUBLE,
    ECHO,
    EVENT_ADD,
    EVENT_CANCEL,
    EVENTS_OFF,
    EVENTS_ON,
    READ,
    START_NS,
    TIME_DOUBLE,
    RawClient,
    Served,
)

LATER_NS = START_NS + 5_000_000_001


def test_a_batch_reaches_all_its_subscribers_with_one_time_stamp(served: Served, client: RawClient) -> None:
    names = [f"T:x{i}" for i in range(1000)]
    client.connect(*names)
    for number, name in enumerate(names):
        client.subscribe(name, number)
        client.wait(EVENT_ADD)
    served.publish({name: i / 7 for i, name in enumerate(names)}, time_ns=LATER_NS)
    got = {message.second: message.double for message in (client.wait(EVENT_ADD) for _ in names)}
    assert got == {i: (0, 0, LATER_NS, i / 7) for i in range(1000)}


def test_a_repeated_reading_is_sent_with_its_new_time_stamp(served: Served, client: RawClient) -> None:
    served.publish({"T:x1": 2.0})
    client.connect("T:x1")
    client.subscribe("T:x1", 5)
    first = client.wait(EVENT_ADD).double
    served.publish({"T:x1": 2.0}, time_ns=LATER_NS)
    assert (first, client.wait(EVENT_ADD).double) == ((0, 0, START_NS, 2.0), (0, 0, LATER_NS, 2.0))


def test_invalid_arrives_with_the_old_value_and_time_stamp(served: Served, client: RawClient) -> None:
    served.publish({"T:x1": 2.0})
    client.connect("T:x1")
    client.subscribe("T:x1", 5)
    client.wait(EVENT_ADD)
    served.publish({}, time_ns=LATER_NS, invalid=("T:x1",))
    assert client.wait(EVENT_ADD).double == (12, 3, START_NS, 2.0)


def test_a_subscriber_to_alarms_hears_of_changed_alarms_alone(served: Served, client: RawClient) -> None:
    served.publish({"T:current": 1.0})
    client.connect("T:current")
    client.subscribe("T:current", 5, mask=ALARM)
    client.wait(EVENT_ADD)
    served.publish({"T:current": 2.0})
    served.publish({"T:current": 7.0})
    assert client.wait(EVENT_ADD).double[:2] == (4, 1)
    assert client.receive(0.2) is None


def test_the_newest_value_comes_after_events_are_on_again(served: Served, client: RawClient) -> None:
    client.connect("T:x1")
    client.subscribe("T:x1", 5)
    client.wait(EVENT_ADD)
    client.send(EVENTS_OFF)
    client.send(23)  # an echo: what was sent before it has been read
    client.wait(23)
    for value in (1.0, 2.0, 3.0):
        served.publish({"T:x1": value})
    assert client.receive(0.1) is None
    client.send(EVENTS_ON)
    assert client.wait(EVENT_ADD).double[3] == 3.0
    assert client.receive(0.1) is None


def test_a_subscription_that_was_ended_sends_no_more_updates(served: Served, client: RawClient) -> None:
    client.connect("T:x1")
    client.subscribe("T:x1", 5)
    client.wait(EVENT_ADD)
    client.send(EVENT_CANCEL, TIME_DOUBLE, 0, client.sids["T:x1"], 5)
    ended = client.receive()
    assert ended is not None
    assert (ended.command, ended.payload, ended.second) == (EVENT_ADD, b"", 5)
    served.publish({"T:x1": 2.0})
    assert client.receive(0.2) is None


def test_a_channel_that_was_cleared_sends_no_more_updates(served: Served, client: RawClient) -> None:
    client.connect("T:x1")
    client.subscribe("T:x1", 5)
    client.wait(EVENT_ADD)
    client.send(CLEAR, first=client.sids["T:x1"], second=0)
    client.wait(CLEAR)
    served.publish({"T:x1": 2.0})
    assert client.receive(0.2) is None


def test_an_array_has_its_present_length(served: Served, client: RawClient) -> None:
    client.connect("T:orbit")
    served.publish({"T:orbit": np.arange(3.0)})
    client.subscribe("T:orbit", 5, DOUBLE)
    first = client.wait(EVENT_ADD)
    served.publish({"T:orbit": np.arange(4000.0)})
    second = client.wait(EVENT_ADD)
    assert first.count == 3
    assert np.array_equal(np.frombuffer(second.payload, ">f8"), np.arange(4000.0))


def test_an_empty_array_is_not_taken_for_the_end_of_the_subscription(served: Served, client: RawClient) -> None:
    client.connect("T:orbit")
    client.subscribe("T:orbit", 5, DOUBLE)
    message = client.wait(EVENT_ADD)
    assert message.count == 0
    assert message.payload


def test_a_slow_client_gets_the_newest_values_in_the_end(served: Served, client: RawClient) -> None:
    client.connect("T:orbit", "T:x1")
    client.subscribe("T:orbit", 1)
    client.subscribe("T:x1", 2)
    for i in range(600):  # 19 MB that the client does not read
        served.publish({"T:orbit": np.full(4000, float(i)), "T:x1": float(i)})
    last: dict[int, float] = {}
    seen = 0
    newest = {1: 599.0, 2: 599.0}
    while last != newest and (message := client.receive()) is not None:
        if message.command == EVENT_ADD:
            seen += 1
            last[message.second] = message.double[3]
    assert last == newest
    assert seen < 1200


@pytest.mark.parametrize("data_type", [t for t in range(39) if t not in (35, 36)])
def test_subscriptions_of_every_type_get_what_a_read_gets(served: Served, client: RawClient, data_type: int) -> None:
    names = ("T:current", "T:count", "T:mode", "T:orbit", "T:reason")
    client.connect(*names)
    for number, name in enumerate(names):
        client.subscribe(name, number, data_type)
    for _ in names:
        client.wait(EVENT_ADD)
    served.publish({"T:current": 7.5, "T:count": 3, "T:mode": 1, "T:orbit": np.arange(4.0), "T:reason": "12"})
    got = {update.second: update for update in (client.wait(EVENT_ADD) for _ in names)}
    for number, name in enumerate(names):
        client.send(READ, data_type, 0, client.sids[name], 99)
        answer = client.wait(READ)
        assert (got[number].count, got[number].payload) == (answer.count, answer.payload)
        assert got[number].first == answer.first == 1


def test_the_severity_of_an_alarm_reaches_subscribers_of_every_form(served: Served, client: RawClient) -> None:
    client.connect("T:current")
    for number, data_type in enumerate((TIME_DOUBLE, 7 + 6, 14 + 0, 28 + 6)):
        client.subscribe("T:current", number, data_type)
        client.wait(EVENT_ADD)
    served.publish({"T:current": 12.0})
    assert [client.wait(EVENT_ADD).payload[:4] for _ in range(4)] == [struct.pack(">HH", 3, 2)] * 4


def test_a_field_is_sent_when_it_changes(served: Served, client: RawClient) -> None:
    served.publish({"T:current": 1.0, "T:orbit": np.arange(3.0)})
    client.connect("T:current.SEVR", "T:current.DESC", "T:orbit.NORD")
    for number, name in enumerate(client.sids):
        client.subscribe(name, number, 0)
        client.wait(EVENT_ADD)
    served.publish({"T:current": 2.0, "T:orbit": np.arange(3.0)})
    assert client.receive(0.1) is None
    served.publish({"T:current": 7.0, "T:orbit": np.arange(5.0)})
    changed = {u.second: u.payload.rstrip(b"\0") for u in (client.wait(EVENT_ADD) for _ in range(2))}
    assert changed == {0: b"MINOR", 2: b"5"}
    assert client.receive(0.1) is None


def test_filters_are_applied_to_reads_and_updates(served: Served, client: RawClient) -> None:
    served.publish({"T:orbit": np.arange(10.0), "T:current": 1.0})
    part, band, now = 'T:orbit{"arr":{"s":2,"e":-1,"i":4}}', 'T:current{"dbnd":{"abs":0.5}}', 'T:x1{"ts":{}}'
    client.connect(part, band, now)
    for number, name in enumerate((part, band, now)):
        client.subscribe(name, number)
        client.wait(EVENT_ADD)
    for value in (1.4, 1.6, 1.9, 2.2):
        served.publish({"T:current": value})
    assert [client.wait(EVENT_ADD).double[3] for _ in range(2)] == [1.6, 2.2]
    served.publish({"T:orbit": np.arange(20.0, 30.0)})
    update = client.wait(EVENT_ADD)
    assert np.array_equal(np.frombuffer(update.payload[16:], ">f8", update.count), [22.0, 26.0])
    served.publish({"T:x1": 3.0})
    stamp = client.wait(EVENT_ADD).double[2]
    assert abs(stamp - time.time_ns()) < 1e9 * PATIENCE_S
    client.send(READ, DOUBLE, 0, client.sids[part], 1)
    assert client.wait(READ).count == 2


def test_each_of_many_pauses_ends_with_the_newest_values(served: Served, client: RawClient) -> None:
    client.connect("T:x1", "T:orbit", "T:mode")
    for number, name in enumerate(client.sids):
        client.subscribe(name, number)
        client.wait(EVENT_ADD)
    for value in range(20):
        client.send(EVENTS_OFF)
        client.send(ECHO)
        client.wait(ECHO)
        for step in (0.25, 0.5):
            served.publish({"T:x1": value + step, "T:orbit": [value + step], "T:mode": value % 3})
        client.send(EVENTS_ON)
        got = {u.second: u.double[3] for u in (client.wait(EVENT_ADD) for _ in range(3))}
        assert got == {0: value + 0.5, 1: value + 0.5, 2: value % 3}


def test_a_subscription_made_while_events_are_off_begins_when_they_are_on(served: Served, client: RawClient) -> None:
    client.connect("T:x1", "T:orbit")
    client.send(EVENTS_OFF)
    client.subscribe("T:x1", 1)
    client.subscribe("T:orbit", 2)
    client.send(ECHO)
    assert client.receive() is not None  # the echo, and nothing before it
    served.publish({"T:x1": 2.0})
    client.send(EVENTS_ON)
    assert {client.wait(EVENT_ADD).second for _ in range(2)} == {1, 2}
    assert client.receive(0.1) is None


def test_no_first_value_comes_after_a_newer_one(served: Served, client: RawClient) -> None:
    names = [f"T:x{i}" for i in range(500)]
    client.connect(*names)
    stop = threading.Event()

    def publish() -> None:
        value = 0.0
        while not stop.is_set():
            value += 1.0
            served.publish(dict.fromkeys(names, value))

    publishing = threading.Thread(target=publish)
    publishing.start()
    try:
        for number, name in enumerate(names):
            client.subscribe(name, number)
        last = dict.fromkeys(range(len(names)), -1.0)
        for _ in range(5 * len(names)):
            update = client.wait(EVENT_ADD)
            assert update.double[3] >= last[update.second]
            last[update.second] = update.double[3]
    finally:
        stop.set()
        publishing.join()
