"""Readings by libca of a PV of each kind, and times of repeated connections: `python -m programs.libca WHAT`."""

import json
import sys
import time
from typing import Any

import epics
from epics import ca
from patience import PATIENCE_S

FIELDS = ("VAL", "DESC", "EGU", "PREC", "RTYP", "SEVR", "STAT", "HOPR", "LOPR", "DRVH", "DRVL", "HIHI", "LOW")


def _connected(name: str) -> Any:
    pv = epics.PV(name, auto_monitor=False, form="time")
    assert pv.wait_for_connection(timeout=PATIENCE_S), name
    return pv


def every_kind() -> dict[str, Any]:
    """Values, metadata and fields of the PVs that the test serves, and two puts."""
    pv = _connected("T:current")
    got = {"value": pv.get(), "ctrl": pv.get_ctrlvars(), "time": pv.get_timevars(), "type": pv.type}
    for name in ("T:count", "T:reason", "T:x1"):
        got[name] = _connected(name).get()
    mode = _connected("T:mode")
    got["T:mode"] = [mode.get(), mode.get(as_string=True)]
    got["T:orbit"] = list(_connected("T:orbit").get())
    got["T:names"] = list(_connected("T:names").get())
    for field in FIELDS:
        got[field] = _connected("T:current." + field).get()
    got["long"] = _connected("T:reason.VAL$").get(as_string=True)
    got["severity"] = _connected("T:fixed").get_timevars()["severity"]
    got["put"] = epics.caput("T:current", 3.0, wait=True, timeout=PATIENCE_S)
    got["refused"] = epics.caput("T:current", float("nan"), wait=True, timeout=PATIENCE_S)
    return got


def reconnect() -> list[float]:
    """Connect and clear three hundred channels one after another: the times that they took [s]."""
    ca.initialize_libca()
    times = []
    for number in range(300):
        began = time.perf_counter()
        channel = ca.create_channel(f"T:x{number}", connect=False)
        assert ca.connect_channel(channel, timeout=PATIENCE_S)
        times.append(time.perf_counter() - began)
        ca.clear_channel(channel)
        ca.flush_io()
    return times


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value.item()


if __name__ == "__main__":
    found = {"every_kind": every_kind, "reconnect": reconnect}[sys.argv[1]]()
    print("RESULT" + json.dumps(found, default=_plain), flush=True)
    ca.finalize_libca()
