"""The one way in which a correction acts: settings on a target, a twin as one command, a machine with replay checks.

A twin takes all of them or none. On a machine each is written by itself, in steps of the allowed size, verified before
the next, and all of it is put back when a check fails: what a replay does.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

from gnomon.db.pvs import PvSpec
from gnomon.lattice import Key, Lattice
from gnomon.recorder.audit import Audit
from gnomon.recorder.entries import StoredChange
from gnomon.recorder.gate import SHARE as EQUAL_SHARE
from gnomon.recorder.recorder_errors import FrozenError, MachineError, ReplayError
from gnomon.recorder.remote import Remote
from gnomon.recorder.replay_execution import ReplayOptions, StepGate, carry_out
from gnomon.recorder.replay_machine import MachineClient
from gnomon.recorder.replay_steps import Beam, Plan, Put, Setpoints, plan_of_puts
from gnomon.recorder.review import Assignment
from gnomon.recorder.rollback import Report

__all__ = [
    "Applied",
    "MachineTarget",
    "SetStep",
    "Target",
    "TwinTarget",
    "apply",
    "at_model",
    "hidden_changes",
    "plan_of_steps",
]

#: Rounds that are tried so that the model keeps its beam after each write.
MAX_ROUNDS = 16
#: Share of the largest allowed step that is used, so that rounding does not make it too large.
SHARE = 0.95

#: Largest distance of a readback from its setting over that of nine in ten: 1.1 by rounding alone, and some noise.
MARGIN = 1.3


@dataclass(frozen=True, slots=True)
class SetStep:
    """A setting to make, in the unit of the machine document."""

    key: Key
    value: float


@dataclass(frozen=True, slots=True)
class Applied:
    """The result: number of settings made and verified, id of the new lattice if the target tells it."""

    done: int
    lattice_id: str = ""
    text: str = ""


class Target(Protocol):
    """A twin or a machine, to which settings go."""

    def make(self, steps: Sequence[SetStep], note: str) -> Applied:
        """Make all settings, or none. Raises RemoteError or ReplayError; what was written is put back then."""
        ...


@dataclass(frozen=True)
class TwinTarget:
    """A twin: one command (`dt:set`), one lattice, one result. `present` has the settings now, for the journal."""

    remote: Remote
    prefix: str
    present: Lattice

    def make(self, steps: Sequence[SetStep], note: str) -> Applied:
        """See `Target`."""
        ring = self.present.ring
        assignments = [
            Assignment(device, ring.property_spec(device, name).setting, ring.property_spec(device, name).unit,
                       self.present[device, name], step.value)
            for step in steps for device, name in (step.key,)
        ]  # fmt: skip
        reply = self.remote.send(self.prefix, assignments, note)
        return Applied(len(assignments), reply.lattice_id, reply.text)


@dataclass(frozen=True)
class MachineTarget:
    """A machine: the checks of a replay at each step. `present` are its settings now, `specs` its PVs.

    `gate` makes the gate of a plan; without it, only the static checks are made.
    """

    machine: MachineClient
    prefix: str
    present: Lattice
    specs: Sequence[PvSpec]
    propagate: Callable[[Lattice], Beam]
    audit: Audit
    report: Report
    options: ReplayOptions = field(default_factory=ReplayOptions)
    uninterrupted: Callable[[], object] | None = None
    gate: Callable[[Plan], StepGate] | None = None

    def make(self, steps: Sequence[SetStep], note: str) -> Applied:
        """See `Target`. Changes too small to be verified, as `hidden_changes` finds them, are left out."""
        hidden: tuple[Key, ...] = ()
        rounds = 1
        while True:
            hidden = tuple(dict.fromkeys((*hidden, *self._hidden(steps, rounds))))
            left_out = f"left out, too small for what readbacks show: {_shortened(hidden)}" if hidden else ""
            steps = [step for step in steps if step.key not in hidden]
            if not steps:
                return Applied(0, text=left_out)
            plan = self._plan(steps)
            used = len(plan.steps) // len({step.pv for step in plan.steps})
            if used <= rounds:
                break
            rounds = used  # more of them are smaller ones
        self.audit.note("apply", {"note": note, "prefix": self.prefix, "lattice_id": self.present.id})
        gate = None if self.gate is None else self.gate(plan)
        result = carry_out(
            plan, self.machine, self.options, self.audit, self.report, uninterrupted=self.uninterrupted, gate=gate
        )
        if result.frozen:
            raise FrozenError(
                f"CALL THE OPERATOR: {result.frozen}; stopped by: {result.failure}; NOT put back: "
                f"{', '.join(result.left)}"
            )
        if result.failure:
            left = f"; NOT put back: {', '.join(result.left)}" if result.left else ""
            raise ReplayError(
                f"stopped after {result.done} of {len(plan.steps)} steps: {result.failure}; put back: "
                f"{', '.join(result.restored) or 'nothing'}{left}"
            )
        done = f"{result.done} steps written and verified"
        return Applied(len(steps), text=f"{done}; {left_out}" if left_out else done)

    def _plan(self, steps: Sequence[SetStep]) -> Plan:
        max_step = self.options.limits.max_step
        return plan_of_steps(steps, self.prefix, self.present, self.specs, self.propagate, max_step)

    def _hidden(self, steps: Sequence[SetStep], rounds: int) -> tuple[Key, ...]:
        setpoints, timeout_s = Setpoints(self.specs), self.options.timeout_s
        changes = {step.key: (self.present[step.key], step.value) for step in steps}
        readbacks = {
            key: setpoints.readback(spec)
            for key in self.present.ring.properties
            if (key in changes or key[1] == "current") and (spec := setpoints.of_property(*key)) is not None
        }
        missing = set(self.machine.connect(readbacks.values(), timeout_s))
        readbacks = {key: pv for key, pv in readbacks.items() if pv not in missing}  # the checks name those
        try:
            states = self.machine.get_all(readbacks.values(), timeout_s)
        except MachineError:
            return ()
        offsets: dict[Key, tuple[float, float]] = {}
        for key, pv in readbacks.items():
            own, spec = self.present.ring.property_spec(*key), setpoints.of_property(*key)
            width = own.high - own.low
            beside = abs(states[pv].value / (spec.scale if spec else 1.0) - self.present[key])
            # One that stands elsewhere altogether is for the checks to refuse.
            if beside <= self.options.limits.tolerance * width:
                offsets[key] = beside, width
        most = _all_rounds(self.present, changes, self.options.limits.max_step)
        return hidden_changes(changes, offsets, max(rounds, most))


def hidden_changes(
    changes: Mapping[Key, tuple[float, float]], offsets: Mapping[Key, tuple[float, float]], rounds: int
) -> tuple[Key, ...]:
    """Find changes (old, new) that readbacks cannot verify when they are made in `rounds`.

    A readback stands a little beside its setting, for its resolution and drift: a step that is not ten times as large
    cannot be told from that. `offsets` has these distances now, of all supplies, and the widths of the ranges. After a
    step a readback may stand as far beside as those of nine in ten others do, as a fraction of the range, and more.
    """
    shares = sorted(beside / width for beside, width in offsets.values() if width > 0.0)
    usual = MARGIN * shares[int(0.9 * (len(shares) - 1))] if shares else 0.0
    return tuple(
        key
        for key, (old, new) in changes.items()
        if key in offsets and _floor(*offsets[key], usual) > EQUAL_SHARE * abs(new - old) / max(rounds, 1)
    )


def _floor(beside: float, width: float, usual: float) -> float:
    return max(beside, usual * width)


def apply(steps: Sequence[SetStep], target: Target, note: str = "") -> Applied:
    """Make settings on a target: all of them, or none. Every correction that acts does it through this function.

    Settings that change nothing are left out by the caller. Raises RemoteError if a twin refuses, ReplayError if a
    machine's checks do.
    """
    if not steps:
        return Applied(0)
    if len({step.key for step in steps}) < len(steps):
        raise ReplayError("a setting is given twice")
    return target.make(steps, note)


def at_model(propagate: Callable[[Lattice], Beam], present: Lattice, model: Lattice) -> Callable[[Lattice], Beam]:
    """Return a function that computes the beam of settings about `model` instead of about `present`.

    A machine's steerers correct errors that the model does not have; at their settings the model may have no beam at
    all. What is predicted is the change by changed settings.
    """

    def beam_at(lattice: Lattice) -> Beam:
        changed = {key: lattice[key] for key in lattice.ring.properties if _is_set(lattice, key)}
        moved = {key: model[key] + (value - present[key]) for key, value in changed.items() if value != present[key]}
        return propagate(model.updated(moved))

    return beam_at


def _is_set(lattice: Lattice, key: Key) -> bool:
    spec = lattice.ring.properties[key]
    return spec.slot is not None and spec.setting == spec.property


def plan_of_steps(
    steps: Sequence[SetStep],
    prefix: str,
    present: Lattice,
    specs: Sequence[PvSpec],
    propagate: Callable[[Lattice], Beam],
    max_step: float,
) -> Plan:
    """Plan the writes that bring the settings from `present` to their values, together, none larger than allowed.

    As many rounds are made as the largest change needs, and each goes the same part of the way with every setting, so
    that the beam follows a straight line between the two; more, if the model loses its beam on the way, which leaves
    that line by the changes that a round has not made yet. Raises ReplayError, also for a setting without a PV.
    """
    changes = {step.key: (present[step.key], step.value) for step in steps if step.value != present[step.key]}
    rounds = _all_rounds(present, changes, max_step)
    if rounds == 0:
        raise ReplayError("all settings have these values already: there is nothing to do")
    while True:
        plan = _plan(changes, rounds, prefix, present, specs, propagate)
        if rounds >= MAX_ROUNDS or all(prediction.found for prediction in plan.predictions):
            return plan
        end = present.updated({key: new for key, (_, new) in changes.items()})
        if not (propagate(present).found and propagate(end).found):  # no way between them helps
            return plan
        rounds *= 2


def _plan(
    changes: Mapping[Key, tuple[float, float]],
    rounds: int,
    prefix: str,
    present: Lattice,
    specs: Sequence[PvSpec],
    propagate: Callable[[Lattice], Beam],
) -> Plan:
    at = {key: old for key, (old, _) in changes.items()}
    puts: list[Put] = []
    for number in range(1, rounds + 1):
        for key, (old, new) in changes.items():
            value = new if number == rounds else old + (new - old) * number / rounds
            puts.append(Put(len(puts) + 1, time.time_ns(), (_change(present, key, at[key], value),)))
            at[key] = value
    return plan_of_puts(puts, prefix, prefix, present, Setpoints(specs), propagate)


def _all_rounds(present: Lattice, changes: Mapping[Key, tuple[float, float]], max_step: float) -> int:
    return max((_rounds(present, key, *way, max_step) for key, way in changes.items()), default=0)


def _rounds(present: Lattice, key: Key, old: float, new: float, max_step: float) -> int:
    spec = present.ring.property_spec(*key)
    width = spec.high - spec.low
    return ceil(abs(new - old) / (SHARE * max_step * width)) if width > 0.0 else 1


def _change(present: Lattice, key: Key, old: float, new: float) -> StoredChange:
    spec = present.ring.property_spec(*key)
    return StoredChange("", *key, spec.unit, old, new, new, spec.setting, old, new)


def _shortened(keys: Sequence[Key], most: int = 3) -> str:
    names = ", ".join(device for device, _ in keys[:most])
    return f"{names} and {len(keys) - most} more" if len(keys) > most else names
