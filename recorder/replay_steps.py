"""A recording as steps: one PV written at a time, each with the model's prediction.

A command is replayed as it acted, so that the machine goes through the recorded states; what faults made of it is
left out before, by `without_faults`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gnomon.db.pvs import PvSpec
from gnomon.db.sources import READBACK, SET, SETTING, in_force
from gnomon.lattice import Lattice, LatticeError
from gnomon.recorder.entries import Entry, Key, Run, StoredChange, key_of
from gnomon.recorder.recorder_errors import ReplayError


@dataclass(frozen=True, slots=True)
class Step:
    """One write. `start`, `target` are values of `pv` in `unit`, `low`, `high` the machine document's limits of it.

    `readback` is the PV that follows it, or `pv` itself if there is none; `asked` differs from `target` if a fault
    modified the command; `wall_ns` is the time when the recorded command acted. A button cannot be put back: `back_pv`
    is the one to press instead, empty for all other PVs.
    """

    sequence: int
    wall_ns: int
    pv: str
    readback: str
    unit: str
    start: float
    target: float
    asked: float
    low: float
    high: float
    back_pv: str = ""

    @property
    def range(self) -> float:
        """Width of the machine document's limits; tolerances are fractions of it."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's prediction for a step: change of the orbit at the monitors [mm] (x, y), and of the tunes.

    Without a beam (`found` False), the numbers are NaN and `reason` has the reason.
    """

    found: bool
    reason: str
    max_mm: tuple[float, float]
    rms_mm: tuple[float, float]
    tune: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Start:
    """The value of a PV when the recording began; `range` is the width of its limits."""

    pv: str
    unit: str
    value: float
    range: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All actions of a replay, decided before anything is written. `predictions` has one for each step.

    `moves` has, for each step, the PVs of `starts` that have another value after it, with the value; if it is empty,
    only the PVs of the step itself change.
    """

    steps: tuple[Step, ...]
    predictions: tuple[Prediction, ...]
    starts: tuple[Start, ...]
    moves: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Put:
    """The changes that one put makes, that of its own PV first, for a command that acted at `wall_ns`."""

    sequence: int
    wall_ns: int
    effects: tuple[StoredChange, ...]


class Beam(Protocol):
    """The part of a model's answer that predictions need (`gnomon.propagator.BeamState`)."""

    @property
    def found(self) -> bool:
        """True if there is a beam."""
        ...

    @property
    def reason(self) -> str:
        """The reason if there is none."""
        ...

    @property
    def orbit(self) -> NDArray[np.float64]:
        """Closed orbit (n+1, 4) [m, rad]."""
        ...

    @property
    def tune(self) -> NDArray[np.float64]:
        """Tunes (2,)."""
        ...


class Setpoints:
    """The PVs of the machine that is written: by name, and by the device property that they set."""

    def __init__(self, specs: Iterable[PvSpec]) -> None:
        self.by_name: dict[str, PvSpec] = {}
        self._by_property: dict[Key, PvSpec] = {}
        self._readbacks: dict[Key, str] = {}
        for spec in specs:
            if spec.source in SETTING:
                self.by_name[spec.name] = spec
            if spec.source == SET.name:
                self._by_property.setdefault((spec.device, spec.property), spec)
            elif spec.source == READBACK.name:
                self._readbacks.setdefault((spec.device, spec.property), spec.name)

    def through(self, effect: StoredChange, recorded_prefix: str, prefix: str) -> PvSpec | None:
        """Find the PV of the name through which a change was made."""
        if not effect.pv.startswith(recorded_prefix):
            return None
        return self.by_name.get(prefix + effect.pv.removeprefix(recorded_prefix))

    def readback(self, spec: PvSpec) -> str:
        """Find the readback of a setpoint; the setpoint itself if there is none."""
        return self._readbacks.get((spec.device, spec.property), spec.name)

    def of_property(self, device: str, property: str) -> PvSpec | None:
        """Find the PV that sets a property."""
        return self._by_property.get((device, property))

    def of_setting(self, device: str, setting: str, lattice: Lattice) -> PvSpec | None:
        """Find the PV that has a stored setting, such as a trim, behind it."""
        for (owner, property), spec in self._by_property.items():
            if owner == device and lattice.ring.property_spec(owner, property).setting == setting:
                return spec
        return None


def make_plan(
    entries: Sequence[Entry],
    run: Run,
    prefix: str,
    start: Lattice,
    specs: Sequence[PvSpec],
    propagate: Callable[[Lattice], Beam],
) -> Plan:
    """Make the steps that write `entries` of one run to PVs with another prefix, from the recorded `start` on.

    `specs` are the PVs with that prefix. Raises ReplayError if the entries belong to several runs, change nothing, or
    set a property for which the machine has no PV.
    """
    same_run(entries, run)
    setpoints = Setpoints(specs)
    done = sorted(
        ((o, entry.sequence) for entry in entries if (o := entry.applied) is not None), key=lambda pair: pair[0].order
    )
    puts = [
        Put(sequence, outcome.wall_ns, tuple(effects))
        for outcome, sequence in done
        for effects in changes_by_put(outcome.effects, setpoints, run.prefix, prefix)
    ]
    if not puts:
        raise ReplayError("no command of the range has changed anything: there is nothing to replay")
    return plan_of_puts(puts, run.prefix, prefix, start, setpoints, propagate)


def same_run(entries: Sequence[Entry], run: Run) -> None:
    """Check that all entries are of one run. Raises ReplayError."""
    others = {entry.run for entry in entries} - {run.run}
    if others:
        raise ReplayError(
            f"the range has commands of runs {', '.join(map(str, sorted(others | {run.run})))}: the server was "
            "restarted between them; replay one run at a time"
        )


def plan_of_puts(
    puts: Sequence[Put],
    recorded_prefix: str,
    prefix: str,
    start: Lattice,
    setpoints: Setpoints,
    propagate: Callable[[Lattice], Beam],
) -> Plan:
    """Make a step of each put, with the prediction for it. Raises ReplayError."""
    steps: list[Step] = []
    predictions: list[Prediction] = []
    lattices: list[Lattice] = [start]
    lattice, beam = start, propagate(start)
    for put in puts:
        try:
            after = lattice.updated({key_of(e): e.setting_done for e in put.effects if e.setting_done is not None})
        except LatticeError as error:
            raise ReplayError(f"command {put.sequence}: {error}") from error
        effect = put.effects[0]
        steps.append(_step(put.sequence, put.wall_ns, effect, setpoints, recorded_prefix, prefix, lattice, after))
        predicted = propagate(after)
        predictions.append(predict(beam, predicted, start.ring.monitors))
        lattice, beam = after, predicted
        lattices.append(after)
    starts, shown = _starts(steps, setpoints, start)
    moves = tuple(moved_pvs(shown, before, after) for before, after in pairwise(lattices))
    return Plan(tuple(steps), tuple(predictions), starts, moves)


def changes_by_put(
    effects: Iterable[StoredChange], setpoints: Setpoints, recorded_prefix: str, prefix: str
) -> list[list[StoredChange]]:
    """Group changes by put: one change each, but all of them by a PV with presets, with its own change first."""
    groups: dict[str | int, list[StoredChange]] = {}
    for number, effect in enumerate(effects):
        if effect.setting_done is None:
            continue
        spec = setpoints.through(effect, recorded_prefix, prefix)
        groups.setdefault(spec.name if spec is not None and spec.presets else number, []).append(effect)
    return list(groups.values())


def predict(before: Beam, after: Beam, monitors: Sequence[int]) -> Prediction:
    """Calculate the change from one state of the beam to the next."""
    nothing = (float("nan"), float("nan"))
    for beam, when in ((before, "before it"), (after, "after it")):
        if not beam.found:
            return Prediction(False, f"no beam {when}: {beam.reason}", nothing, nothing, nothing)
    where = list(monitors)
    change = 1e3 * (after.orbit[where] - before.orbit[where])[:, [0, 2]]
    largest = np.abs(change).max(axis=0)
    rms = np.sqrt((change**2).mean(axis=0))
    tune = np.asarray(after.tune) - np.asarray(before.tune)
    return Prediction(
        True,
        "",
        (float(largest[0]), float(largest[1])),
        (float(rms[0]), float(rms[1])),
        (float(tune[0]), float(tune[1])),
    )


def _step(
    sequence: int,
    wall_ns: int,
    effect: StoredChange,
    setpoints: Setpoints,
    recorded_prefix: str,
    prefix: str,
    before: Lattice,
    after: Lattice,
) -> Step:
    spec = setpoints.through(effect, recorded_prefix, prefix)
    spec = spec or setpoints.of_property(effect.device, effect.property)
    spec = spec or setpoints.of_setting(effect.device, effect.setting, before)
    if spec is None or spec.drive is None:
        raise ReplayError(
            f"command {sequence} set {effect.device} {effect.property} through {effect.pv or 'no PV'}: "
            f"the machine has no setpoint for that under the prefix {prefix!r}"
        )
    key = (spec.device, spec.property)
    if key == (effect.device, effect.property) and effect.old is not None and effect.done is not None:
        old, done, asked = effect.old, effect.done, effect.done if effect.new is None else effect.new
    else:  # a trim was set, and the PV has the strength that it makes; or a button was pressed
        old, done = in_force(spec, before), in_force(spec, after)
        asked = done
    low, high = spec.drive
    return Step(
        sequence=sequence,
        wall_ns=wall_ns,
        pv=spec.name,
        readback=setpoints.readback(spec),
        unit=spec.unit,
        start=old * spec.scale,
        target=done * spec.scale,
        asked=asked * spec.scale,
        low=low,
        high=high,
        back_pv=_button_before(spec, setpoints, before),
    )


def _button_before(spec: PvSpec, setpoints: Setpoints, before: Lattice) -> str:
    """Find the button that undoes the change by a button's PV; empty for a PV that is not a button."""
    if spec.source == SET.name:
        return ""
    buttons = (other for other in setpoints.by_name.values() if other.source != SET.name and in_force(other, before))
    return next((other.name for other in buttons if _presses(other) == _presses(spec)), "")


def _presses(button: PvSpec) -> Key:
    """Find the property that a button sets."""
    return button.presets[1][0][:2]


def _starts(
    steps: Sequence[Step], setpoints: Setpoints, start: Lattice
) -> tuple[tuple[Start, ...], Mapping[str, PvSpec]]:
    """List the start state of a recording, and the setpoint that each PV of it shows.

    The state has every power supply, the master clock, the cavities, every other setpoint that was not nominal, and
    every PV that is written.
    """
    found: dict[str, Start] = {}
    shown: dict[str, PvSpec] = {}
    for spec in setpoints.by_name.values():
        if spec.source != SET.name or spec.drive is None:
            continue
        width, value = spec.drive[1] - spec.drive[0], start[spec.device, spec.property] * spec.scale
        if spec.property in ("current", "frequency", "voltage"):
            pv = spec.name
        else:
            # A strength's setpoint keeps what was last written to it; only its readback follows the current as well.
            known = start.ring.property_spec(spec.device, spec.property)
            pv = setpoints.readback(spec)
            if start[spec.device, known.setting] == start.ring.nominal[spec.device, known.setting] or pv == spec.name:
                continue
        found[pv], shown[pv] = Start(pv, spec.unit, value, width), spec
    for step in steps:
        if step.readback not in found:
            spec = setpoints.by_name[step.pv]
            value = in_force(spec, start) * spec.scale
            found[step.readback], shown[step.readback] = Start(step.readback, step.unit, value, step.range), spec
    return tuple(found.values()), shown


def moved_pvs(shown: Mapping[str, PvSpec], before: Lattice, after: Lattice) -> dict[str, float]:
    """Find those of the PVs that have another value in the second lattice, with that value."""
    values = {pv: (in_force(spec, before), in_force(spec, after) * spec.scale) for pv, spec in shown.items()}
    return {pv: there for pv, (here, there) in values.items() if here * shown[pv].scale != there}
