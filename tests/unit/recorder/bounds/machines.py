"""Drawn machines that are measured with noise, and commands to them."""

import numpy as np

from gnomon.lattice import Key
from gnomon.recorder.bounds import MeasuredChange, Noise, Reading
from gnomon.recorder.bounds.parameters import ParameterKind
from unit.recorder.bounds.rings import RF, TrueMachine, drawn, mls, space

#: Noise of readings [mm], and of tunes.
NOISE_MM, NOISE_TUNE = 1e-3, 2e-5
MADE, MADE_NS = "2026-11-27T12:00:00+00:00", 1_795_780_800_000_000_000


def noise() -> Noise:
    return Noise(np.full((len(mls().bpms), 2), NOISE_MM), np.full(2, NOISE_TUNE))


def supplies(drives: str) -> list[Key]:
    """Supplies of magnets of a kind, as keys."""
    return [(name, "current") for name in dict.fromkeys(m.supply for m in mls().magnets if m.main == drives)]


class MeasuredMachine:
    """A machine with drawn parameters whose readings have noise."""

    def __init__(self, seed: int, size: float = 1.0) -> None:
        self.random = np.random.default_rng(seed)
        self.machine = TrueMachine(_possible(drawn(seed, size)))
        self.still = self.machine.readings({})
        self.steerers = supplies("kick")

    def noisy(self, readings: np.ndarray) -> np.ndarray:
        return readings + noise().rows * self.random.standard_normal(readings.size)

    def measured(self, changes: dict[Key, float]) -> MeasuredChange:
        before, after = self.noisy(self.still), self.noisy(self.machine.readings(changes))
        return MeasuredChange(changes, after - before, {})

    def step(self, keys: list[Key], part: float) -> dict[Key, float]:
        """A random step of a random supply, at most a part of its range."""
        key = keys[int(self.random.integers(len(keys)))]
        spec, value = mls().properties[key], mls().nominal[key]
        step = part * (spec.high - spec.low) * self.random.uniform(0.2, 1.0) * self.random.choice((-1.0, 1.0))
        return {key: value + step}

    def response(self, every: int = 1, part: float = 2e-3) -> list[MeasuredChange]:
        """A measured response: some steerers, and the RF frequency."""
        keys = [*self.steerers[::every], RF]
        found = []
        for key in keys:
            spec = mls().properties[key]
            step = part * (spec.high - spec.low) if key != RF else 1.0
            found += [self.measured({key: mls().nominal[key] + sign * step}) for sign in (1.0, -1.0)]
        return found


def reading(rows: np.ndarray, time_ns: int = MADE_NS) -> Reading:
    count = (rows.size - 2) // 2
    return Reading(np.stack((rows[:count], rows[count : 2 * count]), axis=1), rows[-2:], time_ns)


def _possible(values: np.ndarray) -> np.ndarray:
    """Make offsets so small that the orbit, which nobody corrected, stays small; rolls as far as magnets turn."""
    for kind, factor in (
        (ParameterKind.OFFSET_X, 0.02),
        (ParameterKind.OFFSET_Y, 0.02),
        (ParameterKind.STEERER_ROLL, 0.1),
    ):
        values[space().slices[kind]] *= factor
    return values
