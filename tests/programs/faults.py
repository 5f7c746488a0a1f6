"""Injected faults as clients of both protocols see them: pyepics and p4p, in one process."""

import time
from typing import Any

import epics
import numpy as np
from p4p.client.thread import Context
from p4p.nt import NTURI
from patience import PATIENCE_S

from programs.access import caget, pva, pva_structures

SUPPLY, OTHER, MONITOR = "HS4P1D1R", "HS1PD1R", "BPMZ1D1R"
#: Looks at a PV that moves, at least.
LOOKS = 20
#: A put that is not to complete is watched so long [s].
SILENCE_S = 1.0


def call(prefix: str, **arguments: Any) -> Any:
    """Call `dt:fault`."""
    uri = NTURI([(name, "s") for name in arguments])
    context: Context = pva()
    return context.rpc(
        f"{prefix}dt:fault", uri.wrap(f"{prefix}dt:fault", kws={k: str(v) for k, v in arguments.items()})
    )


def structure(name: str) -> Any:
    """The structure of a PV over PV Access."""
    return pva_structures().get(name, timeout=PATIENCE_S)


def put(prefix: str, protocol: str, device: str, value: float, wait_s: float = PATIENCE_S) -> str:
    """Put and wait: `done`, the reason of a refusal, or `silent` when it has not completed after `wait_s`."""
    name = f"{prefix}{device}:set"
    if protocol == "ca":
        completed: list[bool] = []
        pv = epics.get_pv(name, connect=True, timeout=PATIENCE_S)
        pv.put(value, wait=False, callback=lambda **_: completed.append(True))
        end = time.monotonic() + wait_s
        while not completed and time.monotonic() < end:
            epics.ca.poll(0.005)
        return "done" if completed else "silent"
    try:
        pva().put(name, value, timeout=wait_s)
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
    silent = keys["kind"] == "unacknowledged"
    answer = put(prefix, protocol, SUPPLY, value, SILENCE_S if silent else PATIENCE_S)
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
        pv = epics.get_pv(prefix + name, form="time", connect=True, timeout=PATIENCE_S)
        found = pv.get_with_metadata(form="time", timeout=PATIENCE_S, use_monitor=False)
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


def kept_field(prefix: str) -> dict[str, list[Any]]:
    """Put to a supply whose current reaches no magnet, and then to a whole one.

    Gives the answer, setpoint, readback and a monitor's x, by protocol, and for the whole one (`whole`).
    """
    names = [f"{SUPPLY}:set", f"{SUPPLY}:rdbk", f"{MONITOR}:rdX"]

    def put_and_read(protocol: str) -> list[Any]:
        answer = put(prefix, protocol, SUPPLY, 0.5)
        seen = [answer, *(reading(prefix, protocol, name)["value"] for name in names)]
        put(prefix, protocol, SUPPLY, 0.0)
        return seen

    put(prefix, "ca", SUPPLY, 0.0)
    call(prefix, do="add", kind="partial_supply", device=SUPPLY, magnets="*")
    seen = {protocol: put_and_read(protocol) for protocol in ("ca", "pva")}
    call(prefix, do="clear")
    return {**seen, "whole": put_and_read("pva")}


def hardware_faults(prefix: str, cases: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """Inject faults of supplies and of the beam one by one, with the supply at 0.5 A, and read PVs with and after each.

    `moves_s` of a case is how long PVs are looked at; `put` is put to the supply meanwhile. Readings are listed by
    protocol and PV, in time.
    """
    seen = []
    for case in cases:
        keys = dict(case)
        moves_s, then = keys.pop("moves_s", 0.0), keys.pop("put", None)
        put(prefix, "ca", SUPPLY, 0.5)
        call(prefix, do="add", **keys)
        time.sleep(0.2)
        answers = {} if then is None else {protocol: put(prefix, protocol, SUPPLY, then) for protocol in ("ca", "pva")}
        found: dict[str, dict[str, list[dict[str, Any]]]] = {p: {name: [] for name in names} for p in ("ca", "pva")}
        end = time.monotonic() + moves_s
        least = LOOKS if moves_s else 1  # where other work has the processors, looks are far apart
        while len(found["pva"][names[-1]]) < least or time.monotonic() < end:
            for name in names:
                for protocol in ("ca", "pva"):
                    found[protocol][name].append(reading(prefix, protocol, name))
            time.sleep(0.05)
        call(prefix, do="list")  # it shows what it lists
        time.sleep(0.05)
        active = [str(each) for each in structure(f"{prefix}dt:faults:active").value]
        call(prefix, do="clear")
        time.sleep(0.25)
        after = {p: {name: reading(prefix, p, name) for name in names} for p in ("ca", "pva")}
        seen.append({"with": found, "after": after, "answers": answers, "active": active})
    return seen


def shown_with(prefix: str, name: str, **keys: Any) -> dict[str, str]:
    """Inject a fault instead of all others, and read a PV as a text over both protocols a little later."""
    call(prefix, do="clear")
    time.sleep(0.3)
    call(prefix, do="add", **keys)
    time.sleep(0.3)
    return {"ca": str(caget(prefix + name, as_string=True)), "pva": str(structure(prefix + name).value)}


def combined_faults(prefix: str, cases: list[list[dict[str, Any]]], value: float) -> list[dict[str, list[float]]]:
    """Add several faults, put to the supply, and read the setpoint, the readback and that without faults."""
    seen = []
    for case in cases:
        put(prefix, "ca", SUPPLY, 0.0)
        for keys in case:
            call(prefix, do="add", **keys)
        time.sleep(0.25)
        put(prefix, "ca", SUPPLY, value)
        time.sleep(0.25)
        with_it = {protocol: supplies(prefix, protocol)[:2] for protocol in ("ca", "pva")}
        call(prefix, do="clear")
        time.sleep(0.3)
        seen.append({p: [*with_it[p], supplies(prefix, p)[1]] for p in ("ca", "pva")})
    return seen


def severity(prefix: str, protocol: str, name: str) -> int:
    """The severity of a PV."""
    if protocol == "pva":
        return int(structure(prefix + name).alarm.severity)
    pv = epics.get_pv(prefix + name, form="time", connect=True, timeout=PATIENCE_S)
    return int(pv.get_with_metadata(form="time", timeout=PATIENCE_S, use_monitor=False)["severity"])


def own_fault(prefix: str, protocol: str, keys: dict[str, Any], value: float) -> dict[str, Any]:
    """Inject a fault of gnomon itself, put, and say what is seen then and after it: answers, orbit, journal."""
    orbit, recorder = "beam:orbit:x", "dt:recorder"
    call(prefix, do="add", **keys)
    began = time.monotonic()
    answer = put(prefix, protocol, SUPPLY, value)
    took_s = time.monotonic() - began
    with_it = {name: severity(prefix, protocol, name) for name in (orbit, recorder)}
    try:
        pva().put(f"{prefix}dt:orbit:ref:save", "of a test", timeout=PATIENCE_S)
        saved = "done"
    except Exception as error:  # noqa: BLE001  whatever the client library tells its user
        saved = str(error)
    call(prefix, do="clear")
    end = time.monotonic() + PATIENCE_S
    while severity(prefix, protocol, orbit) and time.monotonic() < end:
        time.sleep(0.05)
    after = severity(prefix, protocol, orbit)
    again = put(prefix, protocol, SUPPLY, value + 0.01)
    recorded = severity(prefix, protocol, recorder)
    return {
        "answer": answer, "took_s": took_s, "with": with_it, "saved": saved, "again": again,
        "after": {orbit: after, recorder: recorded},
    }  # fmt: skip


def own_faults(prefix: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """See `own_fault`, for several faults and both protocols."""
    values = iter(range(1, 100))
    return [{p: own_fault(prefix, p, keys, 0.02 * next(values)) for p in ("ca", "pva")} for keys in cases]


def all_at_once(prefix: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add all faults, and clear them by the procedure and over both protocols: kinds as they are listed, left after."""
    seen = []
    for way in ("procedure", "ca", "pva"):
        for keys in cases:
            call(prefix, do="add", **keys)
        put(prefix, "pva", SUPPLY, 0.3, SILENCE_S)
        listed = [str(each) for each in call(prefix, do="list").value.kind]
        if way == "procedure":
            call(prefix, do="clear")
        elif way == "ca":
            assert epics.caput(f"{prefix}dt:faults:clear", 1, wait=True, timeout=PATIENCE_S) == 1
        else:
            pva().put(f"{prefix}dt:faults:clear", 1, timeout=PATIENCE_S)
        left = int(structure(f"{prefix}dt:faults:count").value)
        end = time.monotonic() + PATIENCE_S
        while (answer := put(prefix, "pva", SUPPLY, 0.2, 5.0)) != "done" and time.monotonic() < end:
            time.sleep(0.1)
        seen.append({"listed": listed, "left": left, "answer": answer, "x": severity(prefix, "pva", f"{MONITOR}:rdX")})
    return seen
