"""A linear machine with one steerer behind a gate: it moves when it is set, and its clock goes on when one waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from gnomon.db.pvs import Kind, PvSpec
from gnomon.recorder.gating import Gate, MachineState, Rules, SetpointCommands
from unit.recorder.gating.situations import KEY, NOW_NS, NOW_S, Case, accepted_case, pv, reading_at

NAME = "P:H1:set"
SPECS = (
    PvSpec(name=NAME, kind=Kind.FLOAT, source="set", description="", device="H1", property="current", unit="A",
           drive=(-10.0, 10.0), writable=True),
    PvSpec(name="P:H1:rdbk", kind=Kind.FLOAT, source="readback", description="", device="H1", property="current",
           unit="A"),
)  # fmt: skip


@dataclass
class Notes:
    """An audit in memory."""

    events: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)

    def note(self, event: str, facts: Mapping[str, object]) -> None:
        self.events.append((event, dict(facts)))

    @property
    def names(self) -> list[str]:
        return [event for event, _ in self.events]


@dataclass
class ToyMachine:
    """`gain` is how much of a step arrives in the beam, `stuck` lets the readback stay, `puts` are all writes.

    Its readings are repeated each `period_s`, and average over `averaging_s` before.
    """

    setting: float = 0.0
    gain: float = 1.0
    stuck: bool = False
    passed_s: float = 0.0
    puts: list[float] = field(default_factory=list)
    readback: float = 0.0
    beam: float = 0.0
    current_ma: float = 100.0
    period_s: float = 0.01
    averaging_s: float = 0.0
    course: list[tuple[float, float]] = field(default_factory=lambda: [(-np.inf, 0.0)])

    def put(self, name: str, value: float) -> None:
        assert name == NAME
        self.puts.append(value)
        self.beam += self.gain * (value - self.setting)
        self.course.append((self.passed_s, self.beam))
        self.setting = value
        if not self.stuck:
            self.readback = value

    def monotonic(self) -> float:
        return NOW_S + self.passed_s

    def sleep(self, seconds: float) -> None:
        self.passed_s += seconds

    def observe(self) -> MachineState:
        self.passed_s += 0.01
        now_ns = NOW_NS + int(1e9 * self.passed_s)
        read_s = round(self.passed_s // self.period_s * self.period_s, 9)
        reading = replace(
            reading_at(self._shown(read_s)), time_ns=NOW_NS + int(1e9 * read_s), current_ma=self.current_ma
        )
        read = {"read_s": self.monotonic()}
        pvs = {NAME: pv(self.setting, **read), "P:H1:rdbk": pv(self.readback, **read),
               "P:H2:set": pv(1.0, **read), "P:H2:rdbk": pv(1.0, **read)}  # fmt: skip
        return MachineState(pvs, {KEY: self.setting, ("H2", "current"): 1.0}, reading, now_ns, self.monotonic())

    def _shown(self, read_s: float) -> float:
        if not self.averaging_s:
            return self.beam
        times = np.clip([at for at, _ in self.course] + [np.inf], read_s - self.averaging_s, read_s)
        return float(np.diff(times) @ [beam for _, beam in self.course]) / self.averaging_s


def free_case() -> Case:
    """A case whose approval is for free commands of the steerer."""
    case = accepted_case().with_approved(steps=None, pvs=frozenset({NAME}), reference=reading_at(0.0))
    return case.with_authority(granted_ns=NOW_NS, granted_s=NOW_S)


def gate_of(machine: ToyMachine, notes: Notes, case: Case | None = None) -> Gate:
    case = case or free_case()
    assert case.limits is not None
    rules = Rules(case.limits, case.authority, machine.monotonic)
    commands = SetpointCommands(SPECS, lambda keys: "steerer")
    return Gate(rules, case.predictor, commands, machine.observe, machine.put, notes, timeout_s=5.0, clock=machine)


def at_rest(machine: ToyMachine) -> bool:
    return bool(np.isclose(machine.setting, 0.0)) and bool(np.isclose(machine.beam, 0.0))
