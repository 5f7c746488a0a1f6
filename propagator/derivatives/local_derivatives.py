"""Responses to kicks and gradients of any elements: the orbit anywhere, the tunes, and beta at the elements."""

from dataclasses import dataclass

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import PARAMETERS
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.derivatives.kick_derivatives import KICKS
from gnomon.propagator.derivatives.linear_turn import Knobs, Turn, beam_of
from gnomon.propagator.derivatives.optics_derivatives import beta_change
from gnomon.propagator.live.live_program import BEAM
from gnomon.propagator.propagator import Propagator

#: Columns of the normal and the skew gradient.
GRADIENTS = (PARAMETERS.index("b2"), PARAMETERS.index("a2"))


@dataclass(frozen=True, slots=True, eq=False)
class LocalResponse:
    """First derivatives by knobs of elements, about the present orbit, with the RF frequency held.

    `orbit` (4, places, 2, elements) [m/rad, rad/rad] is that of x, px, y, py to kicks in x and y; `tune_by_kick` (2, 2,
    elements) [1/rad] that of the tunes. `tune` (2, 2, elements) [m^2] is the response of the tunes to normal and skew
    gradients b2, a2 (of a thin element: integrated), `beta` (elements, 2, elements) [m^3] that of beta at the
    elements' entrances to normal gradients, `dispersion` (4, places) [m, rad] the orbit's by the momentum deviation.
    `beam` is the beam itself.
    """

    beam: BeamState
    orbit: Floats
    tune_by_kick: Floats
    tune: Floats
    beta: Floats
    dispersion: Floats


def local_response(propagate: Propagator, lattice: Lattice, elements: Integers, places: Integers) -> LocalResponse:
    """Compute the responses at `places`, entrances of elements, to knobs of `elements`, multipoles and bends.

    A knob that lengthens the path by dC changes the momentum deviation by -dC / (dC/ddelta), and so moves the orbit
    along the dispersion and the tunes along the chromaticity. Raises NoDerivative without a beam.
    """
    beam = beam_of(propagate, lattice, chromatic=True)
    stretch = beam.momentum_compaction * lattice.ring.circumference
    turn = Turn(propagate.program, BEAM)
    modes = turn.modes()
    both = np.tile(elements, 2)
    kicks = Knobs(both, np.repeat(np.array(KICKS, dtype=np.int64), elements.size))
    shift, _, _, path = turn.vary(kicks)
    delta = -turn.path_change(both, shift, path) / stretch
    dispersion = beam.dispersion[places].T
    orbit = turn.orbit_change(both, shift, places) + dispersion[:, :, None] * delta
    by_kick = turn.tune_change(*turn.changes(kicks), modes)[0] + beam.chromaticity[:, None] * delta
    gradients = Knobs(both, np.repeat(np.array(GRADIENTS, dtype=np.int64), elements.size))
    shift, _, _, path = turn.vary(gradients)
    delta = -turn.path_change(both, shift, path) / stretch
    moves, own = turn.changes(gradients)
    tune, inner = turn.tune_change(moves, own, modes)
    tune += beam.chromaticity[:, None] * delta
    count = elements.size
    normal = Knobs(elements, np.full(count, GRADIENTS[0]))
    beta = np.stack(
        [
            beta_change(turn, normal, moves[..., :count], own[:count], modes, inner[:count], mode, elements)
            for mode in range(2)
        ],
        axis=1,
    )
    shape = (2, elements.size)
    return LocalResponse(
        beam=beam,
        orbit=orbit.reshape(4, len(places), *shape),
        tune_by_kick=by_kick.reshape(2, *shape),
        tune=tune.reshape(2, *shape),
        beta=beta,
        dispersion=dispersion,
    )
