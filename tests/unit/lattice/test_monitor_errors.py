"""Errors of monitors: settings of the lattice that reach no element, and what they make of a position."""

import math
from typing import Any

import numpy as np
import pytest

from gnomon.db import shipped_machine
from gnomon.lattice import DocumentError, Lattice, RefusedValue, Ring, parse_machine
from unit.lattice import small_ring

RING = Ring(parse_machine(small_ring.text(), "ring.json"))
NOMINAL = RING.nominal
BESSY2 = shipped_machine("bessy2")
ERRORS = {"offset_x": 1e-3, "offset_y": -5e-4, "gain_x": 1.1, "gain_y": 0.9, "roll": 0.05}


def with_errors(lattice: Lattice, name: str) -> Lattice:
    return lattice.updated({(name, key): value for key, value in ERRORS.items()})


def limits(**changes: Any) -> Ring:
    document = small_ring.document()
    document["limits"] |= changes
    return Ring(parse_machine(small_ring.text(document), "ring.json"))


def test_every_monitor_has_its_settings_with_units_and_limits() -> None:
    for bpm in BESSY2.bpms:
        specs = [BESSY2.property_spec(bpm.name, name) for name in ERRORS]
        assert [s.unit for s in specs] == ["m", "m", "", "", "rad"]
        assert [s.nominal for s in specs] == [0.0, 0.0, 1.0, 1.0, 0.0]
        assert [(s.low, s.high) for s in specs] == [(-2e-3, 2e-3)] * 2 + [(0.5, 1.5)] * 2 + [(-0.1, 0.1)]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("offset_x", 3e-3, r"BPM1 offset_x = 0\.003 m: outside the limits -0\.002 to 0\.002 m; nothing was changed"),
        ("gain_y", 0.0, r"BPM1 gain_y = 0: outside the limits 0\.5 to 1\.5; nothing was changed"),
        ("roll", math.nan, r"BPM1 roll = nan rad: not a finite number; nothing was changed"),
    ],
)
def test_an_error_out_of_its_limits_is_refused(name: str, value: float, reason: str) -> None:
    with pytest.raises(RefusedValue, match=reason):
        NOMINAL.updated({("BPM1", name): value})


def test_limits_of_the_document_hold_and_those_that_leave_out_1_are_refused() -> None:
    ring = limits(monitor_offset_m=0.01, monitor_gain=[0.8, 1.2])
    assert ring.nominal.updated({("BPM1", "offset_x"): 5e-3})["BPM1", "offset_x"] == 5e-3
    with pytest.raises(RefusedValue):
        ring.nominal.updated({("BPM1", "gain_x"): 1.3})
    with pytest.raises(DocumentError, match=r"limits monitor_gain: 1\.1 to 1\.2 must be above 0 and have 1 between"):
        limits(monitor_gain=[1.1, 1.2])


def test_an_error_makes_a_new_id_touches_no_element_and_goes_back() -> None:
    new = with_errors(BESSY2.nominal, BESSY2.bpms[7].name)
    assert new.id != BESSY2.nominal.id
    assert new.changed_elements(BESSY2.nominal) == ()
    slots = {BESSY2.property_spec(BESSY2.bpms[7].name, name).slot for name in ERRORS}
    assert set(new.changed_slots(BESSY2.nominal)) == slots
    back = new.updated({(BESSY2.bpms[7].name, name): BESSY2.nominal[BESSY2.bpms[7].name, name] for name in ERRORS})
    assert back.id == BESSY2.nominal.id
    assert back.monitor_errors().ideal


@pytest.mark.parametrize(
    ("name", "digest", "nominal"),
    [
        ("bessy2", "6796948cb637cf7a685d397b6764f447", "e5643d49e0bb016bb136"),
        ("mls", "f1945918975ec8779d29ed2204b54f9d", "718da6f45235f3b8c3be"),
    ],
)
def test_digests_and_ids_of_the_shipped_machines_are_pinned(name: str, digest: str, nominal: str) -> None:
    ring = shipped_machine(name)
    assert (ring.digest, ring.nominal.id) == (digest, nominal)


def test_the_arrays_are_in_beam_order_read_only_and_shared_by_versions() -> None:
    new = with_errors(BESSY2.nominal, BESSY2.bpms[7].name)
    errors = new.monitor_errors()
    count = len(BESSY2.bpms)
    assert (errors.offsets.shape, errors.gains.shape, errors.rolls.shape) == ((count, 2), (count, 2), (count,))
    assert [*errors.offsets[7], *errors.gains[7], errors.rolls[7]] == list(ERRORS.values())
    ideal = BESSY2.nominal.monitor_errors()
    assert ideal.ideal
    assert not errors.ideal
    others = np.arange(count) != 7
    for one, other in ((errors.offsets, ideal.offsets), (errors.gains, ideal.gains), (errors.rolls, ideal.rolls)):
        np.testing.assert_array_equal(one[others], other[others])
        assert not one.flags.writeable
    assert new.updated({("Q1PDR", "current"): 218.0}).monitor_errors() is errors


def test_a_ring_keeps_a_bounded_number_of_error_sets() -> None:
    for i in range(100):
        NOMINAL.updated({("BPM1", "offset_x"): i * 1e-6}).monitor_errors()
    assert len(RING._monitor_errors) <= 16


def test_a_reading_is_gain_times_the_rolled_position_less_the_offset() -> None:
    x, y = np.array([2e-3]), np.array([-1e-3])
    cos, sin = math.cos(0.05), math.sin(0.05)
    shown = with_errors(NOMINAL, "BPM1").monitor_errors().readings(x, y)
    assert shown[0][0] == pytest.approx(1.1 * (2e-3 * cos - 1e-3 * sin - 1e-3), rel=1e-14)
    assert shown[1][0] == pytest.approx(0.9 * (-1e-3 * cos - 2e-3 * sin + 5e-4), rel=1e-14)


def test_without_errors_the_positions_themselves_are_shown() -> None:
    x, y = np.array([2e-3]), np.array([-1e-3])
    shown = NOMINAL.monitor_errors().readings(x, y)
    assert shown[0] is x
    assert shown[1] is y


def test_a_ring_without_monitors_has_no_errors_to_set() -> None:
    document = small_ring.document()
    document["monitors"] = []
    ring = Ring(parse_machine(small_ring.text(document), "ring.json"))
    assert ring.nominal.monitor_errors().offsets.shape == (0, 2)
    assert ring.nominal.monitor_errors().ideal


def test_changes_of_readings_are_differences_of_readings() -> None:
    names = [bpm.name for bpm in RING.bpms]
    errors = with_errors(NOMINAL, names[0]).monitor_errors()
    rng = np.random.default_rng(1)
    x, y, dx, dy = rng.normal(size=(4, len(names)))
    there = np.subtract(errors.readings(x + dx, y + dy), errors.readings(x, y))
    assert np.allclose(errors.changes(dx, dy), there, rtol=0.0, atol=1e-12)
    columns = errors.changes(np.stack([dx, dx], axis=1), np.stack([dy, dy], axis=1))
    assert np.allclose(np.array(columns)[:, :, 1], there, rtol=0.0, atol=1e-12)
