"""The course that particles run: a ring's elements as rows of numbers, each with the cheapest pass that is exact."""

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import PARAMETERS, Bend, Cavity, Corrector, Multipole
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.ensembles.apertures import NO_CHAMBER, Apertures, Elliptic, check_names
from gnomon.propagator.ensembles.errors import TrackingError
from gnomon.propagator.ensembles.tracking_kernels import (
    CAVITY,
    CORRECTOR,
    COUPLED,
    DRIFT,
    GENERAL,
    LINEAR,
    PLACE,
    QUADRUPOLE,
    SEXTUPOLE,
    THIN,
    VALUES,
    frame_rows,
)
from gnomon.propagator.live.momentum_from_rf import path_difference

#: Strengths beyond which a number is a mistake and not a magnet.
HUGE = 1e12

#: Dipole terms by a sextupole term [m^2] from which the fast pass would lose digits of the sextupole's own kick.
FAR_ABOVE = 1.0


class TrackingTable:
    """A lattice, laid out for tracking; `rows_before[i]` rows come before element i (n+1 entries).

    `cavities` says whether cavities act; else they are drifts and the momentum stays. Raises TrackingError for an
    aperture of no element, a strength that is not finite, and for cavities that have no voltage anywhere.
    """

    def __init__(self, lattice: Lattice, apertures: Apertures, cavities: bool) -> None:
        ring = lattice.ring
        check_names(ring, apertures, "aperture")
        magnets = [i for i, e in enumerate(ring.elements) if isinstance(e, Multipole)]
        present = dict(zip(magnets, lattice.parameters(magnets), strict=True))
        kinds: list[int] = []
        slices: list[int] = []
        values: list[Floats] = []
        shapes: list[int] = []
        openings: list[tuple[float, float, float, float]] = []
        places: list[int] = []
        self.rows_before = np.zeros(len(ring.elements) + 1, dtype=np.int64)
        for index, design in enumerate(ring.elements):
            element = lattice.element(index) if isinstance(design, Cavity) else design
            aperture = apertures.get(element.name)
            row = np.zeros(VALUES)
            row[0] = element.length
            kind = DRIFT if element.length > 0.0 else PLACE
            if isinstance(element, Multipole):
                self._check(element.name, present[index])
                kind = _magnet(element, present[index], row)
            elif isinstance(element, Cavity) and cavities and element.voltage != 0.0:
                kind = CAVITY
                row[15:18] = _wave(lattice, element)
            if kind != PLACE or aperture is not None:
                kinds.append(kind)
                slices.append(element.slices if isinstance(element, Multipole) else 1)
                values.append(row)
                places.append(index)
                shapes.append(0 if aperture is None else 2 if isinstance(aperture, Elliptic) else 1)
                openings.append(
                    (NO_CHAMBER, NO_CHAMBER, 0.0, 0.0)
                    if aperture is None
                    else (aperture.half_x, aperture.half_y, aperture.x, aperture.y)
                )
            self.rows_before[index + 1] = len(kinds)
        if not kinds:
            raise TrackingError(f"{ring.name}: no element acts on a particle")
        if cavities and CAVITY not in kinds:
            raise TrackingError(f"{ring.name}: no cavity has a voltage; give one, or track without cavities")
        self.kinds: Integers = np.array(kinds, dtype=np.int64)
        self.slices: Integers = np.array(slices, dtype=np.int64)
        self.values: Floats = np.array(values)
        self.places: Integers = np.array(places, dtype=np.int64)
        self.shapes: Integers = np.array(shapes, dtype=np.int64)
        self.openings: Floats = np.array(openings)
        errors = np.array([present[i][10:13] if i in present else np.zeros(3) for i in places])
        angles = np.array([getattr(ring.elements[i], "angle", 0.0) for i in places])
        self.framed: Integers = np.where(np.any(errors != 0.0, axis=1), 1, 0).astype(np.int64)
        self.frames: Floats = frame_rows(self.framed, angles, errors)

    @staticmethod
    def _check(name: str, row: Floats) -> None:
        for parameter, value in zip(PARAMETERS, row.tolist(), strict=True):
            if not abs(value) < HUGE:
                raise TrackingError(f"{name} {parameter}: {value!r} is no strength of a magnet; set a finite value")


def _magnet(element: Multipole, row: Floats, out: Floats) -> int:
    """Fill a magnet's row; returns its kind."""
    length = element.length
    a, b = row[0:4], row[4:8]
    kick_x, kick_y = float(row[8]), float(row[9])
    if isinstance(element, Corrector):
        out[8:10] = kick_x, kick_y
        return CORRECTOR
    out[2:6], out[6:10] = b, a
    if length == 0.0:
        out[2] -= kick_x
        out[6] += kick_y
        return THIN
    out[2] -= np.sin(kick_x) / length
    out[6] += np.sin(kick_y) / length
    if isinstance(element, Bend):
        out[1] = element.angle / length
        out[10:15] = element.entrance_angle, element.exit_angle, element.gap, element.fint_entrance, element.fint_exit
    if out[5] != 0.0 or a[2] != 0.0 or a[3] != 0.0:
        return GENERAL
    if out[4] != 0.0:
        pure = out[1] == 0.0 and out[3] == 0.0 and a[1] == 0.0
        return SEXTUPOLE if pure and max(abs(out[2]), abs(out[6])) < FAR_ABOVE * abs(out[4]) else GENERAL
    if out[1] == 0.0 and out[2] == 0.0 and out[6] == 0.0:
        return QUADRUPOLE if a[1] == 0.0 else COUPLED
    return LINEAR


def _wave(lattice: Lattice, element: Cavity) -> tuple[float, float, float]:
    """Voltage by the beam's energy, frequency [Hz] and slip of the wave in a turn [m], all locked to the RF."""
    ring = lattice.ring
    if element.harmonic_number <= 0:
        raise TrackingError(f"{element.name} harmonic_number: {element.harmonic_number} must be positive to accelerate")
    frequency = lattice.rf_frequency * element.harmonic_number / ring.harmonic_number
    slip = path_difference(ring.harmonic_number, lattice.rf_frequency, ring.rf_reference)
    return element.voltage / lattice.energy_ev, frequency, slip
