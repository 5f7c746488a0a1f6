"""A client reads value, metadata, alarm and time stamp of every kind of PV."""

import numpy as np
import pytest
from p4p.client.thread import Context

from gnomon.ioc.outputs.bank import Severity, Status
from system.pva.stage import START_NS, Served

NOW_NS = 1_800_000_000_987_654_321


def test_a_float_has_all_that_the_spec_says(served: Served, client: Context) -> None:
    served.publish("T:current", 7.5, time_ns=NOW_NS, generation=12)
    value = client.get("T:current")
    assert value.getID() == "epics:nt/NTScalar:1.0"
    assert value.value == 7.5
    assert value.todict("display")["limitLow"] == -20.0
    assert value.todict("display")["limitHigh"] == 200.0
    assert value["display.units"] == "A"
    assert value["display.precision"] == 4
    assert value["display.description"] == "current of the first family"
    assert value["display.form.choices"][value["display.form.index"]] == "Default"
    assert (value["control.limitLow"], value["control.limitHigh"]) == (0.0, 150.0)
    limits = [value[f"valueAlarm.{name}Limit"] for name in ("lowAlarm", "lowWarning", "highWarning", "highAlarm")]
    assert limits == [-10.0, -5.0, 5.0, 10.0]
    severities = [
        value[f"valueAlarm.{name}Severity"] for name in ("lowAlarm", "lowWarning", "highWarning", "highAlarm")
    ]
    assert severities == [2, 1, 1, 2]


@pytest.mark.parametrize(
    ("number", "severity", "status", "message"),
    [(0.0, 0, 0, "NO_ALARM"), (7.0, 1, 1, "HIGH"), (-20.0, 2, 1, "LOLO"), (np.nan, 3, 2, "UDF")],
)
def test_alarm_limits_show_as_severity_and_name(
    served: Served, client: Context, number: float, severity: int, status: int, message: str
) -> None:
    served.publish("T:current", number, time_ns=NOW_NS, generation=1)
    assert client.get("T:current").todict("alarm") == {"severity": severity, "status": status, "message": message}


def test_time_stamp_is_exact_and_carries_the_generation(served: Served, client: Context) -> None:
    served.publish("T:current", 1.0, time_ns=NOW_NS, generation=2**31 + 5)
    stamp = client.get("T:current").todict("timeStamp")
    assert stamp == {"secondsPastEpoch": 1_800_000_000, "nanoseconds": 987_654_321, "userTag": 5}


def test_a_pv_that_was_never_published_is_undefined_since_the_start(client: Context) -> None:
    value = client.get("T:current")
    assert value.todict("alarm") == {"severity": 3, "status": 2, "message": "UDF"}
    assert value["timeStamp.secondsPastEpoch"] * 10**9 + value["timeStamp.nanoseconds"] == START_NS


def test_an_int_is_64_bits_long(served: Served, client: Context) -> None:
    served.publish("T:count", 2**40, time_ns=NOW_NS, generation=1)
    value = client.get("T:count")
    assert value.value == 2**40
    assert value["display.limitHigh"] == 1000
    assert value["valueAlarm.active"] is False


def test_an_enum_has_its_choices(served: Served, client: Context) -> None:
    served.publish("T:mode", 2, time_ns=NOW_NS, generation=1)
    value = client.get("T:mode")
    assert value.getID() == "epics:nt/NTEnum:1.0"
    assert (value["value.index"], list(value["value.choices"])) == (2, ["off", "on", "ramp"])


def test_strings_and_arrays_arrive_whole(served: Served, client: Context) -> None:
    orbit = np.linspace(-1.0, 1.0, 4000)
    served.publish("T:reason", "no orbit: trace 2.3", time_ns=NOW_NS, generation=1)
    served.publish("T:orbit", orbit, time_ns=NOW_NS, generation=1)
    served.publish("T:names", ["BPMZ1", "BPMZ2"], time_ns=NOW_NS, generation=1)
    assert client.get("T:reason").value == "no orbit: trace 2.3"
    value = client.get("T:orbit")
    np.testing.assert_array_equal(value.value, orbit)
    assert value.getID() == "epics:nt/NTScalarArray:1.0"
    assert value["display.units"] == "mm"
    assert list(client.get("T:names").value) == ["BPMZ1", "BPMZ2"]


def test_a_table_has_labels_and_columns(served: Served, client: Context) -> None:
    served.publish("T:table", {"name": ["a", "b"], "x": np.array([1.0, 2.0])}, time_ns=NOW_NS, generation=1)
    value = client.get("T:table")
    assert value.getID() == "epics:nt/NTTable:1.0"
    assert list(value.labels) == ["Name", "x [mm]"]
    assert list(value["value.name"]) == ["a", "b"]
    np.testing.assert_array_equal(value["value.x"], [1.0, 2.0])
    assert value["alarm.severity"] == 0


def test_every_kind_answers_before_its_first_publication(served: Served, client: Context) -> None:
    values = client.get([spec.name for spec in served.bank.specs])
    assert [value["alarm.message"] for value in values] == ["UDF"] * len(served.bank.specs)


def test_an_alarm_keeps_the_old_value_and_stamp(served: Served, client: Context) -> None:
    served.publish("T:current", 1.5, time_ns=NOW_NS, generation=4)
    assert client.get("T:current").value == 1.5
    served.bank.alarm(np.array([served.bank.index["T:current"]]), Severity.INVALID, Status.CALC)
    value = client.get("T:current")
    assert value.todict("alarm") == {"severity": 3, "status": 3, "message": "CALC"}
    assert (value.value, value["timeStamp.nanoseconds"], value["timeStamp.userTag"]) == (1.5, 987_654_321, 4)
