"""The surroundings of a run that pictures may show: positions along the ring, a model, an earlier run. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from gnomon.lattice import GnomonError, Lattice
from gnomon.procedures.documents import Run
from gnomon.procedures.registry import PROCEDURES, typed
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import supply_response
from gnomon.services.dashboard.pictures.ring_places import NO_PLACES, RingPlaces

__all__ = ["NO_CONTEXT", "PictureContext"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PictureContext:
    """The positions of devices; the model's lattice with what to call it; a run to show beside, of the same kind."""

    places: RingPlaces = NO_PLACES
    lattice: Lattice | None = None
    model_name: str = "model"
    beside: Run | None = None

    @property
    def beside_outcome(self) -> object | None:
        """The outcome of the run beside, if it has one."""
        if self.beside is None or self.beside.procedure not in PROCEDURES:
            return None
        try:
            return typed(self.beside)[2]
        except ValidationError:  # of another version of gnomon
            return None

    def response(self, steerers: tuple[str, ...], monitors: tuple[str, ...]) -> Floats | None:
        """Compute the model's response (2, monitors, steerers) [mm/A]; None if the model has not these devices."""
        rows = self._rows(monitors)
        if self.lattice is None or rows is None:
            return None
        try:
            found = supply_response(Propagator(self.lattice.ring), self.lattice, steerers).orbit
        except GnomonError:
            return None
        return 1e3 * np.array(self.lattice.monitor_errors().changes(found[:, 0], found[:, 2]))[:, rows]

    def dispersion(self, monitors: tuple[str, ...]) -> Floats | None:
        """Compute the model's dispersion (2, monitors) [m]; None if the model has not these monitors, or no beam."""
        rows, curve = self._rows(monitors), self.dispersion_curve()
        if self.lattice is None or rows is None or curve is None:
            return None
        return curve[1][:, np.array(self.lattice.ring.monitors)[rows]]

    def dispersion_curve(self) -> tuple[Floats, Floats] | None:
        """Compute the model's dispersion (2, elements + 1) [m] with its places [m]; None without a model or a beam."""
        if self.lattice is None:
            return None
        beam = Propagator(self.lattice.ring)(self.lattice)
        if not beam.found:
            return None
        return self.lattice.ring.s, np.array([beam.dispersion[:, 0], beam.dispersion[:, 2]])

    def _rows(self, monitors: tuple[str, ...]) -> list[int] | None:
        if self.lattice is None:
            return None
        known = {bpm.name: row for row, bpm in enumerate(self.lattice.ring.bpms)}
        return [known[name] for name in monitors] if all(name in known for name in monitors) else None


NO_CONTEXT = PictureContext()
