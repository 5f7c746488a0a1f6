"""Injected faults as clients of both protocols see them: pyepics and p4p, in one process."""

import time
from typing import Any

import epics
import numpy as np
from p4p.client.thread import Context
from p4p.nt import NTURI

from programs.access import caget, pva, pva_structures

SUPPLY, OTHER, MONITOR = "HS4P1D1R", "HS1PD1R", "BPMZ1D1R"
#: A put that has not completed after this time counts as one that never does [s].
PATIENCE_S = 1.0


def call(prefix: str, **arguments: Any) -> Any:
    """Call `dt:fault`."""
    uri = NTURI([(name, "s") for name in arguments])
    context: Context = pva()
    return context.rpc(
        f"{prefix}dt:fault", uri.wrap(f"{prefix}dt:fault", kws={k: str(v) for k, v in arguments.items()})
    )


def structure(name: str) -> Any:
    """The structure of a PV over PV Access."""
    return pva_structures().get(name, timeout=5.0)


def put(prefix: str, protocol: str, device: str, value: float) -> str:
    """Put and wait: `done`, `refused`, or `silent`."""
    name = f"{prefix}{device}:set"
    if protocol == "ca":
        completed: list[bool] = []
        pv = epics.get_pv(name, connect=True, timeout=5.0)
        pv.put(value, wait=False, callback=lambda **_: completed.append(True))
        end = time.monotonic() + PATIENCE_S
        while not completed and time.monotonic() < end:
            epics.ca.poll(0.005)
        return "done" if completed else "silent"
    try:
        pva().put(name, value, timeout=PATIENCE_S)
    except TimeoutError:
        return "silent"
    except Exception as error:  # noqa: BLE001  whatever the client library tells its user
        return str(error)
    return "done"


def supplies(prefix: str, protocol: str) -> list[float]:
    """Read setpoints and readbacks of both supplies."""
    names = [f"{prefix}{device}:{what}" for device in (SUPPLY, OTHER) for what in ("set", "rdbk")]
    return [float(caget(n)) if protocol == "ca" else float(structure(n).value) for n in names]


def command_fault(prefix: str, protocol: str, keys: dict[str, Any], value: float) -> dict[str, Any]:
    """Inject a fault of commands, put, and say what is seen then and a little later; back to zero without faults."""
    for device in (SUPPLY, OTHER):
        put(prefix, "ca", device, 0.0)
    call(prefix, do="add", **keys)
    began = time.monotonic()
    answer = put(prefix, protocol, SUPPLY, value)
    took_s = time.monotonic() - began
    seen = supplies(prefix, protocol)
    time.sleep(0.4)
    later = supplies(prefix, protocol)
    call(prefix, do="clear")
    return {"answer": answer, "took_s": took_s, "seen": seen, "later": later}


def command_faults(prefix: str, cases: list[dict[str, Any]], value: float) -> list[dict[str, Any]]:
    """See `command_fault`, for several faults and both protocols."""
    return [{p: command_fault(prefix, p, keys, value) for p in ("ca", "pva")} for keys in cases]


def reading(prefix: str, protocol: str, name: str) -> dict[str, Any]:
    """Value, severity and time stamp of a PV; an array as its length and first value."""
    if protocol == "ca":
        pv = epics.get_pv(prefix + name, form="time", connect=True, timeout=5.0)
        found = pv.get_with_metadata(form="time", timeout=5.0, use_monitor=False)
        value, severity, stamp = found["value"], int(found["severity"]), float(found["timestamp"])
    else:
        raw = structure(prefix + name)
        value, severity = raw.value, int(raw.alarm.severity)
        stamp = raw.timeStamp.secondsPastEpoch + 1e-9 * raw.timeStamp.nanoseconds
    numbers = np.atleast_1d(np.asarray(value, dtype=float))
    first = float(numbers[0]) if len(numbers) else 0.0
    return {"value": first, "length": len(numbers), "severity": severity, "age_s": time.time() - stamp, "stamp": stamp}


def reading_faults(prefix: str, cases: list[tuple[dict[str, Any], str]]) -> list[dict[str, Any]]:
    """Inject faults of readings one by one, and say what a PV shows with it, once the beam has moved, and after."""
    seen = []
    for keys, name in cases:
        put(prefix, "ca", SUPPLY, 0.0)
        call(prefix, do="add", **keys)
        time.sleep(0.1)
        put(prefix, "ca", SUPPLY, 0.5)
        with_it = {protocol: reading(prefix, protocol, name) for protocol in ("ca", "pva")}
        call(prefix, do="clear")
        time.sleep(0.1)
        seen.append({"with": with_it, "after": {p: reading(prefix, p, name) for p in ("ca", "pva")}})
    return seen
