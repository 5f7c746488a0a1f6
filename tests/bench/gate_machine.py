"""All measurements on one imperfect machine, in one process: the unit of work of the bench."""

import time
from dataclasses import dataclass, field

import numpy as np
from bench.gate_calibration import calibrate
from bench.gate_commands import Commands
from bench.gate_corrupted import CorruptedCounts, corrupt
from bench.gate_coverage import Counts, CoverageResult, Session, measure_coverage
from bench.gate_detection import DetectionCounts, detect
from bench.gate_limits import Class
from bench.gate_scene import Scene
from bench.gate_truth import NS, machine_of
from bench.gate_unsafe import (
    DecisionCounts,
    creeping_candidates,
    decide_all,
    near_candidates,
    resonance_candidates,
    safe_candidates,
    unsafe_candidates,
)

from gnomon.db import shipped_machine

#: The machines' clock at the start: 2026-01-05 06:00 UTC [ns].
START_NS = 1_767_592_800 * NS


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers for one machine: commands per bin, decisions, corrupted commands per kind, faults of steps per kind."""

    ring: str
    counts: Counts
    unsafe: int
    safe: int
    corrupted: int
    detection: int
    timed: int
    second_tier: int


@dataclass(slots=True)
class MachineResult:
    """Results of one machine. Times of decisions are in seconds: wall clock, and processor time of the process."""

    seed: int
    ring: str
    remanence: float
    coverage: CoverageResult
    decisions: DecisionCounts
    corrupted: CorruptedCounts
    detection: DetectionCounts
    first_s: list[float] = field(default_factory=list)
    first_cpu_s: list[float] = field(default_factory=list)
    second_s: list[float] = field(default_factory=list)
    second_cpu_s: list[float] = field(default_factory=list)
    wall_s: dict[str, float] = field(default_factory=dict)


def measure_machine(seed: int, plan: Plan) -> MachineResult:
    """Measure everything on the machine of a seed; the same seed and plan give the same commands."""
    began = time.perf_counter()
    wall: dict[str, float] = {}

    def lap(name: str) -> None:
        nonlocal began
        now = time.perf_counter()
        wall[name], began = now - began, now

    ring = shipped_machine(plan.ring)
    machine = machine_of(ring, seed, START_NS)
    commands = Commands(ring, machine.baseline)
    session = Session(machine, commands, np.random.default_rng([seed, 2]))
    lap("machine")
    coverage, predictor = measure_coverage(session, plan.counts, calibrate)
    lap("coverage")
    scene = Scene.at_baseline(machine, commands, predictor)
    decisions = DecisionCounts()
    part = plan.unsafe // 5
    decide_all(scene, unsafe_candidates(commands, np.random.default_rng([seed, 3])), Class.UNSAFE, 2 * part, decisions)
    over = resonance_candidates(scene, np.random.default_rng([seed, 10]))
    decide_all(scene, over, Class.UNSAFE, part, decisions)
    creeping = creeping_candidates(commands, np.random.default_rng([seed, 9]))
    decide_all(scene, creeping, Class.UNSAFE, plan.unsafe - decisions.unsafe, decisions)
    decide_all(scene, safe_candidates(commands, np.random.default_rng([seed, 4])), Class.SAFE, plan.safe, decisions)
    near = near_candidates(commands, np.random.default_rng([seed, 8]))
    decide_all(scene, near, Class.BETWEEN, plan.safe, decisions)
    lap("decisions")
    corrupted = corrupt(scene, plan.corrupted, np.random.default_rng([seed, 5]))
    lap("corrupted")
    detection = detect(scene, plan.detection, np.random.default_rng([seed, 6]))
    lap("detection")
    result = MachineResult(
        seed, plan.ring, machine.config.supplies.remanence, coverage, decisions, corrupted, detection, wall_s=wall
    )
    time_decisions(scene, plan, result)
    lap("timing")
    return result


def time_decisions(scene: Scene, plan: Plan, result: MachineResult) -> None:
    """Time whole decisions of the first tier, and bands of the second."""
    rng = np.random.default_rng([result.seed, 7])
    machine, commands = scene.machine, scene.commands
    for number in range(plan.timed):
        family = str(rng.choice(commands.families()))
        case = commands.draw_of(family, int(rng.integers(3)), rng)
        machine.restore()
        # As in a replay: the steps before are decided about, and made, one after the other.
        for key, value in [*case.prepare.items(), (case.key, case.value)]:
            command, state = scene.command(key, value), scene.state(machine.read())
            began = time.perf_counter(), time.process_time()
            verdict = scene.decide(command, state)
            took = time.perf_counter() - began[0], time.process_time() - began[1]
            # Near a resonance the first tier leaves a band to the second, whose time is counted below.
            if value != machine.setting(key) and all(band.tier == 1 for band in verdict.bands):
                result.first_s.append(took[0])
                result.first_cpu_s.append(took[1])
            if key != case.key:
                machine.apply({key: value})
        if number < plan.second_tier:
            began = time.perf_counter(), time.process_time()
            scene.predictor.band(
                state.settings, {case.key: case.value}, state.reading, coverage=0.99, now_ns=machine.now_ns, tier=2
            )
            result.second_s.append(time.perf_counter() - began[0])
            result.second_cpu_s.append(time.process_time() - began[1])
    machine.restore()
