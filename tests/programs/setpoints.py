"""The main job: puts to setpoints, and what is read of them over both protocols at once."""

import ctypes
import threading
import time
from contextlib import suppress
from typing import Any

import epics
from epics import ca, dbr
from p4p.nt import NTURI
from patience import PATIENCE_S

from programs.access import caget, pva, pvget, pvput, tried

TUNE = "TWIN:TUNEZR:rdH"


def value_and_unit(name: str) -> list[Any]:
    """Read the value of a PV and its unit with pyepics."""
    pv = epics.PV(name)
    return [pv.get(timeout=PATIENCE_S), pv.units]


def metadata_over_ca(names: list[str]) -> list[list[Any]]:
    """Value, severity, unit, precision, control limits and time stamp of each PV, over Channel Access."""
    rows = []
    for name in names:
        pv = epics.PV(name, form="ctrl")
        value, control, times = (
            pv.get(timeout=PATIENCE_S),
            pv.get_ctrlvars(timeout=PATIENCE_S),
            pv.get_timevars(timeout=PATIENCE_S),
        )
        row = [
            value,
            pv.severity,
            *(control[k] for k in ("units", "precision", "lower_ctrl_limit", "upper_ctrl_limit")),
        ]
        rows.append([*row, times["posixseconds"], times["nanoseconds"]])
    return rows


def metadata_over_pva(names: list[str]) -> list[list[Any]]:
    """The same over PV Access; a PV that cannot be written has no control limits, which is 0 and 0 over the other."""
    rows = []
    for name in names:
        v = pvget(name)
        limits = [v.control.limitLow, v.control.limitHigh] if "control" in v else [0.0, 0.0]
        row = [v.value, v.alarm.severity, v.display.units, v.display.precision, *limits]
        rows.append([*row, v.timeStamp.secondsPastEpoch, v.timeStamp.nanoseconds])
    return rows


def orbits_after_puts(currents: list[float]) -> list[list[float]]:
    """For each put that is waited for: its status, and the orbit at one monitor from three PVs over both protocols."""
    steerer = epics.PV("TWIN:HS4P1D1R:set")
    x = epics.PV("TWIN:BPMZ6D1R:rdX", auto_monitor=False)
    packed = epics.PV("TWIN:MDIZ2T5G:bdata", auto_monitor=False)
    steerer.wait_for_connection(timeout=PATIENCE_S)
    x.get(timeout=PATIENCE_S)
    rows = []
    for current in currents:
        status = steerer.put(current, wait=True, timeout=PATIENCE_S)
        position = x.get(timeout=PATIENCE_S, use_monitor=False)
        buffer = packed.get(timeout=PATIENCE_S, use_monitor=False, count=2048)
        table = pva().get("TWIN:ORBITCC:rdBpm", timeout=PATIENCE_S).value
        rows.append([status, position, float(buffer[1]), float(table.X[1])])
    return rows


def many_puts_without_wait(name: str, values: list[float], last: float) -> None:
    """Put values without waiting, and the last one with."""
    pv = epics.PV(name)
    pv.wait_for_connection(timeout=PATIENCE_S)
    for value in values:
        pv.put(value)
    pv.put(last, wait=True, timeout=PATIENCE_S)


def readings_around_puts(setpoint: str, reading: str, values: list[float]) -> list[list[float]]:
    """For each put over PV Access: a reading before and after, generations between, and it over Channel Access."""
    rows = []
    for value in values:
        before = pvget(reading)
        pvput(setpoint, value)
        after = pvget(reading)
        generations = after.timeStamp.userTag - before.timeStamp.userTag
        rows.append([before.value, after.value, generations, caget(reading)])
    pvput(setpoint, 0.0)
    return rows


def try_over_both(setpoint: str, readback: str, value: Any) -> list[Any]:
    """Put what cannot be over both protocols: setpoint and readback afterwards, and what PV Access said."""
    pv = epics.PV(setpoint)
    pv.wait_for_connection(timeout=PATIENCE_S)
    with suppress(TypeError, ValueError, ca.ChannelAccessException):  # the library itself may not send it
        pv.put(value, wait=True, timeout=PATIENCE_S)
    said = tried(setpoint, value)
    return [caget(setpoint), caget(readback), said]


def status_of_a_put(name: str, value: float) -> list[int]:
    """The status that libca tells of a put: what it is called back with."""
    ca.initialize_libca()
    channel = ca.create_channel(name, connect=True)
    got: list[int] = []
    done = threading.Event()

    def answered(arguments: Any) -> None:
        got.append(int(arguments.status))
        done.set()

    callback = dbr.make_callback(answered, dbr.event_handler_args)
    data = (ctypes.c_double * 1)(value)
    ca.libca.ca_array_put_callback(dbr.DOUBLE, 1, channel, data, callback, ctypes.py_object(0))
    ca.flush_io()
    done.wait(PATIENCE_S)
    return got


def lose_the_beam(supply: str) -> list[Any]:
    """Rows of `_look` before, with the supply at 0, later, and at its nominal current again; that current."""
    pv = epics.PV(f"TWIN:{supply}:set")
    pv.wait_for_connection(timeout=PATIENCE_S)
    nominal = pv.get()
    rows = [_look(supply)]
    pv.put(0.0, wait=True, timeout=PATIENCE_S)
    rows.append(_look(supply))
    time.sleep(1.5)
    rows.append(_look(supply))
    pv.put(nominal, wait=True, timeout=PATIENCE_S)
    return [*rows, _look(supply), nominal]


def _look(supply: str) -> list[Any]:
    tune = pvget(TUNE)
    pv = epics.PV(TUNE, form="time", auto_monitor=False)
    pv.get(timeout=PATIENCE_S)
    return [
        tune.value,
        tune.alarm.severity,
        tune.timeStamp.secondsPastEpoch,
        pv.severity,
        pvget("TWIN:beam:orbit:found").value.index,
        str(pvget("TWIN:dt:reason").value),
        caget(f"TWIN:{supply}:rdbk"),
    ]


def stamps(name: str, counter: str, seconds: float) -> list[list[int]]:
    """Time stamp [ns], generation and counter of a reading, twice, some time apart."""
    rows = []
    for _ in range(2):
        stamp, count = pvget(name).timeStamp, pvget(counter).value
        rows.append([stamp.secondsPastEpoch * 10**9 + stamp.nanoseconds, stamp.userTag, count])
        time.sleep(seconds)
    return rows


def set_together(procedure: str, names: list[str], values: list[float]) -> str:
    """Set several setpoints as one command: the answer, or why it was refused."""
    query = NTURI([("names", "as"), ("values", "ad")]).wrap(procedure, kws={"names": names, "values": values})
    try:
        return str(pva().rpc(procedure, query).raw.value)
    except Exception as error:  # noqa: BLE001  whatever the client library tells its user
        return f"refused: {error}"


def values_over_pva(names: list[str]) -> list[float]:
    """Plain values over PV Access."""
    return [float(pva().get(name, timeout=PATIENCE_S)) for name in names]


def text_over_pva(name: str) -> str:
    """A text over PV Access."""
    return str(pvget(name).value)
