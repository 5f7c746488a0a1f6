"""Responses of the optics to quadrupoles, skew quadrupoles and sextupoles, with the feed-down of the orbit's change.

dM = M sum_i T_i+^-1 dJ_i T_i over all elements whose matrix changes: the knob's own, and every nonlinear element, which
the orbit now passes at other coordinates. In the eigenvectors E of M, dE_j = sum_k E_k (E^-1 dM E)_kj / (l_j - l_k) and
dl_j = (E^-1 dM E)_jj. Derivatives with respect to the momentum deviation are central differences of these exact first
derivatives.
"""

from dataclasses import dataclass

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import PARAMETERS, Quadrupole, Sextupole
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.derivatives.linear_turn import POSITIONS, Complexes, Knobs, Modes, Turn, beam_of
from gnomon.propagator.live.live_program import ABOVE, BEAM, BELOW
from gnomon.propagator.propagator import STEP, Propagator


@dataclass(frozen=True, slots=True, eq=False)
class OpticsResponse:
    """Response of the optics to the strengths of quadrupoles, normal (b2) and skew (a2), each per 1/m^2.

    `tune` (2, knobs); `beta` [m] (monitors, 2, knobs) of mode 1 in x and mode 2 in y; `dispersion` [m] (monitors, 2,
    knobs) in x and y. The momentum deviation is held.
    """

    names: tuple[str, ...]
    parameters: tuple[str, ...]
    unit: str
    monitors: tuple[str, ...]
    tune: Floats
    beta: Floats
    dispersion: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TuneResponse:
    """Response (2, knobs) of the tunes, or of the chromaticities, to parameters of elements, in `units`."""

    names: tuple[str, ...]
    parameters: tuple[str, ...]
    units: tuple[str, ...]
    tune: Floats


def tune_response(propagate: Propagator, lattice: Lattice) -> TuneResponse:
    """Compute the response of the tunes to all quadrupoles, normal and skew. Raises NoDerivative without a beam."""
    beam_of(propagate, lattice)
    names, parameters, knobs = _quadrupoles(lattice)
    tune = Turn(propagate.program, BEAM).tune_response(knobs)
    return TuneResponse(names, parameters, ("1/(1/m^2)",) * len(names), tune)


def chromaticity_response(propagate: Propagator, lattice: Lattice) -> TuneResponse:
    """Compute the response of the chromaticities to every sextupole's b3, per 1/m^3.

    Raises NoDerivative without a beam or its neighbours in momentum.
    """
    beam_of(propagate, lattice, neighbours=True)
    elements = [i for i, e in enumerate(lattice.ring.elements) if isinstance(e, Sextupole)]
    knobs = _knobs(elements, "b3")
    above, below = (Turn(propagate.program, slot).tune_response(knobs) for slot in (ABOVE, BELOW))
    names = tuple(lattice.ring.elements[i].name for i in elements)
    return TuneResponse(names, ("b3",) * len(names), ("1/(1/m^3)",) * len(names), (above - below) / (2.0 * STEP))


def optics_response(propagate: Propagator, lattice: Lattice) -> OpticsResponse:
    """Compute the response of tunes, and of beta and dispersion at the monitors, to all quadrupoles, normal and skew.

    Raises NoDerivative without a beam or its neighbours in momentum.
    """
    beam_of(propagate, lattice, neighbours=True)
    ring = lattice.ring
    places = np.array(ring.monitors, dtype=np.int64)
    names, parameters, knobs = _quadrupoles(lattice)
    turn = Turn(propagate.program, BEAM)
    moves, own = turn.changes(knobs)
    modes = turn.modes()
    tune, inner = turn.tune_change(moves, own, modes)
    beta = np.empty((len(places), 2, len(names)))
    for mode in range(2):
        beta[:, mode] = beta_change(turn, knobs, moves, own, modes, inner, mode, places)
    above, below = (_orbits(Turn(propagate.program, slot), knobs, places) for slot in (ABOVE, BELOW))
    return OpticsResponse(
        names=names,
        parameters=parameters,
        unit="1/m^2",
        monitors=tuple(bpm.name for bpm in ring.bpms),
        tune=tune,
        beta=beta,
        dispersion=((above - below) / (2.0 * STEP)).transpose(1, 0, 2),
    )


def _knobs(elements: list[int], parameter: str) -> Knobs:
    return Knobs(np.array(elements, dtype=np.int64), np.full(len(elements), PARAMETERS.index(parameter)))


def _quadrupoles(lattice: Lattice) -> tuple[tuple[str, ...], tuple[str, ...], Knobs]:
    elements = [i for i, e in enumerate(lattice.ring.elements) if isinstance(e, Quadrupole)]
    normal, skew = _knobs(elements, "b2"), _knobs(elements, "a2")
    names = tuple(lattice.ring.elements[i].name for i in elements)
    both = Knobs(np.concatenate([normal.elements, skew.elements]), np.concatenate([normal.columns, skew.columns]))
    return names + names, ("b2",) * len(names) + ("a2",) * len(names), both


def _orbits(turn: Turn, knobs: Knobs, places: Integers) -> Floats:
    return turn.orbit_change(knobs.elements, turn.vary(knobs)[0], places, POSITIONS)


def beta_change(
    turn: Turn, knobs: Knobs, moves: Floats, own: Floats, modes: Modes, inner: Complexes, mode: int, places: Integers
) -> Floats:
    """Compute the changes (p, m) of a mode's beta at places: by its eigenvector at the start, and by the maps.

    With w = T v the mode's coordinate at a place, d(beta) = 2 Re(w* dw): a row of eight numbers for each place, times
    the real and imaginary parts of the changes. A list of all changed matrices at all places would be some megabytes,
    which takes the system longer to provide than this takes to compute.
    """
    j = 2 * mode
    vector, gaps = modes.vectors[:, j], modes.values[j] - modes.values
    gaps[j] = np.inf
    change = (inner[:, :, j] / gaps) @ modes.vectors.T
    here = turn.to[places][:, j, :]
    coordinate = here @ vector
    row = 2.0 * np.concatenate([coordinate.real[:, None] * here, coordinate.imag[:, None] * here], axis=1)
    beta: Floats = row @ _parts(change).T
    passed = row @ _parts(own @ vector).T
    passed *= places[:, None] > knobs.elements
    beta += passed
    bends = _parts(turn.bends @ vector).transpose(1, 0, 2)
    weights = (row @ bends.reshape(-1, row.shape[1]).T).reshape(len(places), *bends.shape[:2])
    weights *= places[:, None, None] > turn.program.tables.bounds
    beta += weights.reshape(len(places), -1) @ moves.reshape(-1, len(own))
    return beta


def _parts(numbers: Complexes) -> Floats:
    """Return real parts, and behind them the imaginary parts, along the last axis."""
    parts: Floats = np.concatenate([numbers.real, numbers.imag], axis=-1)
    return parts
