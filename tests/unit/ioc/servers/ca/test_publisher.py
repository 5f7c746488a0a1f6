"""Publications of a bank reach each subscriber as it asked for them, in one write."""

import struct
from typing import Any

import numpy as np
import pytest
from caproto import AlarmSeverity, AlarmStatus

from gnomon.db.pvs import AlarmLimits, Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca import dbr, publisher
from gnomon.ioc.servers.ca.dbr import TIME_DOUBLE
from gnomon.ioc.servers.ca.points import find
from gnomon.ioc.servers.ca.publisher import MAX_PATTERNS, Publisher, Subscription
from gnomon.ioc.wire.ca_framing import EPOCH_S, GET_FAILED, NORMAL, Command, Message, Stream

VALUE, LOG, ALARM = 1, 2, 4
STAMP_NS = (EPOCH_S + 1000) * 10**9 + 7


def pv(name: str, kind: Kind = Kind.FLOAT, **more: Any) -> PvSpec:
    return PvSpec(name=name, kind=kind, **({"source": "", "description": "old"} | more))


class Client:
    """A client that keeps what it is sent, write by write, and is not ready for more after `patience` writes."""

    def __init__(self) -> None:
        self.ready = True
        self.patience = -1
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.patience -= 1
        if not self.patience:
            self.ready = False

    def taken(self) -> list[Message]:
        """The messages since it was asked last."""
        stream = Stream(frozenset(Command), 2**20)
        stream.feed(b"".join(self.writes))
        self.writes.clear()
        return list(iter(stream.take, None))


class Served:
    """A bank with its publisher; puts by name."""

    def __init__(self) -> None:
        self.bank = Bank(
            [
                pv("x", alarm=AlarmLimits(high=5.0)), pv("n", Kind.INT), pv("why", Kind.STRING),
                pv("wave", Kind.FLOATS, length=40_000), pv("y"), pv("z"),
            ],
            STAMP_NS,
        )  # fmt: skip
        self.publisher = Publisher(self.bank)
        self.bank.listen(self.publisher.publish)
        self.put(x=0.0, y=0.0, z=0.0, n=0.0)

    def put(self, **values: Any) -> None:
        numbers = {self.bank.index[n]: v for n, v in values.items() if isinstance(v, float)}
        objects = {self.bank.index[n]: v for n, v in values.items() if not isinstance(v, float)}
        scalars = (np.array(list(numbers), dtype=np.intp), np.array(list(numbers.values())))
        self.bank.publish(scalars, objects, time_ns=STAMP_NS, generation=1)

    def subscribe(
        self, client: Client, name: str, number: int, data_type: int = TIME_DOUBLE, count: int = 1, mask: int = VALUE
    ) -> Subscription:
        one = Subscription((1, number), find(self.bank, name), data_type, count, mask)
        self.publisher.subscribe(client, one)
        return one


@pytest.fixture
def served() -> Served:
    return Served()


def number(message: Message) -> float:
    """The value of a DBR_TIME_DOUBLE."""
    return float(struct.unpack_from(">d", message.payload, 16)[0])


def shown(client: Client) -> list[tuple[int, float]]:
    """Subscription and value of the messages that came."""
    return [(message.second, number(message)) for message in client.taken()]


def test_a_subscription_begins_with_the_present_value(served: Served) -> None:
    client = Client()
    served.put(x=1.5)
    served.subscribe(client, "x", 7)
    (message,) = client.taken()
    assert (message.command, message.data_type, message.count) == (Command.EVENT_ADD, TIME_DOUBLE, 1)
    assert (message.first, message.second) == (NORMAL, 7)
    assert struct.unpack(">HHIIId", message.payload) == (0, 0, 1000, 7, 0, 1.5)


def test_an_update_has_value_alarm_and_time_where_the_protocol_has_them(served: Served) -> None:
    client = Client()
    served.subscribe(client, "x", 7)
    client.taken()
    served.put(x=6.0)
    (message,) = client.taken()
    assert (message.command, message.data_type, message.count) == (Command.EVENT_ADD, TIME_DOUBLE, 1)
    assert (message.first, message.second) == (NORMAL, 7)
    high, minor = AlarmStatus.HIGH, AlarmSeverity.MINOR_ALARM
    assert struct.unpack(">HHIIId", message.payload) == (high, minor, 1000, 7, 0, 6.0)


def test_many_pvs_come_in_one_write_and_others_pvs_do_not(served: Served) -> None:
    client = Client()
    for place, name in enumerate(("x", "y", "n")):
        served.subscribe(client, name, place)
    client.taken()
    served.put(x=1.0, y=2.0, z=9.0, n=3.0)
    assert len(client.writes) == 1
    assert sorted(shown(client)) == [(0, 1.0), (1, 2.0), (2, 3.0)]
    served.put(z=1.0)
    assert client.writes == []


def test_a_time_before_the_epoch_of_epics_is_its_beginning(served: Served) -> None:
    client = Client()
    served.subscribe(client, "x", 1)
    client.taken()
    served.bank.publish((np.array([0]), np.array([1.0])), {}, time_ns=5, generation=0)
    (message,) = client.taken()
    assert struct.unpack_from(">II", message.payload, 4) == (0, 5)


def test_patterns_that_repeat_have_the_newest_values_and_change_with_the_subscriptions(served: Served) -> None:
    client = Client()
    served.subscribe(client, "x", 1)
    served.put(x=1.0, y=1.0)
    client.taken()
    served.put(x=2.0, y=2.0)
    assert shown(client) == [(1, 2.0)]
    served.subscribe(client, "y", 2)
    client.taken()
    served.put(x=3.0, y=4.0)
    assert sorted(shown(client)) == [(1, 3.0), (2, 4.0)]
    served.publisher.unsubscribe(client, (1, 1), find(served.bank, "x"))
    served.put(x=5.0, y=6.0)
    assert shown(client) == [(2, 6.0)]


def test_patterns_are_kept_in_bounds_and_are_counted(served: Served) -> None:
    client = Client()
    served.subscribe(client, "x", 1)
    assert served.publisher.plan_bytes(client) == 0
    served.put(x=1.0)
    one = served.publisher.plan_bytes(client)
    assert one >= 40 + 8  # a message and its place
    served.put(x=2.0)
    assert served.publisher.plan_bytes(client) == one
    for count in range(1, 100):  # other sets of PVs each time
        indices = np.array([0] * count)
        served.publisher.publish(indices)
    assert served.publisher.plan_bytes(client) <= MAX_PATTERNS * one
    assert served.publisher.plan_bytes(Client()) == 0


def test_a_text_an_array_and_other_types_come_one_by_one(served: Served) -> None:
    client = Client()
    served.subscribe(client, "why", 1, dbr.STRING)
    served.subscribe(client, "wave", 2, dbr.DOUBLE, count=0)
    served.subscribe(client, "x", 3, dbr.STRING)
    client.taken()
    served.put(why="no beam", wave=np.array([1.0, 2.0]), x=1.0)
    assert len(client.writes) == 1
    found = {message.second: message for message in client.taken()}
    assert found[1].payload.rstrip(b"\0") == b"no beam"
    assert (found[2].count, struct.unpack(">2d", found[2].payload)) == (2, (1.0, 2.0))
    assert found[3].payload.startswith(b"1.000000\0")


def test_subscriptions_to_the_same_pv_end_one_by_one(served: Served) -> None:
    client = Client()
    for place in (1, 2):
        served.subscribe(client, "why", place, dbr.STRING)
    client.taken()
    served.publisher.unsubscribe(client, (1, 1), find(served.bank, "why"))
    served.put(why="new")
    assert [message.second for message in client.taken()] == [2]
    served.publisher.unsubscribe(client, (1, 2), find(served.bank, "why"))
    served.put(why="newer")
    assert client.writes == []


def test_a_value_that_cannot_be_had_as_a_type_keeps_the_subscription_alive(served: Served) -> None:
    client = Client()
    served.put(why="words")
    served.subscribe(client, "why", 1, dbr.DOUBLE)
    (message,) = client.taken()
    assert (message.first, message.count) == (GET_FAILED, 0)
    assert message.payload  # without any the client would take the subscription for ended
    served.put(why="12.5")
    (message,) = client.taken()
    assert (message.first, struct.unpack(">d", message.payload)) == (NORMAL, (12.5,))


def test_a_subscription_to_alarms_hears_of_alarms_alone(served: Served) -> None:
    client = Client()
    served.subscribe(client, "x", 1, mask=ALARM)
    client.taken()
    served.put(x=1.0)
    assert client.writes == []
    served.put(x=6.0)
    assert shown(client) == [(1, 6.0)]
    served.put(x=7.0)
    assert client.writes == []
    served.put(x=1.0)
    assert shown(client) == [(1, 1.0)]


@pytest.mark.parametrize("mask", [VALUE, LOG, VALUE | ALARM])
def test_subscriptions_to_values_or_to_the_archive_hear_of_every_value(served: Served, mask: int) -> None:
    client = Client()
    served.subscribe(client, "x", 1, mask=mask)
    client.taken()
    served.put(x=1.0)
    served.put(x=1.0)
    assert shown(client) == [(1, 1.0), (1, 1.0)]


def test_a_deadband_holds_small_changes_back_and_counts_from_what_was_sent(served: Served) -> None:
    client = Client()
    served.subscribe(client, 'x{"dbnd":{"abs":1.0}}', 1)
    client.taken()
    for value in (0.6, 0.9, 1.2, 1.9, 2.3):
        served.put(x=value)
    assert shown(client) == [(1, 1.2), (1, 2.3)]
    served.put(x=5.0)
    served.put(x=4.9)  # a small change, but the alarm has gone
    assert shown(client) == [(1, 5.0), (1, 4.9)]


def test_a_field_is_sent_when_it_is_another(served: Served) -> None:
    client = Client()
    served.subscribe(client, "x.SEVR", 1, dbr.SHORT)
    (first,) = client.taken()
    assert struct.unpack_from(">h", first.payload) == (0,)
    served.put(x=1.0)
    assert client.writes == []
    served.put(x=6.0)
    (message,) = client.taken()
    assert struct.unpack_from(">h", message.payload) == (1,)


def test_a_client_that_does_not_keep_up_gets_the_newest_when_it_is_ready(served: Served) -> None:
    client, other = Client(), Client()
    for one in (client, other):
        served.subscribe(one, "x", 1)
        served.subscribe(one, "y", 2)
        one.taken()
    client.ready = False
    served.put(x=1.0)
    served.put(x=2.0, z=1.0)
    assert client.writes == []
    assert shown(other) == [(1, 1.0), (1, 2.0)]
    client.ready = True
    served.publisher.catch_up(client)
    assert shown(client) == [(1, 2.0)]
    served.publisher.catch_up(client)
    assert client.writes == []
    served.put(y=3.0)
    assert shown(client) == [(2, 3.0)]


def test_a_subscription_made_while_the_client_is_behind_begins_when_it_is_ready(served: Served) -> None:
    client = Client()
    client.ready = False
    served.put(x=1.5)
    served.subscribe(client, "x", 1)
    assert client.writes == []
    client.ready = True
    served.publisher.catch_up(client)
    assert shown(client) == [(1, 1.5)]


def test_large_updates_stop_where_the_client_falls_behind_and_go_on_from_there(served: Served) -> None:
    client = Client()
    for place in range(5):
        served.subscribe(client, "wave", place, dbr.DOUBLE, count=0)
    client.taken()
    client.patience = 1
    served.put(wave=np.ones(20_000))  # 160 kB each: two of them are a portion
    sent = [message.second for message in client.taken()]
    assert sent == [0, 1]
    client.ready, client.patience = True, -1
    served.publisher.catch_up(client)
    assert [message.second for message in client.taken()] == [2, 3, 4]
    served.publisher.catch_up(client)
    assert client.writes == []


def test_a_late_update_of_an_ended_subscription_is_not_sent(served: Served) -> None:
    client = Client()
    for place in range(4):
        served.subscribe(client, "wave", place, dbr.DOUBLE, count=0)
    client.taken()
    client.patience = 1
    served.put(wave=np.ones(20_000))
    client.taken()
    served.publisher.unsubscribe(client, (1, 2), find(served.bank, "wave"))
    client.ready, client.patience = True, -1
    served.publisher.catch_up(client)
    assert [message.second for message in client.taken()] == [3]


def test_clients_that_want_the_same_share_what_is_packed_and_no_others_do(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[int] = []
    encode = dbr.encode

    def counting(state: Any, facts: Any, data_type: int, count: int) -> tuple[bytes, int]:
        packed.append(data_type)
        return encode(state, facts, data_type, count)

    first, second, third = Client(), Client(), Client()
    served.subscribe(first, "wave", 1, dbr.DOUBLE, count=0)
    served.subscribe(second, "wave", 9, dbr.DOUBLE, count=0)
    served.subscribe(third, "wave", 5, dbr.DOUBLE, count=1)
    for client in (first, second, third):
        client.taken()
    monkeypatch.setattr(dbr, "encode", counting)
    served.put(wave=np.array([1.0, 2.0]))
    assert packed == [dbr.DOUBLE] * 2
    (one,), (same,), (part,) = first.taken(), second.taken(), third.taken()
    assert (one.second, same.second) == (1, 9)
    assert one.payload == same.payload != part.payload
    assert (one.count, part.count) == (2, 1)


def test_the_numbers_of_what_is_shared_are_never_used_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "MAX_CONTENTS", 2)
    client = Client()
    names = ("x.DESC", "y.DESC", "z.DESC", "x.DESC")
    made = [served.subscribe(client, name, at, dbr.STRING) for at, name in enumerate(names)]
    assert len({one.content for one in made}) == 4


def test_clients_that_have_gone_get_nothing_more(served: Served) -> None:
    gone, left = Client(), Client()
    for client in (gone, left):
        served.subscribe(client, "x", 1)
        client.taken()
    served.publisher.forget(gone)
    served.put(x=1.0)
    assert gone.writes == []
    assert shown(left) == [(1, 1.0)]
    served.publisher.unsubscribe(gone, (1, 1), find(served.bank, "x"))
    served.publisher.catch_up(gone)
    served.publisher.stop()
    served.put(x=2.0)
    assert left.writes == gone.writes == []
