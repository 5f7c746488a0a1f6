"""Beam based alignment with a multiplexer: connect a quadrupole, change its current, find where the orbit stays.

The client is strict about what the multiplexer shows while it connects, as a state machine that was written for the
hardware is.
"""

import time

import numpy as np

from facility.clients.ca import get, put, pv, send, until

OFF = "Mux OFF"


class Multiplexer:
    """Connects quadrupoles, and checks each name that is shown on the way."""

    def __init__(self) -> None:
        if get("PMUXZR:disable") != 0 or get("PMUXZR:relay_ps") != 1:
            raise RuntimeError("the multiplexer cannot be used")
        self.shown: list[str] = []
        pv("PMUXZR:name").add_callback(lambda char_value="", **_: self.shown.append(char_value))
        pv("QSPAZR:set")
        time.sleep(0.2)  # the first value of the subscription

    def connect(self, quadrupole: str) -> list[str]:
        """Ask for a quadrupole, without waiting for completion; returns the names that were shown."""
        now = get("PMUXZR:name")
        expected = {OFF: [quadrupole, OFF, quadrupole], quadrupole: [quadrupole]}.get(now, [OFF, quadrupole])
        self.shown.clear()
        send(f"PMUXZR:{quadrupole}", 1)
        until(lambda: len(self.shown) >= len(expected))
        time.sleep(0.15)  # what comes too much would come now
        if self.shown != expected:
            raise RuntimeError(f"from {now} to {quadrupole}: {self.shown} instead of {expected}")
        return list(self.shown)

    def disconnect(self) -> None:
        """Connect none."""
        self.shown.clear()
        put("PMUXZR:off", 1)
        until(lambda: self.shown == [OFF])


def positions() -> np.ndarray:
    """Horizontal positions of all monitors [mm]."""
    return np.asarray(get("ORBITCC:rdPos"))[0::2] * 1e-6


def centre(monitor: str, steerer: str, kick_a: float, modulation_a: float) -> float:
    """Position [mm] at a monitor where the connected quadrupole does not move the orbit."""
    at = [str(name) for name in get("ORBITCC:rdBpmNames")].index(monitor)
    beam, effect = [], []
    for kick in (-kick_a, 0.0, kick_a):
        put(steerer, kick)
        put("QSPAZR:set", 0.0)
        beam.append(positions()[at])
        put("QSPAZR:set", modulation_a)
        up = positions()
        put("QSPAZR:set", -modulation_a)
        effect.append(up - positions())
    put("QSPAZR:set", 0.0)
    put(steerer, 0.0)
    slopes = np.polyfit(beam, np.array(effect), 1)
    which = np.abs(slopes[0]) > 0.3 * np.abs(slopes[0]).max()  # monitors that see the quadrupole well
    return float(np.mean(-slopes[1][which] / slopes[0][which]))


def align(quadrupoles: dict[str, str], steerer: str, offset_m: float) -> dict[str, object]:
    """Centres of some quadrupoles at their monitors, aligned and moved by an offset; back to none at the end."""
    multiplexer = Multiplexer()
    names: list[list[str]] = []
    centres: dict[str, list[float]] = {}
    try:
        for quadrupole, monitor in quadrupoles.items():
            names.append(multiplexer.connect(quadrupole))
            names.append(multiplexer.connect(quadrupole))
            found = []
            for offset in (0.0, offset_m):
                put(f"{quadrupole}:x:set", offset)
                found.append(centre(monitor, steerer, kick_a=0.02, modulation_a=0.5))
            put(f"{quadrupole}:x:set", 0.0)
            centres[quadrupole] = found
    finally:
        multiplexer.disconnect()
    return {"names": names, "centres": centres}
