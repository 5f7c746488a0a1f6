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
from gnomon.propagator.compiled import Floats
from gnomon.propagator.derivatives.turn import POSITIONS, Knobs, Turn, beam_of
from gnomon.propagator.live.program import ABOVE, BEAM, BELOW
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
    beam = beam_of(propagate, lattice)
    names, parameters, knobs = _quadrupoles(lattice)
    tune = _tunes(Turn(propagate.program, BEAM), knobs, beam.tune)
    return TuneResponse(names, parameters, ("1/(1/m^2)",) * len(names), tune)


def chromaticity_response(propagate: Propagator, lattice: Lattice) -> TuneResponse:
    """Compute the response of the chromaticities to every sextupole's b3, per 1/m^3.

    Raises NoDerivative without a beam or its neighbours in momentum.
    """
    beam = beam_of(propagate, lattice, neighbours=True)
    elements = [i for i, e in enumerate(lattice.ring.elements) if isinstance(e, Sextupole)]
    knobs = _knobs(elements, "b3")
    above, below = (_tunes(Turn(propagate.program, slot), knobs, beam.tune) for slot in (ABOVE, BELOW))
    names = tuple(lattice.ring.elements[i].name for i in elements)
    return TuneResponse(names, ("b3",) * len(names), ("1/(1/m^3)",) * len(names), (above - below) / (2.0 * STEP))


def optics_response(propagate: Propagator, lattice: Lattice) -> OpticsResponse:
    """Compute the response of tunes, and of beta and dispersion at the monitors, to all quadrupoles, normal and skew.

    Raises NoDerivative without a beam or its neighbours in momentum.
    """
    beam = beam_of(propagate, lattice, neighbours=True)
    ring = lattice.ring
    places = np.array(ring.monitors, dtype=np.int64)
    names, parameters, knobs = _quadrupoles(lattice)
    turn = Turn(propagate.program, BEAM)
    down, own = turn.turn_changes(knobs)
    values, vectors = turn.modes(beam.tune)
    total = down.sum(axis=1) + own
    inner = np.linalg.inv(vectors) @ turn.one_turn @ total @ vectors
    tune = tune_changes(values, inner)
    # the changes from the start to each monitor
    so_far = np.cumsum(down, axis=1)
    crossed = np.searchsorted(turn.program.tables.bounds, places)
    until = np.where((crossed > 0)[None, :, None, None], so_far[:, np.maximum(crossed, 1) - 1], 0.0)
    until = until + np.where((places[None, :] > knobs.elements[:, None])[:, :, None, None], own[:, None], 0.0)
    beta = np.empty((len(places), 2, len(names)))
    for mode in range(2):
        j = 2 * mode
        gaps = values[j] - values
        gaps[j] = np.inf
        change = (inner[:, :, j] / gaps) @ vectors.T
        rows = turn.to[places][:, j, :]
        here = rows @ vectors[:, j]
        moved = np.einsum("pi,mi->mp", rows, change) + np.einsum("pi,mpij,j->mp", rows, until, vectors[:, j])
        beta[:, mode] = (2.0 * (here.conj() * moved).real).T
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


def _orbits(turn: Turn, knobs: Knobs, places: "np.typing.NDArray[np.int64]") -> Floats:
    return turn.orbit_change(knobs.elements, turn.vary(knobs)[0], places, POSITIONS)


def _tunes(turn: Turn, knobs: Knobs, tune: Floats) -> Floats:
    down, own = turn.turn_changes(knobs)
    values, vectors = turn.modes(tune)
    return tune_changes(values, np.linalg.inv(vectors) @ turn.one_turn @ (down.sum(axis=1) + own) @ vectors)


def tune_changes(values: "np.typing.NDArray[np.complex128]", inner: "np.typing.NDArray[np.complex128]") -> Floats:
    """Compute changes (2, m) of the tunes from those (m, 4, 4) of the turn in its eigenvectors."""
    change: Floats = np.stack([(inner[:, j, j] / (1j * values[j])).real / (2.0 * np.pi) for j in (0, 2)])
    return change
