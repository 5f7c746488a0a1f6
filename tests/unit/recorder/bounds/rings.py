"""The MLS for tests of bounds: its ring, and what machines with given parameters read, by the exact propagator."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from gnomon.db import shipped_document
from gnomon.lattice import Key, Ring
from gnomon.propagator import BeamState, Propagator
from gnomon.recorder.bounds.parameters import ParameterKind, ParameterSpace, Priors

#: Commands of each kind: a steerer in x and in y, a family of quadrupoles, the RF frequency, sextupoles.
STEER_X, STEER_Y = ("HS3P2K1RP", "current"), ("VS3P2K1RP", "current")
FOCUS, SEXTUPOLE, RF = ("Q1P1K1RP", "current"), ("S1P1RP", "current"), ("rf", "frequency")


@cache
def mls() -> Ring:
    return Ring(shipped_document("mls"))


@cache
def propagator() -> Propagator:
    return Propagator(mls())


@cache
def space() -> ParameterSpace:
    return ParameterSpace(mls().nominal, Priors())


class TrueMachine:
    """A machine with parameters: all of them in its lattice, as errors of its magnets and monitors."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.space, self.base = values, space(), mls().nominal
        s, kinds = self.space, ParameterKind
        self.gains = dict(zip(s.supplies, s.part(values, kinds.SUPPLY_GAIN), strict=True))
        self.gains |= dict(zip((m.supply for m in s.steerers), s.part(values, kinds.STEERER_GAIN), strict=True))
        self.errors: dict[Key, float] = {}
        for magnet, skew in zip(s.quadrupoles, s.part(values, kinds.SKEW), strict=True):
            self.errors[magnet.name, "k1s"] = skew
        for kind, name in ((kinds.OFFSET_X, "dx"), (kinds.OFFSET_Y, "dy")):
            self.errors |= {(n, name): 1e-3 * v for n, v in zip(s.displaced, s.part(values, kind), strict=True)}
        for magnet, roll in zip(s.steerers, s.part(values, kinds.STEERER_ROLL), strict=True):
            key = s.ring.elements[magnet.element].name, "roll"  # of two steerers in one magnet, the rolls add up
            self.errors[key] = self.errors.get(key, 0.0) + roll

    def beam(self, settings: Mapping[Key, float]) -> BeamState:
        s, base = self.space, self.base
        wide = {k: base[k] + (v - base[k]) * (1.0 + self.gains.get(k[0], 0.0)) for k, v in settings.items()}
        lattice = base.updated(wide)
        trims = {}
        for magnet, size, error in zip(
            s.quadrupoles, s.gradient_sizes, s.part(self.values, ParameterKind.GRADIENT), strict=True
        ):
            trims[magnet.name, "k1_trim"] = error * (size + lattice.strength(magnet) - base.strength(magnet))
        return propagator()(lattice.updated({**self.errors, **trims}))

    def readings(self, settings: Mapping[Key, float]) -> np.ndarray:
        """Readings without noise: x [mm], y [mm], tunes."""
        beam = self.beam(settings)
        assert beam.found, beam.reason
        orbit = 1e3 * beam.orbit[list(mls().monitors)]
        x, y = self.space.monitor_errors(self.values).changes(orbit[:, 0], orbit[:, 2])
        return np.concatenate((x, y, beam.tune))

    def effect(self, changes: Mapping[Key, float], settings: Mapping[Key, float] | None = None) -> np.ndarray:
        before = settings or {}
        return self.readings({**before, **changes}) - self.readings(before)


def moved(key: Key, part: float) -> dict[Key, float]:
    """A change by a part of the range."""
    spec = mls().properties[key]
    return {key: mls().nominal[key] + part * (spec.high - spec.low)}


def drawn(seed: int, size: float = 1.0, without: tuple[ParameterKind, ...] = ()) -> np.ndarray:
    """Parameters drawn from the prior, times a size."""
    s = space()
    values = size * s.widths * np.random.default_rng(seed).standard_normal(s.size)
    for kind in without:
        values[s.slices[kind]] = 0.0
    return values
