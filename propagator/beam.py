"""What the propagator finds: the beam of one version of the lattice, or why there is none."""

from dataclasses import dataclass

from gnomon.propagator.compiled import Floats


@dataclass(frozen=True, slots=True, eq=False)
class BeamState:
    """The beam of one lattice, at every element's entrance and at the ring's end (n+1 entries).

    `delta` is the momentum deviation that the RF frequency asks for. `orbit` (n+1, 4) is x, px, y, py [m, rad];
    `one_turn` (4, 4) the matrix of the turn about it; `tune` (2,) has its integer part; `beta` [m] and `alpha`
    (n+1, 2) belong to mode 1 in x and mode 2 in y; `phase` (n+1, 2) is in turns from the ring's start; `dispersion`
    (n+1, 4) is the orbit's derivative by delta [m, rad]; `chromaticity` (2,) the tunes'; `momentum_compaction` that of
    the circumference, relative. Arrays are read-only. Without a beam, `found` is False, `reason` says why, and all
    other numbers but `delta` are NaN. A propagator may have been asked for less (`Propagator`).
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
