"""The client over PV Access, against a server of p4p in the same process: values, puts, subscriptions, procedures."""

import time
from collections.abc import Iterator
from queue import Queue
from typing import Any

import numpy as np
import pytest
from p4p.nt import NTEnum, NTScalar, NTTable
from p4p.server import Server
from p4p.server.raw import ServOpWrap
from p4p.server.thread import SharedPV

from gnomon.clients.errors import NoAnswerError, RefusedError
from gnomon.clients.pva import PvaClient
from gnomon.clients.reading import Reading

#: Time within which a server in the same process answers, however busy the computer [s].
WAIT_S = 60.0


class Setting:
    """Takes a put, refuses a negative one, and leaves one of 99 without an answer."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def put(self, pv: SharedPV, operation: ServOpWrap) -> None:
        value = operation.value().raw.todict()["value"]
        value = value["index"] if isinstance(value, dict) else value
        self.got.append(np.asarray(value).tolist())
        if np.ndim(value) == 0 and value < 0:
            operation.done(error="Q1 = -1 A: outside the drive limits")
        elif np.ndim(value) or value != 99:
            pv.post(operation.value())
            operation.done()


class Procedure:
    def rpc(self, pv: SharedPV, operation: ServOpWrap) -> None:
        query = operation.value().query
        if "fail" in query:
            operation.done(error="no such command")
        elif "wait" not in query:
            operation.done(NTScalar("s").wrap(f"{query.text} {list(query.texts)} {query.numbers.tolist()}"))


class Rig:
    def __init__(self) -> None:
        self.setting = Setting()
        stamp = 1_700_000_000.25
        scalar = NTScalar("d", display=True, control=True)
        current = scalar.wrap(
            {"value": 1.5, "display.units": "A", "control.limitLow": -5.0, "control.limitHigh": 5.0}, timestamp=stamp
        )
        table = NTTable([("BPM", "s"), ("X", "d")])
        self.pvs = {
            "T:Q1": SharedPV(nt=scalar, initial=current, handler=self.setting),
            "T:orbit": SharedPV(nt=NTScalar("ad"), initial=[1.0, 2.5], handler=self.setting),
            "T:mode": SharedPV(nt=NTEnum(), initial={"index": 1, "choices": ["off", "on"]}, handler=self.setting),
            "T:bpms": SharedPV(nt=table, initial=[{"BPM": "B1", "X": 0.5}, {"BPM": "B2", "X": -1.0}]),
            "T:do": SharedPV(nt=NTScalar("s"), initial="", handler=Procedure()),
        }
        self.server = Server(providers=[self.pvs], isolate=True)
        self.client = PvaClient(self.server.conf())

    def value(self, name: str) -> Any:
        (reading,) = self.client.get([name], WAIT_S)
        assert reading is not None
        return reading.value


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    with made.client:
        yield made
    made.server.stop()


def test_readings_come_in_the_order_of_the_names_and_none_for_a_name_that_nobody_has(rig: Rig) -> None:
    mode, current, table, orbit = rig.client.get(["T:mode", "T:Q1", "T:bpms", "T:orbit"], WAIT_S)
    missing, again = rig.client.get(["T:none", "T:Q1"], 0.5)
    assert (missing, again) == (None, current)
    assert current == Reading("T:Q1", 1.5, "A", time_ns=1_700_000_000_250_000_000, limits=(-5.0, 5.0))
    assert mode is not None
    assert (mode.value, mode.index, mode.states) == ("on", 1, ("off", "on"))
    assert table is not None
    assert table.value == {"BPM": ["B1", "B2"], "X": [0.5, -1.0]}
    assert orbit is not None
    assert (orbit.value.tolist(), orbit.limits) == ([1.0, 2.5], None)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [("T:Q1", 2.25, 2.25), ("T:orbit", [3.0, 4.0, 5.0], [3.0, 4.0, 5.0]), ("T:mode", 0, "off")],
)
def test_a_put_arrives_as_it_was_given_and_is_over_when_it_returns(
    rig: Rig, name: str, value: Any, shown: object
) -> None:
    rig.client.put(name, value, WAIT_S)
    assert rig.setting.got == [value]
    assert np.asarray(rig.value(name)).tolist() == shown


def test_a_refused_put_has_the_servers_words(rig: Rig) -> None:
    with pytest.raises(RefusedError, match="Q1 = -1 A: outside the drive limits"):
        rig.client.put("T:Q1", -1.0, WAIT_S)
    assert rig.value("T:Q1") == 1.5


def test_a_put_that_is_not_waited_for_returns_though_the_server_never_completes_it(rig: Rig) -> None:
    begin = time.monotonic()
    rig.client.put("T:Q1", 99.0, WAIT_S, wait=False)
    assert time.monotonic() - begin < WAIT_S / 2


def test_a_put_that_is_not_completed_in_time_is_told_with_the_time(rig: Rig) -> None:
    with pytest.raises(NoAnswerError, match=r"^T:Q1: the put was not completed within 0\.2 s$"):
        rig.client.put("T:Q1", 99.0, 0.2)
    with pytest.raises(NoAnswerError, match=r"^T:none: the put was not completed within 0\.1 s$"):
        rig.client.put("T:none", 1.0, 0.1)


def test_updates_arrive_and_a_server_that_ends_is_told_as_a_disconnection(rig: Rig) -> None:
    got: Queue[Reading | None] = Queue()
    rig.client.monitor("T:orbit", got.put)
    assert np.array_equal(next_value(got), [1.0, 2.5])
    rig.pvs["T:orbit"].post([7.0])
    assert np.array_equal(next_value(got), [7.0])
    rig.server.stop()
    assert got.get(timeout=WAIT_S) is None


def next_value(got: "Queue[Reading | None]") -> Any:
    """The next value that is one: before the connection, a subscription may tell that there is none yet."""
    while (reading := got.get(timeout=WAIT_S)) is None:
        pass
    return reading.value


def test_a_subscription_that_was_ended_gets_no_more_values(rig: Rig) -> None:
    ended: Queue[Reading | None] = Queue()
    kept: Queue[Reading | None] = Queue()
    end = rig.client.monitor("T:Q1", ended.put)
    rig.client.monitor("T:Q1", kept.put)
    assert (next_value(ended), next_value(kept)) == (1.5, 1.5)
    end()
    rig.client.put("T:Q1", 2.0, WAIT_S)
    assert next_value(kept) == 2.0
    assert ended.empty()


def test_a_procedure_gets_texts_and_lists_and_answers(rig: Rig) -> None:
    answer = rig.client.call("T:do", {"text": "a b", "texts": ["x", "y"], "numbers": [1.0, 2.5]}, WAIT_S)
    assert answer.value == "a b ['x', 'y'] [1.0, 2.5]"


def test_a_procedure_that_refuses_and_one_that_does_not_answer_are_told_apart(rig: Rig) -> None:
    with pytest.raises(RefusedError, match="no such command"):
        rig.client.call("T:do", {"fail": "now"}, WAIT_S)
    with pytest.raises(NoAnswerError, match=r"^T:do: no server answered within 0\.2 s$"):
        rig.client.call("T:do", {"wait": "long"}, 0.2)
