"""The dynamic aperture: the largest distance from the closed orbit at which particles survive."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.lattice import Lattice
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.ensembles.aperture_search import TOUCH, find_edges, half_bucket
from gnomon.propagator.ensembles.apertures import Apertures
from gnomon.propagator.ensembles.starting_points import closed_orbits
from gnomon.propagator.ensembles.tracking import MAX_TURNS, ParticleBlocks, Runner
from gnomon.propagator.ensembles.tracking_errors import checked_count, checked_number
from gnomon.propagator.ensembles.tracking_table import TrackingTable
from gnomon.propagator.warmup import Progress


@dataclass(frozen=True, slots=True, eq=False)
class DynamicAperture:
    """The edge of survival over `turns` turns at the ring's start, relative to the closed orbit at `delta`.

    `x`, `y` (angles,) [m] are the edge, from +x over +y to -x; `open` (angles,) is True where the search reached its
    extent without a loss. `tried_x`, `tried_y` (angles, steps) [m] are the particles of the first round and `lasted`
    the turns that they survived. Arrays are read-only.
    """

    delta: float
    turns: int
    x: Floats
    y: Floats
    open: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
    tried_x: Floats
    tried_y: Floats
    lasted: Integers

    @property
    def area(self) -> float:
        """Compute the area within the edge in the upper half plane [m^2]."""
        return float(0.5 * np.sum(self.x[:-1] * self.y[1:] - self.x[1:] * self.y[:-1]))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as types of JSON."""
        arrays = {name: getattr(self, name).tolist() for name in ("x", "y", "open", "tried_x", "tried_y", "lasted")}
        return {"delta": self.delta, "turns": self.turns, "area_m2": self.area, **arrays}


def dynamic_aperture(
    lattice: Lattice,
    *,
    turns: int = 500,
    delta: float = 0.0,
    extent_m: tuple[float, float] = (0.04, 0.02),
    angles: int = 19,
    apertures: Apertures | None = None,
    cavities: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    time_limit_s: float = 600.0,
) -> DynamicAperture:
    """Search for the edge of survival along `angles` lines of the upper half plane, out to `extent_m` in x and y.

    The edge is accurate to a thousandth of the extent. Raises TrackingError for bad input, without a closed orbit at
    `delta`, and at the time limit.
    """
    checked_count("turns", turns, 1, MAX_TURNS)
    checked_count("angles", angles, 2, 10_000)
    checked_number("delta", delta, "", -0.5, 0.5)
    for name, value in zip(("x", "y"), extent_m, strict=True):
        checked_number(f"extent in {name}", value, "m", 1e-9, 10.0)
    table = TrackingTable(lattice, apertures or {}, cavities)
    orbit = closed_orbits(lattice, delta, [0], time_limit_s, progress)[0]
    theta = np.linspace(0.0, math.pi, angles)
    toward_x = extent_m[0] * np.cos(theta)[:, None]
    toward_y = extent_m[1] * np.sin(theta)[:, None]

    def place(fractions: Floats) -> ParticleBlocks:
        particles = np.repeat(orbit[:, None], fractions.size, axis=1)
        particles[0] += TOUCH + (toward_x * fractions).ravel()
        particles[2] += TOUCH + (toward_y * fractions).ravel()
        return ParticleBlocks(particles)

    with Runner(table, threads, time_limit_s, progress) as runner:
        bucket = half_bucket(lattice, cavities)
        edges = find_edges(runner, angles, place, turns, bucket, f"dynamic aperture at delta {delta:g}", progress)
    x, y = toward_x[:, 0] * edges.fraction, toward_y[:, 0] * edges.fraction
    arrays = (x, y, edges.open, toward_x * edges.tried, toward_y * edges.tried, edges.lasted)
    for array in arrays:
        array.flags.writeable = False
    return DynamicAperture(delta, turns, *arrays)
