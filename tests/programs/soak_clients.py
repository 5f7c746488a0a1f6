"""Clients of a soak: they put and monitor all the time, over one protocol, whatever the server answers.

They go on until a file `end` appears; then they put no more, and say which of the PVs that they monitor are silent.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import epics
from p4p.client.thread import Context, Disconnected

#: A put that has not completed after this time is given up [s].
PATIENCE_S = 1.5
#: A PV that is repeated once a second and sends nothing for this time is silent. libca searches for lost channels after
#: ten seconds and more, unless a beacon calls it, and the tests' repeater passes none on [s].
SILENT_S = 90.0


def over_ca(monitored: list[str], setpoints: dict[str, float], end: str, seed: int) -> dict[str, Any]:
    """Monitor PVs and put to setpoints near their values, with pyepics; see `_work`."""
    events: Counter[str] = Counter()

    def event(pvname: str, **_: Any) -> None:
        events[pvname] += 1

    watched = [epics.PV(name, form="time", callback=event) for name in monitored]
    pvs = {name: epics.PV(name) for name in setpoints}

    def put(name: str, value: float) -> bool:
        done = pvs[name].connected and pvs[name].put(value, wait=True, timeout=PATIENCE_S)
        return bool(done == 1)

    found = _work(put, epics.ca.poll, events, monitored, setpoints, Path(end), seed)
    return found | {"connected": sum(pv.connected for pv in watched)}


def over_pva(monitored: list[str], setpoints: dict[str, float], end: str, seed: int) -> dict[str, Any]:
    """Monitor PVs and put to setpoints near their values, with p4p; see `_work`."""
    events: Counter[str] = Counter()

    def listener(name: str) -> Callable[[Any], None]:
        def event(value: Any) -> None:
            events["disconnected" if isinstance(value, Disconnected) else name] += 1

        return event

    with Context("pva") as client:
        watched = [client.monitor(name, listener(name), notify_disconnect=True) for name in monitored]

        def put(name: str, value: float) -> bool:
            client.put(name, value, timeout=PATIENCE_S)
            return True

        found = _work(put, time.sleep, events, monitored, setpoints, Path(end), seed)
        for subscription in watched:
            subscription.close()
    return found


def _work(
    put: Callable[[str, float], bool],
    wait: Callable[[float], object],
    events: Counter[str],
    monitored: list[str],
    setpoints: dict[str, float],
    end: Path,
    seed: int,
) -> dict[str, Any]:
    """Put until the end; numbers of puts and of events, and the PVs that are silent after it."""
    chance, counts = random.Random(seed), Counter[str]()
    while not end.exists():
        wait(0.02)
        if not setpoints:
            continue
        name = chance.choice(list(setpoints))
        try:
            done = put(name, setpoints[name] + chance.uniform(-0.01, 0.01))
        except Exception:  # noqa: BLE001  access may be denied, channels may go, puts may time out
            done = False
        counts["put" if done else "not put"] += 1
    counts["events"] = sum(events.values())
    events.clear()
    end_s = time.monotonic() + SILENT_S
    while time.monotonic() < end_s and not all(events[name] for name in monitored):
        wait(0.05)
    return dict(counts) | {"silent": [name for name in monitored if not events[name]]}
