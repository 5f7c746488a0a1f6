"""Clients of a soak: they put and monitor all the time, over one protocol, whatever the server answers."""

import random
import time
from collections import Counter
from typing import Any

import epics
from p4p.client.thread import Context, Disconnected

#: A put that has not completed after this time is given up [s].
PATIENCE_S = 1.5


def over_ca(monitored: list[str], setpoints: dict[str, float], for_s: float, seed: int) -> dict[str, int]:
    """Monitor PVs and put to setpoints near their values, with pyepics; the numbers of what happened."""
    counts: Counter[str] = Counter()

    def connected(conn: bool, **_: Any) -> None:
        counts["connected" if conn else "disconnected"] += 1

    def event(**_: Any) -> None:
        counts["events"] += 1

    watched = [epics.PV(name, form="time", callback=event, connection_callback=connected) for name in monitored]
    pvs = {name: epics.PV(name) for name in setpoints}
    chance, end = random.Random(seed), time.monotonic() + for_s
    while time.monotonic() < end:
        name = chance.choice(list(setpoints))
        if not pvs[name].connected:
            counts["not connected"] += 1
            epics.ca.poll(0.05)
            continue
        try:
            done = pvs[name].put(_near(setpoints[name], chance), wait=True, timeout=PATIENCE_S)
        except Exception:  # noqa: BLE001  access may be denied, channels may go
            done = None
        counts["put" if done == 1 else "not put"] += 1
        epics.ca.poll(0.02)
    return dict(counts) | {"watched": len(watched)}


def over_pva(monitored: list[str], setpoints: dict[str, float], for_s: float, seed: int) -> dict[str, int]:
    """Monitor PVs and put to setpoints near their values, with p4p; the numbers of what happened."""
    counts: Counter[str] = Counter()

    def event(value: Any) -> None:
        counts["disconnected" if isinstance(value, Disconnected) else "events"] += 1

    chance, end = random.Random(seed), time.monotonic() + for_s
    with Context("pva") as client:
        watched = [client.monitor(name, event, notify_disconnect=True) for name in monitored]
        while time.monotonic() < end:
            name = chance.choice(list(setpoints))
            try:
                client.put(name, _near(setpoints[name], chance), timeout=PATIENCE_S)
                counts["put"] += 1
            except Exception:  # noqa: BLE001  whatever the server answers, or does not
                counts["not put"] += 1
            time.sleep(0.02)
        for subscription in watched:
            subscription.close()
    return dict(counts) | {"watched": len(watched)}


def _near(value: float, chance: random.Random) -> float:
    """A value that the beam survives."""
    return value + chance.uniform(-0.01, 0.01)
