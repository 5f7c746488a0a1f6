"""Settings are named as people name them, and refused with what there is instead."""

import pytest

from gnomon.lattice import LatticeError, RefusedValue, Ring
from gnomon.propagator.facade.named_settings import key_of, name_of, updated


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Q1PDR", ("Q1PDR", "current")),
        ("rf_frequency", ("rf", "frequency")),
        ("rf.frequency", ("rf", "frequency")),
        ("energy_ev", ("ring", "energy")),
        ("Q1M1D1R.dx", ("Q1M1D1R", "dx")),
        (("BPMZ6D1R", "gain_x"), ("BPMZ6D1R", "gain_x")),
        ("PMUXZR", ("PMUXZR", "selected")),
        ("QSPAZR.on", ("QSPAZR", "on")),
    ],
)
def test_a_name_means_a_device_and_a_property(bessy2: Ring, name: str, key: tuple[str, str]) -> None:
    assert key_of(bessy2, name) == key


@pytest.mark.parametrize("name", ["mls", pytest.param("bessy2", marks=pytest.mark.slow(1))])
def test_every_setting_has_a_name_that_means_it(name: str, request: pytest.FixtureRequest) -> None:
    ring: Ring = request.getfixturevalue(name)
    assert [key for key in ring.properties if key_of(ring, name_of(ring, key)) != key] == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"Q1PDX": 1.0}, "there is no device 'Q1PDX'; near names: Q1PDR"),
        ({"q1pdr": 1.0}, "there is no device 'q1pdr'; near names: Q1PDR"),
        ({"Q1MXD1R.dx": 1.0}, "there is no device 'Q1MXD1R'; near names: Q1M"),
        ({"Q1M1D1R": 1.0}, r"Q1M1D1R has several settings: .*; name one, as in 'Q1M1D1R.k1'"),
        ({"Q1M1D1R.k9": 1.0}, "no property 'k9'; it has current, dx"),
        ({"Q1PDR": 1.0, ("Q1PDR", "current"): 2.0}, "are one setting; give it once"),
        ({"optics": "nothing"}, "there is no optics 'nothing'; there are nominal"),
    ],
)
def test_a_wrong_name_is_refused_with_what_there_is(bessy2: Ring, settings: dict, reason: str) -> None:
    with pytest.raises(LatticeError, match=reason):
        updated(bessy2.nominal, settings)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("Q1PDR", 1e6, r"Q1PDR current = 1e\+06 A: outside the limits 0 to 327.688 A"),
        ("Q1PDR", float("nan"), "not a finite number"),
        ("Q1PDR", "1_0", r"'1_0' is not a single number \[A\]"),
        ("Q1PDR", [1.0, 2.0], "is not a single number"),
        ("Q1PDR", None, "is not a single number"),
        ("QSPAZR.on", "perhaps", "'perhaps' is not one of its states: off, on"),
        ("PMUXZR", 1.5, "not a whole number"),
    ],
)
def test_a_wrong_value_is_refused_with_unit_and_limits(bessy2: Ring, name: str, value: object, reason: str) -> None:
    with pytest.raises(RefusedValue, match=reason):
        updated(bessy2.nominal, {name: value})


def test_texts_and_states_are_values_too(bessy2: Ring) -> None:
    lattice = updated(bessy2.nominal, {"Q1PDR": " 218.5 ", "QSPAZR.on": "off"})
    assert (lattice["Q1PDR", "current"], lattice["QSPAZR", "on"]) == (218.5, 0.0)


def test_an_optics_sets_all_supplies_and_what_is_named_itself_wins(mls: Ring) -> None:
    assert updated(mls.nominal, {"optics": "low_alpha"}).id == mls.optics["low_alpha"].id
    own = updated(mls.nominal, {"S2P1RP": -1.5, "optics": "low_alpha"})
    assert own["S2P1RP", "current"] == -1.5
    back = updated(own, {"optics": "nominal"})
    assert back["S2P1RP", "current"] == mls.nominal["S2P1RP", "current"]
    assert back.id == mls.nominal.id
