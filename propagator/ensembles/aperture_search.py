"""Search for the edge of survival along lines from the closed orbit."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import Cavity
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.ensembles.ensemble import Losses
from gnomon.propagator.ensembles.lanes import LANES
from gnomon.propagator.ensembles.tracking import ParticleBlocks, Runner
from gnomon.propagator.warmup import Progress

#: Particles on a line (two lines fill a block), and how often the interval with the edge is refined.
STEPS, ROUNDS = LANES // 2, 2

#: Offset in x and y [m] of all particles from their line, so that resonances of both planes act.
TOUCH = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The edge on each line, and the losses of the first round.

    `fraction` (lines,) is the part of the line that survived; `open` (lines,) is True for a line without a loss.
    `tried` (lines, STEPS) are the fractions of the first round, `lasted` (lines, STEPS) the turns that each survived.
    """

    fraction: Floats
    open: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
    tried: Floats
    lasted: Integers


def find_edges(
    runner: Runner,
    lines: int,
    place: Callable[[Floats], ParticleBlocks],
    turns: int,
    bucket_m: float,
    what: str,
    progress: Progress | None,
) -> Edges:
    """Search all lines together; `place` makes particles from fractions (lines, STEPS), line after line.

    The edge is the last particle before the first loss, so islands beyond it do not count. A particle whose ct at the
    end is more than `bucket_m` away has left its bucket and counts as lost.
    """
    low, width = np.zeros(lines), 1.0
    tried, lasted = np.empty((lines, STEPS)), np.empty((lines, STEPS), dtype=np.int64)
    whole = np.zeros(lines, dtype=np.bool_)
    for number in range(ROUNDS):
        parts = STEPS if number == 0 else STEPS + 1
        fractions = np.minimum(1.0, low[:, None] + width * np.arange(1, STEPS + 1) / parts)
        blocks = place(fractions)
        runner.turns(blocks, turns, progress, f"{what}, round {number + 1} of {ROUNDS}")
        alive = (blocks.alive & (np.abs(blocks.coordinates()[5]) <= bucket_m)).reshape(lines, STEPS)
        good = np.cumprod(alive, axis=1).sum(axis=1)
        if number == 0:
            whole = good == STEPS
            tried, lasted = fractions, _lasted(blocks.losses(), turns, lines)
        low = np.minimum(1.0, low + width * good / parts)
        width /= parts
    return Edges(low, whole, tried, lasted)


def _lasted(losses: Losses, turns: int, lines: int) -> Integers:
    lasted = np.full(lines * STEPS, turns, dtype=np.int64)
    lasted[losses.particle] = losses.turn
    return lasted.reshape(lines, STEPS)


def half_bucket(lattice: Lattice, cavities: bool) -> float:
    """Return half the length [m] of a bucket at the lowest cavity frequency; infinity without cavities."""
    numbers = [cavity.harmonic_number for cavity in _powered(lattice)]
    if not cavities or not numbers:
        return float("inf")
    frequency = lattice.rf_frequency * min(numbers) / lattice.ring.harmonic_number
    return 0.5 * SPEED_OF_LIGHT / frequency


def has_voltage(lattice: Lattice) -> bool:
    """Return True if any cavity of the lattice has a voltage."""
    return bool(_powered(lattice))


def _powered(lattice: Lattice) -> list[Cavity]:
    present = (lattice.element(i) for i, e in enumerate(lattice.ring.elements) if isinstance(e, Cavity))
    return [cavity for cavity in present if isinstance(cavity, Cavity) and cavity.voltage != 0.0]
