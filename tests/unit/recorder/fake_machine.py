"""A machine in memory, with the faults that a real one has; kept honest by `machine_contract`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gnomon.recorder import MachineError
from gnomon.recorder.replay_machine import PvState
from gnomon.recorder.replay_steps import Step


@dataclass
class FakePv:
    value: float
    low: float = 0.0
    high: float = 0.0
    severity: int = 0
    writable: bool = True
    connected: bool = True
    follows: str = ""  # a readback: the PV that it shows
    error: float = 0.0  # how far it is off
    stuck: bool = False
    hangs: bool = False
    numeric: bool = True
    unit: str = "A"
    stamp_ns: int = 0


@dataclass
class FakeMachine:
    pvs: dict[str, FakePv]
    puts: list[tuple[str, float]] = field(default_factory=list)
    on_put: Callable[[str, float], None] = lambda pv, value: None
    known: set[str] = field(default_factory=set)
    silent: Callable[[float], bool] = lambda timeout_s: False  # asked before each answer; takes the time that it takes

    def connect(self, pvs: Iterable[str], timeout_s: float) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(pvs))
        self.known |= set(names)
        return tuple(n for n in names if n not in self.pvs or not self.pvs[n].connected)

    def get_all(self, pvs: Iterable[str], timeout_s: float) -> Mapping[str, PvState]:
        return {pv: self.get(pv, timeout_s) for pv in pvs}

    def get(self, pv: str, timeout_s: float) -> PvState:
        found = self._connected(pv)
        if self.silent(timeout_s):
            raise MachineError(f"{pv}: no answer to a read within {timeout_s:g} s")
        if not found.numeric:
            raise MachineError(f"{pv}: is not a number")
        source = self.pvs[found.follows] if found.follows and not found.stuck else found
        return PvState(source.value + found.error, found.severity, found.stamp_ns)

    def put(self, pv: str, value: float, timeout_s: float) -> None:
        found = self._connected(pv)
        if not found.writable:
            raise MachineError(f"{pv}: no write access on this machine")
        if found.hangs or self.silent(timeout_s):
            raise MachineError(f"{pv}: not completed within {timeout_s:g} s")
        self.puts.append((pv, value))
        found.value = value
        self.on_put(pv, value)

    def limits(self, pv: str, timeout_s: float) -> tuple[float, float]:
        found = self._connected(pv)
        return found.low, found.high

    def unit(self, pv: str, timeout_s: float) -> str:
        return self._connected(pv).unit

    def _connected(self, pv: str) -> FakePv:
        found = self.pvs.get(pv)
        if found is None or not found.connected or pv not in self.known:
            raise MachineError(f"{pv}: not connected")
        return found


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0
        self.on_sleep: Callable[[float], None] = lambda now: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_sleep(self.now)


class ListAudit:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def note(self, event: str, facts: object) -> None:
        pv = facts.get("pv", "") if isinstance(facts, dict) else ""
        self.events.append((event, str(pv)))


def step(device: str, start: float, target: float, *, sequence: int = 1, low: float = 0.0, high: float = 100.0) -> Step:
    pv = f"{device}:set"
    return Step(sequence, sequence * 10**9, pv, f"{device}:rdbk", "A", start, target, target, low, high)


def supplies(**values: float) -> FakeMachine:
    """Supplies with setpoint and readback, from 0 to 100 A."""
    pvs: dict[str, FakePv] = {}
    for device, value in values.items():
        pvs[f"{device}:set"] = FakePv(value, 0.0, 100.0)
        pvs[f"{device}:rdbk"] = FakePv(value, writable=False, follows=f"{device}:set")
    return FakeMachine(pvs)


def writes(machine: FakeMachine) -> Sequence[tuple[str, float]]:
    return [(pv.removesuffix(":set"), value) for pv, value in machine.puts]
