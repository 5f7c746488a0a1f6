"""Groups of quadrupoles for beam based alignment: one alone, or several whose gradients change at the same time. Pure.

Quadrupoles of a group change by patterns of signs that are orthogonal, each followed by its opposite: what the orbit
does with the signs of one is its effect, and what even powers and products of changes do is the same for both opposites
and drops out. Steps are so small that cubes do not count. One orbit is steered for a whole group, by supplies that move
the beam in all of its quadrupoles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

from gnomon.lattice import Lattice
from gnomon.procedures.alignment_model import AlignmentSteerers, Movements, movements
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import supply_response

__all__ = ["ALONE", "ROOM", "AlignmentGroup", "QuadrupoleChange", "alignment_groups", "sign_rows"]

Array = NDArray[np.float64]

#: Changes of a quadrupole alone, in units of its step: both ways, and none twice, which tells the noise.
ALONE = np.array([[1.0], [0.0], [0.0], [-1.0]])
#: Movement of the beam in a quadrupole of a group at least, relative to that in the one where it is largest.
SHARE = 0.4
#: Shift of a tune by a whole group at most, and a number that stands for none.
ROOM, TINY = 0.015, 1e-300
#: Number of choices of signs that are tried, drawn by a fixed seed.
TRIALS = 400


@dataclass(frozen=True, slots=True)
class QuadrupoleChange:
    """The way to change one quadrupole: its supply, or the multiplexer's, and the step, in the supply's unit."""

    quadrupole: str
    supply: str
    by_multiplexer: bool
    step: float


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentGroup:
    """Quadrupoles that change together, and the steerers that move the beam in them.

    `rows` (rows, changes) are the changes of each, in units of its step. `steerers` have the movement in the quadrupole
    where it is smallest.
    """

    changes: tuple[QuadrupoleChange, ...]
    rows: Array
    steerers: AlignmentSteerers

    @property
    def steps(self) -> Array:
        """The largest change of each (changes,), in its supply's unit."""
        largest: Array = np.abs(self.rows).max(axis=0)
        return largest * [change.step for change in self.changes]


def alignment_groups(
    lattice: Lattice, changes: Sequence[QuadrupoleChange], together: int = 1
) -> tuple[AlignmentGroup, ...]:
    """Make groups of at most `together` quadrupoles, all of which the same steerers move enough; some are smaller."""
    moves = movements(lattice, tuple(change.quadrupole for change in changes))
    if together == 1:
        return tuple(_alone(change, moves, number) for number, change in enumerate(changes))
    supplies = tuple(change.supply for change in changes)
    tunes = supply_response(Propagator(lattice.ring), lattice, supplies, places=()).tune
    shifts = tunes * [change.step for change in changes]
    found = []
    for members, steerers in _shared(moves, together):
        chosen = tuple(changes[number] for number in members)
        if len(members) == 1:
            found.append(_alone(chosen[0], moves, members[0]))
        else:
            found.append(AlignmentGroup(chosen, sign_rows(shifts[:, members]), steerers))
    return tuple(found)


def sign_rows(shifts: Array) -> Array:
    """Plan changes (rows, n) of n quadrupoles, in units of their steps, from the shifts of the tunes (2, n) by these.

    Rows are n or more orthogonal patterns of signs, each followed by its opposite, between two rows without a change.
    Large steps are made smaller, so that all quadrupoles shift a tune alike and together by ROOM at most: cubes of
    changes, which opposites do not tell from the changes, stay small.
    """
    count = shifts.shape[1]
    share = np.minimum(1.0, ROOM / np.sqrt(count) / np.maximum(np.abs(shifts).max(axis=0), TINY))
    order = 1 << (count - 1).bit_length()
    # The first column, which has one sign throughout, is only used where all are.
    patterns = hadamard(order)[:, order - count :].astype(float)
    flips = np.random.default_rng(0).choice((-1.0, 1.0), (TRIALS, count))
    largest = np.abs(np.einsum("rn,tn,pn->trp", patterns, flips, shifts * share)).max(axis=(1, 2))
    best = int(largest.argmin())
    factor = min(1.0, ROOM / max(float(largest[best]), TINY))
    signed = factor * share * patterns * flips[best]
    none = np.zeros((1, count))
    return np.vstack((none, np.stack((signed, -signed), axis=1).reshape(-1, count), none))


def _alone(change: QuadrupoleChange, moves: Movements, number: int) -> AlignmentGroup:
    return AlignmentGroup((change,), ALONE, moves.best(number))


def _shared(moves: Movements, together: int) -> list[tuple[list[int], AlignmentSteerers]]:
    """Share quadrupoles out to groups: the pair of steerers that moves most of them enough, then of those left."""
    size = np.where(moves.elsewhere, np.abs(moves.mm_per_unit), 0.0)
    left = np.ones(size.shape[1], dtype=bool)
    found = []
    while left.any():
        relative = np.where(left[:, None], size / np.maximum(size.max(axis=1, keepdims=True), TINY), 0.0)
        pairs = np.minimum(relative[0][:, :, None], relative[1][:, None, :])
        enough = pairs >= SHARE
        count = np.minimum(enough.sum(axis=0), together)
        # Patterns are orthogonal in powers of two: with fewer quadrupoles than that, readings are wasted.
        count = np.exp2(np.floor(np.log2(np.maximum(count, 1)))) * (count > 0)
        # Of pairs that move equally many, the one that moves them most.
        score = count + np.where(enough, pairs, 0.0).sum(axis=0) / (1.0 + enough.sum(axis=0))
        x, y = np.unravel_index(int(score.argmax()), score.shape)
        order = np.argsort(-pairs[:, x, y], kind="stable")[: int(count[x, y])]
        members = sorted(int(q) for q in order) if count[x, y] else [int(np.flatnonzero(left)[0])]
        left[members] = False
        smallest = tuple(float(size[plane, members, s].min()) for plane, s in ((0, x), (1, y)))
        found.append((members, AlignmentSteerers((moves.steerers[x], moves.steerers[y]), (smallest[0], smallest[1]))))
    return found
