"""Responses of orbit, tunes and chromaticities to the currents of power supplies, through all magnets that each feeds.

The response to a current is a sum over these magnets: the response to the strength, times the slope of the conversion
at the present current. With the RF frequency held, a current that lengthens the path changes the momentum too:
dQ = dQ(momentum held) + (dQ/ddelta) ddelta, and likewise for orbit and chromaticity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.lattice import Lattice, LatticeError, Magnet
from gnomon.propagator.compiled import Floats
from gnomon.propagator.derivatives.linear_turn import Knobs, Turn, beam_of
from gnomon.propagator.derivatives.orbit_derivatives import Hold
from gnomon.propagator.live.kernel_report import REPORT
from gnomon.propagator.live.live_kernels import CHROMATIC, OPTICS
from gnomon.propagator.live.live_program import ABOVE, BEAM, BELOW
from gnomon.propagator.propagator import STEP, Propagator


@dataclass(frozen=True, slots=True, eq=False)
class SupplyResponse:
    """Response of the beam to the currents of power supplies.

    `orbit` (places, 4, supplies) [m/A, rad/A] is for the closed orbit at the entrances of the elements `places`; `tune`
    and `chromaticity` (2, supplies) [1/A]; `delta` (supplies,) [1/A] for the momentum deviation, 0 if the momentum is
    held.
    """

    supplies: tuple[str, ...]
    places: tuple[int, ...]
    hold: Hold
    orbit: Floats
    tune: Floats
    chromaticity: Floats
    delta: Floats


def fed_by(lattice: Lattice, supply: str) -> tuple[tuple[Magnet, float], ...]:
    """List the magnets that a supply feeds at present, each with d(strength)/d(current) [unit/A].

    A multiplexer's supply feeds the magnet to which it is connected. Raises LatticeError for an unknown supply.
    """
    ring = lattice.ring
    ring.property_spec(supply, "current")
    found = [(m, lattice.slope(m)) for m in ring.magnets if m.supply == supply]
    mux = ring.multiplexer
    if mux is not None and supply == mux.supply and lattice[supply, "on"]:
        selected = lattice[mux.name, "selected"]
        found += [(m, mux.factor * lattice.slope(m)) for m in ring.magnets if m.selection == selected]
    return tuple(found)


def supplies_of(lattice: Lattice) -> tuple[str, ...]:
    """List all supplies of a ring that feed a magnet at present, in the order of the machine document."""
    mux = lattice.ring.multiplexer
    known = [supply.name for supply in lattice.ring.document.supplies]
    known += [mux.supply] if mux is not None and mux.supply not in known else []
    return tuple(name for name in known if fed_by(lattice, name))


def supply_response(
    propagate: Propagator,
    lattice: Lattice,
    supplies: Iterable[str],
    *,
    hold: Hold = "frequency",
    places: Sequence[int] | None = None,
) -> SupplyResponse:
    """Compute the responses to the currents of `supplies`, at the entrances of `places` (None: the monitors).

    They are linear about the beam of `lattice`; `hold` is as for `orbit_response`. Raises NoDerivative without a beam
    or its neighbours in momentum, and LatticeError for an unknown supply, or one that feeds no magnet at present.
    """
    ring, names = lattice.ring, tuple(supplies)
    fed = [fed_by(lattice, name) for name in names]
    if idle := [name for name, magnets in zip(names, fed, strict=True) if not magnets]:
        raise LatticeError(f"{ring.name}: supply {idle[0]!r} feeds no magnet")
    beam = beam_of(propagate, lattice, neighbours=True)
    every = [m for magnets in fed for m, _ in magnets]
    knobs = Knobs(np.array([m.element for m in every], dtype=np.int64), np.array([m.column for m in every]))
    slopes = np.zeros((len(every), len(names)))
    row = 0
    for column, magnets in enumerate(fed):
        for _, slope in magnets:
            slopes[row, column] = slope
            row += 1
    where = np.array(ring.monitors if places is None else places, dtype=np.int64)
    turn = Turn(propagate.program, BEAM)
    shift, _, _, path = turn.vary(knobs)
    orbit = np.einsum("ipm,mn->pin", turn.orbit_change(knobs.elements, shift, where), slopes)
    tune, above, below = (Turn(propagate.program, slot).tune_response(knobs) @ slopes for slot in (BEAM, ABOVE, BELOW))
    chromaticity = (above - below) / (2.0 * STEP)
    delta = np.zeros(len(names))
    if hold == "frequency":
        longer = turn.path_change(knobs.elements, shift, path) @ slopes
        delta = -longer / (beam.momentum_compaction * ring.circumference)
        orbit = orbit + beam.dispersion[where][:, :, None] * delta
        tune = tune + beam.chromaticity[:, None] * delta
        chromaticity = chromaticity + _second_chromaticity(propagate)[:, None] * delta
    return SupplyResponse(names, tuple(where.tolist()), hold, orbit, tune, chromaticity, delta)


def _second_chromaticity(propagate: Propagator) -> Floats:
    """Compute d(chromaticity)/d(delta) (2,) from the neighbours in momentum."""
    program = propagate.program
    n = program.tables.kinds.size + 1
    found = []
    for slot in (ABOVE, BELOW):
        pairs = np.empty((2, 2))
        program.find(
            slot, OPTICS | CHROMATIC, 0.0, 0.0, np.empty((n, 4)), np.empty((n, 4)), np.empty((3, 2, n)), pairs,
            np.zeros(REPORT),
        )  # fmt: skip
        found.append(pairs[1])
    second: Floats = (found[0] - found[1]) / (2.0 * STEP)
    return second
