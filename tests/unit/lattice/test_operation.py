"""Energy, cavity voltage, named optics, switches and the multiplexer's supply as settings of the lattice."""

import hashlib
import math
from typing import Any

import pytest

from gnomon.db import shipped_document, shipped_machine
from gnomon.lattice import DocumentError, Lattice, RefusedValue, Ring, parse_machine
from gnomon.lattice.elements import Cavity
from unit.lattice.small_ring import LIMITS, document, text

MLS = shipped_machine("mls")
BESSY2 = shipped_machine("bessy2")
ENERGY, VOLTAGE = ("ring", "energy"), ("rf", "voltage")


def refused(**changes: Any) -> str:
    with pytest.raises(DocumentError) as error:
        parse_machine(text(document() | changes), "here")
    return str(error.value)


def test_a_nominal_operation_leaves_the_id_as_it_was_before_a_ring_had_one() -> None:
    core = BESSY2.nominal._digests[: BESSY2.monitor_chunk]
    old = hashlib.blake2b(bytes.fromhex(BESSY2.digest) + b"".join(core), digest_size=10).hexdigest()
    assert BESSY2.nominal.id == old
    other = BESSY2.nominal.updated({VOLTAGE: 1200.0})
    assert other.id != old
    assert other.updated({VOLTAGE: BESSY2.nominal[VOLTAGE]}).id == old


def test_strengths_are_currents_over_the_rigidity_of_the_energy() -> None:
    half = BESSY2.nominal.updated({ENERGY: 0.5 * BESSY2.energy_ev})
    ratio = BESSY2.document.momentum_ev() / BESSY2.document.momentum_ev(0.5 * BESSY2.energy_ev)
    assert half.rigidity == pytest.approx(BESSY2.rigidity / ratio, rel=1e-14)
    at = BESSY2.index["Q1M1D1R"]
    for before, after in (
        (BESSY2.nominal["Q1M1D1R", "k1"], half["Q1M1D1R", "k1"]),
        (BESSY2.nominal.parameters([at])[0, 5], half.parameters([at])[0, 5]),
    ):
        assert after == pytest.approx(before * ratio, rel=1e-14)
    assert len(half.changed_elements(BESSY2.nominal)) > 250


def test_an_intercept_scales_with_the_energy_and_a_trim_does_not() -> None:
    small = Ring(parse_machine(text(), "here"))
    trimmed = small.nominal.updated({("QF", "k1_trim"): 0.01})
    low = trimmed.updated({ENERGY: 0.5 * small.energy_ev})
    ratio = small.rigidity / low.rigidity
    for magnet in small.magnets:
        trim = 0.01 if magnet.name == "QF" else 0.0
        expected = small.nominal.strength(magnet) * ratio + trim
        assert low.strength(magnet) == pytest.approx(expected, rel=1e-13, abs=1e-15)


def test_a_strength_put_at_another_energy_is_reached_there() -> None:
    low = MLS.optics["injection"]
    name = MLS.magnets[0].name
    wanted = low[name, "k1"] * 1.01
    assert low.updated({(name, "k1"): wanted})[name, "k1"] == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize("name", list(MLS.document.optics))
def test_each_optics_has_the_strengths_of_the_document(name: str) -> None:
    lattice = MLS.optics[name]
    for magnet, strength in MLS.document.optics[name].items():
        main = next(m for m in MLS.magnets if m.name == magnet)
        assert lattice.strength(main) == pytest.approx(strength, rel=1e-12, abs=1e-12)
    part = MLS.document.operating.get(name)
    assert lattice.energy_ev == (105e6 if part else MLS.energy_ev)
    assert lattice.voltage_v == (72e3 if part else 500e3)


def test_the_switch_to_an_optics_sets_all_supplies_energy_voltage_and_number_and_leads_back() -> None:
    disturbed = MLS.nominal.updated({("Q1P1L2RP", "current"): MLS.nominal["Q1P1L2RP", "current"] * 1.001})
    injection = disturbed.updated(MLS.optics_settings(4))
    assert injection.id == MLS.optics["injection"].id
    assert injection["ring", "optics"] == 4.0
    assert injection.updated(MLS.optics_settings(0)).id == MLS.nominal.id


def test_a_voltage_is_shared_as_the_designs_and_harmonic_cavities_keep_theirs() -> None:
    lattice = BESSY2.nominal.updated({VOLTAGE: 1000.0})
    assert lattice.voltage_v == 1e6
    present = [lattice.element(i) for i, e in enumerate(BESSY2.elements) if isinstance(e, Cavity)]
    assert [e.voltage for e in present if isinstance(e, Cavity)] == pytest.approx([0.0] * 4 + [250e3] * 4)


def test_switches_hold_states_and_touch_no_element() -> None:
    on = MLS.nominal.updated({("feedback_x", "state"): 1.0, ("orbit_correction", "state"): 3.0})
    assert (on["feedback_x", "state"], on["orbit_correction", "state"]) == (1.0, 3.0)
    assert on.changed_elements(MLS.nominal) == ()
    assert on.id != MLS.nominal.id
    for value in (2.0, 0.5, -1.0, math.nan):
        with pytest.raises(RefusedValue, match="feedback_x state"):
            MLS.nominal.updated({("feedback_x", "state"): value})


def test_the_multiplexers_supply_acts_on_the_connected_quadrupole_while_it_is_on() -> None:
    mux = BESSY2.multiplexer
    assert mux is not None

    def k1(lattice: Lattice, name: str) -> float:
        element = lattice.element(BESSY2.index[name])
        return float(element.b[1])  # type: ignore[attr-defined]

    selected = float(mux.magnets.index("Q1M1D1R") + 1)
    lattice = BESSY2.nominal.updated({("PMUXZR", "selected"): selected, ("QSPAZR", "current"): 2.0})
    added = mux.factor * 2.0
    assert lattice["Q1M1D1R", "current"] == pytest.approx(BESSY2.nominal["Q1M1D1R", "current"] + added)
    assert k1(lattice, "Q1M1D1R") != k1(BESSY2.nominal, "Q1M1D1R")
    assert k1(lattice, "Q1M2D1R") == k1(BESSY2.nominal, "Q1M2D1R")
    off = lattice.updated({("QSPAZR", "on"): 0.0})
    assert k1(off, "Q1M1D1R") == k1(BESSY2.nominal, "Q1M1D1R")
    assert off["Q1M1D1R", "current"] == BESSY2.nominal["Q1M1D1R", "current"]


def test_the_multiplexers_settings_reach_only_what_is_connected() -> None:
    mux = BESSY2.multiplexer
    assert mux is not None
    first, second = (float(mux.magnets.index(name) + 1) for name in ("Q1M1D1R", "Q1M2D1R"))
    idle = BESSY2.nominal.updated({("QSPAZR", "current"): 2.0})
    assert idle.changed_elements(BESSY2.nominal) == ()
    one = idle.updated({("PMUXZR", "selected"): first})
    assert one.changed_elements(idle) == (BESSY2.index["Q1M1D1R"],)
    other = one.updated({("PMUXZR", "selected"): second})
    assert other.changed_elements(one) == tuple(sorted(BESSY2.index[n] for n in ("Q1M1D1R", "Q1M2D1R")))
    both = one.updated({("QSPAZR", "current"): 1.0, ("Q1PDR", "current"): 217.0})
    assert set(both.changed_elements(one)) >= {BESSY2.index["Q1M1D1R"], BESSY2.index["Q1M2D1R"]}
    assert [BESSY2.magnets[n].name for n in both.driven(mux.current_slot, one)] == ["Q1M1D1R"]


def test_a_document_without_the_new_keys_has_energy_voltage_and_their_limits() -> None:
    old = Ring(shipped_document("mls").model_copy(update={"operating": {}, "switches": (), "optics": {}}))
    spec = old.property_spec("ring", "energy")
    assert (spec.low, spec.nominal, spec.high) == pytest.approx((62.9e6, 629e6, 691.9e6))
    assert ("ring", "optics") not in old.properties


def test_faults_of_a_document_are_named() -> None:
    assert "operating 'x': it is not among the optics" in refused(operating={"x": {"energy_ev": 1e9}})
    assert "switch 'QF': another device has the same name" in refused(switches=[{"name": "QF", "states": ["a", "b"]}])
    assert "switch 's': nominal 3 is outside 0 to 1" in refused(
        switches=[{"name": "s", "states": ["a", "b"], "nominal": 3}]
    )
    assert "switch 's': states 0 and 1 have the same name, 'a'" in refused(
        switches=[{"name": "s", "states": ["a", "a"]}]
    )
    assert "source point 'p': its element 'QF' is not a bend" in refused(source_points=[{"name": "p", "element": "QF"}])
    lifetimes = {"gas_lifetime_h": 10.0, "touschek_lifetime_h": 5.0}
    assert "stored_beam: it needs a beam_current_ma above 0, not 0" in refused(stored_beam=lifetimes)
    assert "limits energy: 1.2 to 2 must be above 0 and have 1 between them" in refused(
        limits=LIMITS | {"energy": [1.2, 2.0]}
    )


def test_a_ring_without_cavities_has_no_voltage_to_set() -> None:
    changed = document()
    changed["elements"] = [element for element in changed["elements"] if element["type"] != "cavity"]
    spec = Ring(parse_machine(text(changed), "here")).property_spec(*VOLTAGE)
    assert (spec.low, spec.nominal, spec.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("volts", "high"), [(1e6, 1500.0), (1e5, 1000.0)])
def test_a_voltage_may_reach_its_limit_or_half_as_much_again_as_nominal(volts: float, high: float) -> None:
    changed = document()
    changed["limits"] = changed["limits"] | {"voltage_v": 1e6}
    changed["rf"] = changed["rf"] | {"voltage_unit": "kV"}
    cavity = next(element for element in changed["elements"] if element["type"] == "cavity")
    cavity["voltage"] = volts
    spec = Ring(parse_machine(text(changed), "here")).property_spec(*VOLTAGE)
    assert (spec.low, spec.nominal, spec.high, spec.unit) == (0.0, volts / 1e3, high, "kV")
