"""The normal modes of the one-turn matrix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.propagator.generic.generic_errors import SeriesError

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Modes:
    """Fractional `tunes` (2,) and eigenvectors (4, 2); the first mode is the one that is mainly in x.

    For each eigenvector the sum of Re(x) Im(px) - Im(x) Re(px) over both planes is 1, so that |x|^2 is beta (A. Wolski,
    Phys. Rev. ST Accel. Beams 9 (2006) 024001).
    """

    tunes: Floats
    vectors: Complexes


def find_modes(matrix: Floats) -> Modes:
    """Find the modes of a stable matrix (4, 4). Raises SeriesError with the traces when it is not stable."""
    values, vectors = np.linalg.eig(matrix)
    if not np.all(np.abs(np.abs(values) - 1.0) < 1e-6):
        traces = f"{matrix[0, 0] + matrix[1, 1]:.6g} in x and {matrix[2, 2] + matrix[3, 3]:.6g} in y"
        raise SeriesError(f"no stable beam: the matrix of the turn has the traces {traces}, |trace| must be below 2")
    area = np.imag(np.conj(vectors[[0, 2]]) * vectors[[1, 3]])
    chosen = np.flatnonzero(area.sum(axis=0) > 0.0)
    if chosen.size != 2:
        raise SeriesError("no stable beam: a tune is an integer or half of one")
    if area[0, chosen[0]] / area[:, chosen[0]].sum() < area[0, chosen[1]] / area[:, chosen[1]].sum():
        chosen = chosen[::-1]
    tunes = np.angle(values[chosen]) / (2.0 * np.pi) % 1.0
    return Modes(tunes, vectors[:, chosen] / np.sqrt(area.sum(axis=0)[chosen]))
