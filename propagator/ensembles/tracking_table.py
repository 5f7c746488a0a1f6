"""A ring's elements as rows of numbers for tracking, each with the fastest pass that is exact for it."""

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import PARAMETERS, Bend, Cavity, Corrector, Multipole
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.ensembles.apertures import NO_CHAMBER, Apertures, Elliptic, check_names
from gnomon.propagator.ensembles.tracking_errors import TrackingError
from gnomon.propagator.ensembles.tracking_kernels import (
    A1,
    A2,
    A3,
    A4,
    B1,
    B2,
    B3,
    B4,
    CAVITY,
    CORRECTOR,
    COUPLED,
    CURVATURE,
    DRIFT,
    EDGES_END,
    ELLIPSE,
    ENTRANCE,
    FIELDS_END,
    GENERAL,
    KICK_X,
    KICK_Y,
    LENGTH,
    LINEAR,
    NO_APERTURE,
    PLACE,
    QUADRUPOLE,
    RECTANGLE,
    SEXTUPOLE,
    THIN,
    VALUES,
    VOLTAGE,
    WAVE_END,
    frame_rows,
)
from gnomon.propagator.live import affine_maps
from gnomon.propagator.live.momentum_from_rf import path_difference

#: A strength above this is a mistake.
HUGE = 1e12

#: Ratio of dipole to sextupole terms [m^2] above which the fast pass would lose digits of the sextupole's kick.
FAR_ABOVE = 1.0


class TrackingTable:
    """A lattice laid out for tracking; `rows_before[i]` rows come before element i (n+1 entries).

    Without `cavities`, cavities are drifts and the momentum is constant. Raises TrackingError for an aperture whose
    name is not an element, a strength that is not a finite number, and for `cavities` if none has a voltage.
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
            row[LENGTH] = element.length
            kind = DRIFT if element.length > 0.0 else PLACE
            if isinstance(element, Multipole):
                self._check(element.name, present[index])
                kind = _magnet(element, present[index], row)
            elif isinstance(element, Cavity) and cavities and element.voltage != 0.0:
                kind = CAVITY
                row[VOLTAGE:WAVE_END] = _wave(lattice, element)
            if kind != PLACE or aperture is not None:
                kinds.append(kind)
                slices.append(element.slices if isinstance(element, Multipole) else 1)
                values.append(row)
                places.append(index)
                shapes.append(
                    NO_APERTURE if aperture is None else ELLIPSE if isinstance(aperture, Elliptic) else RECTANGLE
                )
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
        shifts = slice(affine_maps.DX, affine_maps.ROLL + 1)
        errors = np.array([present[i][shifts] if i in present else np.zeros(3) for i in places])
        angles = np.array([getattr(ring.elements[i], "angle", 0.0) for i in places])
        self.has_frame: Integers = np.where(np.any(errors != 0.0, axis=1), 1, 0).astype(np.int64)
        self.frames: Floats = frame_rows(self.has_frame, angles, errors)

    @staticmethod
    def _check(name: str, row: Floats) -> None:
        for parameter, value in zip(PARAMETERS, row.tolist(), strict=True):
            if not abs(value) < HUGE:
                raise TrackingError(f"{name} {parameter}: {value!r} is not a magnet strength; set a finite value")


def _magnet(element: Multipole, row: Floats, out: Floats) -> int:
    """Fill a magnet's row; return its kind."""
    length = element.length
    a, b = row[affine_maps.A1 : affine_maps.B1], row[affine_maps.B1 : affine_maps.KICK_X]
    kick_x, kick_y = float(row[affine_maps.KICK_X]), float(row[affine_maps.KICK_Y])
    if isinstance(element, Corrector):
        out[KICK_X], out[KICK_Y] = kick_x, kick_y
        return CORRECTOR
    out[B1:A1], out[A1:FIELDS_END] = b, a
    if length == 0.0:
        out[B1] -= kick_x
        out[A1] += kick_y
        return THIN
    out[B1] -= np.sin(kick_x) / length
    out[A1] += np.sin(kick_y) / length
    if isinstance(element, Bend):
        out[CURVATURE] = element.angle / length
        edges = element.entrance_angle, element.exit_angle, element.gap, element.fint_entrance, element.fint_exit
        out[ENTRANCE:EDGES_END] = edges
    if out[B4] != 0.0 or out[A3] != 0.0 or out[A4] != 0.0:
        return GENERAL
    if out[B3] != 0.0:
        pure = out[CURVATURE] == 0.0 and out[B2] == 0.0 and out[A2] == 0.0
        return SEXTUPOLE if pure and max(abs(out[B1]), abs(out[A1])) < FAR_ABOVE * abs(out[B3]) else GENERAL
    if out[CURVATURE] == 0.0 and out[B1] == 0.0 and out[A1] == 0.0:
        return QUADRUPOLE if out[A2] == 0.0 else COUPLED
    return LINEAR


def _wave(lattice: Lattice, element: Cavity) -> tuple[float, float, float]:
    """Return voltage over beam energy, frequency [Hz] and slip of the wave per turn [m], all locked to the RF."""
    ring = lattice.ring
    if element.harmonic_number <= 0:
        raise TrackingError(f"{element.name} harmonic_number: {element.harmonic_number} must be positive to accelerate")
    frequency = lattice.rf_frequency * element.harmonic_number / ring.harmonic_number
    slip = path_difference(ring.harmonic_number, lattice.rf_frequency, ring.rf_reference)
    return element.voltage / lattice.energy_ev, frequency, slip
