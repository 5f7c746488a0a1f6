"""The normal modes of a turn in six dimensions, and their optics around the ring.

Eigenvectors v of the turn, normalised to v* S v = 2i with the symplectic form S of (x, px), (y, py), (delta, ct), give
beta = |v_x|^2, alpha = -Re(v_x conj v_px), the phase arg v_x, and the synchrotron mode's dispersion (A. Wolski, Phys.
Rev. ST Accel. Beams 9 (2006) 024001), as in pyAT's linopt6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.propagator.compiled import Floats
from gnomon.propagator.six import six_kernels as kernels

Complexes = NDArray[np.complex128]

#: A mode is unstable if its eigenvalue's modulus exceeds 1 by this, which is far above rounding.
GROWTH = 1e-6

NAMES = ("1 (horizontal)", "2 (vertical)", "3 (synchrotron)")


@dataclass(frozen=True, slots=True)
class Modes:
    """Eigenvalues (3,) and normalised eigenvectors (6, 3) in the order x, y, synchrotron; `reason` if unstable.

    `slow` is True if only the synchrotron mode is unstable.
    """

    values: Complexes
    vectors: Complexes
    reason: str = ""
    slow: bool = False


def find_modes(turn: Floats) -> Modes:
    """Find the modes of a one-turn matrix (6, 6), with the reason if one of them is unstable."""
    values, vectors = np.linalg.eig(turn)
    values, vectors = values.astype(np.complex128), vectors.astype(np.complex128)
    share = (vectors[0::2].conj() * vectors[1::2]).imag
    form = 2.0 * share.sum(axis=0)
    sizes = np.abs(form)
    unstable = np.flatnonzero((np.abs(values) > 1.0 + GROWTH) | (sizes < 1e-12))
    if unstable.size:
        worst = unstable[np.argmax(np.abs(values[unstable]))]
        planes = np.array([np.linalg.norm(vectors[2 * k : 2 * k + 2, worst]) for k in range(2)])
        mode = int(np.argmax(planes)) if np.abs(vectors[4, worst]) < 0.1 * planes.max() else 2
        trace = (values[worst] + 1.0 / values[worst]).real
        kept = np.empty(0, dtype=np.complex128)
        return Modes(
            kept, kept, f"no stable beam: mode {NAMES[mode]} has the trace {trace:.6g}, |trace| must be below 2",
            mode == 2,
        )  # fmt: skip
    positive = np.flatnonzero(form > 0.0)
    if positive.size != 3:
        empty = np.empty(0, dtype=np.complex128)
        return Modes(empty, empty, "no stable beam: two tunes coincide on a sum resonance")
    shares = np.abs(share * (2.0 / sizes)).tolist()
    left = positive.tolist()
    order: list[int] = []
    for plane in (2, 0, 1):
        order.append(max(left, key=shares[plane].__getitem__))
        left.remove(order[-1])
    order = [order[1], order[2], order[0]]
    values, vectors = values[order], vectors[:, order] * np.sqrt(2.0 / sizes[order])
    if values[2].imag < 0.0:
        values[2], vectors[:, 2] = values[2].conj(), vectors[:, 2].conj()
    return Modes(values, vectors)


@dataclass(frozen=True, slots=True)
class Optics:
    """Optics of the modes at n+1 places, as `SixDBeam` holds them."""

    tunes: Floats
    beta: Floats
    alpha: Floats
    phase: Floats
    dispersion: Floats


def find_optics(modes: Modes, flat: Floats) -> Optics:
    """Compute the optics at all elements from the matrices (n+1, 48) from the ring's start, 6 rows of 8."""
    n = len(flat)
    beta, alpha, phase, dispersion = np.empty((n, 2)), np.empty((n, 2)), np.empty((n, 2)), np.empty((n, 4))
    vectors = np.ascontiguousarray(np.concatenate([modes.vectors.real, modes.vectors.imag], axis=1))
    kernels.record_modes(flat, vectors, beta, alpha, phase, dispersion)
    tunes = np.angle(modes.values) / (2.0 * np.pi) % 1.0
    tunes[:2] += np.round(phase[-1] - tunes[:2])
    return Optics(tunes, beta, alpha, phase, dispersion)
