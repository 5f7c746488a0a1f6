"""A running server in memory, for the commands that talk to one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gnomon.clients.errors import RefusedError
from gnomon.clients.reading import Reading

PVS = (
    ("TWIN:Q1:set", "set", "Q1", "current", "A", True),
    ("TWIN:Q2:set", "set", "Q2", "current", "A", True),
    ("TWIN:Q1:rdbk", "readback", "Q1", "current", "A", False),
    ("TWIN:mode", "control.mode", "", "", "", True),
    ("TWIN:tune", "tune.x", "", "", "kHz", False),
    ("TWIN:orbit", "orbit.x", "", "", "mm", False),
    ("TWIN:bpms", "monitor.table", "", "", "", False),
)


def readings() -> dict[str, Reading]:
    stamp = 1_700_000_000_250_000_000
    every = [
        Reading("TWIN:Q1:set", 1.5, "A", time_ns=stamp, limits=(0.0, 10.0)),
        Reading("TWIN:Q2:set", 2.0, "A", time_ns=stamp, limits=(0.0, 10.0)),
        Reading("TWIN:Q1:rdbk", 1.5, "A", time_ns=stamp),
        Reading("TWIN:mode", "twin", time_ns=stamp, states=("twin", "shadow"), index=0),
        Reading("TWIN:tune", 1059.123456789, "kHz", 3, "CALC", stamp),
        Reading("TWIN:orbit", [float(number) for number in range(100)], "mm", time_ns=stamp),
        Reading("TWIN:bpms", {"BPM": [f"B{n}" for n in range(20)], "X": [n / 2 for n in range(20)]}, time_ns=stamp),
    ]
    return {reading.name: reading for reading in every}


@dataclass
class FakePvs:
    """Stands in for a client of either protocol; `PvaClient` and `CaClient` are held against real servers."""

    readings: dict[str, Reading] = field(default_factory=readings)
    puts: list[tuple[str, Any, bool]] = field(default_factory=list)
    closed: bool = False
    loses: bool = False

    def get(self, names: Sequence[str], timeout_s: float) -> list[Reading | None]:
        return [self.readings.get(name) for name in names]

    def put(self, name: str, value: Any, timeout_s: float, *, wait: bool = True) -> None:
        reading = self.readings[name]
        if reading.limits and not reading.limits[0] <= value <= reading.limits[1]:
            raise RefusedError(f"{name} = {value:g} A: outside the drive limits 0 to 10 A; nothing was changed")
        self.puts.append((name, value, wait))
        shown = reading.states[value] if reading.states else value
        self.readings[name] = replace(reading, value=shown)
        if name == "TWIN:Q1:set" and not self.loses:
            self.readings["TWIN:Q1:rdbk"] = replace(self.readings["TWIN:Q1:rdbk"], value=shown)

    def monitor(self, name: str, callback: Callable[[Reading | None], None]) -> Callable[[], None]:
        for reading in (None, self.readings[name], None, replace(self.readings[name], value=7.0)):
            callback(reading)
        return lambda: None

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeServer:
    """All protocols of the server, and its procedures."""

    pvs: FakePvs = field(default_factory=FakePvs)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answer: Any = None

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        self.calls.append((name, dict(arguments)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer
