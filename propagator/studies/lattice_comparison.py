"""Two versions of a ring's lattice side by side: tunes, chromaticities, beta beating, orbit, dispersion, settings."""

from dataclasses import dataclass

import numpy as np

from gnomon._version import __version__
from gnomon.lattice import Key, Lattice
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.compiled import Floats
from gnomon.propagator.studies.fixed_momentum import Inside, optics_inside
from gnomon.propagator.studies.result_files import Quantity, StudyError, StudyResult
from gnomon.propagator.studies.study_parts import stored_beam

#: Maximum difference of positions that count as equal [m].
SAME_M = 1e-6


@dataclass(frozen=True, slots=True)
class Version:
    """One side of a comparison: a lattice, and the source of its settings."""

    lattice: Lattice
    origin: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A setting that differs, in its unit."""

    key: Key
    unit: str
    first: float
    second: float


def study_comparison(first: Version, second: Version) -> StudyResult:
    """Compare two lattices of rings with the same elements; changes are from the first to the second.

    Beta beating is beta2 / beta1 - 1. Raises StudyError for rings that differ, or if either has no beam.
    """
    _check_same_elements(first.lattice, second.lattice)
    a, b = (stored_beam(Propagator(v.lattice.ring), v.lattice) for v in (first, second))
    settings = changed_settings(first.lattice, second.lattice)
    ring = first.lattice.ring
    monitors = list(ring.monitors)
    s, curves = _along(first.lattice, second.lattice, a, b)
    at_monitors = {name: change[monitors] for name, change in _changes(a, b).items()}
    sides, mode, plane = ("side",), ("side", "mode"), ("monitors", "plane")
    return StudyResult(
        study="compare",
        facts={
            "machine": ring.name,
            "settings": f"from {first.origin} to {second.origin}",
            "lattice": second.lattice.id,
            "first lattice": first.lattice.id,
            "gnomon": __version__,
        },
        names={
            "side": (first.origin, second.origin),
            "mode": ("1 (x)", "2 (y)"),
            "plane": ("x", "y"),
            "monitors": tuple(bpm.name for bpm in ring.bpms),
            "setting": tuple(" ".join(change.key) for change in settings),
            "setting unit": tuple(change.unit for change in settings),
        },
        quantities={
            "tune": Quantity(np.array([a.tune, b.tune]), "1", mode),
            "chromaticity": Quantity(np.array([a.chromaticity, b.chromaticity]), "1", mode),
            "momentum deviation": Quantity(np.array([a.delta, b.delta]), "1", sides),
            "momentum compaction": Quantity(np.array([a.momentum_compaction, b.momentum_compaction]), "1", sides),
            "beta beating": Quantity(at_monitors["beta"], "1", plane),
            "orbit change": Quantity(at_monitors["orbit"], "m", plane),
            "dispersion change": Quantity(at_monitors["dispersion"], "m", plane),
            "point s": Quantity(s, "m", ("point",)),
            "point beta beating": Quantity(curves["beta"], "1", ("point", "plane")),
            "point orbit change": Quantity(curves["orbit"], "m", ("point", "plane")),
            "point dispersion change": Quantity(curves["dispersion"], "m", ("point", "plane")),
            "setting first": Quantity(np.array([c.first for c in settings]), "as setting unit", ("setting",)),
            "setting second": Quantity(np.array([c.second for c in settings]), "as setting unit", ("setting",)),
        },
    )


def changed_settings(first: Lattice, second: Lattice) -> tuple[Changed, ...]:
    """List the stored settings that differ, in the order of the ring's properties: a trim, but not the sum with it."""
    found = []
    for key, spec in first.ring.properties.items():
        stored = spec.slot is not None and spec.setting == spec.property
        if stored and key in second.ring.properties and first[key] != second[key]:
            found.append(Changed(key, spec.unit, first[key], second[key]))
    return tuple(found)


def _check_same_elements(first: Lattice, second: Lattice) -> None:
    a, b = first.ring, second.ring
    if a.digest == b.digest:
        return
    same = [e.name for e in a.elements] == [e.name for e in b.elements]
    if not same or not np.allclose(a.s, b.s, rtol=0.0, atol=SAME_M) or a.monitors != b.monitors:
        raise StudyError(f"{a.name} and {b.name} have different elements: they cannot be compared")


def _along(first: Lattice, second: Lattice, a: BeamState, b: BeamState) -> tuple[Floats, dict[str, Floats]]:
    """Compute changes inside elements too, or only at their ends if the two are cut differently (displaced magnets)."""
    inside = [optics_inside(lattice, beam) for lattice, beam in ((first, a), (second, b))]
    if inside[0].s.shape == inside[1].s.shape and np.allclose(inside[0].s, inside[1].s, rtol=0.0, atol=SAME_M):
        return inside[0].s, _changes(*inside)
    return first.ring.s, _changes(a, b)


def _changes(a: BeamState | Inside, b: BeamState | Inside) -> dict[str, Floats]:
    return {
        "beta": b.beta / a.beta - 1.0,
        "orbit": (b.orbit - a.orbit)[:, ::2],
        "dispersion": (b.dispersion - a.dispersion)[:, ::2],
    }
