"""The propagator itself as a ring to act on: no server, no EPICS, a millisecond a step."""

from collections.abc import Sequence
from functools import lru_cache, partial
from os import PathLike
from typing import Literal

import numpy as np

from gnomon.clients.gym.plants import Floats, Imperfections, PlantState, indices, no_beam
from gnomon.db import shipped_machine, shipped_machines
from gnomon.db.machine_files import find_document
from gnomon.fault_injection.errors import ErrorSizes, TrueLattices, draw_errors, hidden_monitor_errors
from gnomon.lattice import KICKS, Lattice, MonitorErrors, Ring, properties_by_supply
from gnomon.propagator import BeamState, Propagator

__all__ = ["ModelPlant"]

#: Sizes of the errors of an imperfect machine, as the server's configuration has them.
SIZES = ErrorSizes(
    quadrupole_gradient=1e-3, sextupole_strength=3e-3, octupole_strength=5e-3, dipole_field=5e-4, corrector_gain=1e-2,
    corrector_roll=2e-3, magnet_x=3e-5, magnet_y=3e-5, magnet_roll=2e-4, girder_x=1e-4, girder_y=1e-4, girder_roll=1e-4,
    monitor_x=1e-4, monitor_y=1e-4, monitor_gain_x=1e-2, monitor_gain_y=1e-2, monitor_roll=3e-3,
)  # fmt: skip
#: Seed of the first machine: no server has it by default, so that no hidden machine is one that an agent knows.
FIRST_SEED = 1_000_000_000
#: Scale of errors below which there are none.
SMALLEST = 1e-3
MM = 1e3


class _Machine:
    """One imperfect ring: its lattices from ideal ones, and the errors of its monitors."""

    def __init__(self, ring: Ring, seed: int, scale: float) -> None:
        errors = draw_errors(ring.document, FIRST_SEED + seed, SIZES.scaled(scale))
        self.lattice = TrueLattices(ring, errors)
        hidden = hidden_monitor_errors(ring.document, errors)
        rows = [(e.offset_x_mm, e.offset_y_mm, e.gain_x, e.gain_y, e.roll_rad) for e in hidden.values()]
        #: Their offsets are in mm: `readings` takes and returns mm.
        self.monitors = MonitorErrors.of_table(np.array(rows, dtype=float))


class ModelPlant:
    """A ring computed here. `momentum` "orbit" is at fixed momentum, "frequency" at a fixed RF frequency, and slower.

    With `chromatic`, dispersion and chromaticities are computed too.
    """

    def __init__(
        self,
        machine: str | PathLike[str] = "bessy2",
        supplies: Sequence[str] = (),
        *,
        momentum: Literal["orbit", "frequency"] = "orbit",
        chromatic: bool = False,
    ) -> None:
        self.ring = _ring_of(machine)
        self.supplies = tuple(supplies)
        self.monitors = tuple(bpm.name for bpm in self.ring.bpms)
        specs = [self.ring.property_spec(each, "current") for each in self.supplies]
        self.limits: Floats = np.array([(spec.low, spec.high) for spec in specs]).reshape(-1, 2)
        self._slots = np.array([spec.slot for spec in specs], dtype=np.intp)
        self._settings = self.ring.nominal_settings.copy()
        self.nominal: Floats = self._settings[self._slots]
        self._at = list(self.ring.monitors)
        self._momentum, self._chromatic = momentum, chromatic
        self._machine = lru_cache(maxsize=8)(partial(_Machine, self.ring))
        self._true: _Machine | None = None
        self._propagator = self._fresh()
        self._imperfections = Imperfections()
        self._random = np.random.default_rng(0)
        self._dead = self._stuck = indices((), ())
        self.design = self.apply(self.nominal)

    def begin(self, imperfections: Imperfections, number: int, random: np.random.Generator) -> None:
        """Begin an episode on the machine with a number. Without a closed orbit, its errors are halved."""
        self._imperfections, self._random = imperfections, random
        self._dead = indices(self.monitors, imperfections.dead)
        self._stuck = indices(self.supplies, imperfections.stuck)
        self._true, scale = None, imperfections.scale
        self._propagator = self._fresh()
        while scale > SMALLEST:
            self._true = self._machine(number, scale)
            self._propagator = self._fresh()
            if self._beam(self.nominal).found:
                return
            self._true, scale = None, 0.5 * scale

    def _fresh(self) -> Propagator:
        """Make a propagator: one that has seen other episodes starts elsewhere, and rounds differently."""
        ring = self.ring if self._true is None else self._true.lattice.ring
        return Propagator(ring, self._momentum, chromatic=self._chromatic)

    def apply(self, currents: Floats) -> PlantState:
        """Set all currents (n,) [A], and see the beam."""
        beam = self._beam(currents)
        if not beam.found:
            return no_beam(beam.reason, len(self.monitors))
        x, y = self._readings(beam)
        tune = beam.tune % 1.0
        if self._imperfections.tune_noise:
            tune = (tune + self._imperfections.tune_noise * self._random.standard_normal(2)) % 1.0
        return PlantState("", x, y, tune, beam.beta[self._at], beam.dispersion[self._at, 0], beam.chromaticity)

    def _beam(self, currents: Floats) -> BeamState:
        settings = self._settings.copy()
        settings[self._slots] = currents
        settings[self._slots[self._stuck]] = self.nominal[self._stuck]
        lattice = Lattice.of_settings(self.ring, settings)
        return self._propagator(lattice if self._true is None else self._true.lattice(lattice))

    def _readings(self, beam: BeamState) -> tuple[Floats, Floats]:
        x, y = MM * beam.orbit[self._at, 0], MM * beam.orbit[self._at, 2]
        if self._true is not None:
            x, y = self._true.monitors.readings(x, y)
        if self._imperfections.noise_mm:
            noise = self._imperfections.noise_mm * self._random.standard_normal((2, len(x)))
            x, y = x + noise[0], y + noise[1]
        if self._dead.size:
            x[self._dead] = y[self._dead] = 0.0
        return x, y

    def close(self) -> None:
        """Forget the machines."""
        self._machine.cache_clear()


def _ring_of(machine: str | PathLike[str]) -> Ring:
    name = str(machine)
    return shipped_machine(name) if name in shipped_machines() else Ring(find_document(machine))


def supply_names(machine: str | PathLike[str], properties: frozenset[str]) -> tuple[str, ...]:
    """List the power supplies of a machine that drive nothing but these properties, and are in use or are steerers."""
    ring = _ring_of(machine)
    fed = properties_by_supply(ring.document)
    return tuple(
        supply
        for supply, of in fed.items()
        if of and of <= properties and (of <= KICKS or ring.nominal[supply, "current"] != 0.0)
    )
