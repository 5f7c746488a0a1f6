"""First-order responses of the closed orbit to correctors and misalignments, exact about the present orbit."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import PARAMETERS, Multipole
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.compiled import Floats
from gnomon.propagator.derivatives.linear_turn import POSITIONS, Knobs, Turn, beam_of
from gnomon.propagator.live.live_program import BEAM
from gnomon.propagator.propagator import Propagator

Hold = Literal["momentum", "frequency"]


@dataclass(frozen=True, slots=True, eq=False)
class OrbitResponse:
    """Response of the orbit at the monitors to knobs: `x` and `y` (monitors, knobs).

    `names` are the knobs' elements, `parameters` their parameters as in `PARAMETERS`, `units` the units of the
    matrices' columns, `monitors` the monitors' elements. `delta` (knobs,) is the change of the momentum deviation per
    unit of each knob, 0 if the momentum is held. The knob "rf" "frequency" [Hz] occurs only in `frequency_response`.
    """

    names: tuple[str, ...]
    parameters: tuple[str, ...]
    units: tuple[str, ...]
    monitors: tuple[str, ...]
    hold: Hold
    x: Floats
    y: Floats
    delta: Floats


def orbit_response(propagate: Propagator, lattice: Lattice, *, hold: Hold = "momentum") -> OrbitResponse:
    """Compute the orbit response matrix [m/rad] of all monitors to all correctors.

    `hold` names what stays constant: the "momentum" deviation, or the RF "frequency", in which case a kick that
    lengthens the path changes the momentum: dC/dkick + (dC/ddelta) ddelta/dkick = 0. The response is linear about the
    present orbit (in sextupoles too) and the momentum deviation that `propagate` finds; if its `momentum` is
    "frequency", that is the one that follows from the RF frequency, errors of the lattice included. Raises NoDerivative
    without a beam or, for "frequency", without a chromatic propagator.
    """
    chromatic = hold == "frequency"
    beam = beam_of(propagate, lattice, chromatic=chromatic)
    ring = lattice.ring
    kicks = [m for m in ring.magnets if m.main == "kick"]
    knobs = Knobs(
        np.array([m.element for m in kicks], dtype=np.int64), np.array([m.column for m in kicks], dtype=np.int64)
    )
    places = np.array(ring.monitors, dtype=np.int64)
    turn = Turn(propagate.program, BEAM)
    shift, _, _, path = turn.vary(knobs)
    (x, y), delta = turn.orbit_change(knobs.elements, shift, places, POSITIONS), np.zeros(len(kicks))
    if chromatic:
        path = turn.path_change(knobs.elements, shift, path)
        delta = -path / (beam.momentum_compaction * ring.circumference)
        x = x + beam.dispersion[places, :1] * delta
        y = y + beam.dispersion[places, 2:3] * delta
    return OrbitResponse(
        names=tuple(m.name for m in kicks),
        parameters=tuple(PARAMETERS[m.column] for m in kicks),
        units=("m/rad",) * len(kicks),
        monitors=tuple(bpm.name for bpm in ring.bpms),
        hold=hold,
        x=x,
        y=y,
        delta=delta,
    )


def frequency_response(propagate: Propagator, lattice: Lattice) -> OrbitResponse:
    """Compute the response of orbit and momentum to the RF frequency f: one knob, in m/Hz and 1/Hz.

    The circumference is h c / f, so ddelta/df = -(h c / f^2) / (dC/ddelta), and the orbit moves along the dispersion.
    Raises NoDerivative without a beam, or without a chromatic propagator.
    """
    beam, ring = beam_of(propagate, lattice, chromatic=True), lattice.ring
    places, frequency = np.array(ring.monitors, dtype=np.int64), lattice.rf_frequency
    path = -ring.harmonic_number * SPEED_OF_LIGHT / frequency**2
    delta = np.array([path / (beam.momentum_compaction * ring.circumference)])
    return OrbitResponse(
        names=("rf",),
        parameters=("frequency",),
        units=("m/Hz",),
        monitors=tuple(bpm.name for bpm in ring.bpms),
        hold="frequency",
        x=beam.dispersion[places, :1] * delta,
        y=beam.dispersion[places, 2:3] * delta,
        delta=delta,
    )


def misalignment_response(propagate: Propagator, lattice: Lattice) -> OrbitResponse:
    """Compute the response of the orbit to offsets dx, dy [m/m] and roll [m/rad] of all magnets, momentum held.

    Raises NoDerivative without a beam.
    """
    beam_of(propagate, lattice)
    ring = lattice.ring
    magnets = [i for i, e in enumerate(ring.elements) if isinstance(e, Multipole)]
    kinds = {"dx": "m/m", "dy": "m/m", "roll": "m/rad"}
    pairs = [(i, name) for name in kinds for i in magnets]
    knobs = Knobs(
        np.array([i for i, _ in pairs], dtype=np.int64),
        np.array([PARAMETERS.index(name) for _, name in pairs], dtype=np.int64),
    )
    turn = Turn(propagate.program, BEAM)
    places = np.array(ring.monitors, dtype=np.int64)
    x, y = turn.orbit_change(knobs.elements, turn.displace(knobs), places, POSITIONS)
    return OrbitResponse(
        names=tuple(ring.elements[i].name for i, _ in pairs),
        parameters=tuple(name for _, name in pairs),
        units=tuple(kinds[name] for _, name in pairs),
        monitors=tuple(bpm.name for bpm in ring.bpms),
        hold="momentum",
        x=x,
        y=y,
        delta=np.zeros(len(pairs)),
    )
