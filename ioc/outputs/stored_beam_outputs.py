"""PVs that need more than the closed orbit and its optics: synchrotron motion, beam sizes, current and lifetime."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gnomon.db import sources
from gnomon.ioc.outputs.bank import Bank, indices_by_source
from gnomon.ioc.outputs.publication import Publication
from gnomon.ioc.outputs.readings import Readings, revolution_frequency
from gnomon.lattice import Lattice, Ring
from gnomon.propagator import HOUR_S, BeamState, Propagator, StoredBeam, compile_kernels
from gnomon.propagator.six import Radiation, RadiationSummary, SourcePoint

PASSING = (
    sources.BEAM_LIFETIME_10S,
    sources.BEAM_LIFETIME_100S,
    sources.BEAM_CURRENT_LIFETIME,
    sources.TOPUP_COUNTDOWN,
)


#: Rate of losses [1/s] of a beam beside those by gas and Touschek scattering.
Losses = Callable[[BeamState, RadiationSummary], float]


def _no_losses(beam: BeamState, equilibrium: RadiationSummary) -> float:
    return 0.0


class Equilibrium:
    """Publisher of these PVs with each result, or again and again in time, and keeper of the stored beam.

    `of_beam` are the PVs that are INVALID without a beam, when the current and the injection gate are 0. Without a
    stable synchrotron phase the orbit is fine and those that need one are INVALID, and no beam is stored. `losses` adds
    to those of gas and Touschek scattering, and `lifetime_factor` is one on all of it. The stored beam lives and dies
    whether or not a PV shows it; optics are worked out for PVs that are served.
    """

    def __init__(self, bank: Bank, ring: Ring, clock_s: Callable[[], float]) -> None:
        self._ring = ring
        self._clock_s = clock_s
        indices = indices_by_source(bank.specs)
        self._frequency = indices[sources.SYNCHROTRON_FREQUENCY]
        points = {point.name: SourcePoint(ring, point.element) for point in ring.document.source_points}
        self._sizes = [
            (i, points[bank.specs[i].device], k) for k, s in enumerate(sources.BEAM_SIZE) for i in indices[s]
        ]
        self._current = indices[sources.BEAM_CURRENT]
        self._gate = indices[sources.TOPUP_GATE]
        self._passing = [indices[source] for source in PASSING]
        passing = [i for each in self._passing for i in each]
        self.of_beam = (*self._frequency, *(i for i, _, _ in self._sizes), *passing)
        self._served = bool(self.of_beam or self._current or self._gate)
        self._known = False
        self._looked_s = -math.inf
        self.losses: Losses = _no_losses
        self._beam = StoredBeam(ring.document.stored_beam, ring.document.beam_current_ma)
        self._radiation = Radiation(ring)
        self._last: _Rates | None = None

    def prepare(self) -> None:
        """Compile what results need, and work out what is the same for all. Not in an event loop: it takes its time."""
        compile_kernels()
        nominal_volume(self._ring)

    def assume_current(self, nominal_ma: float) -> None:
        """Store this nominal current from the beginning, if the machine document has none."""
        if self._ring.document.beam_current_ma == 0.0:
            self._beam = StoredBeam(self._ring.document.stored_beam, nominal_ma)

    @property
    def current_ma(self) -> float:
        """The stored current [mA]."""
        return self._beam.current_ma

    @property
    def stored(self) -> bool:
        """True if a beam is stored."""
        return self._beam.stored

    def set_lifetime_factor(self, factor: float) -> None:
        """Let the beam live this many times as long from now on as it would."""
        self._beam.lifetime_factor = factor

    def lose_part(self, fraction: float) -> None:
        """Lose a part of the current at once."""
        self._beam.lose_part(fraction)

    def fill(self) -> bool:
        """Inject up to the nominal current; False if nothing is missing, or no beam is stored."""
        return self._beam.fill()

    def put(self, publication: Publication, readings: Readings) -> Sequence[int]:
        """Put what follows a result's optics; returns the PVs that have no value."""
        if not self._served and self._known:
            return ()
        equilibrium = self._rates(readings).equilibrium
        missing: list[int] = []
        frequency = equilibrium.synchrotron_tune * revolution_frequency(readings.lattice)
        for i in self._frequency:
            _put(publication, i, frequency, missing)
        sizes: dict[SourcePoint, tuple[float, float]] = {}
        for i, point, plane in self._sizes:
            if point not in sizes:
                sizes[point] = point.sizes(readings.lattice, readings.beam, equilibrium)
            _put(publication, i, sizes[point][plane], missing)
        if not self._known or self._beam.stored != math.isfinite(equilibrium.bunch_length_m):
            self._pass(readings)
            missing += self._put_passing(publication)
        return missing

    def again(self, publication: Publication, readings: Readings) -> Sequence[int]:
        """Put what passes with time, for the beam of the last result; returns the PVs that have no value."""
        self._pass(readings)
        return self._put_passing(publication)

    def keep_up(self, readings: Readings, period_s: float) -> None:
        """Let time pass for the stored beam, if nobody has looked at it for so long."""
        if not 0.0 <= self._clock_s() - self._looked_s < period_s:
            self._pass(readings)

    def lose(self, publication: Publication) -> None:
        """Put the current of a beam that is lost: nothing is injected either."""
        self._beam.lose()
        for i in (*self._current, *self._gate):
            publication.put(i, 0.0)

    def forget(self) -> Sequence[int]:
        """The model has failed: nobody knows whether a beam is stored. Returns the PVs of current and gate."""
        self._known = False
        return (*self._current, *self._gate)

    def _rates(self, readings: Readings) -> "_Rates":
        """Work out what the optics of a result say about the stored beam; kept until there is another result."""
        last, lattice, beam = self._last, readings.lattice, readings.beam
        if last is None or last.beam is not beam or last.lattice is not lattice:
            equilibrium = self._radiation(lattice, beam)
            relative = volume(lattice, beam, equilibrium) / nominal_volume(self._ring)
            last = self._last = _Rates(lattice, beam, equilibrium, relative, self.losses(beam, equilibrium))
        return last

    def _pass(self, readings: Readings) -> None:
        rates, self._looked_s = self._rates(readings), self._clock_s()
        self._beam.advance(self._looked_s, rates.volume, rates.losses)
        self._known = True

    def _put_passing(self, publication: Publication) -> list[int]:
        beam = self._beam
        for i in self._current:
            publication.put(i, beam.current_ma)
        for i in self._gate:
            publication.put(i, float(beam.injecting()))
        short, long = beam.average_s(10.0) / HOUR_S, beam.average_s(100.0) / HOUR_S
        missing: list[int] = []
        values = (short, long, 1e-3 * beam.current_ma * short, beam.countdown_s())
        for which, value in zip(self._passing, values, strict=True):
            for i in which:
                _put(publication, i, value, missing)
        return missing


@dataclass(frozen=True, slots=True)
class _Rates:
    """Effects of a result on the stored beam: its equilibrium, its relative volume, and further losses [1/s]."""

    lattice: Lattice
    beam: BeamState
    equilibrium: RadiationSummary
    volume: float
    losses: float


@lru_cache(maxsize=4)  # forks of a twin share its ring
def nominal_volume(ring: Ring) -> float:
    """The volume in the nominal lattice [m^3]; 1 where there is no beam to have one, so that it cancels nothing."""
    nominal = ring.nominal
    beam = Propagator(ring)(nominal)
    if not beam.found:
        return 1.0
    found = volume(nominal, beam, Radiation(ring)(nominal, beam))
    return found if math.isfinite(found) else 1.0


def volume(lattice: Lattice, beam: BeamState, equilibrium: RadiationSummary) -> float:
    """Product of the three rms sizes [m^3], the transverse ones averaged along the ring."""
    ring, coupling = lattice.ring, lattice.ring.document.coupling
    emittance = equilibrium.emittance_m / (1.0 + coupling)
    x = emittance * beam.beta[:-1, 0] + (beam.dispersion[:-1, 0] * equilibrium.energy_spread) ** 2
    y = coupling * emittance * beam.beta[:-1, 1] + (beam.dispersion[:-1, 2] * equilibrium.energy_spread) ** 2
    area = float(np.sqrt(x * y) @ np.diff(ring.s)) / ring.circumference
    return area * equilibrium.bunch_length_m


def _put(publication: Publication, index: int, value: float, missing: list[int]) -> None:
    if math.isfinite(value):
        publication.put(index, value)
    else:
        missing.append(index)
