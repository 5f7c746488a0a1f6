"""The review of a recording: every step in engineering and physics units, the beam after it, and what is unusual."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gnomon.db.pvs import PvSpec
from gnomon.lattice import ENERGY, VOLTAGE, Lattice, Ring
from gnomon.recorder.recordings.recording import Recording
from gnomon.recorder.recordings.recording_plan import lattices_of, plan_of
from gnomon.recorder.recordings.unusual import Mark, TunePoint, find_marks
from gnomon.recorder.replay_steps import Beam, Plan

Floats = NDArray[np.float64]

#: Units in which physics is shown instead of the document's, with their factors.
SHOWN_UNITS = {"rad": ("mrad", 1e3), "eV": ("MeV", 1e-6)}


class ReviewedBeam(Beam, Protocol):
    """The part of a model's answer that a review needs (`gnomon.propagator.BeamState`)."""

    @property
    def beta(self) -> Floats:
        """Beta functions (n+1, 2) [m]."""


@dataclass(frozen=True, slots=True)
class Strength:
    """A strength that a step drives, in physics units, as `HS4M1D1R.kick` in mrad; `count` elements change alike."""

    name: str
    unit: str
    old: float
    new: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class ReviewedState:
    """The beam after a step of the plan (the first one: at the start), by the model.

    `orbit` (m, 2) [mm] is that at the monitors, `tune` (2,) has the integer part, `beating_rms`, `beating_max` (2,) are
    the relative change of the beta functions since the start. Without a beam they are NaN, and `reason` says why.
    """

    reason: str
    orbit: Floats
    tune: Floats
    beating_rms: Floats
    beating_max: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """A recording with its plan on the recorded PVs, the beam from the start on, strengths and marks.

    `states` has one more than `plan.steps`, `strengths` as many. `beating` (n+1, 2) is the relative change of the beta
    functions from the start to the end, `worst` that at the state where it is largest, `worst_state` its number.
    """

    recording: Recording
    start: Lattice
    end: Lattice
    plan: Plan
    states: tuple[ReviewedState, ...]
    strengths: tuple[tuple[Strength, ...], ...]
    marks: tuple[Mark, ...]
    beating: Floats
    worst: Floats
    worst_state: int

    @property
    def first(self) -> ReviewedState:
        """The state at the start."""
        return self.states[0]

    @property
    def last(self) -> ReviewedState:
        """The state at the end."""
        return self.states[-1]


def review(
    recording: Recording, ring: Ring, specs: Sequence[PvSpec], propagate: Callable[[Lattice], ReviewedBeam]
) -> Review:
    """Review a recording; `specs` are the PVs under the recorded prefix. Raises RecordingError, ReplayError."""
    lattices = lattices_of(recording, ring)
    watcher = _Watcher(propagate, ring)
    plan = plan_of(recording, recording.prefix, ring, specs, watcher)
    states = tuple(watcher.states)
    tunes = [TunePoint(float(s.tune[0]), float(s.tune[1])) for s in states]
    return Review(
        recording,
        lattices[0],
        lattices[-1],
        plan,
        states,
        tuple(_strengths(before, after) for before, after in zip(watcher.lattices, watcher.lattices[1:], strict=False)),
        find_marks(recording, plan, tunes, [s.reason for s in states], specs),
        watcher.beating,
        watcher.worst,
        watcher.worst_state,
    )


class _Watcher:
    """Computes beams, and keeps of each as much as a review shows: a recording may have thousands of steps."""

    def __init__(self, propagate: Callable[[Lattice], ReviewedBeam], ring: Ring) -> None:
        self._propagate = propagate
        self._monitors = list(ring.monitors)
        self._beta: Floats | None = None
        self.states: list[ReviewedState] = []
        self.lattices: list[Lattice] = []
        self.beating = self.worst = np.full((len(ring.elements) + 1, 2), math.nan)
        self.worst_state, self._largest = 0, -1.0

    def __call__(self, lattice: Lattice) -> ReviewedBeam:
        beam = self._propagate(lattice)
        if self._beta is None:
            self._beta = np.array(beam.beta)
        beating = np.asarray(beam.beta) / self._beta - 1.0
        size = np.abs(beating)
        if beam.found and (largest := float(size.max())) > self._largest:
            self._largest, self.worst, self.worst_state = largest, beating, len(self.states)
        self.beating = beating
        self.lattices.append(lattice)
        self.states.append(
            ReviewedState(
                "" if beam.found else beam.reason,
                1e3 * np.asarray(beam.orbit)[self._monitors][:, [0, 2]],
                np.array(beam.tune),
                np.sqrt((beating**2).mean(axis=0)),
                size.max(axis=0),
            )
        )
        return beam


def _strengths(before: Lattice, after: Lattice) -> tuple[Strength, ...]:
    """List what differs between two lattices in physics units; elements that change alike are one."""
    ring = before.ring
    energy, clock = ring.property_spec(*ENERGY).slot, ring.property_spec("rf", "frequency").slot
    voltage = ring.property_spec(*VOLTAGE).slot if VOLTAGE in ring.properties else None
    found: dict[tuple[str, str, float, float], list[str]] = {}
    for slot in after.changed_slots(before):
        if slot == energy:
            found.setdefault(("energy", "eV", before.energy_ev, after.energy_ev), []).append("ring.energy")
        elif slot == clock:
            key = ("frequency", "Hz", before.rf_frequency, after.rf_frequency)
            found.setdefault(key, []).append("rf.frequency")
        elif slot == voltage:
            found.setdefault(("voltage", "V", before.voltage_v, after.voltage_v), []).append("rf.voltage")
        for number in after.driven(slot, before) if slot != energy else ():
            magnet = ring.magnets[number]
            key = (magnet.main, magnet.unit, before.strength(magnet), after.strength(magnet))
            if key[2] != key[3] and magnet.drives not in found.setdefault(key, []):
                found[key].append(magnet.drives)
    return tuple(_shown(names, *key[1:]) for key, names in found.items() if names)


def _shown(names: Sequence[str], unit: str, old: float, new: float) -> Strength:
    shown, factor = SHOWN_UNITS.get(unit, (unit, 1.0))
    return Strength(names[0], shown, factor * old, factor * new, len(names))
