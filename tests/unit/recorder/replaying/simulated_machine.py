"""A small ring with a linear beam, its faults, a predictor that knows it, and simple rules: a replay in memory."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.db import expand, pv_document, read_pvs, shipped_machine
from gnomon.db.pvs import PvSpec
from gnomon.lattice import Key, Lattice, Ring
from gnomon.recorder import MachineError
from gnomon.recorder.bounds import Band, Kind, Observable, Reading, values_of
from gnomon.recorder.bounds.band import largest_error
from gnomon.recorder.gate import GateLimits
from gnomon.recorder.gating import Code, GateCommand, History, MachineState, Outcome, Reason, TrustRegion, Verdict
from gnomon.recorder.replay_execution import ReplayOptions
from gnomon.recorder.replay_machine import PvState
from gnomon.recorder.replay_steps import Plan, Prediction, Start, Step
from gnomon.recorder.replaying.beam_meter import BeamMeter, beam_pvs
from gnomon.recorder.replaying.commands_of_plan import PlanCommands
from gnomon.recorder.replaying.gated_steps import GatedSteps, StepView
from unit.recorder.fake_machine import FakeClock

PREFIX = "M:"
NOISE_MM = 1e-3
OPTIONS = ReplayOptions(GateLimits(max_step=0.2), timeout_s=1.0, settle_s=2.0)


@cache
def mls() -> tuple[Ring, tuple[PvSpec, ...]]:
    ring = shipped_machine("mls")
    return ring, tuple(expand(read_pvs("mls", pv_document), ring, PREFIX))


@cache
def steerers() -> tuple[PvSpec, ...]:
    """Setpoints of four supplies that begin at zero."""
    ring, specs = mls()
    currents = [spec for spec in specs if spec.source == "set" and spec.property == "current" and spec.drive]
    nominal = ring.nominal
    both_ways = [s for s in currents if s.drive and s.drive[0] < 0.0 < s.drive[1] and not nominal[s.device, s.property]]
    return tuple(both_ways[:4])


@cache
def response() -> NDArray[np.float64]:
    """Orbit x, y and tunes by each steerer, (4, 2 m + 2) [mm/A, 1/A]."""
    m = len(mls()[0].monitors)
    made = np.random.default_rng(1).normal(0.0, 1.0, (4, 2 * m + 2))
    made[:, -2:] *= 1e-3
    return made


class Clock(FakeClock):
    """The clock of the machine and of the replay."""

    def time_ns(self) -> int:
        return 1_800_000_000_000_000_000 + round(self.now * 1e9)


@dataclass
class SimulatedMachine:
    """PVs of the MLS. Faults are set from outside; `on_put` is called before a put acts and may raise."""

    clock: Clock
    seed: int = 0
    values: dict[str, float] = field(default_factory=dict)  # setpoints
    polarity: dict[str, float] = field(default_factory=dict)  # factor from a supply to the beam
    lost: set[str] = field(default_factory=set)  # puts that are acknowledged and do nothing
    stuck: dict[str, float] = field(default_factory=dict)  # supplies that stay, with the value
    frozen: dict[str, PvState] = field(default_factory=dict)  # monitors that show an old value with an old stamp
    held: dict[str, float] = field(default_factory=dict)  # monitors that show an old value with a new stamp
    silent: tuple[float, float] = (np.inf, np.inf)  # times between which nothing answers
    beam: bool = True
    current_ma: float = 150.0
    puts: list[tuple[str, float]] = field(default_factory=list)
    on_put: Callable[[str, float], None] = lambda pv, value: None
    swapped: bool = False
    averaging_s: float = 0.0  # time over which each reading averages, from `period_s` to `period_s`
    period_s: float = 0.0
    delay_s: float = 0.0  # time after which a put has reached the beam
    ahead_s: float = 0.0  # of the clock of the monitors' and tune meter's server

    def __post_init__(self) -> None:
        ring, specs = mls()
        self.rng = np.random.default_rng(self.seed)
        self.specs = {spec.name: spec for spec in specs}
        for spec in specs:
            if spec.source == "set" and spec.drive is not None:
                self.values[spec.name] = ring.nominal[spec.device, spec.property] * spec.scale
        self.setpoint_of = {
            s.name: o.name for s in specs if s.source == "readback"
            for o in specs if o.source == "set" and (o.device, o.property) == (s.device, s.property)
        }  # fmt: skip
        order = [name for pair in beam_pvs(specs, monitor_names()).monitors for name in pair]
        self.monitor = {spec.name: (n // 2, n % 2) for n, spec in enumerate(order)}
        self.start = dict(self.values)
        self.course: list[tuple[float, NDArray[np.float64]]] = [(-np.inf, self._drive())]

    def connect(self, pvs: Iterable[str], timeout_s: float) -> tuple[str, ...]:
        return tuple(pv for pv in pvs if pv not in self.specs)

    def get_all(self, pvs: Iterable[str], timeout_s: float) -> Mapping[str, PvState]:
        shown = self.orbit()
        return {pv: self._get(pv, timeout_s, shown) for pv in pvs}

    def get(self, pv: str, timeout_s: float) -> PvState:
        return self._get(pv, timeout_s, self.orbit() if pv in self.monitor else np.zeros(0))

    def put(self, pv: str, value: float, timeout_s: float) -> None:
        self._answer(pv, timeout_s)
        self.puts.append((pv, value))
        self.on_put(pv, value)
        if pv not in self.lost:
            self.values[pv] = value
        self.course.append((self.clock.now + self.delay_s, self._drive()))

    def limits(self, pv: str, timeout_s: float) -> tuple[float, float]:
        self._answer(pv, timeout_s)
        return self.specs[pv].drive or (0.0, 0.0)

    def unit(self, pv: str, timeout_s: float) -> str:
        self._answer(pv, timeout_s)
        return self.specs[pv].unit

    def orbit(self) -> NDArray[np.float64]:
        """Orbit x, y and tunes as they are, with noise."""
        drive = self._averaged() if self.averaging_s else self._drive()
        noise: NDArray[np.float64] = NOISE_MM * self.rng.standard_normal(response().shape[1:])
        noise[-2:] *= 1e-2
        shown: NDArray[np.float64] = drive @ response() + noise
        shown[-2:] += (0.178, 0.232)
        return shown

    def _drive(self) -> NDArray[np.float64]:
        return np.array([self.polarity.get(s.name, 1.0) * self.actual(s.name) for s in steerers()])

    def _averaged(self) -> NDArray[np.float64]:
        """Mean of what drove the beam in the time before the last reading."""
        end = self._read_at()
        begin = end - self.averaging_s
        times = np.clip([at for at, _ in self.course] + [np.inf], begin, end)
        mean: NDArray[np.float64] = np.diff(times) / self.averaging_s @ np.array([drive for _, drive in self.course])
        return mean

    def _read_at(self) -> float:
        return self.clock.now // self.period_s * self.period_s if self.period_s else self.clock.now

    def actual(self, pv: str) -> float:
        return self.stuck.get(pv, self.values[pv])

    def _get(self, pv: str, timeout_s: float, shown: NDArray[np.float64]) -> PvState:
        self._answer(pv, timeout_s)
        spec, now = self.specs[pv], self.clock.time_ns()
        if pv in self.values:
            return PvState(self.values[pv], 0, now)
        if pv in self.setpoint_of:
            return PvState(self.actual(self.setpoint_of[pv]), 0, now)
        if pv in self.frozen:
            return self.frozen[pv]
        now += round(1e9 * (self._read_at() - self.clock.now + self.ahead_s))
        invalid = 0 if self.beam else 3
        if pv in self.monitor:
            number, plane = self.monitor[pv]
            if self.swapped:
                number ^= 1
            value = self.held.get(pv, float(shown[number + plane * len(self.monitor) // 2]))
            return PvState(value, invalid, now)
        if spec.source.startswith("tune.fraction"):
            return PvState(float(shown[-2 if spec.source.endswith("x") else -1]), invalid, now)
        if spec.source == "beam.current":
            return PvState(self.current_ma if self.beam else 0.0, 0, now)
        return PvState(10.0, 0, now)

    def _answer(self, pv: str, timeout_s: float) -> None:
        if pv not in self.specs:
            raise MachineError(f"{pv}: not connected")
        if self.silent[0] <= self.clock.now < self.silent[1]:
            self.clock.now += timeout_s
            raise MachineError(f"{pv}: no answer within {timeout_s:g} s")


def monitor_names() -> list[str]:
    ring, _ = mls()
    return [ring.elements[index].name for index in ring.monitors]


@dataclass
class LinearPredictor:
    """Knows the linear beam to `relative`."""

    relative: float = 0.05
    calibration_id: str = "c" * 64
    document_digest: str = ""
    optics_digest: str = ""
    made_ns: int = 0
    max_age_s: float = 1e9
    observed: int = 0

    def band(
        self, settings: Mapping[Key, float], changes: Mapping[Key, float], reading: Reading, *, coverage: float,
        now_ns: int, tier: int = 1,
    ) -> Band:  # fmt: skip
        change = np.zeros(response().shape[1])
        for number, spec in enumerate(steerers()):
            key = (spec.device, spec.property)
            if key in changes:
                change += (changes[key] - settings[key]) * response()[number]
        now = np.concatenate((reading.orbit[:, 0], reading.orbit[:, 1], reading.tune))
        noise = np.where(np.arange(now.size) < now.size - 2, NOISE_MM, 1e-2 * NOISE_MM)
        scale = np.sqrt((self.relative * change) ** 2 + 2 * noise**2)
        half = 6.0 * scale
        m = len(reading.orbit)
        observables = tuple(
            [Observable(f"orbit_x:{n}", Kind.ORBIT_X, "mm", f"{n}") for n in range(m)]
            + [Observable(f"orbit_y:{n}", Kind.ORBIT_Y, "mm", f"{n}") for n in range(m)]
            + [Observable(f"tune_{p}", Kind.TUNE, "") for p in "xy"]
        )
        seen = np.isfinite(now)
        then = now + change
        return Band(observables, then, then - half, then + half, scale, seen, coverage, tier, self.calibration_id)

    def score(self, band: Band, after: Reading) -> float:
        return largest_error(band, after)

    def observe(
        self, settings: Mapping[Key, float], changes: Mapping[Key, float], band: Band, after: Reading
    ) -> "LinearPredictor":
        return replace(self, observed=self.observed + 1)


@dataclass
class Rules:
    """Limits of the orbit and of a step, a trust region, and a stop at `stop_band`."""

    orbit_mm: float = 4.0
    max_step: float = 0.4
    max_rate: float = 10.0
    stop_band: float = 1.5
    max_age_s: float = 5.0
    monotonic: Callable[[], float] = lambda: 0.0

    def decide(self, command: GateCommand, state: MachineState, predictor: Any, history: History) -> Verdict:
        new = {key: value for key, (_, value) in command.changes.items()}
        band = predictor.band(state.settings, new, state.reading, coverage=0.99, now_ns=state.now_ns)
        m = len(state.reading.orbit)
        far = float(np.nanmax(np.abs(np.concatenate((band.lower[: 2 * m], band.upper[: 2 * m])))))
        if far > self.orbit_mm:
            reason = Reason(Code.BOUND_ORBIT_X, f"orbit: {far:.3g} mm is beyond {self.orbit_mm:g} mm")
            return Verdict((reason,), (band,), 1.0 - far / self.orbit_mm)
        return Verdict((), (band,), 1.0 - far / self.orbit_mm)

    def largest_step(self, command: GateCommand, history: History) -> float:
        return self.region(command, history).size * self.max_step

    def region(self, command: GateCommand, history: History) -> TrustRegion:
        return history.regions.get(command.family, TrustRegion(0.25, 0.0625, 2))

    def rate(self, pv: str) -> float:
        return self.max_rate

    def lapsed(self, state: MachineState) -> str:
        age_s = self.monotonic() - state.monotonic_s
        return f"decided {age_s:g} s ago" if age_s > self.max_age_s else ""

    def sent(self, command: GateCommand, history: History, monotonic_s: float) -> History:
        return history

    def assess(
        self, command: GateCommand, band: Band | None, before: Reading, after: Reading, history: History
    ) -> Outcome:
        assert band is not None
        share = share_of_band(band, after)
        reasons = []
        if not share <= self.stop_band:
            reasons.append(Reason(Code.MISSED_BAND, f"the beam is {share:.3g} half widths from the prediction"))
        if not after.current_ma > 0.98 * before.current_ma:
            reasons.append(Reason(Code.CURRENT, f"the current has dropped to {after.current_ma:g} mA"))
        region = self.region(command, history).after(share <= 0.7)
        cusum = history.cusum.after(np.array([share]), 0.0)
        return Outcome(tuple(reasons), history.measured(command.family, region, cusum, share <= 0.7), share)


def share_of_band(band: Band, after: Reading) -> float:
    """Find the largest deviation from the expected value, in half widths: (up to 1: inside). Infinite if not shown."""
    half = 0.5 * (band.upper - band.lower)[band.measured]
    deviation = np.abs(values_of(band, after) - band.expected)[band.measured]
    return float(np.max(np.where(np.isfinite(deviation), deviation / half, np.inf), initial=0.0))


def make_plan(*targets: tuple[int, float], prefix: str = PREFIX) -> Plan:
    """Make the plan that sets steerers, by their number, to values one after the other."""
    at = dict.fromkeys(range(4), 0.0)
    steps = []
    for sequence, (number, target) in enumerate(targets, 1):
        spec = steerers()[number]
        assert spec.drive is not None
        readback = next(s.name for s in mls()[1] if s.source == "readback" and s.device == spec.device)
        steps.append(Step(sequence, sequence, spec.name, readback, spec.unit, at[number], target, target, *spec.drive))
        at[number] = target
    ring, specs = mls()
    starts = [
        Start(s.name, s.unit, ring.nominal[s.device, s.property] * s.scale, s.drive[1] - s.drive[0])
        for s in specs if s.source == "set" and s.property == "current" and s.drive
    ]  # fmt: skip
    fine = Prediction(True, "", (0.1, 0.0), (0.1, 0.0), (0.0, 0.0))
    return Plan(tuple(steps), (fine,) * len(steps), tuple(starts))


def family(lattice: Lattice, key: Key) -> str:
    return "steerer"


def make_gate(
    plan: Plan,
    machine: SimulatedMachine,
    rules: Any = None,
    predictor: Any = None,
    views: list[StepView] | None = None,
    settle_s: float = 0.0,
) -> GatedSteps:
    ring, specs = mls()
    meter = BeamMeter(machine, beam_pvs(specs, monitor_names()), 1.0, 3.0, machine.clock)
    return GatedSteps(
        commands=PlanCommands(plan, ring.nominal, specs, family),
        machine=machine,
        meter=meter,
        rules=rules or Rules(),
        predictor=predictor or LinearPredictor(),
        clock=machine.clock,
        settle_s=lambda pv: settle_s,
        timeout_s=1.0,
        observer=(views if views is not None else []).append,
    )


def quiet(event: str, step: Step, remark: str) -> None:
    """Report nothing."""
