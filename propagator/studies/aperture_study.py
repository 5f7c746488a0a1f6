"""The result of an aperture study, ready to be written."""

import numpy as np

from gnomon.lattice import Lattice
from gnomon.propagator.ensembles.aperture_scan import ApertureStudy
from gnomon.propagator.studies.result_files import Quantity, StudyResult
from gnomon.propagator.studies.study_parts import facts_of


def aperture_result(found: ApertureStudy, lattice: Lattice, origin: str) -> StudyResult:
    """Make the result of an aperture study; `origin` is the source of the lattice's settings."""
    names: dict[str, tuple[str, ...]] = {"momentum": tuple(f"{part.delta:g}" for part in found.dynamic)}
    quantities: dict[str, Quantity] = {}
    for part in found.dynamic:
        label = f"dynamic aperture at delta {part.delta:g}"
        quantities[f"{label}, x"] = Quantity(part.x, "m", ("angle",))
        quantities[f"{label}, y"] = Quantity(part.y, "m", ("angle",))
        quantities[f"{label}, ended by the search"] = Quantity(part.open, "1", ("angle",))
        quantities[f"{label}, area"] = Quantity(np.array(part.area), "m^2")
    if found.momentum is not None:
        names["place"] = found.momentum.elements
        for name in ("s", "negative", "positive"):
            unit = "m" if name == "s" else "1"
            quantities[f"momentum aperture, {name}"] = Quantity(getattr(found.momentum, name), unit, ("place",))
    return StudyResult("aperture", facts_of(lattice, origin), names, quantities)
