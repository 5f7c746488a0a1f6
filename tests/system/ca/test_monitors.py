"""What subscribers see, in which order."""

import numpy as np

from system.ca.stage import (
    ALARM,
    CLEAR,
    DOUBLE,
    EVENT_ADD,
    EVENT_CANCEL,
    EVENTS_OFF,
    EVENTS_ON,
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


def test_nothing_follows_the_end_of_a_subscription(served: Served, client: RawClient) -> None:
    client.connect("T:x1")
    client.subscribe("T:x1", 5)
    client.wait(EVENT_ADD)
    client.send(EVENT_CANCEL, TIME_DOUBLE, 0, client.sids["T:x1"], 5)
    ended = client.receive()
    assert ended is not None
    assert (ended.command, ended.payload, ended.second) == (EVENT_ADD, b"", 5)
    served.publish({"T:x1": 2.0})
    assert client.receive(0.2) is None


def test_nothing_follows_the_end_of_a_channel(served: Served, client: RawClient) -> None:
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
    while (message := client.receive(0.5)) is not None:
        if message.command == EVENT_ADD:
            seen += 1
            last[message.second] = message.double[3]
    assert last == {1: 599.0, 2: 599.0}
    assert seen < 1200
