"""The feed of `gnomon watch` from memory: a ring of 40 monitors, one supply with drive limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import sin
from typing import Any

import numpy as np

from gnomon.cli.watch.magnets import Magnet, RingMap
from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import RefusedError
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from unit.cli.fake_overview import healthy, reading, server

MONITORS = 40
SUPPLY = "TWIN:HS1:set"


def ring() -> dict[str, Reading]:
    s = np.linspace(1.0, 47.0, MONITORS)
    readings = healthy() | {
        "monitor.s": reading("monitor.s", s, "m"),
        "orbit.difference.x": reading("orbit.difference.x", np.array([1.5 * sin(0.7 * at) for at in s]), "mm"),
        "orbit.difference.y": reading("orbit.difference.y", np.array([0.2 * sin(0.5 * at) for at in s]), "mm"),
    }
    limited = Reading(SUPPLY, 0.5, "A", limits=(-10.0, 10.0))
    return readings | {SUPPLY: limited, "TWIN:Q1:set": Reading("TWIN:Q1:set", 100.0, "A", limits=(0.0, 200.0))}


def ring_map() -> RingMap:
    magnets = [Magnet(first, first + 1.2, sign) for first in range(0, 48, 8) for sign in "█"]
    magnets += [Magnet(first + 3.0, first + 3.5, "▀") for first in range(0, 48, 8)]
    return RingMap(48.0, tuple(magnets), {"HS1": (20.0,)})


@dataclass
class FakeClient(EpicsClient):
    """A client of a twin in memory that tells its monitors of puts."""

    readings: dict[str, Reading] = field(default_factory=ring)
    monitors: dict[str, list[Callable[[Reading | None], None]]] = field(default_factory=dict)
    target: Target = field(default_factory=lambda: Target("TWIN:", {}, server()))
    puts: list[tuple[str, Any]] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self.timeout_s, self._listed = 1.0, None

    def find_pvs(self, match: str = "*", source: str = "*", timeout_s: float | None = None) -> list[PvInfo]:
        supplies = [PvInfo(f"TWIN:{n}:set", "set", n, "current", "A", True, f"{n} setpoint") for n in ("HS1", "Q1")]
        return supplies + [PvInfo(name, name, "", "", "", False, "") for name in self.readings if ":" not in name]

    def get(self, *names: str) -> list[Reading]:
        return [self.readings[name] for name in names]

    def monitor(self, name: str, callback: Callable[[Reading | None], None]) -> Callable[[], None]:
        self.monitors.setdefault(name, []).append(callback)
        callback(self.readings[name])
        return lambda: self.monitors[name].remove(callback)

    def put(self, name: str, value: Any, *, wait: bool = True) -> None:
        low, high = self.readings[name].limits or (value, value)
        if not low <= value <= high:
            raise RefusedError(
                f"{name} = {value:g} A: outside the drive limits {low:g} to {high:g} A; nothing was changed"
            )
        self.puts.append((name, value))
        self.show({name: replace(self.readings[name], value=value)})

    def show(self, changes: Mapping[str, Reading | None]) -> None:
        """Change what the twin shows; None: it disconnects."""
        for name, changed in changes.items():
            if changed is not None:
                self.readings[name] = changed
            for callback in list(self.monitors.get(name, ())):
                callback(changed)

    def close(self) -> None:
        self.closed = True
