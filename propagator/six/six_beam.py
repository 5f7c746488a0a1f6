"""Result of the six-dimensional search: the beam of a lattice with its cavities."""

from dataclasses import dataclass

from gnomon.propagator.compiled import Floats
from gnomon.propagator.six.six_modes import Complexes


@dataclass(frozen=True, slots=True, eq=False)
class SixDBeam:
    """The beam of one lattice with its cavities, at every element's entrance and at the ring's end (n+1 entries).

    `orbit` (n+1, 6) is x, px, y, py, delta, ct [m, rad, 1, m]; `one_turn` (6, 6) the one-turn matrix about it and
    `matrices` (n+1, 6, 6) those from the ring's start. `tunes` (3,) are those of the modes near x and y, with integer
    parts, and of the synchrotron mode; `damping_rates` (3,) the relative loss of amplitude per turn, 0 without
    radiation. `modes` (6, 3) are the complex eigenvectors at the start, normalised to v* S v = 2i (A. Wolski, Phys.
    Rev. ST Accel. Beams 9 (2006) 024001), the third with a tune below a half. `beta` [m], `alpha` (n+1, 2) and `phase`
    (n+1, 2) [turns] are those of mode 1 in x and mode 2 in y; `dispersion` (n+1, 4) [m, rad] is the synchrotron mode's
    <z delta>/<delta delta>. `synchronous_phase_rad` is the reference particle's phase in the fundamental cavities, from
    the rising zero of their voltage; `energy_loss_ev` the loss by `radiation` in a turn on the orbit; `voltage_v` the
    amplitude of the fundamental cavities' voltage. Arrays are read-only. Without a beam, `found` is False, `reason`
    says why, and numbers are NaN.
    """

    lattice_id: str
    found: bool
    reason: str
    radiation: bool
    voltage_v: float
    synchronous_phase_rad: float
    energy_loss_ev: float
    orbit: Floats
    one_turn: Floats
    matrices: Floats
    tunes: Floats
    damping_rates: Floats
    modes: Complexes
    beta: Floats
    alpha: Floats
    phase: Floats
    dispersion: Floats
