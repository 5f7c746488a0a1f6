"""Observables that no instrument shows: positions at sources, optics, clearance of the chamber, with their scales."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice.elements import Multipole
from gnomon.propagator import BeamState
from gnomon.recorder.bounds.between_monitors import BetweenMonitors
from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.observables import Observables
from gnomon.recorder.bounds.posterior import Posterior

Floats = NDArray[np.float64]

#: Draws of the posterior for the scale of the optics.
DRAWS = 64
#: Offsets of monitors from the chamber's axis [mm], standard deviation; positions at sources are those relative to the
#: monitors, as limits about a reference orbit are.
MONITOR_OFFSET_MM = 0.1


@dataclass(eq=False)
class Unmeasured:
    """Expected values and scales of the observables that no instrument shows, about a calibrated model.

    Positions at sources, and the orbit in the chamber, are the most likely ones with what the monitors show; the optics
    are those of the model, whose scale is that of draws of the posterior. `half_aperture_mm` is the chamber's, in x and
    y.
    """

    model: CalibratedModel
    posterior: Posterior
    observables: Observables
    noise: Floats
    half_aperture_mm: tuple[float, float] | None
    seed: int
    _between: dict[tuple[bytes, bool], BetweenMonitors] = field(default_factory=dict, repr=False)
    _optics: list[tuple[BeamState, Floats]] = field(default_factory=list, repr=False)

    def prepare(self) -> None:
        """Compute ahead what the first band would wait for."""
        nothing = np.zeros(2 * self._monitors)
        for chamber in (False, True)[: 1 + (self.half_aperture_mm is not None)]:
            self._at(nothing, chamber)
        _ = self.optics_deviation

    @cached_property
    def _monitors(self) -> int:
        return len(self.model.space.ring.monitors)

    @cached_property
    def _ends(self) -> list[int]:
        """Entrances and exits of all magnets: between them, the orbit is straight."""
        elements = self.model.space.ring.elements
        magnets = [i for i, element in enumerate(elements) if isinstance(element, Multipole)]
        return sorted({i for at in magnets for i in (at, at + 1) if i < len(elements)})

    @cached_property
    def _kicks(self) -> tuple[Floats, Floats, Floats]:
        """Responses to kicks [mm or mrad per rad] of the monitors, of the sources, and of x, y at all magnets."""
        effects = self.model.effects
        everywhere = 1e3 * effects.everywhere.reshape(4, len(self.model.space.ring.elements), -1)
        straights = self.observables.straights
        at = [straight.element for straight in straights]
        drift = np.array([straight.to_centre_m for straight in straights])[:, None]
        sources = [
            each
            for plane in (0, 2)
            for each in (everywhere[plane, at] + drift * everywhere[plane + 1, at], everywhere[plane + 1, at])
        ]
        monitors = effects.kicks[:-2].reshape(2 * self._monitors, -1)
        empty = np.empty((0, monitors.shape[1]))
        ends = everywhere[:, self._ends]
        return monitors, np.concatenate([empty, *sources]), np.concatenate((ends[0], ends[2]))

    def _at(self, orbit: Floats, chamber: bool) -> BetweenMonitors:
        """The interpolation from the monitors that are alive in an orbit (2 m,)."""
        alive = np.isfinite(orbit)
        key = alive.tobytes(), chamber
        known = self._between.get(key)
        if known is None:
            if len(self._between) >= 8:
                self._between.clear()
            monitors, sources, everywhere = self._kicks
            noise = self.noise[: 2 * self._monitors]
            if chamber:
                noise = np.hypot(noise, MONITOR_OFFSET_MM)
            noise = np.where(alive, noise, np.inf)
            known = self._between[key] = BetweenMonitors.of(everywhere if chamber else sources, monitors, noise)
        return known

    def sources(self, orbit: Floats, beams: tuple[BeamState, BeamState], variances: Floats) -> tuple[Floats, Floats]:
        """Expected positions and angles at the sources, and their scales (k,), after the beam's change.

        `orbit` (2 m,) [mm] is shown before; `variances` (2 m,) are those of the readings' change beside noise.
        """
        between = self._at(orbit, chamber=False)
        at = [straight.element for straight in self.observables.straights]
        drift = np.array([straight.to_centre_m for straight in self.observables.straights])
        moved = 1e3 * (beams[1].orbit - beams[0].orbit)[at]
        change = [
            moved[:, 0] + drift * moved[:, 1], moved[:, 1], moved[:, 2] + drift * moved[:, 3], moved[:, 3],
        ]  # fmt: skip
        expected = between.at @ np.nan_to_num(orbit) + np.concatenate(change)
        return expected, np.sqrt(between.deviation**2 + between.squares @ variances)

    @cached_property
    def optics_deviation(self) -> Floats:
        """Standard deviations (k,) of the optics' values, from draws of the posterior at the reference."""
        space, model = self.model.space, self.model
        values = []
        for drawn in self.posterior.draw(np.random.default_rng(self.seed), DRAWS):
            errors = space.magnet_settings(space.lattice, drawn)
            beam = model.propagate(space.lattice.updated(errors))
            if beam.found:
                values.append(self.observables.optics_values(beam))
        if len(values) < DRAWS // 2:
            return np.full(len(self.observables.optics_values(model.beam(model.reference))), np.inf)
        centre = self.observables.optics_values(model.beam(model.reference))
        # About the mean's own values: a coupling that is small there is larger in every draw.
        deviation: Floats = np.sqrt(np.mean((np.array(values) - centre) ** 2, axis=0))
        return deviation

    def optics_values(self, beam: BeamState) -> Floats:
        """Compute the values (k,) of the optics of a beam; those of the last few beams are known."""
        for known, values in self._optics:
            if known is beam:
                return values
        values = self.observables.optics_values(beam)
        self._optics[:] = [(beam, values), *self._optics[:3]]
        return values

    def optics(self, beams: tuple[BeamState, BeamState], relative: float) -> tuple[Floats, Floats]:
        """Expected values of the optics, and their scales, which have `relative` of the change in them."""
        before, after = (self.optics_values(beam) for beam in beams)
        return after, np.hypot(self.optics_deviation, relative * (after - before))

    def clearance(
        self, orbit: Floats, beams: tuple[BeamState, BeamState], variances: Floats, factor: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Smallest clearance in x and y [mm]: expected, lower, upper, scale (2,) with a factor on the scale."""
        assert self.half_aperture_mm is not None
        between = self._at(orbit, chamber=True)
        places = self._ends
        count = len(places)
        moved = 1e3 * (beams[1].orbit[places] - beams[0].orbit[places])
        expected = between.at @ np.nan_to_num(orbit) + np.concatenate((moved[:, 0], moved[:, 2]))
        scale = np.sqrt(between.deviation**2 + between.squares @ variances)
        found = []
        for plane, half in enumerate(self.half_aperture_mm):
            place, width = np.abs(expected[plane * count : (plane + 1) * count]), scale[plane * count :][:count]
            nearest = int(np.argmax(place))
            with np.errstate(invalid="ignore"):
                reach = place + factor * width
                inner = np.maximum(place - factor * width, 0.0)
            found.append((half - place[nearest], half - reach.max(), half - inner.max(), width[nearest]))
        return tuple(np.array(column) for column in zip(*found, strict=True))  # type: ignore[return-value]
