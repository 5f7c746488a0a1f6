"""Responses of the closed orbit to correctors and misalignments: to first order, exact about the present orbit."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import PARAMETERS, Multipole
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.compiled import Floats
from gnomon.propagator.derivatives.turn import POSITIONS, Knobs, Turn, beam_of
from gnomon.propagator.live.program import BEAM
from gnomon.propagator.propagator import Propagator

Hold = Literal["momentum", "frequency"]


@dataclass(frozen=True, slots=True, eq=False)
class OrbitResponse:
    """Response of the orbit at the monitors to knobs: `x` and `y` (monitors, knobs).

    `names` are the knobs', `parameters` theirs in `PARAMETERS`, `units` those of the matrices; `monitors` their
    elements. `delta` (knobs,) is the change of the momentum deviation by a unit of each, 0 where the momentum is held.
    "rf" "frequency" [Hz] is a knob of `frequency_response` alone.
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
    """The orbit response matrix [m/rad]: every corrector to every monitor.

    `hold` says what stays: the "momentum" deviation, or the RF "frequency", where a kick that lengthens the path
    changes the momentum instead: dC/dkick + (dC/ddelta) ddelta/dkick = 0. Sextupoles count with the orbit that there
    is, at the momentum deviation at which the propagator finds the beam: where the ring sits at this RF frequency if
    its `momentum` is "frequency", with errors too. Raises NoDerivative without a beam, or, for "frequency", without a
    chromatic propagator.
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
    """Return the response of orbit and momentum to the RF frequency f: one knob, in m/Hz and 1/Hz.

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
    """The orbit at the monitors by the offsets dx, dy [m/m] and the roll [m/rad] of every magnet, momentum held.

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
