"""Starting points of studies: the closed orbit at a momentum deviation, by tracking, at any element."""

import numpy as np

from gnomon.lattice import Lattice
from gnomon.propagator.compiled import Floats
from gnomon.propagator.ensembles.apertures import NO_CHAMBER
from gnomon.propagator.ensembles.tracking import ParticleBlocks, Runner
from gnomon.propagator.ensembles.tracking_errors import TrackingError
from gnomon.propagator.ensembles.tracking_table import TrackingTable
from gnomon.propagator.warmup import Progress

#: Maximum steps of Newton's method, half the step of differences, and the change that ends it [m, rad].
ITERATIONS, STEP, TOLERANCE = 20, 1e-6, 1e-12


def closed_orbits(
    lattice: Lattice, delta: float, elements: list[int], time_limit_s: float, progress: Progress | None
) -> Floats:
    """Find the closed orbit (len(elements), 6) at the entrances of elements in beam order, at fixed `delta`, with ct 0.

    Newton's method with central differences. Raises TrackingError when there is no orbit.
    """
    table = TrackingTable(lattice, {}, False)
    with Runner(table, 1, time_limit_s, progress) as runner:
        orbit = np.zeros(4)
        change = 0.0
        for _ in range(ITERATIONS):
            particles = np.zeros((6, 9))
            particles[:4] = orbit[:, None]
            particles[4] = delta
            for axis in range(4):
                particles[axis, 1 + 2 * axis] += STEP
                particles[axis, 2 + 2 * axis] -= STEP
            blocks = ParticleBlocks(particles)
            runner.run(blocks, 0, table.kinds.size, 0, 1)
            if not blocks.alive.all():
                raise TrackingError(f"no closed orbit at delta {delta:g}: particles are lost beyond {NO_CHAMBER:g} m")
            after = blocks.coordinates()[:4]
            matrix = (after[:, 1::2] - after[:, 2::2]) / (2.0 * STEP)
            try:
                move = np.linalg.solve(np.eye(4) - matrix, after[:, 0] - orbit)
            except np.linalg.LinAlgError:
                raise TrackingError(f"no closed orbit at delta {delta:g}: a tune is an integer") from None
            orbit = orbit + move
            change = float(np.abs(move).max())
            if not change < NO_CHAMBER:
                break
            if change < TOLERANCE:
                return _walk(runner, orbit, delta, elements)
    raise TrackingError(f"no closed orbit at delta {delta:g}: Newton's last change was {change:.3g} m")


def _walk(runner: Runner, orbit: Floats, delta: float, elements: list[int]) -> Floats:
    blocks = ParticleBlocks(np.array([*orbit, delta, 0.0])[:, None])
    found = np.empty((len(elements), 6))
    row = 0
    for number, element in enumerate(elements):
        stop = int(runner.table.rows_before[element])
        runner.run(blocks, row, stop, 0, 1)
        found[number] = blocks.coordinates()[:, 0]
        row = stop
    found[:, 5] = 0.0
    return found
