"""An oracle for the width of the band: it knows all parameters of a machine, and has the same conformal shell.

It knows fields, offsets, gains, drifts; it does not know the state of the iron, nor the noise to come. So its expected
reading is the present one plus the true change with iron as if cycled, and its scale the noise of both readings and
what hysteresis may make of the step.
"""

import math
from collections.abc import Mapping

import numpy as np
from bench.gate_truth import Moment, TrueMachine
from numpy.typing import NDArray

from gnomon.lattice import Key
from gnomon.recorder.bounds import Reading, rows_of

Floats = NDArray[np.float64]

#: Part of a step that the iron may add or hide, of the order of the slope of its small loops.
IRON = 2e-3


class Oracle:
    """The oracle of one machine."""

    def __init__(self, machine: TrueMachine) -> None:
        self._machine = machine
        meter = machine.config.tune_meter
        self._noise_mm = math.sqrt(2.0) * machine.noise_mm
        self._noise_tune = math.sqrt(2.0 * meter.noise**2 + meter.resolution**2 / 6.0)

    def predict(self, before: Moment, shown: Reading, changes: Mapping[Key, float]) -> tuple[Floats, Floats]:
        """Expected values and scales (n,) of x, y at all monitors [mm] and both tunes, in the order of a band."""
        after = self._machine.changed(changes)
        change = np.concatenate([(after.orbit - before.orbit).T.ravel(), after.tune - before.tune])
        noise = np.concatenate([np.full(shown.orbit.size, self._noise_mm), np.full(2, self._noise_tune)])
        return rows_of(shown) + change, np.hypot(noise, IRON * change)


def largest(expected: Floats, scale: Floats, after: Reading) -> float:
    """The oracle's score."""
    error = np.abs(rows_of(after) - expected) / scale
    return float(np.max(np.where(np.isfinite(error), error, np.inf)))
