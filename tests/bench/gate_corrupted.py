"""Corrupted commands: recordings of a few steps are approved, and then command, token, state or clock are not those.

Every corruption is made of an approved sequence that the gate accepts as it is; the gate must accept no command that
is not what was approved.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from bench.gate_scene import MONOTONIC_S, Scene
from bench.gate_truth import NS

from gnomon.lattice import LatticeError
from gnomon.recorder.gating import Approved, Authority, GateCommand, MachineState, Verdict
from gnomon.recorder.gating.deciding import decide
from gnomon.recorder.gating.history import History
from gnomon.recorder.replay_steps import Start

#: Steps of an approved sequence.
STEPS = 4
#: Smallest step of a sequence, in the unit of the step sizes.
SMALLEST = 1e-3


@dataclass(slots=True)
class CorruptedCounts:
    """Corrupted commands and those accepted, by kind; `approved` whole steps and `refused` ones, as a control."""

    cases: dict[str, int] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    approved: int = 0
    refused: int = 0
    refusals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class At:
    """An approved sequence, and the machine before step `number` of it."""

    scene: Scene
    steps: tuple[GateCommand, ...]
    approved: Approved
    number: int
    history: History
    state: MachineState
    rng: np.random.Generator

    @property
    def command(self) -> GateCommand:
        """The approved command."""
        return self.steps[self.number]

    @property
    def authority(self) -> Authority:
        """The authority as it should be."""
        return self.scene.authority(self.approved)

    def decide(self, command: GateCommand | None = None, **changed: object) -> Verdict:
        """Decide with something changed: state, history, authority, predictor, limits."""
        given = {
            "state": self.state, "predictor": self.scene.predictor, "limits": self.scene.limits,
            "history": self.history, "authority": self.authority,
        } | changed  # fmt: skip
        return decide(self.command if command is None else command, **given)  # type: ignore[arg-type]


def with_target(command: GateCommand, target: float) -> GateCommand:
    """The command with another target, in step and settings alike: an error made before the gate."""
    setting = target / command.scale
    old = command.changes[command.key][0]
    return replace(
        command, step=replace(command.step, target=target, asked=target), changes={command.key: (old, setting)}
    )


def _by(factor: float) -> Callable[[At], Verdict]:
    def corrupted(at: At) -> Verdict:
        step = at.command.step
        return at.decide(with_target(at.command, step.start + factor * (step.target - step.start)))

    return corrupted


def _sign(at: At) -> Verdict | None:
    return _elsewhere(at, -at.command.step.target)


def _elsewhere(at: At, target: float) -> Verdict | None:
    """Decide about another target; None for one on the approved way: a step may be made in parts."""
    step = at.command.step
    low, high = sorted((step.start, step.target))
    return None if low <= target <= high else at.decide(with_target(at.command, target))


def _unit_slip(at: At) -> Verdict | None:
    factor = float(at.rng.choice([1e3, 1e-3]))
    if at.rng.random() < 0.5:
        return _elsewhere(at, factor * at.command.step.target)
    unit = {"A": "mA", "kHz": "Hz"}.get(at.command.step.unit, "V")
    return at.decide(replace(at.command, step=replace(at.command.step, unit=unit)))


def _not_a_number(at: At) -> Verdict:
    return at.decide(with_target(at.command, float(at.rng.choice([math.nan, math.inf, -math.inf]))))


def _other_optics(at: At) -> Verdict:
    which = int(at.rng.integers(3))
    if which == 0:
        return at.decide(authority=replace(at.authority, approved=replace(at.approved, optics_digest="0" * 20)))
    if which == 1:
        return at.decide(authority=replace(at.authority, approved=replace(at.approved, document_digest="0" * 32)))
    # The machine was switched to another optics: its quadrupoles are elsewhere, and the recording does not touch them.
    names = at.scene.commands.by_kind["quadrupole"]
    touched = {command.key for command in at.steps}
    settings = dict(at.state.settings)
    for name in names:
        if (name, "current") not in touched:
            settings[name, "current"] *= 1.0 + 0.05 * float(at.rng.uniform(0.5, 1.0))
    return at.decide(state=replace(at.state, settings=settings))


def _stale_recording(at: At) -> Verdict:
    """The machine is no longer in the state with which the recording began."""
    starts = at.approved.starts
    moved = starts[int(at.rng.integers(len(starts)))]
    pvs = dict(at.state.pvs)
    by = float(at.rng.choice((-1.0, 1.0))) * float(at.rng.uniform(2e-3, 0.1)) * moved.range
    value = min(max(pvs[moved.pv].value + by, pvs[moved.pv].low), pvs[moved.pv].high)
    if abs(value - pvs[moved.pv].value) < 2e-3 * moved.range:
        value = pvs[moved.pv].value - by
    pvs[moved.pv] = replace(pvs[moved.pv], value=value)
    return at.decide(state=replace(at.state, pvs=pvs))


def _missing(at: At) -> Verdict:
    number = at.number + 1 if at.number + 1 < len(at.steps) else at.number - 1
    command = at.steps[number]
    if at.rng.random() < 0.5:  # a sender that counts its own commands does not notice
        command = replace(command, number=at.number)
    return at.decide(command)


def _duplicated(at: At) -> Verdict:
    number = at.number - 1 if at.number else 0
    history = at.history if at.number else at.history.sent(at.steps[0], at.approved, MONOTONIC_S - 1.0)
    command = at.steps[number]
    if at.rng.random() < 0.5:
        command = replace(command, number=history.number)
    return at.decide(command, history=history)


def _reordered(at: At) -> Verdict:
    others = [n for n in range(len(at.steps)) if n != at.number]
    command = at.steps[int(at.rng.choice(others))]
    if at.rng.random() < 0.5:
        command = replace(command, number=at.number)
    return at.decide(command)


def _forged(at: At) -> Verdict:
    authority = at.authority
    forged = [
        replace(authority, token_id=""),
        replace(authority, reviewer=authority.author),
        replace(authority, reviewer=""),
        replace(authority, expires_ns=authority.granted_ns + 7200 * NS),
        replace(authority, approved=replace(at.approved, machine="another")),
        replace(authority, approved=replace(at.approved, calibration_id="f" * 64)),
    ]
    return at.decide(authority=forged[int(at.rng.integers(len(forged)))])


def _expired(at: At) -> Verdict:
    late = int(at.rng.integers(1, 3600)) * NS
    authority = at.authority
    shift = authority.expires_ns - at.state.now_ns + late
    return at.decide(
        authority=replace(
            authority, granted_ns=authority.granted_ns - shift, expires_ns=authority.expires_ns - shift,
            granted_s=authority.granted_s - 1e-9 * shift,
        )
    )  # fmt: skip


def _clock_jump(at: At) -> Verdict:
    by = float(at.rng.choice((-1.0, 1.0))) * float(at.rng.uniform(5.0, 900.0))
    return at.decide(state=replace(at.state, now_ns=at.state.now_ns + round(by * NS)))


def _stale_reading(at: At) -> Verdict:
    """Of the step's PVs, or of another one. An old time stamp alone counts for a reading: a setpoint may have one."""
    age = float(at.rng.uniform(6.0, 3600.0))
    which = int(at.rng.integers(6))
    if which == 5:
        return at.decide(
            state=replace(at.state, reading=replace(at.state.reading, time_ns=at.state.now_ns - round(age * NS)))
        )
    pv = str(at.rng.choice([at.command.step.pv, at.command.step.readback]))
    shown = at.state.pvs[pv]
    changed = [
        replace(shown, read_s=shown.read_s - age),
        replace(shown, connected=False),
        replace(shown, severity=3),
        replace(shown, stamp_ns=at.state.now_ns + round(age * NS)),
        replace(shown, value=math.nan),
    ]
    pvs = {**at.state.pvs, pv: changed[which]}
    return at.decide(state=replace(at.state, pvs=pvs))


def _foreign_write(at: At) -> Verdict:
    """Somebody else has set the PV of this step, or one that earlier steps have set."""
    which = int(at.rng.integers(at.number + 1))
    pv = at.steps[which].step.pv
    shown = at.state.pvs[pv]
    by = 0.5 * (at.steps[which].step.target - at.steps[which].step.start)
    return at.decide(state=replace(at.state, pvs={**at.state.pvs, pv: replace(shown, value=shown.value + by)}))


def _lost_monitor(at: At) -> Verdict:
    orbit = at.state.reading.orbit.copy()
    orbit[int(at.rng.integers(len(orbit)))] = math.nan
    return at.decide(state=replace(at.state, reading=replace(at.state.reading, orbit=orbit)))


def _other_pv(at: At) -> Verdict:
    others = [key for key in at.scene.pvs if key not in {c.key for c in at.steps}]
    key = others[int(at.rng.integers(len(others)))]
    now = at.scene.machine.setting(key)
    value = at.scene.commands.inside(key, now + 0.3 * at.scene.commands.unit[key])
    return at.decide(replace(at.scene.command(key, value), number=at.number))


def _creeping(at: At) -> Verdict:
    """Small steps, each within all limits, whose sum leaves the cumulated limit of the PV."""
    row = at.scene.limits.row(at.command.step.pv)
    assert row is not None
    step = at.command.step
    far = row.max_total * float(at.rng.uniform(1.01, 1.5)) * (1.0 if step.target > step.start else -1.0)
    history = replace(at.history, first={**at.history.first, step.pv: step.target - far})
    return at.decide(history=history)


#: Corruptions that are made at the gate itself. Files and tokens on disk: `gate_files`.
CORRUPTIONS: dict[str, Callable[[At], Verdict | None]] = {
    "sign flip of the step": _by(-1.0),
    "sign flip of the value": _sign,
    "x10": _by(10.0),
    "x1.5": _by(1.5),
    "unit slip": _unit_slip,
    "NaN or infinite": _not_a_number,
    "wrong optics": _other_optics,
    "stale recording": _stale_recording,
    "missing step": _missing,
    "duplicated step": _duplicated,
    "reordered steps": _reordered,
    "another PV": _other_pv,
    "creeping limits": _creeping,
    "forged token": _forged,
    "expired token": _expired,
    "clock jump": _clock_jump,
    "stale, INVALID or disconnected": _stale_reading,
    "foreign write": _foreign_write,
    "lost monitor": _lost_monitor,
}


def corrupt(scene: Scene, each: int, rng: np.random.Generator) -> CorruptedCounts:
    """Make `each` cases of every corruption, from fresh sequences."""
    counts = CorruptedCounts()
    names = list(CORRUPTIONS)
    todo = dict.fromkeys(names, each)
    for _ in range(20 * each):
        if not any(todo.values()):
            break
        for at in _sequence(scene, rng, counts):
            for name in [n for n in names if todo[n]]:
                verdict = CORRUPTIONS[name](at)
                if verdict is None:
                    continue
                todo[name] -= 1
                counts.cases[name] = counts.cases.get(name, 0) + 1
                counts.accepted[name] = counts.accepted.get(name, 0) + verdict.accepted
                of = counts.reasons.setdefault(name, {})
                for code in {str(reason.code) for reason in verdict.reasons}:
                    of[code] = of.get(code, 0) + 1
                if verdict.accepted:
                    counts.texts.append(f"seed {scene.machine.seed}, {name}: {at.command.step}")
    return counts


def _sequence(scene: Scene, rng: np.random.Generator, counts: CorruptedCounts) -> "list[At]":
    """One approved sequence of different PVs, and the machine at each of its steps, if the gate accepts them."""
    machine = scene.machine
    machine.restore()
    keys: dict[object, float] = {}
    while len(keys) < STEPS:
        family = str(rng.choice([f for f in scene.commands.families() if f != "sextupole"]))
        case = scene.commands.draw_of(family, int(rng.integers(2)), rng)
        # A step of nothing has no sign and no size to be wrong.
        if not case.prepare and abs(case.value - machine.setting(case.key)) > SMALLEST * scene.commands.unit[case.key]:
            keys[case.key] = case.value
    steps = tuple(scene.command(key, value, number=n) for n, (key, value) in enumerate(keys.items()))  # type: ignore[arg-type]
    starts = tuple(Start(c.step.pv, c.step.unit, c.step.start, c.step.range) for c in steps)
    untouched = [pv for pv in (spec.name for spec in scene.pvs.values()) if pv not in {s.pv for s in starts}]
    shown = scene.state(machine.read()).pvs
    for pv in rng.choice(untouched, 3, replace=False).tolist():
        starts += (Start(pv, shown[pv].unit, shown[pv].value, shown[pv].high - shown[pv].low),)
    approved = scene.approved(steps, starts)
    history, found = History(), []
    try:
        for number, command in enumerate(steps):
            at = At(scene, steps, approved, number, history, scene.state(machine.read()), rng)
            verdict = at.decide()
            counts.approved += 1
            if not verdict.accepted:
                counts.refused += 1
                for code in {str(reason.code) for reason in verdict.reasons}:
                    counts.refusals[code] = counts.refusals.get(code, 0) + 1
                break
            found.append(at)
            machine.apply({command.key: command.changes[command.key][1]})
            history = history.sent(command, approved, MONOTONIC_S - 2.0)
    except LatticeError:
        return found
    finally:
        machine.restore()
    return found
