"""The state to which a machine has drifted since its calibration: its energy, and its tunes.

Tides and warmth make a ring longer. The RF frequency fixes the length of the orbit, so that a circumference longer by
the part s is, for the beam, an RF frequency higher by s f: the momentum changes by -s / alpha_c, which is 1000 s and
more (L. Arnaudon et al., NIM A 357 (1995) 249). Supplies of quadrupoles drift by some 1e-5, the tunes by 1e-3, and
responses to kicks, which have 1 / sin(pi nu), by pi d(nu) / tan(pi nu). Both are shown before a command, many times as
well as they have to be known: the energy by the orbit, which moves along the dispersion, the tunes by their meter. So
they are no parameters with widths. The model follows them, by its RF frequency and by a common part of all focusing,
and of all defocusing gradients; all responses are then those in the present state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import GnomonError, Key
from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.command_kinds import RF

Floats = NDArray[np.float64]

#: Steps of the momentum deviation and of the tunes in which a state counts: beams are computed once for each.
STEP, TUNE_STEP = 2e-5, 1e-4
#: Largest changes of the momentum and of the tunes since the calibration that the model follows.
MAX_MOMENTUM, MAX_TUNE = 1e-3, 1e-2
#: Deviations from the fit that are this many times the median one are of monitors that are not well.
WILD = 10.0
#: Computations of a beam in the state that was found, at most: the first one in the last state.
ROUNDS = 3
#: Part of the gradients by whose effect the tunes' dependence is known.
PART = 1e-4


class State(NamedTuple):
    """Differences from the calibration, in steps: of the momentum, and of both tunes."""

    energy: int = 0
    tune_x: int = 0
    tune_y: int = 0


SAME = State()
#: Largest number of steps of each: one beyond what is followed.
FURTHEST = (round(MAX_MOMENTUM / STEP) + 1, *2 * (round(MAX_TUNE / TUNE_STEP) + 1,))


@dataclass(eq=False)
class PresentState:
    """Finds the state in which a machine is, relative to the calibration, when it showed `still` at its baseline.

    `still` and `noise` are (rows,), x and y at the monitors [mm] and the tunes. Where `still` has no orbit, the energy
    is always that of the calibration; where it has no tunes, they are.
    """

    model: CalibratedModel
    still: Floats
    noise: Floats
    _last: State = SAME
    # The last model, and what was asked for last: settings and readings.
    _at: list[tuple[State, CalibratedModel]] = field(default_factory=list, repr=False)
    _asked: list[tuple[dict[Key, float], Floats]] = field(default_factory=list, repr=False)

    def prepare(self) -> None:
        """Compute ahead what the first band would wait for."""
        _ = self._by_step, self._by_tune

    @cached_property
    def _by_step(self) -> tuple[float, Floats] | None:
        """Change of the RF frequency, in the document's unit, and of the orbit's readings (2 m,) [mm], for one step.

        None where no frequency has an orbit, or the monitors see no dispersion.
        """
        spec = self.model.space.ring.properties.get(RF)
        if spec is None or not np.isfinite(self.still[:-2]).any():
            return None
        beam = self.model.beam(self.model.reference)
        if not beam.found:
            return None
        unit = -STEP * abs(beam.momentum_compaction) * self.model.reference[RF]
        at = self.model.baseline[RF]
        step = unit if spec.low <= at + unit <= spec.high else -unit
        try:
            rows = self._moved(self.model, {RF: at + step})
        except GnomonError:
            return None
        return (unit, rows[:-2] * (unit / step)) if rows is not None and rows[:-2].any() else None

    @cached_property
    def _by_tune(self) -> tuple[dict[Key, float], dict[Key, float]] | None:
        """Changes of the gradients that move the one tune, or the other, by one step; None if they cannot."""
        space = self.model.space
        if not np.isfinite(self.still[-2:]).all():
            return None
        gradients = {(m.name, "k1_trim"): space.lattice.strength(m) for m in space.quadrupoles}
        gradients = {key: k1 for key, k1 in gradients.items() if key in space.ring.properties}
        knobs = [{key: PART * k1 for key, k1 in gradients.items() if sign * k1 > 0.0} for sign in (1.0, -1.0)]
        try:
            found = [self._moved(self.model.shifted((sign,), knob), {}) for sign, knob in enumerate(knobs)]
        except GnomonError:
            return None
        if any(rows is None for rows in found):
            return None
        slopes = np.array([rows[-2:] for rows in found if rows is not None]).T
        if abs(np.linalg.det(slopes)) < 1e-3 * float((slopes**2).sum()):
            return None
        parts = np.linalg.inv(slopes) * TUNE_STEP
        x, y = (
            {key: float(part) * by for part, knob in zip(column, knobs, strict=True) for key, by in knob.items()}
            for column in parts.T
        )
        return x, y

    def _moved(self, model: CalibratedModel, settings: Mapping[Key, float]) -> Floats | None:
        """Change of the readings (rows,) from the calibration's baseline to settings of a model; None without a beam.

        Kicks of quadrupoles beside the beam, less than a micrometre here, are left out.
        """
        before, after = self.model.beams({}, {})[0], model.beams(settings, {})[0]
        if not (before.beam.found and after.beam.found):
            return None
        orbit = 1e3 * (after.monitors - before.monitors)
        x, y = self.model.effects.errors.changes(orbit[0], orbit[1])
        return np.concatenate((x, y, np.asarray(after.beam.tune) - np.asarray(before.beam.tune)))

    def find(self, settings: Mapping[Key, float], shown: Floats | None) -> State:
        """Find the state of a machine with `settings` that shows `shown` (rows,).

        It is that of the calibration without readings, and where they do not tell it. From whatever state was found
        before, it is the same within one step. Raises GnomonError for settings that the model cannot have.
        """
        if shown is None or (self._by_step is None and self._by_tune is None):
            return SAME
        for known, readings in self._asked:
            if known == settings and np.array_equal(readings, shown, equal_nan=True):
                return self._last
        self._last = self._found(settings, shown)
        self._asked[:] = [(dict(settings), shown)]
        return self._last

    def _found(self, settings: Mapping[Key, float], shown: Floats) -> State:
        state = self._last
        for _ in range(ROUNDS):
            moved = self._moved(self.at(state), settings)
            if moved is None:
                if state == SAME:
                    return SAME
                state = SAME  # the last state was none in which there is a beam now
                continue
            left = shown - self.still - moved
            found = np.zeros(3)
            if self._by_step is not None:
                found[0] = state.energy + _fitted(left[:-2], self._by_step[1], self.noise[:-2])
            tunes = left[-2:] - np.rint(left[-2:])
            if self._by_tune is not None and np.isfinite(tunes).all():
                found[1:] = np.array(state[1:]) + tunes / TUNE_STEP
            last = state
            state = State(*(max(-most, min(most, round(each))) for each, most in zip(found, FURTHEST, strict=True)))
            # Within a step of the one it was found about, nothing is gained by another beam.
            if (np.abs(found - last) < 0.75).all():
                return last
        return state

    def shift(self, state: State) -> dict[Key, float]:
        """Return the changes of a model's reference that make a state."""
        shift: dict[Key, float] = {}
        if state.energy and self._by_step is not None:
            shift[RF] = state.energy * self._by_step[0]
        if self._by_tune is not None:
            for steps, gradients in zip(state[1:], self._by_tune, strict=True):
                for key, by in gradients.items() if steps else ():
                    shift[key] = shift.get(key, 0.0) + steps * by
        return shift

    def at(self, state: State) -> CalibratedModel:
        """Return the model in a state. Raises GnomonError where it cannot be in it."""
        if state == SAME:
            return self.model
        if not self._at or self._at[0][0] != state:
            self._at[:] = [(state, self.model.shifted(state, self.shift(state)))]
        return self._at[0][1]

    def too_far(self, state: State) -> str:
        """Return the reason for distrust of a state that is far from that of the calibration; empty if it is not."""
        far = []
        if abs(momentum := state.energy * STEP) > MAX_MOMENTUM:
            far.append(f"the orbit shows another momentum, by {momentum:+.2g} or more (at most {MAX_MOMENTUM:g})")
        if (tune := max(state[1:], key=abs) * TUNE_STEP) and abs(tune) > MAX_TUNE:
            far.append(f"the tunes are others than the settings say, by {tune:+.2g} or more (at most {MAX_TUNE:g})")
        return f"since the calibration, {' and '.join(far)}: calibrate again" if far else ""


def _fitted(orbit: Floats, slope: Floats, noise: Floats) -> float:
    """Fit a multiple of `slope` to an orbit, all (2 m,), by least squares; wild monitors do not count."""
    valid = np.isfinite(orbit)
    found = _least_squares(orbit[valid], slope[valid], noise[valid])
    apart = np.abs(orbit - found * slope) / noise
    well = valid & (apart <= WILD * np.median(apart[valid])) if valid.any() else valid
    return found if well.sum() == valid.sum() else _least_squares(orbit[well], slope[well], noise[well])


def _least_squares(orbit: Floats, slope: Floats, noise: Floats) -> float:
    weighted = slope / noise**2
    squares = float(weighted @ slope)
    return float(weighted @ orbit) / squares if squares > 0.0 else 0.0
