"""A ring with hidden errors, walls and resonances that take its beam, without a server; its time passes by readings."""

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from ophyd.status import Status
from patience import PATIENCE_S

from gnomon.clients.errors import NoBeamError, RefusedError
from gnomon.ioc.app.imperfect.assembly import losses, monitor_errors
from gnomon.ioc.app.imperfect.imperfect_machine import ImperfectMachine
from gnomon.ioc.base.config import ImperfectionsConfig
from gnomon.ioc.outputs.stored_beam_outputs import nominal_volume, volume
from gnomon.lattice import Lattice, Ring
from gnomon.propagator import BeamState, Propagator, StoredBeam
from gnomon.propagator.six import Radiation
from gnomon.propagator.studies import steering_supplies
from unit.procedures.noisy_ring import NoisyRing
from unit.procedures.plans.fake_ring import FakeSession, fake_devices

#: Noise of the current [mA]; steps and noise of a tune.
CURRENT, TUNE_STEP, TUNE = 1e-3, 2e-5, 1e-5


@lru_cache(maxsize=8)
def corrected_machine(ring: Ring, seed: int) -> tuple[ImperfectMachine, Lattice]:
    """Role machine of a seed, and the settings that operators left it with."""
    machine = ImperfectMachine.of(ring, ImperfectionsConfig(seed=seed), "frequency")
    return machine, machine.corrected(Propagator(ring)(ring.nominal).tune).lattice


class LosingRing(NoisyRing):
    """BESSY II as role machine has it, corrected, with these settings of its stored beam."""

    def __init__(self, ring: Ring, seed: int, **stored_beam: Any) -> None:
        config = ImperfectionsConfig.model_validate({"seed": seed, "stored_beam": stored_beam})
        machine, lattice = corrected_machine(ring, seed)
        super().__init__(lattice, seed)
        self.propagate: Any = machine.propagator()  # the true beam
        self.true_losses = losses(ring, config.stored_beam)
        self.envelope = np.array([config.stored_beam.envelope_x_m, config.stored_beam.envelope_y_m])
        self.errors = monitor_errors(ring, machine.errors)
        self.radiation = Radiation(ring)
        self.stored = StoredBeam(ring.document.stored_beam, ring.document.beam_current_ma)
        self.now_s = 0.0
        self.reason = ""
        self.injectable = True
        self.injections = 0
        self._seen: tuple[str, BeamState, float, float] | None = None

    def true_orbit(self) -> np.ndarray:
        beam = self.beam()
        at = list(self.lattice.ring.monitors)
        return 1e3 * np.array(self.errors.readings(beam.orbit[at, 0], beam.orbit[at, 2]))

    def tunes(self) -> np.ndarray:
        measured = self.beam().tune % 1.0 + TUNE * self.random.standard_normal(2)
        return np.rint(measured / TUNE_STEP) * TUNE_STEP

    def beam(self) -> BeamState:
        """The beam, if there is one. Raises NoBeamError."""
        beam, _, _ = self._rates()
        if self.reason:
            raise NoBeamError(self.reason)
        return beam

    def loss_rate(self) -> float:
        """The true rate of losses [1/s] at walls and resonances with the present settings."""
        return self._rates()[2]

    def current(self) -> float:
        """A second later, the current [mA]."""
        self.now_s += 1.0
        self._rates()
        if self.reason:
            self.stored.lose()
            return 0.0
        _, relative, lost = self._rates()
        self.stored.advance(self.now_s, relative, lost)
        if self.stored.current_ma < 1e-3:
            self.reason = "the beam was lost: its lifetime was too short"
            self.stored.lose()
            return 0.0
        return self.stored.current_ma + CURRENT * float(self.random.standard_normal())

    def inject(self) -> None:
        """Inject a beam. Raises RefusedError."""
        reason, self.reason, self._seen = self.reason, "", None
        self._rates()
        if not self.injectable or self.reason:
            self.reason = self.reason or reason
            raise RefusedError(f"no beam could be stored: {self.reason}")
        if not reason and not self.stored.fill():
            raise RefusedError("a beam is stored already; nothing was injected")
        self.injections += 1

    def _rates(self) -> tuple[BeamState, float, float]:
        """The beam, its relative volume and its rate of losses; a beam that is lost stays so."""
        if self._seen is None or self._seen[0] != self.lattice.id:
            beam = self.propagate(self.lattice)
            relative, lost = np.nan, np.inf
            if beam.found:
                equilibrium = self.radiation(self.lattice, beam)
                relative = volume(self.lattice, beam, equilibrium) / nominal_volume(self.lattice.ring)
                lost = self.true_losses(beam, equilibrium)
            self._seen = (self.lattice.id, beam, relative, lost)
        _, beam, relative, lost = self._seen
        at = list(self.lattice.ring.monitors)
        outside = (np.abs(beam.orbit[at][:, [0, 2]]) > self.envelope) & (self.envelope > 0.0)
        if not beam.found or not np.isfinite(lost):
            self.reason = self.reason or f"the beam was lost: {beam.reason or 'its orbit is at the wall'}"
        elif outside.any():
            self.reason = self.reason or "the interlock dumped the beam"
        return beam, relative, lost


class FakeCurrent:
    """The current monitor; each reading is a second after the last one."""

    parent = None
    name = "current"

    def __init__(self, ring: LosingRing) -> None:
        self.ring = ring

    async def connect(self, *_: Any, **__: Any) -> None:
        pass

    def read(self) -> dict[str, Any]:
        return {"current": {"value": self.ring.current(), "timestamp": self.ring.now_s}}

    def describe(self) -> dict[str, Any]:
        return {"current": {"source": "model", "dtype": "number", "shape": []}}


class FakeInjector:
    """The control for an injection."""

    parent = None
    name = "injector"

    def __init__(self, ring: LosingRing) -> None:
        self.ring = ring

    async def connect(self, *_: Any, **__: Any) -> None:
        pass

    def trigger(self) -> Status:
        status = Status(timeout=PATIENCE_S)
        try:
            self.ring.inject()
            status.set_finished()
        except RefusedError as error:
            status.set_exception(error)
        return status


def losing_devices(ring: LosingRing) -> Any:
    """Devices of the ring, with current and injection."""
    devices: SimpleNamespace = fake_devices(ring)
    devices.current, devices.injector = FakeCurrent(ring), FakeInjector(ring)
    for detector in (devices.monitors, devices.tunes):
        detector.trigger = _triggered(ring, detector)
    return devices


def _triggered(ring: LosingRing, detector: Any) -> Any:
    def trigger() -> Status:
        status = Status(timeout=PATIENCE_S)
        try:
            detector.now = ring.orbit() if detector.name == "monitors" else ring.tunes()
            status.set_finished()
        except NoBeamError as error:
            status.set_exception(error)
        return status

    return trigger


class MachineFakeSession(FakeSession):
    """A session with role machine: the model has the present settings, but for its steerers."""

    def present_lattice(self) -> Any:
        return self.ring_now.lattice

    def model_lattice(self, present: Any) -> Any:
        nominal = present.ring.nominal
        keys = [(name, "current") for name in steering_supplies(present)]
        return present.updated({key: nominal[key] for key in keys})
