"""Beam based alignment finds the beam in every quadrupole, and the monitors' offsets, as well as it says."""

from typing import Any

import numpy as np
import pytest

from gnomon.db.machine_files import find_document
from gnomon.lattice import Key, Ring
from gnomon.procedures import beam_based_alignment, orbit_correction
from gnomon.procedures.alignment_groups import ROOM, sign_rows
from gnomon.procedures.alignment_model import alignment_model, movements
from gnomon.procedures.beam_based_alignment import AlignmentData, AlignmentOutcome, AlignmentParameters
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.measuring import MeasureOptions
from gnomon.procedures.measuring import measure as measure_at
from gnomon.procedures.orbit_correction import OrbitCorrectionParameters
from gnomon.procedures.registry import reanalyse, typed
from gnomon.propagator.studies import steering_supplies
from unit.procedures.noisy_ring import NoisyRing, imperfect
from unit.procedures.plans.fake_ring import FakeSession, fake_devices
from unit.procedures.test_orbit_correction import measured as orbit_data

#: Relative change of a gradient, and movement of the beam in the quadrupole [mm].
CHANGE, MOVE_MM = 2e-2, 0.2
MISALIGNMENT = 3e-5


def machine(ring: Ring, seed: int) -> NoisyRing:
    """Gradients, positions and monitor offsets that are not known; the orbit was corrected by its readings."""
    random = np.random.default_rng(100 + seed)
    offsets: dict[Key, float] = {
        (bpm.name, f"offset_{plane}"): 1e-4 * random.standard_normal() for bpm in ring.bpms for plane in "xy"
    }
    noisy = NoisyRing(imperfect(ring, seed, 1e-3, MISALIGNMENT).updated(offsets), seed)
    steerers = steering_supplies(ring.nominal)
    response = NoisyRing(ring.nominal, 0).response(steerers)
    for _ in range(4):
        data = orbit_data(noisy, steerers, response)
        found = orbit_correction.analyse(data, OrbitCorrectionParameters(strength=1e-2))
        noisy.set({(name, "current"): value for name, value in zip(steerers, found.proposed, strict=True)})
    return noisy


def measure(ring: NoisyRing, quadrupoles: tuple[str, ...]) -> tuple[AlignmentData, np.ndarray]:
    base, model = ring.lattice, ring.lattice.ring.nominal
    moves = movements(model, quadrupoles)
    all_steerers = steering_supplies(model)
    strengths = {m.name: model.strength(m) for m in model.ring.magnets if m.main == "k1"}
    rows: list[list[float]] = []
    readings = []
    for number, name in enumerate(quadrupoles):
        steerer = moves.best(number)
        for orbit in (0, 1, -1):
            moved = {
                (one, "current"): base[one, "current"] + orbit * MOVE_MM / by
                for one, by in zip(steerer.names, steerer.mm_per_unit, strict=True)
            }
            for sign in (1, 0, 0, -1):
                change = sign * CHANGE * abs(strengths[name])
                ring.lattice = base.updated({**moved, (name, "k1_trim"): base[name, "k1_trim"] + change})
                readings.append(ring.orbit())
                rows.append([number, orbit, change])
    ring.lattice = base
    number, orbit, change = np.array(rows).T
    data = AlignmentData(
        quadrupoles=quadrupoles, monitors=tuple(bpm.name for bpm in model.ring.bpms), steerers=all_steerers,
        change_unit="1/m^2", quadrupole=number, orbit=orbit, change=change, x_mm=np.array(readings)[:, 0],
        y_mm=np.array(readings)[:, 1],
        steerer_settings=np.array([base[s, "current"] for s in all_steerers]), time_s=np.arange(len(rows)),
    )  # fmt: skip
    return data, np.array([CHANGE * abs(strengths[name]) for name in quadrupoles])


def truth(ring: NoisyRing, found: AlignmentOutcome) -> tuple[np.ndarray, np.ndarray]:
    """Beam less magnetic centre (2, quadrupoles) and offsets of the monitors beside them [mm]."""
    lattice = ring.lattice
    beam, magnets = ring.propagate(lattice), {m.name: m for m in lattice.ring.magnets}
    positions, offsets = [], []
    for name, monitor in zip(found.quadrupoles, found.monitors, strict=True):
        element = magnets[name].element
        length = lattice.ring.elements[element].length
        ends = beam.orbit[[element, element + 1]]
        for row, plane in enumerate("xy"):
            mean = ends[:, 2 * row].mean() + length / 12 * (ends[0, 2 * row + 1] - ends[1, 2 * row + 1])
            centre = lattice[name, f"d{plane}"]
            positions.append(1e3 * (mean - centre))
            offsets.append(1e3 * (centre - lattice[monitor, f"offset_{plane}"]) if monitor else np.nan)
    return np.array(positions).reshape(-1, 2).T, np.array(offsets).reshape(-1, 2).T


def trim(name: str, change: float) -> dict[Key, float]:
    return {(name, "k1_trim"): change}


def found_in(ring: NoisyRing, quadrupoles: tuple[str, ...]) -> AlignmentOutcome:
    data, steps = measure(ring, quadrupoles)
    model = alignment_model(ring.lattice.ring.nominal, quadrupoles, trim, steps)
    return beam_based_alignment.analyse(
        data, AlignmentParameters(model=model, misalignment_mm=1e3 * MISALIGNMENT, gain_error=0.0)
    )


def assert_targets(ring: NoisyRing, found: AlignmentOutcome) -> None:
    position, offset = truth(ring, found)
    errors = np.array([found.x_mm, found.y_mm]) - position
    assert np.median(np.abs(errors)) < 3e-3
    pulls = errors / np.array([found.x_error_mm, found.y_error_mm])
    assert 0.75 < np.std(pulls) < 1.1
    assert np.abs(pulls).max() < 5.0  # also in quadrupoles far from a monitor, whatever the beta beating
    there = np.isfinite(offset)
    wrong = np.abs(np.array([found.offset_x_mm, found.offset_y_mm]) - offset)[there]
    assert np.median(wrong) < 3e-3
    assert np.percentile(wrong, 95) < 10e-3
    assert (
        0.8
        < np.sqrt(np.mean((wrong / np.array([found.offset_x_error_mm, found.offset_y_error_mm])[there]) ** 2))
        < 1.25
    )
    assert found.noise_mm == pytest.approx(ring.noise_mm, rel=0.05)


@pytest.mark.slow(5)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_quadrupoles_and_the_monitors_beside_them(bessy2: Ring, seed: int) -> None:
    ring = machine(bessy2, seed)
    found = found_in(ring, tuple(m.name for m in bessy2.magnets if m.main == "k1"))
    assert len({name for name in found.monitors if name}) == 97
    assert_targets(ring, found)


def test_a_few_quadrupoles_alone_say_that_the_angle_is_not_known(bessy2: Ring) -> None:
    ring = machine(bessy2, 1)
    found = found_in(ring, ("Q3M2T7R", "Q1M1T3R"))
    position, offset = truth(ring, found)
    assert np.abs(found.x_mm - position[0]).max() < 0.01
    assert (found.offset_x_error_mm > 0.015).all()  # 0.09 mrad over 0.2 m
    assert (np.abs(found.offset_x_mm - offset[0]) < 3 * found.offset_x_error_mm).all()


def test_a_name_that_is_not_a_quadrupole_is_refused(bessy2: Ring) -> None:
    with pytest.raises(ProcedureError, match="BM1T1R is not a quadrupole"):
        alignment_model(bessy2.nominal, ("BM1T1R",), trim, np.ones(1))


def through_plan(ring: NoisyRing, together: int, *quadrupoles: str) -> tuple[AlignmentData, AlignmentOutcome]:
    """Plan and analysis by supplies of their own, as `gnomon measure bba --together` has them."""
    session: Any = FakeSession(ring)
    options = MeasureOptions(devices=quadrupoles or ("*",), together=together)
    run, failure = measure_at("bba", session, fake_devices(ring), options)
    assert failure is None, failure
    data, _, found = typed(run)
    assert isinstance(data, AlignmentData)
    assert isinstance(found, AlignmentOutcome)
    assert reanalyse(run).model_dump_json() == found.model_dump_json()
    return data, found


@pytest.mark.slow(2)
def test_quadrupoles_that_change_together_are_found_as_well_as_alone_with_fewer_readings() -> None:
    mls = Ring(find_document("mls"))
    ring = machine(mls, 1)
    before = ring.lattice.id
    data, found = through_plan(ring, 4)
    assert ring.lattice.id == before
    assert len(found.quadrupoles) == 24
    assert len(data.x_mm) <= 0.75 * 12 * 24
    assert data.changes.shape == (len(data.x_mm), 24)
    position, _ = truth(ring, found)
    errors = np.array([found.x_mm, found.y_mm]) - position
    assert np.median(np.abs(errors)) < 3e-3
    assert 0.5 < np.std(errors / np.array([found.x_error_mm, found.y_error_mm])) < 1.2
    assert found.noise_mm == pytest.approx(ring.noise_mm, rel=0.05)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_signs_of_quadrupoles_that_change_together_are_orthogonal_and_come_with_their_opposites(count: int) -> None:
    shifts = np.random.default_rng(1).uniform(0.001, 0.02, (2, count))
    rows = sign_rows(shifts)
    assert not rows[[0, -1]].any()
    inner = rows[1:-1]
    np.testing.assert_array_equal(inner[::2], -inner[1::2])
    products = inner.T @ inner
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-12)
    assert np.abs(rows @ shifts.T).max() <= ROOM * 1.000001


def test_changes_that_cannot_be_told_apart_are_refused() -> None:
    mls = Ring(find_document("mls"))
    data, found = through_plan(NoisyRing(mls.nominal, 1), 2, *[m.name for m in mls.magnets if m.main == "k1"][:4:3])
    same = data.model_copy(update={"changes": np.repeat(data.changes[:, :1], 2, axis=1)})
    model = alignment_model(mls.nominal, found.quadrupoles, trim, np.full(2, 0.01))
    with pytest.raises(ProcedureError, match="cannot be told from those of its group"):
        beam_based_alignment.analyse(same, AlignmentParameters(model=model))


def test_the_multiplexer_takes_one_quadrupole_at_a_time(bessy2: Ring) -> None:
    with pytest.raises(ProcedureError, match="multiplexer only, which is connected to one at a time") as refused:
        through_plan(NoisyRing(bessy2.nominal, 1), 4)
    assert "the 19 with supplies of their own: Q3M1T1R" in str(refused.value)
