"""Clients of a server whose model hangs, spins, crashes or is late for some currents of a steerer of the MLS."""

import threading
import time
from typing import Any

import epics
import psutil
from patience import PATIENCE_S

from programs.access import pva, pva_structures

TUNE = "TWIN:TUNEZRP:measX"


class Watch:
    """Follows the alarm severity of a tune over both protocols, and puts to the steerer."""

    def __init__(self, steerer: str) -> None:
        self._changed = threading.Condition()
        self._seen: dict[str, int | None] = {"ca": None, "pva": None}
        self._pv = epics.PV(TUNE, form="time", auto_monitor=True, callback=self._over_ca)
        self._subscription = pva_structures().monitor(TUNE, lambda value: self._note("pva", value.alarm.severity))
        self._name = f"TWIN:{steerer}:setCur"
        self.steerer = epics.PV(self._name)
        self.steerer.wait_for_connection(timeout=PATIENCE_S)
        self.wait(0)

    def _over_ca(self, severity: int | None = None, **_: Any) -> None:
        self._note("ca", severity)

    def _note(self, key: str, severity: int | None) -> None:
        with self._changed:
            self._seen[key] = severity
            self._changed.notify_all()

    def wait(self, severity: int, timeout_s: float = PATIENCE_S) -> float:
        """Wait until both protocols show a severity: how long that took [s]."""
        begin = time.monotonic()
        with self._changed:
            shown = self._changed.wait_for(lambda: set(self._seen.values()) == {severity}, timeout_s)
        assert shown, (severity, self._seen)
        return time.monotonic() - begin

    def put(self, value: float) -> str:
        """Put over PV Access and wait: why it was refused, or nothing."""
        try:
            pva().put(self._name, value, timeout=PATIENCE_S)
        except Exception as error:  # noqa: BLE001  whatever the client library tells its user
            return str(error)
        return ""


def read(name: str) -> Any:
    """A value over PV Access."""
    return pva_structures().get("TWIN:" + name, timeout=PATIENCE_S).value


def bad_then_good(steerer: str, bad: float) -> list[Any]:
    """Measure the times until INVALID, and until good again [s]; the setpoint between; whether there is a beam then."""
    watch = Watch(steerer)
    watch.steerer.put(bad)
    late, kept = watch.wait(3), watch.steerer.get(use_monitor=False)
    watch.steerer.put(0.0)
    return [late, watch.wait(0), kept, read("beam:orbit:found").index]


def put_behind(steerer: str, bad: float) -> list[Any]:
    """A put that waits behind a bad one: how long it took [s], why it was refused, how long until all was good [s]."""
    watch = Watch(steerer)
    watch.steerer.put(bad)
    begin = time.monotonic()
    refusal = watch.put(0.1)
    return [time.monotonic() - begin, refusal, watch.wait(0)]


def refusal_and_reason(steerer: str, bad: float) -> list[Any]:
    """Return the refusal of a bad value, and the reason that the server shows then."""
    watch = Watch(steerer)
    said = [watch.put(bad), read("dt:reason")]
    watch.put(0.0)
    return said


def good_and_bad_in_turn(steerer: str, bad: float, pid: int) -> list[Any]:
    """Answers to ten puts, what the server says of its model, its threads, and how long the last put took [s]."""
    watch = Watch(steerer)
    answers = [watch.put(bad if i % 2 == 0 else 0.001 * i) for i in range(9)]
    begin = time.monotonic()
    answers.append(watch.put(0.0))
    seconds = time.monotonic() - begin
    time.sleep(1.1)
    return [answers, read("dt:model:hung"), read("dt:reason"), psutil.Process(pid).num_threads(), seconds]
