"""The aperture study: dynamic aperture at several momenta and momentum aperture along the ring, as data and picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.lattice import Lattice
from gnomon.propagator.ensembles.aperture_search import has_voltage
from gnomon.propagator.ensembles.apertures import Apertures
from gnomon.propagator.ensembles.dynamic_aperture import DynamicAperture, dynamic_aperture
from gnomon.propagator.ensembles.errors import TrackingError, checked_count
from gnomon.propagator.ensembles.momentum_aperture import MomentumAperture, momentum_aperture
from gnomon.propagator.warmup import Progress


@dataclass(frozen=True, slots=True)
class ApertureStudy:
    """What `aperture_study` found of a lattice of `machine`; `momentum` is None when no place was asked for."""

    machine: str
    lattice_id: str
    dynamic: tuple[DynamicAperture, ...]
    momentum: MomentumAperture | None

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON's types: lengths in m, momenta relative."""
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
    """Dynamic aperture at `deltas` (momentum fixed), and momentum aperture at `places` elements spread over the ring.

    The momentum aperture is found with cavities when one has a voltage. `time_limit_s` holds for each part. Raises
    TrackingError as `dynamic_aperture` and `momentum_aperture` do.
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


def plot_aperture(study: ApertureStudy, path: str | Path) -> None:
    """Draw a study to a file; its ending says the format. Raises TrackingError when matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise TrackingError("a plot needs matplotlib: pip install matplotlib, or ask for data alone") from None
    panels = bool(study.dynamic) + (study.momentum is not None)
    figure = Figure(figsize=(6.4 * panels, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(np.atleast_1d(np.asarray(figure.subplots(1, panels), dtype=object)))
    if study.dynamic:
        _draw_dynamic(figure, axes.pop(0), study)
    if study.momentum is not None:
        _draw_momentum(axes.pop(0), study.momentum)
    figure.savefig(path, dpi=120)


def _draw_dynamic(figure: Any, axis: Any, study: ApertureStudy) -> None:
    first = study.dynamic[0]
    dots = axis.scatter(1e3 * first.tried_x, 1e3 * first.tried_y, c=first.lasted, s=9, cmap="viridis", linewidths=0)
    figure.colorbar(dots, ax=axis, label=f"turns survived at δ = {first.delta:g}")
    for number, part in enumerate(study.dynamic):
        color = f"C{number + 1}"
        axis.plot(1e3 * part.x, 1e3 * part.y, "-", color=color, label=f"δ = {part.delta:g}")
        axis.plot(1e3 * part.x[~part.open], 1e3 * part.y[~part.open], "o", color=color, ms=3)
        axis.plot(1e3 * part.x[part.open], 1e3 * part.y[part.open], "^", color=color, ms=6, mfc="none")
    if any(part.open.any() for part in study.dynamic):
        axis.plot([], [], "^", color="0.3", mfc="none", label="end of the search")
    axis.set(xlabel="x - orbit (mm)", ylabel="y - orbit (mm)", ylim=(0.0, None))
    axis.set_title(f"{study.machine}: dynamic aperture, {first.turns} turns")
    axis.legend(loc="upper right")


def _draw_momentum(axis: Any, part: MomentumAperture) -> None:
    axis.plot(part.s, 1e2 * part.positive, "o-", ms=3, color="C0")
    axis.plot(part.s, 1e2 * part.negative, "o-", ms=3, color="C3")
    axis.axhline(0.0, color="0.5", lw=0.8)
    axis.set(xlabel="s (m)", ylabel="momentum deviation (%)")
    axis.set_title(f"momentum aperture, {part.turns} turns, {'with' if part.cavities else 'without'} cavities")
