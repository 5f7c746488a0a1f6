"""Faults that one measured step must show: does the reading after it leave the predicted band?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from bench.gate_commands import Case
from bench.gate_scene import Scene
from bench.gate_truth import TrueMachine
from numpy.typing import NDArray

from gnomon.lattice import Key, LatticeError
from gnomon.recorder.bounds import Band, Reading, rows_of

Floats = NDArray[np.float64]

#: Size of a step's predicted effect from which on a fault must be found, in widths of the band.
EFFECT = 3.0
COVERAGE = 0.99


@dataclass(slots=True)
class DetectionCounts:
    """Cases and those found, by fault; `alarms` of `healthy` steps without a fault were outside of their band."""

    cases: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    healthy: int = 0
    alarms: int = 0


def detect(scene: Scene, each: int, rng: np.random.Generator) -> DetectionCounts:
    """Make `each` cases of every fault, with steps of the two larger bins of all families that move orbit or tunes."""
    counts = DetectionCounts()
    for fault, make in FAULTS.items():
        tried = 0
        while counts.cases.get(fault, 0) < each and tried < 20 * each:
            tried += 1
            family = str(rng.choice([f for f in scene.commands.families() if f != "sextupole"]))
            case = scene.commands.draw_of(family, int(rng.integers(1, 3)), rng)
            found = _one(scene, case, make, rng)
            if found is not None:
                counts.cases[fault] = counts.cases.get(fault, 0) + 1
                counts.found[fault] = counts.found.get(fault, 0) + found
    for _ in range(each):
        family = str(rng.choice(scene.commands.families()))
        found = _one(scene, scene.commands.draw_of(family, int(rng.integers(3)), rng), _healthy, rng)
        if found is not None:
            counts.healthy += 1
            counts.alarms += found
    return counts


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """A step that shall have a fault: `key` goes to `value`; `band` makes the band from the reading before."""

    machine: TrueMachine
    key: Key
    value: float
    band: Callable[[Reading], Band]
    rng: np.random.Generator

    def start(self) -> tuple[Reading, Band]:
        """Read, and predict the step."""
        before = self.machine.read()
        return before, self.band(before)

    def finish(self) -> Reading:
        """Make the step as it is meant."""
        return self.machine.apply({self.key: self.value})


#: The band of a step with a fault, and the reading after it; None if the fault would not show.
Make = Callable[[Attempt], tuple[Band, Reading] | None]


def _one(scene: Scene, case: Case, make: Make, rng: np.random.Generator) -> bool | None:
    machine = scene.machine

    def band(before: Reading) -> Band:
        return scene.predictor.band(settings, {case.key: case.value}, before, coverage=COVERAGE, now_ns=machine.now_ns)

    try:
        machine.restore(case.prepare)
        settings = machine.settings
        made = make(Attempt(machine, case.key, case.value, band, rng))
    except LatticeError:
        return None
    finally:
        machine.restore()
    return None if made is None else not bool(made[0].inside(made[1]).all())


def _effects(found: Band, before: Reading) -> Floats:
    """Predicted effects (n,), in widths of the band."""
    n = rows_of(before).size
    effects: Floats = np.abs(found.expected[:n] - rows_of(before)) / (found.upper - found.lower)[:n]
    return effects


def _magnet(factor: float) -> Make:
    def make(at: Attempt) -> tuple[Band, Reading] | None:
        before, found = at.start()
        if not _effects(found, before).max() >= EFFECT:
            return None
        now = at.machine.setting(at.key)
        return found, at.machine.apply({at.key: now + factor * (at.value - now)})

    return make


def _swapped(at: Attempt) -> tuple[Band, Reading] | None:
    """Two monitors are swapped whose predicted effects differ by the stated size."""
    before, honest = at.start()
    count = len(before.orbit)
    change = (honest.expected[: 2 * count] - rows_of(before)[: 2 * count]).reshape(2, count)
    width = (honest.upper - honest.lower)[: 2 * count].reshape(2, count)
    for one, other in _pairs(count, at.rng):
        if (np.abs(change[:, one] - change[:, other]) >= EFFECT * width[:, [one, other]].max(axis=1)).any():
            order = np.arange(count)
            order[[one, other]] = other, one
            found = at.band(replace(before, orbit=before.orbit[order]))
            after = at.finish()
            return found, replace(after, orbit=after.orbit[order])
    return None


def _frozen(at: Attempt) -> tuple[Band, Reading] | None:
    """One monitor shows what it showed before the step."""
    before, found = at.start()
    count = len(before.orbit)
    effects = _effects(found, before)[: 2 * count].reshape(2, count).max(axis=0)
    strong = np.flatnonzero(effects >= EFFECT)
    if not strong.size:
        return None
    which = int(at.rng.choice(strong))
    after = at.finish()
    orbit = after.orbit.copy()
    orbit[which] = before.orbit[which]
    return found, replace(after, orbit=orbit)


def _healthy(at: Attempt) -> tuple[Band, Reading] | None:
    _, found = at.start()
    return found, at.finish()


def _pairs(count: int, rng: np.random.Generator, tries: int = 50) -> Iterator[tuple[int, int]]:
    for _ in range(tries):
        one, other = rng.choice(count, 2, replace=False).tolist()
        yield one, other


FAULTS: dict[str, Make] = {
    "wrong polarity": _magnet(-1.0),
    "doubled scale": _magnet(2.0),
    "stuck magnet": _magnet(0.0),
    "two monitors swapped": _swapped,
    "a monitor frozen": _frozen,
}
