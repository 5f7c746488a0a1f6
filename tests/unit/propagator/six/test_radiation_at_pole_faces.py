"""Radiation where pole faces are turned, and off momentum: closed formulas, and integrals next to six dimensions."""

import json
import math
from typing import Any

import numpy as np
import pytest

from gnomon.lattice import Lattice, Ring, parse_machine
from gnomon.lattice.elements import Bend
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator import Propagator
from gnomon.propagator.compiled import Floats, kernel
from gnomon.propagator.six import SixD, envelope, radiation_summary
from gnomon.propagator.six import six_kernels as kernels
from gnomon.propagator.six.six_elements import Point, face, face_matrix
from gnomon.propagator.six.six_tables import Tables
from unit.lattice.small_ring import DOCUMENT
from unit.propagator.errors import with_errors, with_misalignments

OPTICS = ("nominal", "injection", "low_alpha", "low_emittance", "ssmb")

#: A voltage [V] at which the MLS's synchrotron motion is slow, so that it mixes little with the horizontal one.
SLOW_V = 2e4


def parallel_faces(angle: float) -> float:
    """J_x of bends with parallel pole faces and no gradient, whatever the optics.

    A particle of radius R stays in the field for R A, A = a_in + a_out, where sin a_in + sin a_out = L_s / R does not
    depend on where it enters. So the loss depends on the momentum alone: with its square, and with R A, of which
    d(A) / A = -2 tan(angle/2) / angle d(delta). Hence J_s = 3 - 2 tan(angle/2) / angle, and J_x + J_s = 3.
    """
    return 2.0 * math.tan(0.5 * angle) / angle


def damping(lattice: Lattice, voltage_v: float | None = None) -> tuple[np.ndarray, float]:
    """Damping times (3,) [s] and the horizontal emittance in six dimensions."""
    beam, found = envelope(SixD(lattice.ring, voltage_v), lattice)
    assert beam.found, beam.reason
    period = lattice.ring.circumference / SPEED_OF_LIGHT
    return period / beam.damping_rates, float(found.emittances_m[0])


def rectangular_ring() -> Ring:
    """Eight cells whose bends have parallel pole faces and no gradient, 629 MeV."""
    half = math.pi / 8.0
    cell: list[tuple[str, dict[str, Any]]] = [
        ("D1", {"type": "drift", "length": 0.5}),
        ("QF", {"type": "quadrupole", "length": 0.2, "k1": 3.2}),
        ("D2", {"type": "drift", "length": 0.5}),
        ("B", {"type": "bend", "length": 1.0, "angle": 2 * half, "entrance_angle": half, "exit_angle": half}),
        ("D3", {"type": "drift", "length": 0.5}),
        ("QD", {"type": "quadrupole", "length": 0.2, "k1": -1.5}),
        ("D4", {"type": "drift", "length": 0.5}),
    ]
    length = 0.2 + 8 * 3.4
    cavity = {"type": "cavity", "name": "CAV", "length": 0.2, "voltage": 2e5, "harmonic_number": 40}
    document = {key: DOCUMENT[key] for key in ("schema", "title", "source", "rf", "pvs", "limits")}
    document |= {
        "name": "rectangular", "energy_ev": 0.629e9, "harmonic_number": 40,
        "elements": [
            cavity | {"frequency": 40 * SPEED_OF_LIGHT / length},
            *({**part, "name": f"{name}_{number}"} for number in range(8) for name, part in cell),
        ],
        "supplies": [], "magnets": [],
    }  # fmt: skip
    return Ring(parse_machine(json.dumps(document), "rectangular.json"))


def test_rectangular_bends_damp_as_the_closed_formula_says() -> None:
    ring = rectangular_ring()
    times, _ = damping(ring.nominal)
    assert 1e3 * times == pytest.approx([10.023, 10.572, 5.435], rel=5e-4)
    slow, _ = damping(ring.nominal, 5e4)
    assert slow[1] / slow[0] == pytest.approx(parallel_faces(math.pi / 4.0), rel=1e-4)


@pytest.mark.parametrize("optics", OPTICS)
def test_the_mls_damps_as_its_pole_faces_say_on_all_its_optics(optics: str, mls: Ring) -> None:
    lattice = mls.nominal if optics == "nominal" else mls.optics[optics]
    uncoupled = radiation_summary(lattice, Propagator(mls)(lattice))
    assert uncoupled.partition[0] == pytest.approx(1.054786, rel=1e-6)
    slow = SLOW_V if lattice.energy_ev > 0.5 * mls.energy_ev else None
    times, emittance = damping(lattice, slow)
    assert times[1] / times[0] == pytest.approx(parallel_faces(math.pi / 4.0), rel=5e-4)
    assert emittance == pytest.approx(uncoupled.emittance_m, rel=1e-3)


def test_the_mls_has_its_numbers(mls: Ring) -> None:
    times, emittance = damping(mls.nominal)
    assert 1e3 * times == pytest.approx([21.07, 22.22, 11.43], rel=1e-3)
    # 107.76 nm without, 108.01 nm with what 500 kV of synchrotron motion mix in
    assert emittance == pytest.approx(107.8e-9, rel=3e-3)
    assert radiation_summary(mls.nominal, Propagator(mls)(mls.nominal)).emittance_m == pytest.approx(107.8e-9, rel=1e-3)


@kernel
def pass_magnet(row: Floats, point: Point) -> Point:
    """Pass a magnet in ten slices, with the loss alone; kept like any kernel, since compiling it takes seconds."""
    return kernels.pass_magnet(row, 10, False, 1e-4, 0.0, point, False, np.empty(48), np.empty((7, 6)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_loss_in_parallel_faces_does_not_depend_on_where_the_particle_enters(sign: float) -> None:
    angle = sign * math.pi / 8.0
    bend = Bend(name="B", length=1.0, angle=angle, entrance_angle=0.5 * angle, exit_angle=0.5 * angle)
    losses = {}
    for faces in (False, True):
        tables = Tables((bend,), faces)
        for x in (-1e-3, 0.0, 1e-3):
            point = (x, 0.0, 0.0, 0.0, 0.0, 0.0)
            after = pass_magnet(tables.rows[0], point)
            losses[faces, x] = -after[4]
    slope = {f: (losses[f, 1e-3] - losses[f, -1e-3]) / (2e-3 * losses[f, 0.0]) for f in (False, True)}
    assert abs(slope[False]) > 0.3
    assert abs(slope[True]) < 0.01 * abs(slope[False])


def test_derivatives_of_a_pole_face_are_those_of_differences() -> None:
    gain, step = 3e-2, 1e-6
    start = np.array([2e-2, 3e-2, -1e-2, 2e-2, 1e-2, 4e-3])
    matrix = np.zeros(48)
    for row in range(6):
        matrix[9 * row] = 1.0
    face_matrix(gain, tuple(start), matrix)
    found = matrix.reshape(6, 8)[:, :6]
    for column in range(6):
        above, below = start.copy(), start.copy()
        above[column] += step
        below[column] -= step
        expected = (np.array(face(gain, tuple(above))) - np.array(face(gain, tuple(below)))) / (2.0 * step)
        assert found[:, column] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["bessy2", "mls"])
def test_robinsons_theorem_holds_with_pole_faces(name: str, bessy2: Ring, mls: Ring) -> None:
    lattice = with_misalignments(with_errors({"bessy2": bessy2, "mls": mls}[name].nominal))
    beam = SixD(lattice.ring)(lattice, radiation=True)
    assert beam.found, beam.reason
    assert np.linalg.det(beam.one_turn) == pytest.approx(np.exp(-2.0 * beam.damping_rates.sum()), rel=1e-10)
    assert beam.damping_rates.sum() == pytest.approx(2.0 * beam.energy_loss_ev / lattice.energy_ev, rel=2e-3)


@pytest.mark.parametrize("name", ["bessy2", "mls"])
def test_without_radiation_pole_faces_change_nothing(name: str, bessy2: Ring, mls: Ring) -> None:
    lattice = with_errors({"bessy2": bessy2, "mls": mls}[name].nominal)
    with_faces, without = (SixD(lattice.ring, faces=faces)(lattice) for faces in (True, False))
    assert np.array_equal(with_faces.orbit, without.orbit)
    assert np.array_equal(with_faces.one_turn, without.one_turn)


@pytest.mark.parametrize(("offset_hz", "delta"), [(-5e3, 1.394e-2), (-2e3, 5.67e-3), (2e3, -5.62e-3), (5e3, -1.408e-2)])
def test_off_momentum_integrals_along_the_orbit_are_six_dimensions(
    offset_hz: float, delta: float, bessy2: Ring
) -> None:
    key = ("rf", "frequency")
    lattice = bessy2.nominal.updated({key: bessy2.nominal[key] + 1e-3 * offset_hz})
    assert bessy2.rf_unit == "kHz"
    beam, found = envelope(SixD(bessy2), lattice)
    assert beam.orbit[0, 4] == pytest.approx(delta, rel=2e-3)
    ours = radiation_summary(lattice, Propagator(bessy2)(lattice))
    assert ours.energy_loss_ev == pytest.approx(beam.energy_loss_ev, rel=1e-4)
    assert ours.emittance_m == pytest.approx(found.emittances_m[0], rel=2e-3)
    assert ours.energy_spread == pytest.approx(found.sizes[0, 4], rel=5e-4)
    assert ours.bunch_length_m == pytest.approx(found.sizes[0, 5], rel=1e-3)
    period = bessy2.circumference / SPEED_OF_LIGHT
    assert ours.damping_times_s == pytest.approx(period / beam.damping_rates, rel=1e-3)


def test_displaced_quadrupoles_count_with_the_field_that_the_beam_meets(bessy2: Ring) -> None:
    rng = np.random.default_rng(3)
    quadrupoles = [d for d, name in bessy2.properties if name == "k1" and (d, "dx") in bessy2.properties]
    lattice = bessy2.nominal.updated({(d, "dx"): 2e-5 * rng.normal() for d in quadrupoles})
    beam, found = envelope(SixD(bessy2), lattice)
    assert np.abs(beam.orbit[:, 0]).max() > 2e-4
    ours = radiation_summary(lattice, Propagator(bessy2, momentum="frequency")(lattice))
    plain = radiation_summary(bessy2.nominal, Propagator(bessy2)(bessy2.nominal))
    period = bessy2.circumference / SPEED_OF_LIGHT
    assert abs(plain.emittance_m / found.emittances_m[0] - 1.0) > 1.5e-2
    assert abs(plain.damping_times_s[0] * beam.damping_rates[0] / period - 1.0) > 5e-3
    assert ours.emittance_m == pytest.approx(found.emittances_m[0], rel=4e-3)
    assert ours.damping_times_s == pytest.approx(period / beam.damping_rates, rel=3e-4)
