"""The momentum aperture: the largest momentum changes, as by a collision within the bunch, that particles survive."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.lattice import Lattice
from gnomon.propagator.compiled import Floats
from gnomon.propagator.ensembles.aperture_search import TOUCH, find_edges, half_bucket
from gnomon.propagator.ensembles.apertures import Apertures, check_names
from gnomon.propagator.ensembles.lanes import LANES
from gnomon.propagator.ensembles.starting_points import closed_orbits
from gnomon.propagator.ensembles.tracking import MAX_TURNS, ParticleBlocks, Runner
from gnomon.propagator.ensembles.tracking_errors import TrackingError, checked_count, checked_number
from gnomon.propagator.ensembles.tracking_table import TrackingTable
from gnomon.propagator.warmup import Progress


@dataclass(frozen=True, slots=True, eq=False)
class MomentumAperture:
    """Momentum deviations that survive `turns` turns from the closed orbit, at the entrances of `elements`.

    `s` (k,) [m] are the positions, `negative` and `positive` (k,) the last deviations that survive on each side,
    `limit` is the range of the search. `cavities` is True if cavities acted, so that the momentum changed. Arrays are
    read-only.
    """

    elements: tuple[str, ...]
    turns: int
    limit: float
    cavities: bool
    s: Floats
    negative: Floats
    positive: Floats

    def to_dict(self) -> dict[str, Any]:
        """Return everything as types of JSON."""
        arrays = {name: getattr(self, name).tolist() for name in ("s", "negative", "positive")}
        plain = {"turns": self.turns, "limit": self.limit, "cavities": self.cavities}
        return {"elements": list(self.elements), **plain, **arrays}


def momentum_aperture(
    lattice: Lattice,
    elements: Sequence[str],
    *,
    turns: int = 500,
    limit: float = 0.1,
    apertures: Apertures | None = None,
    cavities: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    time_limit_s: float = 600.0,
) -> MomentumAperture:
    """Search for the largest momentum deviations of both signs that survive from the closed orbit at `elements`.

    With `cavities`, whose phase is that without energy loss, a particle that leaves its bucket counts as lost. The edge
    is accurate to a thousandth of `limit`. Raises TrackingError for bad input, without a closed orbit, and at the time
    limit.
    """
    checked_count("turns", turns, 1, MAX_TURNS)
    checked_number("limit", limit, "", 1e-9, 0.9)
    ring = lattice.ring
    check_names(ring, dict.fromkeys(elements), "momentum aperture")
    if not elements:
        raise TrackingError(f"{ring.name}: momentum aperture of 0 elements; name at least one")
    table = TrackingTable(lattice, apertures or {}, cavities)
    indices = sorted({ring.index[name] for name in elements})
    orbits = closed_orbits(lattice, 0.0, indices, time_limit_s, progress)
    # one place fills one block: half of the lanes with positive and half with negative deviations
    starts = table.rows_before[indices] % table.kinds.size
    signs = np.tile([1.0, -1.0], len(indices))[:, None]

    def place(fractions: Floats) -> ParticleBlocks:
        particles = np.repeat(orbits.T, LANES, axis=1)
        particles[[0, 2]] += TOUCH
        particles[4] += limit * (signs * fractions).ravel()
        return ParticleBlocks(particles, starts)

    with Runner(table, threads, time_limit_s, progress) as runner:
        bucket = half_bucket(lattice, cavities)
        edges = find_edges(runner, 2 * len(indices), place, turns, bucket, "momentum aperture", progress)
    both = limit * edges.fraction.reshape(-1, 2)
    s, positive, negative = ring.s[indices], both[:, 0].copy(), -both[:, 1]
    for array in (s, positive, negative):
        array.flags.writeable = False
    names = tuple(ring.elements[i].name for i in indices)
    return MomentumAperture(names, turns, limit, cavities, s, negative, positive)
