"""The propagator's result: the beam of one version of the lattice, or the reason why there is none."""

from dataclasses import dataclass

from gnomon.propagator.compiled import Floats


@dataclass(frozen=True, slots=True, eq=False)
class BeamState:
    """The beam of one lattice, at every element's entrance and at the ring's end (n+1 entries).

    `delta` is the momentum deviation that follows from the RF frequency. `orbit` (n+1, 4) is x, px, y, py [m, rad],
    `one_turn` (4, 4) the one-turn matrix about it. `tune` (2,) includes the integer part. `beta` [m] and `alpha`
    (n+1, 2) are those of mode 1 in x and mode 2 in y; `phase` (n+1, 2) [turns] starts at the ring's start. With
    respect to delta, `dispersion` (n+1, 4) [m, rad] is the derivative of the orbit, `chromaticity` (2,) that of the
    tunes, and `momentum_compaction` the relative derivative of the circumference. Arrays are read-only. Without a beam,
    `found` is False, `reason` says why, and all other numbers except `delta` are NaN. Quantities that the propagator
    was not asked for are NaN too (`Propagator`).
    """

    lattice_id: str
    found: bool
    reason: str
    delta: float
    orbit: Floats
    one_turn: Floats
    tune: Floats
    beta: Floats
    alpha: Floats
    phase: Floats
    dispersion: Floats
    chromaticity: Floats
    momentum_compaction: float
