"""Response of the closed orbit at the monitors to kicks of any elements in either plane, the RF frequency held."""

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import PARAMETERS
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.derivatives.linear_turn import POSITIONS, Knobs, Turn, beam_of
from gnomon.propagator.live.live_program import BEAM
from gnomon.propagator.propagator import Propagator

#: Columns of the kicks in x and y.
KICKS = tuple(PARAMETERS.index(f"kick_{plane}") for plane in "xy")


def kick_response(propagate: Propagator, lattice: Lattice, elements: Integers) -> tuple[BeamState, Floats]:
    """Compute the beam, and the orbit's response (2, monitors, 2, elements) [m/rad] to kicks in x and y of elements.

    A kick that lengthens the path changes the momentum, as for `orbit_response`. Raises NoDerivative without a beam.
    """
    beam = beam_of(propagate, lattice, chromatic=True)
    places = np.array(lattice.ring.monitors, dtype=np.int64)
    knobs = Knobs(np.tile(elements, 2), np.repeat(np.array(KICKS, dtype=np.int64), elements.size))
    turn = Turn(propagate.program, BEAM)
    shift, _, _, path = turn.vary(knobs)
    orbit = turn.orbit_change(knobs.elements, shift, places, POSITIONS)
    delta = -turn.path_change(knobs.elements, shift, path) / (beam.momentum_compaction * lattice.ring.circumference)
    orbit = orbit + beam.dispersion[places, ::2].T[:, :, None] * delta
    return beam, orbit.reshape(2, len(places), 2, elements.size)
