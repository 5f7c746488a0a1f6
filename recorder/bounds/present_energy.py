"""The energy that a machine has now: a ring that tides and warmth make longer changes it, at one RF frequency.

The RF frequency fixes the length of the orbit, so that a circumference longer by the part s is, for the beam, an RF
frequency higher by s f: the momentum changes by -s / alpha_c, which is 1000 s and more (L. Arnaudon et al., NIM A 357
(1995) 249). The orbit moves along the dispersion, by many times the monitors' noise, and shows the momentum so well
that it need not be a parameter with a width: it is that frequency, fitted to what the monitors show before a command,
with which the model has the orbit's change since the calibration. All responses are then those at this energy.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import GnomonError, Key
from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.command_kinds import RF

Floats = NDArray[np.float64]

#: Steps of the momentum deviation in which the energy counts, so that beams are computed once for each.
STEP = 2e-5
#: Largest change of the momentum since the calibration that the model follows.
MAX_MOMENTUM = 1e-3
#: Deviations from the fit that are this many times the median one are of monitors that are not well.
WILD = 10.0
#: Computations of a beam at the energy that was found, at most: the first one about the last energy.
ROUNDS = 3


@dataclass(eq=False)
class PresentEnergy:
    """Finds the energy at which a machine is, relative to the calibration, when it showed `still` at its baseline.

    `still` and `noise` are (rows,), x and y at the monitors [mm] and the tunes; `still` may be NaN everywhere: then the
    energy is always that of the calibration.
    """

    model: CalibratedModel
    still: Floats
    noise: Floats
    _last: int = 0
    # What was asked for last: settings and readings.
    _asked: list[tuple[dict[Key, float], Floats]] = field(default_factory=list, repr=False)

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
            orbit = self._moved({RF: at + step})
        except GnomonError:
            return None
        return (unit, orbit * (unit / step)) if orbit is not None and orbit.any() else None

    def prepare(self) -> None:
        """Compute ahead what the first band would wait for."""
        _ = self._by_step

    def _moved(self, settings: Mapping[Key, float]) -> Floats | None:
        """Change of the orbit's readings (2 m,) [mm] from the baseline to some settings; None without a beam."""
        change, _ = self.model.change({}, settings)
        return None if change is None else self.model.effects.effect(change)[:-2]

    def steps(self, settings: Mapping[Key, float], shown: Floats | None) -> int:
        """Find the energy of a machine with `settings` that shows `shown` (rows,), in steps since the calibration.

        0 without readings, and where they do not tell it. Raises GnomonError for settings that the model cannot have.
        """
        if shown is None or self._by_step is None:
            return 0
        for known, readings in self._asked:
            if known == settings and np.array_equal(readings, shown, equal_nan=True):
                return self._last
        self._last = self._found(settings, shown, self._by_step[1])
        self._asked[:] = [(dict(settings), shown)]
        return self._last

    def _found(self, settings: Mapping[Key, float], shown: Floats, slope: Floats) -> int:
        most = math.ceil(MAX_MOMENTUM / STEP) + 1  # one beyond it is too far
        number = self._last
        for _ in range(ROUNDS):
            at = self.shifted(settings, {}, number)[0]
            moved = self._moved(at) if at else np.zeros_like(slope)
            if moved is None:
                if not number:
                    return 0
                number = 0  # the last energy was none at which there is a beam now
                continue
            found = number + _fitted((shown - self.still)[:-2] - moved, slope, self.noise[:-2])
            last, number = number, max(-most, min(most, round(found)))
            # Within a step of the one it was found about, nothing is gained by another beam.
            if abs(found - last) < 0.75:
                return last
        return number

    def shifted(
        self, settings: Mapping[Key, float], changes: Mapping[Key, float], number: int
    ) -> tuple[dict[Key, float], dict[Key, float]]:
        """Return settings and changes with the RF frequency that has the machine's energy in the model."""
        if not number or self._by_step is None:
            return dict(settings), dict(changes)
        spec, present = self.model.space.ring.properties[RF], self.model.present(settings, RF)
        values = (present, changes.get(RF, present))
        by = min(max(number * self._by_step[0], spec.low - min(values)), spec.high - max(values))
        shifted = {key: value + by if key == RF else value for key, value in changes.items()}
        return {**settings, RF: present + by}, shifted

    def too_far(self, number: int) -> str:
        """Return the reason for distrust of an energy that is far from that of the calibration; empty if it is not."""
        momentum = number * STEP
        if abs(momentum) <= MAX_MOMENTUM:
            return ""
        return (
            f"the orbit shows another momentum than that of the calibration, by {momentum:+.2g} or more (at most "
            f"{MAX_MOMENTUM:g}): correct the RF frequency, or calibrate again"
        )


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
