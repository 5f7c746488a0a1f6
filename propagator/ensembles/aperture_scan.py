"""The aperture study as data: dynamic aperture at several momenta, and momentum aperture along the ring."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.lattice import Lattice
from gnomon.propagator.ensembles.aperture_search import has_voltage
from gnomon.propagator.ensembles.apertures import Apertures
from gnomon.propagator.ensembles.dynamic_aperture import DynamicAperture, dynamic_aperture
from gnomon.propagator.ensembles.momentum_aperture import MomentumAperture, momentum_aperture
from gnomon.propagator.ensembles.tracking_errors import TrackingError, checked_count
from gnomon.propagator.warmup import Progress


@dataclass(frozen=True, slots=True)
class ApertureStudy:
    """Result of `aperture_study` for a lattice of `machine`; `momentum` is None if no place was asked for."""

    machine: str
    lattice_id: str
    dynamic: tuple[DynamicAperture, ...]
    momentum: MomentumAperture | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as types of JSON: lengths in m, momenta relative."""
        return {
            "machine": self.machine,
            "lattice_id": self.lattice_id,
            "dynamic_aperture": [part.to_dict() for part in self.dynamic],
            "momentum_aperture": None if self.momentum is None else self.momentum.to_dict(),
        }


def aperture_study(
    lattice: Lattice,
    *,
    turns: int = 500,
    deltas: Sequence[float] = (0.0,),
    extent_m: tuple[float, float] = (0.04, 0.02),
    angles: int = 19,
    places: int = 24,
    limit: float = 0.1,
    apertures: Apertures | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    time_limit_s: float = 600.0,
) -> ApertureStudy:
    """Find the dynamic aperture at `deltas` (momentum fixed), and the momentum aperture at `places` elements.

    These are spread over the ring. Cavities act on the momentum aperture if one has a voltage. `time_limit_s` applies
    to each part. Raises TrackingError as `dynamic_aperture` and `momentum_aperture` do.
    """
    checked_count("places", places, 0, 100_000)
    if not deltas and not places:
        raise TrackingError("aperture study: neither a momentum for the dynamic nor a place for the momentum aperture")
    dynamic = tuple(
        dynamic_aperture(
            lattice, turns=turns, delta=delta, extent_m=extent_m, angles=angles, apertures=apertures, threads=threads,
            progress=progress, time_limit_s=time_limit_s,
        )
        for delta in deltas
    )  # fmt: skip
    momentum = None
    if places:
        ring = lattice.ring
        wanted = ring.circumference * np.arange(places) / places
        indices = np.clip(np.searchsorted(ring.s, wanted), 0, len(ring.elements) - 1)
        names = [ring.elements[i].name for i in dict.fromkeys(indices.tolist())]
        momentum = momentum_aperture(
            lattice, names, turns=turns, limit=limit, apertures=apertures, cavities=has_voltage(lattice),
            threads=threads, progress=progress, time_limit_s=time_limit_s,
        )  # fmt: skip
    return ApertureStudy(lattice.ring.name, lattice.id, dynamic, momentum)
