"""Values of the model that analyses and corrections take as parameters: momentum by RF frequency, responses."""

import numpy as np

from gnomon.lattice import NAMED_SETTINGS, Lattice
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.momentum import Momentum
from gnomon.propagator import Propagator

__all__ = ["COMPACTION_ERROR", "FITTED_ERROR", "momentum_of"]

#: Key of the RF frequency among the settings of a lattice.
RF = NAMED_SETTINGS["rf_frequency"]

#: Standard deviation of the momentum compaction of machines like BESSY II with quadrupoles off by 0.1 %, relative.
COMPACTION_ERROR = 0.007
#: The same of a model whose optics were fitted to a measured orbit response and a dispersion, relative.
FITTED_ERROR = 0.0005


def momentum_of(lattice: Lattice, span: float = 5e-6, order: int = 3, error: float = COMPACTION_ERROR) -> Momentum:
    """Compute the momentum deviation by RF frequency, about the lattice's own, within a relative change of `span`.

    The circumference fixes it, so that higher orders of the momentum compaction are in it. `error` is the relative one
    of the momentum compaction. Raises ProcedureError if there is no beam somewhere in this range.
    """
    frequency = lattice[RF]
    propagate = Propagator(lattice.ring, chromatic=False)
    points = order + 2
    changes = span * np.cos(np.pi * (np.arange(points) + 0.5) / points)
    deltas = []
    for change in (0.0, *changes):
        beam = propagate(lattice.updated({RF: frequency * (1.0 + change)}))
        if not beam.found:
            raise ProcedureError(f"the model has no beam with the RF frequency {change:+.2e} away: {beam.reason}")
        deltas.append(beam.delta)
    scaled = (changes[:, None] / span) ** np.arange(1, order + 1)
    found = np.linalg.lstsq(scaled, np.array(deltas[1:]) - deltas[0], rcond=None)[0]
    return Momentum(
        rf_hz=lattice.rf_frequency,
        coefficients=found / span ** np.arange(1, order + 1),
        relative_error=error,
        source=f"model of {lattice.ring.name}, lattice {lattice.id}",
    )
