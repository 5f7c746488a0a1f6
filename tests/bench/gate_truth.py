"""Imperfect machines in process, without servers: the truth that the gate's evidence is measured against.

A machine has the hidden errors of role machine, which the shadow does not know in value, and others that its model does
not have at all: iron with hysteresis, girders, multipoles in the quadrupoles, supplies and a circumference that drift,
and monitors that drift and are not linear. It starts corrected, as role machine does.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.dynamics import Drifts, Hysteresis
from gnomon.fault_injection.errors import normals, uniforms
from gnomon.ioc.app.imperfect.assembly import monitor_errors
from gnomon.ioc.app.imperfect.imperfect_machine import ImperfectMachine, machine_errors
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.imperfections_config import ImperfectionsConfig
from gnomon.lattice import Key, Lattice, LatticeError, Ring
from gnomon.lattice.document import ElementPart, MultipolePart, QuadrupolePart
from gnomon.propagator import BeamState, Propagator
from gnomon.recorder.bounds import Reading

Floats = NDArray[np.float64]

FREQUENCY: Key = ("rf", "frequency")
NS = 1_000_000_000
NOTHING: Mapping[Key, float] = MappingProxyType({})
#: Radius at which multipoles are stated, as is usual for quadrupoles [m].
RADIUS_M = 0.03
DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """Sizes of what the shadow's model does not have; standard deviations where there is one for each device.

    `multipole` is the field of unknown sextupole and octupole components of a quadrupole at 30 mm, relative to the main
    field; `supply_drift` and `gain_drift` are relative amplitudes with periods of half a day to two days; `cubic_mm` is
    the position at which a monitor's cubic error reaches a part `cubic` of the reading.
    """

    multipole: float = 2e-4
    supply_drift: float = 3e-5
    steerer_drift: float = 3e-4
    gain_drift: float = 3e-4
    cubic: float = 1e-3
    cubic_mm: float = 1.0
    tide: float = 1e-8
    temperature: float = 2e-7


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The true beam at one moment: what monitors would show without noise [mm] (m, 2), and the tunes with integers."""

    found: bool
    orbit: Floats
    tune: Floats


class TrueMachine:
    """A machine whose settings act at once, or on a ramp, and which shows noisy readings.

    Its clock stands still but for `wait`. `apply` sets, and returns the reading afterwards; `ramp` yields the beam at
    moments on the way without going there; `baseline` are the settings that it starts from.
    """

    def __init__(
        self, ring: Ring, seed: int, start_ns: int, config: ImperfectionsConfig | None = None,
        unmodelled: Unmodelled | None = None,
    ) -> None:  # fmt: skip
        self.ring, self.seed, self.start_ns, self.now_ns = ring, seed, start_ns, start_ns
        self.config = (Config().imperfections if config is None else config).model_copy(update={"seed": seed})
        self.unmodelled = un = Unmodelled() if unmodelled is None else unmodelled
        errors = machine_errors(ring.document, self.config)
        hidden = Ring(ring.document.model_copy(update={"elements": _with_multipoles(ring, seed, un.multipole)}))
        machine = ImperfectMachine(hidden, errors)
        ideal = Propagator(ring)(ring.nominal)
        corrected = machine.corrected(ideal.tune).lattice
        self.whole_tune = np.floor(ideal.tune)
        self._true = machine._true(corrected)
        self._propagate = Propagator(self._true.ring, chromatic=False)
        self._monitors = np.array(ring.monitors, dtype=np.int64)
        self._errors = monitor_errors(ring, errors)
        self.supplies = tuple(supply.name for supply in ring.document.supplies)
        self.index = {name: i for i, name in enumerate(self.supplies)}
        specs = [ring.property_spec(name, "current") for name in self.supplies]
        self._low, self._high = np.array([s.low for s in specs]), np.array([s.high for s in specs])
        span = self._high - self._low
        bits = self.config.supplies.resolution_bits
        self.resolution = span / 2.0**bits if bits else np.zeros_like(span)
        self.iron_width = self.config.scale * self.config.supplies.remanence * span
        self._iron = Hysteresis.of_remanence(self._low, self._high, self.iron_width)
        steps = np.where(self.resolution > 0.0, self.resolution, 1.0)
        currents = np.array([corrected[name, "current"] for name in self.supplies])
        quantised = np.clip(np.rint(currents / steps) * steps, self._low, self._high)
        self._currents = np.where(self.resolution > 0.0, quantised, currents)
        self._irons = [_row(self._iron, i) for i in range(len(self.supplies))]
        self._iron_state = self._iron.cycled(self._currents)
        self._frequency = corrected[FREQUENCY]
        self._noise = np.random.default_rng([seed, 1])
        count = len(ring.bpms)
        lines = self.config.monitors.line_50hz_m**2 + self.config.monitors.line_10hz_m**2
        self.noise_mm = 1e3 * self.config.scale * math.hypot(self.config.monitors.noise_m, math.sqrt(0.5 * lines))
        self._gain_phase = 2 * np.pi * uniforms(seed, "gate gain phase", [f"{i}" for i in range(2 * count)])
        self._gain_drift = un.gain_drift * normals(seed, "gate gain drift", 0, 2 * count)
        self._supply_phase = 2 * np.pi * uniforms(seed, "gate supply phase", self.supplies)
        steering = np.array([span_of_steerer(ring, name) for name in self.supplies])
        sizes = np.where(steering, un.steerer_drift, un.supply_drift)
        self._supply_drift = sizes * normals(seed, "gate supply drift", 0, len(self.supplies))
        self._cubic = un.cubic * normals(seed, "gate cubic", 0, 2 * count)
        self._drifts = Drifts(un.tide, un.temperature)
        self._lattice = self._true
        self._drifted_ns = -1
        self._drift(force=True)
        keys: list[Key] = [*((name, "current") for name in self.index), FREQUENCY]
        self.baseline: dict[Key, float] = {key: self.setting(key) for key in keys}
        # Setpoints that are not the baseline's.
        self._away: dict[Key, float] = {}

    @property
    def settings(self) -> dict[Key, float]:
        """All setpoints, in the machine document's units."""
        return {**self.baseline, **self._away}

    def setting(self, key: Key) -> float:
        """One setpoint."""
        return float(self._frequency if key == FREQUENCY else self._currents[self.index[key[0]]])

    def wait(self, seconds: float) -> None:
        """Let time pass; drifts act in steps of some minutes."""
        self.now_ns += round(seconds * NS)
        self._drift()

    def apply(self, changes: Mapping[Key, float]) -> Reading:
        """Set, and read when all is settled. Raises LatticeError for a value outside its limits."""
        self._set(changes)
        return self.read()

    def read(self, average: int = 1) -> Reading:
        """Read orbit and tunes of the present beam, with noise."""
        return self.reading(self.moment(), average)

    def reading(self, moment: Moment, average: int = 1) -> Reading:
        """Add noise to a moment; NaN without a beam."""
        less = 1.0 / math.sqrt(average)
        orbit = moment.orbit + less * self.noise_mm * self._noise.standard_normal(moment.orbit.shape)
        meter = self.config.tune_meter
        tune = moment.tune + less * self.config.scale * meter.noise * self._noise.standard_normal(2)
        if meter.resolution and average == 1:
            tune = np.rint(tune / meter.resolution) * meter.resolution
        current = 100.0 if moment.found else 0.0
        return Reading(orbit, tune % 1.0, self.now_ns, current_ma=current, lifetime_h=8.0 if moment.found else 0.0)

    def moment(self) -> Moment:
        """The present true beam."""
        return self._shown(self._propagate(self._lattice))

    def ramp(self, changes: Mapping[Key, float], parts: Sequence[float]) -> Iterator[Moment]:
        """Yield the beam at `parts` of a ramp, above 0 and up to 1, in any order; the machine stays where it is.

        A ramp goes one way, so that its iron knows at each part only where it began, and where it is.
        """
        start = {key: self.setting(key) for key in changes}
        for part in parts:
            kept = self._currents.copy(), self._iron_state.copy(), self._frequency, self._lattice, dict(self._away)
            try:
                self._set({key: start[key] + part * (value - start[key]) for key, value in changes.items()})
                moment = self.moment()
            finally:
                self._currents, self._iron_state, self._frequency, self._lattice, self._away = kept
            yield moment

    def restore(self, prepared: Mapping[Key, float] = NOTHING) -> None:
        """Put setpoints back to the baseline's, but for those that are `prepared`, all at once; the iron remembers."""
        wanted = {key: self.baseline[key] for key in self._away} | dict(prepared)
        self._set({key: value for key, value in wanted.items() if self.setting(key) != value})

    def cycle(self) -> None:
        """Cycle all magnets: the iron forgets."""
        self._iron_state = self._iron.cycled(self._currents)
        self._drift(force=True)

    def changed(self, changes: Mapping[Key, float]) -> Moment:
        """Beam after `changes` for one who knows the machine but for the state of its iron, which acts as if cycled.

        The machine stays where it is.
        """
        moved = {}
        for key, value in changes.items():
            by = self._field_value(key, value, ironless=True) - self._field_value(key, self.setting(key), ironless=True)
            moved[key] = self._inside(key, self._lattice[key] + by)
        return self._shown(self._propagate(self._lattice.updated(moved)))

    def _set(self, changes: Mapping[Key, float]) -> None:
        fields: dict[Key, float] = {}
        for key, value in changes.items():
            spec = self.ring.property_spec(*key)
            if not (math.isfinite(value) and spec.low <= value <= spec.high):
                raise LatticeError(f"{key[0]} {key[1]} = {value:g} {spec.unit}: outside {spec.low:g} to {spec.high:g}")
            if key == FREQUENCY:
                self._frequency = value
            else:
                i = self.index[key[0]]
                step = self.resolution[i]
                self._currents[i] = (
                    min(max(np.rint(value / step) * step, self._low[i]), self._high[i]) if step else value
                )
                one = self._irons[i]
                self._iron_state[i] = one.moved(self._iron_state[i : i + 1], self._currents[i : i + 1])[0]
            now = self.setting(key)
            fields[key] = self._inside(key, self._field_value(key, now))
            if now == self.baseline[key]:
                self._away.pop(key, None)
            else:
                self._away[key] = now
        self._lattice = self._lattice.updated(fields)

    def _field_value(self, key: Key, value: float, ironless: bool = False) -> float:
        """The setting that the true lattice has for a setpoint: with iron, drift, circumference."""
        if key == FREQUENCY:
            return value * (1.0 + self._stretch)
        i = self.index[key[0]]
        error = 0.0
        if not ironless:
            error = float(self._irons[i].error(self._iron_state[i : i + 1], np.array([value]))[0])
        return float((value + error) * (1.0 + self._supply_now[i]))

    def _inside(self, key: Key, value: float) -> float:
        spec = self.ring.property_spec(*key)
        return min(max(value, spec.low), spec.high)

    def _drift(self, force: bool = False) -> None:
        """Let the drifts act on all fields, every five minutes of the machine's time."""
        if not force and self.now_ns - self._drifted_ns < 300 * NS:
            return
        self._drifted_ns = self.now_ns
        seconds = 1e-9 * self.now_ns
        period = DAY_S * (0.5 + 1.5 * (self._supply_phase / (2 * np.pi)))
        start = 1e-9 * self.start_ns
        self._supply_now = self._supply_drift * np.sin(2 * np.pi * (seconds - start) / period + self._supply_phase)
        gain_period = DAY_S * (0.5 + 1.5 * (self._gain_phase / (2 * np.pi)))
        gains = 1.0 + self._gain_drift * np.sin(2 * np.pi * (seconds - start) / gain_period + self._gain_phase)
        self._gains_now = gains.reshape(-1, 2)
        self._stretch = self._drifts.circumference(seconds) - self._drifts.circumference(start)
        errors = self._iron.error(self._iron_state, self._currents)
        fields = np.clip((self._currents + errors) * (1.0 + self._supply_now), self._low, self._high)
        changes: dict[Key, float] = {(name, "current"): float(fields[i]) for name, i in self.index.items()}
        changes[FREQUENCY] = self._inside(FREQUENCY, self._field_value(FREQUENCY, self._frequency))
        self._lattice = self._lattice.updated(changes)

    def _shown(self, beam: BeamState) -> Moment:
        if not beam.found:
            return Moment(False, np.full((len(self._monitors), 2), np.nan), np.full(2, np.nan))
        x, y = self._errors.readings(beam.orbit[self._monitors, 0], beam.orbit[self._monitors, 2])
        shown = 1e3 * np.stack([x, y], axis=1) * self._gains_now
        shown = shown + self._cubic.reshape(-1, 2) * shown**3 / self.unmodelled.cubic_mm**2
        return Moment(True, shown, beam.tune)

    @property
    def true_lattice(self) -> Lattice:
        """The present true lattice, for the oracle."""
        return self._lattice


def machine_of(ring: Ring, seed: int, start_ns: int) -> TrueMachine:
    """Make the machine of a seed: how much of each it has that the shadow does not model, is drawn too."""
    parts = 2.0 * uniforms(seed, "gate sizes", ["remanence", "multipole", "supply", "gain", "cubic"]) - 1.0
    remanence = 3e-4 * 10.0 ** (0.5 * parts[0])
    multipole, supply, gain, cubic = (2.0 ** parts[1:]).tolist()
    default = Config().imperfections
    supplies = default.supplies.model_copy(update={"remanence": float(remanence)})
    un = Unmodelled()
    more = Unmodelled(
        multipole=un.multipole * multipole,
        supply_drift=un.supply_drift * supply,
        steerer_drift=un.steerer_drift * supply,
        gain_drift=un.gain_drift * gain,
        cubic=un.cubic * cubic,
    )
    return TrueMachine(ring, seed, start_ns, default.model_copy(update={"supplies": supplies}), more)


def span_of_steerer(ring: Ring, supply: str) -> bool:
    """Tell whether a supply feeds steerers alone."""
    fed = [magnet.main for magnet in ring.magnets if magnet.supply == supply]
    return bool(fed) and all(main.startswith("kick") for main in fed)


def _row(iron: Hysteresis, i: int) -> Hysteresis:
    return replace(iron, high=iron.high[i : i + 1], radii=iron.radii[i : i + 1], weights=iron.weights[i : i + 1])


def _with_multipoles(ring: Ring, seed: int, size: float) -> tuple[ElementPart, ...]:
    """Give the quadrupoles sextupole and octupole components, normal and skew, that their document does not have."""
    parts = ring.document.elements
    names = [part.name for part in parts]
    drawn = {order: normals(seed, f"gate multipole {order}", 0, len(parts)) for order in ("b3", "a3", "b4")}
    found: list[ElementPart] = []
    for i, part in enumerate(parts):
        if not isinstance(part, QuadrupolePart) or not size:
            found.append(part)
            continue
        third, fourth = size * part.k1 / RADIUS_M, size * part.k1 / RADIUS_M**2
        values = part.model_dump()
        del values["k1"]
        values["type"] = "multipole"
        values["b"] = (0.0, part.k1, third * float(drawn["b3"][i]), fourth * float(drawn["b4"][i]))
        values["a"] = (0.0, 0.0, third * float(drawn["a3"][i]), 0.0)
        found.append(MultipolePart(**values))
    assert len(names) == len(found)
    return tuple(found)
