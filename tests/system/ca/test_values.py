"""Readings by libca's client: values, metadata and fields of every kind."""

import pytest
from conftest import EpicsPorts

from system.ca.libca import run_libca
from system.ca.stage import START_NS, Served

REASON = "no closed orbit was found: the horizontal plane has a trace of 2.31, beyond 2"


@pytest.fixture
def seen(served: Served, epics_ports: EpicsPorts) -> dict:
    served.publish(
        {"T:current": 7.25, "T:count": 12, "T:mode": 2, "T:reason": REASON, "T:orbit": [0.5, 1.5],
         "T:names": ["a", "b", "c"], "T:x1": -1.0},
        time_ns=START_NS, invalid=("T:fixed",),
    )  # fmt: skip
    found: dict = run_libca("every_kind", epics_ports)
    return found


def test_libca_reads_every_kind_with_its_metadata(seen: dict) -> None:
    assert seen["value"] == 7.25
    assert seen["type"] == "time_double"
    assert (seen["T:count"], seen["T:mode"], seen["T:orbit"]) == (12, [2, "ramp"], [0.5, 1.5])
    assert (seen["T:names"], seen["T:reason"], seen["long"]) == (["a", "b", "c"], REASON[:39], REASON)
    expected = {
        "units": "A", "precision": 4, "lower_disp_limit": -20.0, "upper_disp_limit": 200.0, "lower_ctrl_limit": 0.0,
        "upper_ctrl_limit": 150.0, "lower_alarm_limit": -10.0, "lower_warning_limit": -5.0, "upper_warning_limit": 5.0,
        "upper_alarm_limit": 10.0, "severity": 1, "status": 4,
    }  # fmt: skip
    assert {name: seen["ctrl"][name] for name in expected} == expected
    assert (seen["time"]["posixseconds"], seen["time"]["nanoseconds"]) == divmod(START_NS, 10**9)
    assert seen["severity"] == 3
    fields = {
        "VAL": 7.25, "DESC": "current of the first family", "EGU": "A", "PREC": 4, "RTYP": "ai", "SEVR": 1, "STAT": 4,
        "HOPR": 200.0, "LOPR": -20.0, "DRVH": 150.0, "DRVL": 0.0, "HIHI": 10.0, "LOW": -5.0,
    }  # fmt: skip
    assert {name: seen[name] for name in fields} == fields


def test_a_refused_put_of_pyepics_ends_at_once_and_moves_nothing(served: Served, seen: dict) -> None:
    # pyepics drops the status of a completion; the refusal itself is on the wire (test_puts).
    assert (seen["put"], seen["refused"]) == (1, 1)
    assert next(value for _, value, _ in served.sink.puts) == 3.0
    assert served.bank.reading(served.bank.index["T:current"]).value == 7.25
