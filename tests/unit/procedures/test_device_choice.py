"""Devices are chosen by patterns; a pattern that fits none is an error with near names."""

import pytest

from gnomon.lattice import Ring
from gnomon.procedures.device_choice import check_names, chosen_names, supplies_that_drive
from gnomon.procedures.errors import ProcedureError


def test_names_are_chosen_by_any_of_the_patterns_in_their_own_order() -> None:
    names = ("HS1", "VS1", "HS2", "Q1")
    assert chosen_names(names, ("HS*", "V?1"), "steerer") == ("HS1", "VS1", "HS2")
    assert chosen_names(names, (), "steerer") == ()


def test_a_pattern_that_fits_none_is_refused_with_a_near_name() -> None:
    with pytest.raises(ProcedureError, match=r"no steerer fits 'HS3'.*HS1"):
        chosen_names(("HS1", "VS1"), ("VS*", "HS3"), "steerer")


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"devices": ["Q1M*"], "monitor": "BPMZ1D1R", "dead": ["BPMZ2D1R"]}, None),
        ({}, None),
        ({"devices": ["Q1M*", "Q9*"]}, "devices"),
        ({"place": "Q1M1D1R"}, "place"),
        ({"dead": ["BPMZ99"]}, "dead"),
    ],
)
def test_an_option_that_names_no_device_of_the_ring_is_found(
    bessy2: Ring, options: dict[str, object], wrong: str | None
) -> None:
    found = check_names(bessy2, options)
    assert (found and found[0]) == wrong
    if found:
        assert "of bessy2" in str(found[1]).lower()


def test_supplies_are_known_by_what_they_drive(bessy2: Ring) -> None:
    quadrupoles = supplies_that_drive(bessy2.nominal, "k1")
    assert "Q1PDR" in quadrupoles
    assert bessy2.multiplexer is not None
    assert bessy2.multiplexer.supply not in quadrupoles
    sextupoles = supplies_that_drive(bessy2.nominal, "b3")
    assert sextupoles
    assert set(sextupoles).isdisjoint(quadrupoles)
