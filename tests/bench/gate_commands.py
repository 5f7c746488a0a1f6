"""Commands of the evidence: kinds and step sizes as operators and procedures make them, drawn from a seed.

A case is what is set before (`prepare`, not counted), and the command that is. All start from the baseline, which the
machine goes back to afterwards; so the cases of one bin are independent draws of one distribution.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Key, Lattice, Ring, properties_by_supply
from gnomon.lattice.units import FREQUENCY_UNITS
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import frequency_response, supplies_of, supply_response

Floats = NDArray[np.float64]

FREQUENCY: Key = ("rf", "frequency")

#: Families of commands, in whose bins coverage is counted, with their kinds and the part of each among its commands.
FAMILIES = {
    "steerer_x": (("steerer x", 0.7), ("bump step x", 0.3)),
    "steerer_y": (("steerer y", 0.7), ("bump step y", 0.3)),
    "quadrupole": (("quadrupole", 0.7), ("tune knob", 0.3)),
    "sextupole": (("sextupole", 1.0),),
    "rf": (("RF frequency", 1.0),),
}
KINDS = tuple(kind for kinds in FAMILIES.values() for kind, _ in kinds)
#: Bins of the step size: 1 is a change of the orbit by the gate's limit (0.5 mm), of a tune by 0.01, or of a sextupole
#: by 10 % of its range.
SIZES = ((0.02, 0.1), (0.1, 0.3), (0.3, 0.7))
#: Condition number of the tunes' changes by the knob's supplies, above which it moves them one way only.
SAME_WAY = 30.0
ORBIT_MM, TUNE, SEXTUPOLE = 0.5, 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Case:
    """A command: `prepare` is set before it, then `key` goes to `value`. `size` is the number of its size bin."""

    kind: str
    size: int
    prepare: Mapping[Key, float]
    key: Key
    value: float


class Commands:
    """Draws commands for a ring about its baseline settings, with the responses of its nominal model."""

    def __init__(self, ring: Ring, baseline: Mapping[Key, float], model: Lattice | None = None) -> None:
        self.ring, self.baseline = ring, dict(baseline)
        lattice = ring.nominal if model is None else model
        propagate = Propagator(ring)
        fed = properties_by_supply(ring.document)
        names = [name for name in supplies_of(lattice) if (name, "current") in baseline]
        response = supply_response(propagate, lattice, names)
        orbit_mm = 1e3 * np.abs(response.orbit[:, [0, 2], :]).max(axis=(0, 1))
        tune = np.abs(response.tune).max(axis=0)
        self.by_kind: dict[str, list[str]] = {
            "steerer x": [n for n in names if fed[n] == {"kick_x"}],
            "steerer y": [n for n in names if fed[n] == {"kick_y"}],
            "quadrupole": [n for n in names if fed[n] == {"k1"} and lattice[n, "current"]],
            "sextupole": [n for n in names if fed[n] == {"b3"} and lattice[n, "current"]],
        }
        self.tune_response = {n: response.tune[:, i] for i, n in enumerate(names)}
        self.unit: dict[Key, float] = {}
        for i, name in enumerate(names):
            if not any(name in of_kind for of_kind in self.by_kind.values()):
                continue
            spec = ring.property_spec(name, "current")
            if fed[name] == {"b3"}:
                unit = SEXTUPOLE * (spec.high - spec.low)
            elif fed[name] == {"k1"}:
                unit = TUNE / tune[i]
            else:
                unit = ORBIT_MM / orbit_mm[i]
            self.unit[name, "current"] = float(unit)
        by_hz = frequency_response(propagate, lattice)
        mm_per_hz = 1e3 * float(max(np.abs(by_hz.x).max(), np.abs(by_hz.y).max()))
        self.unit[FREQUENCY] = ORBIT_MM / (mm_per_hz * FREQUENCY_UNITS[ring.rf_unit])
        self._orbit = response.orbit
        self._names = {name: i for i, name in enumerate(names)}
        self._bumps = {plane: self._closed(plane) for plane in "xy"}
        families = [n for n in self.by_kind["quadrupole"] if tune[self._names[n]] > 0.0]
        # The supplies that move the tunes most make the knobs.
        strongest = sorted(families, key=lambda n: -float(tune[self._names[n]] * abs(lattice[n, "current"])))
        self._knob = strongest[:4]
        if np.linalg.cond(self._knob_slopes()) > SAME_WAY:
            # All of them move the tunes the same way: two of those that move them most in another one.
            first = self.tune_response[strongest[0]]
            across = np.array([-first[1], first[0]]) / np.hypot(*first)
            others = sorted(families, key=lambda n: -abs(float(self.tune_response[n] @ across) * lattice[n, "current"]))
            self._knob = [*strongest[:2], *[n for n in others if n not in strongest[:2]][:2]]

    def families(self) -> tuple[str, ...]:
        """The families that this ring has."""
        return tuple(family for family, kinds in FAMILIES.items() if self.by_kind.get(kinds[0][0], True))

    @staticmethod
    def family_of(kind: str) -> str:
        """The family that a kind is counted in."""
        return next(family for family, kinds in FAMILIES.items() if kind in dict(kinds))

    def family_of_key(self, key: Key) -> str:
        """The family of a setting."""
        if key == FREQUENCY:
            return "rf"
        kind = next(kind for kind, names in self.by_kind.items() if key[0] in names)
        return self.family_of(kind)

    def draw_of(self, family: str, size: int, rng: np.random.Generator) -> Case:
        """Draw a command of a family and a bin of sizes: one of its kinds."""
        kinds, parts = zip(*FAMILIES[family], strict=True)
        return self.draw(str(rng.choice(kinds, p=parts)), size, rng)

    def draw_sized(self, family: str, part: float, rng: np.random.Generator) -> Case:
        """Draw a command of a family with a stated size, in either direction: one of its kinds."""
        kinds, parts = zip(*FAMILIES[family], strict=True)
        return self._of_kind(str(rng.choice(kinds, p=parts)), 0, part * float(rng.choice((-1.0, 1.0))), rng)

    def draw(self, kind: str, size: int, rng: np.random.Generator) -> Case:
        """Draw a command of a kind and a bin of sizes."""
        low, high = SIZES[size]
        part = float(np.exp(rng.uniform(np.log(low), np.log(high))) * rng.choice((-1.0, 1.0)))
        return self._of_kind(kind, size, part, rng)

    def _of_kind(self, kind: str, size: int, part: float, rng: np.random.Generator) -> Case:
        match kind:
            case "bump step x" | "bump step y":
                return self._bump_step(kind, size, part, rng)
            case "tune knob":
                return self._knob_step(size, part, rng)
            case "RF frequency":
                key = FREQUENCY
            case _:
                key = (str(rng.choice(self.by_kind[kind])), "current")
        return Case(kind, size, {}, key, self.inside(key, self.baseline[key] + part * self.unit[key]))

    def _bump_step(self, kind: str, size: int, part: float, rng: np.random.Generator) -> Case:
        """One of the four steps of a closed bump whose largest step has this size; those before it are prepared."""
        bumps = self._bumps[kind[-1]]
        names, shape = bumps[int(rng.integers(len(bumps)))]
        steps = np.array([self.unit[name, "current"] for name in names])
        amplitude = part / np.abs(shape / steps).max()
        at = int(rng.integers(len(names)))
        # The step that is counted has the stated size, and the others what the bump asks for.
        amplitude = min(abs(amplitude), abs(part) * steps[at] / abs(shape[at])) * np.sign(part)
        target = {(n, "current"): self.inside((n, "current"), self.baseline[n, "current"] + amplitude * float(a))
                  for n, a in zip(names, shape, strict=True)}  # fmt: skip
        keys = list(target)
        return Case(kind, size, {key: target[key] for key in keys[:at]}, keys[at], target[keys[at]])

    def _knob_step(self, size: int, part: float, rng: np.random.Generator) -> Case:
        """One of the steps of a tune knob of up to four supplies, in a random direction of the tunes."""
        angle = rng.uniform(0.0, 2.0 * np.pi)
        shape = self._knob_shape(np.array([np.cos(angle), np.sin(angle)]))
        at = int(rng.integers(len(self._knob)))
        steps = np.array([self.unit[n, "current"] for n in self._knob])
        amplitude = part * steps[at] / abs(shape[at])
        # The knob as a whole goes no further than three times the largest size.
        amplitude = float(np.clip(amplitude, -3.0 * TUNE, 3.0 * TUNE))
        value = self._knob_settings(amplitude * shape)
        keys = list(value)
        return Case("tune knob", size, {key: value[key] for key in keys[:at]}, keys[at], value[keys[at]])

    def knob(self, shift: Floats) -> dict[Key, float]:
        """Return the settings of the tune knob's supplies that move the tunes by `shift` (2,) from the baseline's."""
        return self._knob_settings(self._knob_shape(shift))

    def _knob_shape(self, shift: Floats) -> Floats:
        return np.asarray(np.linalg.lstsq(self._knob_slopes(), shift, rcond=1e-8)[0], dtype=np.float64)

    def _knob_slopes(self) -> Floats:
        """Changes of the tunes (2, supplies) by the knob's supplies."""
        return np.stack([self.tune_response[n] for n in self._knob], axis=1)

    def _knob_settings(self, changes: Floats) -> dict[Key, float]:
        keys: list[Key] = [(name, "current") for name in self._knob]
        return {
            key: self.inside(key, self.baseline[key] + float(change)) for key, change in zip(keys, changes, strict=True)
        }

    def _closed(self, plane: str) -> list[tuple[tuple[str, ...], Floats]]:
        """Closed bumps of a plane at monitors: names of four steerers and their shape [A], largest orbit outside 0."""
        found = []
        column = 0 if plane == "x" else 2
        steerers = self.by_kind[f"steerer {plane}"]
        places = {magnet.element: magnet.supply for magnet in self.ring.magnets if magnet.supply in steerers}
        for number, monitor in enumerate(self.ring.monitors):
            behind = sorted(places, key=lambda element: (element - monitor) % len(self.ring.elements))
            names = tuple(places[element] for element in (*behind[-2:], *behind[:2]))
            columns = self._orbit[:, column][:, [self._names[n] for n in names]]
            inside = columns[number]
            # The steps that give 1 at the monitor and as little as possible elsewhere: weighted least squares.
            weight = np.ones(len(columns))
            near = np.argsort(np.abs(self.ring.s[list(self.ring.monitors)] - self.ring.s[monitor]))[:5]
            weight[near] = 0.0
            outside = columns * weight[:, None]
            _, _, right = np.linalg.svd(np.concatenate([outside, 1e-6 * columns]))
            shape = right[-1]
            if abs(inside @ shape) > 1e-3 * np.abs(columns).max() * np.abs(shape).max():
                found.append((names, shape))
        return found

    def inside(self, key: Key, value: float) -> float:
        """Keep a value within the drive limits."""
        spec = self.ring.property_spec(*key)
        return float(min(max(value, spec.low), spec.high))


def balanced(families: tuple[str, ...], each: int, rng: np.random.Generator) -> list[tuple[str, int]]:
    """List family and size bin of `each` commands per bin, in a random order."""
    bins = [(family, size) for family in families for size in range(len(SIZES))] * each
    return [bins[i] for i in rng.permutation(len(bins)).tolist()]
