"""All observables of a ring, in the order of a band, and the values of those that only a model shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Ring
from gnomon.propagator import BeamState
from gnomon.recorder.bounds.band import Kind, Observable
from gnomon.recorder.bounds.straights import Straight, straights_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Observables:
    """Observables of a ring: those that are measured, then those at sources, of the optics, and of the chamber.

    `measured`, `sources`, `optics` and `aperture` are the slices of the four parts. `beta` (monitors, 2) [m] is that of
    the design, from which beta beating counts.
    """

    ring: Ring
    all: tuple[Observable, ...]
    measured: slice
    sources: slice
    optics: slice
    aperture: slice
    straights: tuple[Straight, ...]
    beta: Floats

    def optics_values(self, beam: BeamState) -> Floats:
        """Compute the values of the optics' part (k,): beta beating [%], dispersion [m], chromaticities, coupling."""
        places = list(self.ring.monitors)
        beating = 1e2 * (beam.beta[places] / self.beta - 1.0)
        dispersion = beam.dispersion[places][:, ::2]
        return np.concatenate((beating.T.ravel(), dispersion.T.ravel(), beam.chromaticity, [coupling(beam)]))


def measured_observables(monitors: Sequence[str]) -> tuple[Observable, ...]:
    """List what a machine with these monitors shows, in the order of a `Reading`."""
    return (
        *(Observable(f"orbit_x:{name}", Kind.ORBIT_X, "mm", name) for name in monitors),
        *(Observable(f"orbit_y:{name}", Kind.ORBIT_Y, "mm", name) for name in monitors),
        *(Observable(f"tune_{plane}", Kind.TUNE, "") for plane in "xy"),
    )


def observables_of(ring: Ring, beta: Floats, *, chamber: bool) -> Observables:
    """List the observables; those of the chamber only if its size is known."""
    monitors = [bpm.name for bpm in ring.bpms]
    straights = straights_of(ring)
    names = [straight.name for straight in straights]
    measured = measured_observables(monitors)
    sources = [
        *(Observable(f"source_x:{name}", Kind.SOURCE_X, "mm", name) for name in names),
        *(Observable(f"source_angle_x:{name}", Kind.SOURCE_ANGLE_X, "mrad", name) for name in names),
        *(Observable(f"source_y:{name}", Kind.SOURCE_Y, "mm", name) for name in names),
        *(Observable(f"source_angle_y:{name}", Kind.SOURCE_ANGLE_Y, "mrad", name) for name in names),
    ]
    optics = [
        *(Observable(f"beta_beating_{p}:{name}", Kind.BETA_BEATING, "%", name) for p in "xy" for name in monitors),
        *(Observable(f"dispersion_{p}:{name}", Kind.DISPERSION, "m", name) for p in "xy" for name in monitors),
        *(Observable(f"chromaticity_{plane}", Kind.CHROMATICITY, "") for plane in "xy"),
        Observable("coupling", Kind.COUPLING, ""),
    ]
    aperture = [Observable(f"aperture_{plane}", Kind.APERTURE, "mm") for plane in "xy"] if chamber else []
    ends = np.cumsum([len(part) for part in (measured, sources, optics, aperture)]).tolist()
    return Observables(
        ring,
        (*measured, *sources, *optics, *aperture),
        slice(0, ends[0]),
        slice(ends[0], ends[1]),
        slice(ends[1], ends[2]),
        slice(ends[2], ends[3]),
        straights,
        beta,
    )


def coupling(beam: BeamState) -> float:
    """Compute the closest approach of the tunes |C-| from the one-turn matrix [[A, B], [C, D]].

    With H = C + B^+, where B^+ is B's symplectic conjugate, it is sqrt|det H| / (pi (sin 2 pi Qx + sin 2 pi Qy)), the
    distance of the tunes where the traces of A and D are equal (D. Sagan, D. Rubin, PRST-AB 2 (1999) 074001).
    """
    turn = beam.one_turn
    b = turn[:2, 2:]
    conjugate = np.array([[b[1, 1], -b[0, 1]], [-b[1, 0], b[0, 0]]])
    determinant = float(np.linalg.det(turn[2:, :2] + conjugate))
    sines = abs(np.sin(2.0 * np.pi * beam.tune[0])) + abs(np.sin(2.0 * np.pi * beam.tune[1]))
    return float(np.sqrt(abs(determinant)) / (np.pi * sines)) if sines else float("inf")
