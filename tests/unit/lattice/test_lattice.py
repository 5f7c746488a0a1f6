"""Lattice versions: immutable, shared, named by content; devices add up on their elements."""

import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.db import shipped_machine
from gnomon.lattice import Lattice, LatticeError, RefusedValue, Ring, parse_machine
from gnomon.lattice.elements import Multipole
from unit.lattice import small_ring

RING = Ring(parse_machine(small_ring.text(), "ring.json"))
NOMINAL = RING.nominal
BESSY2 = shipped_machine("bessy2")


def element(lattice: Lattice, name: str) -> Multipole:
    found = lattice.element(lattice.ring.index[name])
    assert isinstance(found, Multipole)
    return found


def test_nominal_currents_give_the_design_strengths() -> None:
    assert element(NOMINAL, "QF").b[1] == pytest.approx(1.2, rel=1e-14)
    assert element(NOMINAL, "QD").b[1] == pytest.approx(-1.1, rel=1e-12)
    assert element(NOMINAL, "SF").b[2] == pytest.approx(10.0, rel=1e-12)


def test_an_update_leaves_the_old_lattice_as_it_was() -> None:
    before = (NOMINAL.id, NOMINAL["QFP", "current"])
    new = NOMINAL.updated({("QFP", "current"): 70.0})
    assert new["QFP", "current"] == 70.0
    assert (NOMINAL.id, NOMINAL["QFP", "current"]) == before


def test_equal_content_has_an_equal_id_however_it_was_reached() -> None:
    start = NOMINAL.updated({("QFP", "current"): 70.0, ("CP", "current"): 1.0})
    other = NOMINAL.updated({("CP", "current"): 3.0}).updated({("CP", "current"): 1.0, ("QFP", "current"): 70.0})
    assert start.id == other.id != NOMINAL.id


def test_the_id_is_the_same_in_another_process() -> None:
    code = "from gnomon.db import shipped_machine as m; print(m('mls').nominal.id)"
    ids = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()}
    assert ids == {shipped_machine("mls").nominal.id}


def test_two_rings_that_differ_in_one_number_have_no_id_in_common() -> None:
    document = small_ring.document()
    document["elements"][3]["length"] = 1.000001
    assert Ring(parse_machine(small_ring.text(document), "ring.json")).nominal.id != NOMINAL.id


def test_unchanged_elements_and_settings_are_shared() -> None:
    new = BESSY2.nominal.updated({("Q1PDR", "current"): 218.0})
    kept = [a is b for a, b in zip(new._chunks, BESSY2.nominal._chunks, strict=True)]
    assert kept.count(False) == 1
    drift = BESSY2.index["DU_MSEPEXIT"]
    assert new.element(drift) is BESSY2.nominal.element(drift)


def test_a_version_after_one_change_takes_less_than_20_kb() -> None:
    tracemalloc.start()
    try:
        versions = [BESSY2.nominal.updated({("Q1PDR", "current"): 218.0 + i / 100}) for i in range(100)]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / len(versions) < 20_000


def test_one_supply_feeds_all_its_magnets() -> None:
    new = BESSY2.nominal.updated({("Q1PDR", "current"): 200.0})
    fed = [m for m in BESSY2.magnets if m.supply == "Q1PDR"]
    assert len(fed) == 16
    for magnet in fed:
        assert new[magnet.name, "current"] == 200.0
        assert new[magnet.name, "k1"] == pytest.approx(200.0 * 0.06393 / BESSY2.rigidity, rel=1e-14)
    assert set(new.changed_elements(BESSY2.nominal)) == {m.element for m in fed}


def test_a_magnet_adds_what_several_devices_give_it() -> None:
    new = NOMINAL.updated({("QTRIM", "current"): 2.0, ("MUXP", "current"): 1.5, ("MUX", "selected"): 1.0})
    nominal = NOMINAL["QFP", "current"]
    assert new["QF", "current"] == pytest.approx(nominal - 2.0 * 1.5)
    expected = ((nominal - 3.0) * 0.05 + 2.0 * 0.01) / RING.rigidity
    assert element(new, "QF").b[1] == pytest.approx(expected, rel=1e-14)
    assert element(new.updated({("MUX", "selected"): 0.0, ("QTRIM", "current"): 0.0}), "QF") == element(NOMINAL, "QF")


def test_a_coil_in_a_sextupole_kicks_there() -> None:
    new = NOMINAL.updated({("CP", "current"): 2.0})
    assert element(new, "SF").kick_x == pytest.approx(6e-3 / RING.rigidity, rel=1e-14)
    assert element(new, "SF").b == element(NOMINAL, "SF").b


def test_a_strength_is_kept_as_a_trim_on_top_of_the_current() -> None:
    trimmed = NOMINAL.updated({("QF", "k1"): 1.3})
    assert trimmed["QF", "k1"] == pytest.approx(1.3, rel=1e-15)
    assert trimmed["QFP", "current"] == NOMINAL["QFP", "current"]
    more = trimmed.updated({("QFP", "current"): NOMINAL["QFP", "current"] + 1.0})
    assert more["QF", "k1"] == pytest.approx(1.3 + 0.05 / RING.rigidity, rel=1e-14)


def test_strength_and_current_in_one_update_do_not_depend_on_their_order() -> None:
    a = NOMINAL.updated({("QF", "k1"): 1.3, ("QFP", "current"): 70.0})
    b = NOMINAL.updated({("QFP", "current"): 70.0, ("QF", "k1"): 1.3})
    assert a.id == b.id
    assert a["QF", "k1"] == pytest.approx(1.3, rel=1e-15)


def test_misalignments_and_skews_reach_their_element() -> None:
    new = NOMINAL.updated({("QF", "dx"): 1e-4, ("B1", "roll"): 1e-3, ("SF", "k1s"): 0.02})
    assert (element(new, "QF").dx, element(new, "B1").roll, element(new, "SF").a[1]) == (1e-4, 1e-3, 0.02)


def test_the_reference_frequency_is_nominal_to_the_last_bit() -> None:
    for ring in (RING, BESSY2, shipped_machine("mls")):
        assert ring.nominal.rf_frequency == ring.rf_reference
    assert BESSY2.rf_reference / 1e3 == pytest.approx(499636.6302, abs=1e-4)


@pytest.mark.parametrize(
    ("device", "name", "value", "reason"),
    [
        ("QFP", "current", 1e4, r"QFP current = 10000 A: outside the limits 0 to 12\d\.\d+ A; nothing was changed"),
        ("QFP", "current", float("nan"), "nan A: not a finite number"),
        ("QFP", "current", float("inf"), "inf A: not a finite number"),
        ("MUX", "selected", 1.5, r"MUX selected = 1\.5: not a whole number"),
        ("QF", "dx", 0.1, r"QF dx = 0\.1 m: outside the limits -0\.001 to 0\.001 m"),
    ],
)
def test_a_value_out_of_limits_is_refused_with_value_unit_and_limit(
    device: str, name: str, value: float, reason: str
) -> None:
    with pytest.raises(RefusedValue, match=reason):
        NOMINAL.updated({("CP", "current"): 1.0, (device, name): value})


def test_a_current_out_of_the_range_of_a_conversion_is_refused() -> None:
    with pytest.raises(RefusedValue, match="outside its conversion's range"):
        NOMINAL.updated({("MUX", "selected"): 2.0, ("MUXP", "current"): 10.0, ("QDP", "current"): 5.0})


@pytest.mark.parametrize(
    ("device", "name", "reason"),
    [
        ("QX", "current", "there is no device 'QX'"),
        ("QFPP", "current", "there is no device 'QFPP'; near names: QFP"),
        ("QFP", "k1", "device 'QFP' has no property 'k1'; it has current"),
        ("QF", "current", "QF current is read-only"),
    ],
)
def test_an_unknown_or_read_only_property_is_refused(device: str, name: str, reason: str) -> None:
    with pytest.raises(LatticeError, match=reason):
        NOMINAL.updated({(device, name): 1.0})


@given(st.dictionaries(st.sampled_from(["QFP", "SFP", "CP", "OCP"]), st.floats(0.0, 5.0), max_size=4))
def test_changed_slots_are_exactly_the_settings_that_differ(currents: dict[str, float]) -> None:
    new = NOMINAL.updated({(name, "current"): value for name, value in currents.items()})
    expected = {
        RING.property_spec(name, "current").slot
        for name, value in currents.items()
        if value != NOMINAL[name, "current"]
    }
    assert set(new.changed_slots(NOMINAL)) == expected


def test_lattices_of_different_rings_cannot_be_compared() -> None:
    with pytest.raises(LatticeError, match="different rings"):
        NOMINAL.changed_elements(BESSY2.nominal)
