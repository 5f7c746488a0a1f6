"""A monitoring client gets every publication, complete, in order, and nothing twice."""

import threading
import time
from typing import Any

import numpy as np
from p4p.client.thread import Context
from patience import wait_for

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank, Severity, Status
from system.pva.stage import START_NS, Served, server_of

DEEP = "record[queueSize=1000]field()"


def test_every_generation_arrives_in_order(served: Served, client: Context) -> None:
    tags: list[int] = []
    with client.monitor("T:current", lambda v: tags.append(v["timeStamp.userTag"]), request=DEEP):
        assert wait_for(lambda: tags == [0])
        for generation in range(1, 201):
            served.publish("T:current", generation, time_ns=START_NS + generation, generation=generation)
        assert wait_for(lambda: len(tags) >= 201)
    assert tags == list(range(201))


def test_an_update_marks_only_what_changed(served: Served, client: Context) -> None:
    changed: list[set[str]] = []
    with client.monitor("T:current", lambda v: changed.append(v.changedSet(expand=True)), request=DEEP):
        assert wait_for(lambda: len(changed) == 1)
        served.publish("T:current", 1.0, time_ns=START_NS + 1, generation=1)
        served.publish("T:current", 2.0, time_ns=START_NS + 2, generation=2)
        served.bank.alarm(np.array([0]), Severity.INVALID, Status.TIMEOUT)
        served.bank.alarm(np.array([0]), Severity.INVALID, Status.TIMEOUT)
        served.publish("T:current", 2.0, time_ns=START_NS + 3, generation=2)
        assert wait_for(lambda: len(changed) == 5)
    stamp = {"timeStamp.secondsPastEpoch", "timeStamp.nanoseconds", "timeStamp.userTag"}
    alarm = {"alarm.severity", "alarm.status", "alarm.message"}
    assert changed[0] >= {"value", "display.units"} | stamp | alarm
    assert changed[1:] == [{"value"} | stamp | alarm, {"value"} | stamp, alarm, {"value"} | stamp | alarm]


def test_a_table_and_an_array_are_monitored_too(served: Served, client: Context) -> None:
    seen: list[Any] = []
    tables: list[Any] = []
    with (
        client.monitor("T:orbit", lambda v: seen.append(v.value.tolist()), request=DEEP),
        client.monitor("T:table", lambda v: tables.append(v.todict("value")), request=DEEP),
    ):
        assert wait_for(lambda: len(seen) == len(tables) == 1)
        served.publish("T:orbit", np.array([1.0, 2.0]), time_ns=START_NS + 1, generation=1)
        served.publish("T:table", {"name": ["a"], "x": [0.5]}, time_ns=START_NS + 1, generation=1)
        served.publish("T:orbit", np.array([3.0]), time_ns=START_NS + 2, generation=2)
        assert wait_for(lambda: len(seen) == 3 and len(tables) == 2)
    assert seen == [[], [1.0, 2.0], [3.0]]
    assert tables[1]["name"] == ["a"]


def test_a_thousand_pvs_published_together_have_one_time_stamp() -> None:
    specs = [PvSpec(name=f"T:rd{i}", kind=Kind.FLOAT, source="", description="") for i in range(1000)]
    bank = Bank(specs, START_NS)
    server = server_of(bank)
    endpoint = server.start()
    latest: dict[str, tuple[int, int, float]] = {}

    def note(name: str, value: Any) -> None:
        latest[name] = (value["timeStamp.secondsPastEpoch"], value["timeStamp.nanoseconds"], value.value)

    with Context("pva", conf=dict(endpoint.client_variables), useenv=False, nt=False) as context:
        subscriptions = [context.monitor(s.name, lambda v, name=s.name: note(name, v)) for s in specs]
        assert wait_for(lambda: len(latest) == 1000)
        bank.publish((np.arange(1000), np.arange(1000.0)), {}, time_ns=START_NS + 7, generation=1)
        assert wait_for(lambda: latest["T:rd999"][2] == 999.0)
        assert wait_for(lambda: len({stamp[:2] for stamp in latest.values()}) == 1)
        for subscription in subscriptions:
            subscription.close()
    server.stop()
    assert latest["T:rd0"][:2] == (1_700_000_000, 123_456_796)


def test_a_client_that_connects_while_we_publish_never_sees_an_older_value_after_a_newer_one(served: Served) -> None:
    stop = threading.Event()
    published = [0]

    def publish_at_200_hz() -> None:
        while not stop.wait(0.005):
            published[0] += 1
            served.publish("T:current", published[0], time_ns=START_NS + published[0], generation=published[0])

    publisher = threading.Thread(target=publish_at_200_hz)
    publisher.start()
    runs: list[list[float]] = []
    try:
        for _ in range(25):
            runs.append([])
            before = published[0]
            with (
                served.context(nt=False) as context,
                context.monitor("T:current", lambda v, seen=runs[-1]: seen.append(v.value), request=DEEP),
            ):
                assert wait_for(lambda: len(runs[-1]) > 5)
            assert runs[-1][0] >= before
            assert wait_for(lambda: served.server.connected == 0)
    finally:
        stop.set()
        publisher.join()
    for seen in runs:
        assert seen == [seen[0] + i for i in range(len(seen))]


def test_the_last_value_arrives_however_slow_the_client(served: Served, client: Context) -> None:
    seen: list[float] = []

    def slowly(value: Any) -> None:
        time.sleep(0.01)
        seen.append(value.value)

    with client.monitor("T:current", slowly):
        assert wait_for(lambda: len(seen) == 1)
        for generation in range(1, 101):
            served.publish("T:current", generation, time_ns=START_NS + generation, generation=generation)
        assert wait_for(lambda: seen[-1] == 100.0)
    assert seen == sorted(seen)


def test_publishing_costs_nothing_for_pvs_that_nobody_has(served: Served) -> None:
    with served.context(nt=False) as context:
        context.get("T:count")
        assert served.server.connected == 1
    assert wait_for(lambda: served.server.connected == 0)
