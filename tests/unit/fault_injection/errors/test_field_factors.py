"""Factors of fields: 1 without errors, and those of the drawn errors with them."""

import math

import pytest

from gnomon.fault_injection.errors import ErrorSizes, draw_errors
from gnomon.fault_injection.errors.field_factors import FieldFactors
from unit.fault_injection.errors.machines import MLS, SIZES


def test_without_errors_all_factors_are_one_and_no_coil_is_rolled() -> None:
    factors = FieldFactors.of(MLS, draw_errors(MLS, 1, ErrorSizes()))
    assert set(factors.own.values()) == {1.0}
    assert not factors.cross
    assert {factor for orders in (*factors.normal.values(), *factors.skew.values()) for factor in orders} == {1.0}


def test_factors_are_those_of_the_errors() -> None:
    errors = draw_errors(MLS, 1, SIZES)
    factors = FieldFactors.of(MLS, errors)
    of_property = {magnet.property: magnet for magnet in MLS.magnets}
    quadrupole, sextupole = of_property["k1"], of_property["b3"]
    assert factors.own[quadrupole.name] == 1.0 + errors.get("quadrupole_gradient", quadrupole.element)
    assert factors.own[sextupole.name] == 1.0 + errors.get("sextupole_strength", sextupole.element)
    for steerer, sign in ((of_property["kick_x"], 1.0), (of_property["kick_y"], -1.0)):
        name = steerer.name
        gain, roll = 1.0 + errors.get("corrector_gain", name), errors.get("corrector_roll", name)
        assert factors.own[name] == pytest.approx(gain * math.cos(roll), rel=1e-9)
        assert factors.cross[name] == pytest.approx(sign * gain * math.sin(roll), rel=1e-5)
