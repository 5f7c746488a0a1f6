"""What libca's client reads: values, metadata and fields of every kind."""

import json
import os
import subprocess
import sys

import pytest
from conftest import EpicsPorts

from system.ca.stage import START_NS, Served

SCRIPT = """
import json, epics
def get(name, **options):
    pv = epics.PV(name, auto_monitor=False, form="time")
    assert pv.wait_for_connection(5), name
    return pv
pv = get("T:current")
got = {"value": pv.get(), "ctrl": pv.get_ctrlvars(), "time": pv.get_timevars(), "type": pv.type}
for name in ("T:count", "T:reason", "T:x1"):
    got[name] = get(name).get()
mode = get("T:mode")
got["T:mode"] = [mode.get(), mode.get(as_string=True)]
got["T:orbit"] = list(get("T:orbit").get())
got["T:names"] = list(get("T:names").get())
for field in ("VAL", "DESC", "EGU", "PREC", "RTYP", "SEVR", "STAT", "HOPR", "LOPR", "DRVH", "DRVL", "HIHI", "LOW"):
    got[field] = get("T:current." + field).get()
got["long"] = get("T:reason.VAL$").get(as_string=True)
got["severity"] = get("T:fixed").get_timevars()["severity"]
got["put"] = epics.caput("T:current", 3.0, wait=True, timeout=5)
got["refused"] = epics.caput("T:current", float("nan"), wait=True, timeout=5)
print("RESULT" + json.dumps(got, default=lambda v: v.decode() if isinstance(v, bytes) else v.item()))
epics.ca.finalize_libca()
"""
REASON = "no closed orbit was found: the horizontal plane has a trace of 2.31, beyond 2"


@pytest.fixture
def seen(served: Served, epics_ports: EpicsPorts) -> dict:
    served.publish(
        {"T:current": 7.25, "T:count": 12, "T:mode": 2, "T:reason": REASON, "T:orbit": [0.5, 1.5],
         "T:names": ["a", "b", "c"], "T:x1": -1.0},
        time_ns=START_NS, invalid=("T:fixed",),
    )  # fmt: skip
    environment = os.environ | epics_ports.environment
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), None)
    assert line, done.stdout + done.stderr
    return json.loads(line[6:])


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
