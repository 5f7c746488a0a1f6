"""Sizes of the errors: a size for each kind, all zero unless given."""

from dataclasses import asdict

from gnomon.fault_injection.errors import KINDS, ErrorSizes
from unit.fault_injection.errors.machines import SIZES


def test_each_kind_has_a_size_which_is_zero_unless_given() -> None:
    assert set(asdict(ErrorSizes())) == {kind.name for kind in KINDS} | {"cut", "girder_gap_m"}
    assert all(getattr(ErrorSizes(), kind.name) == 0.0 for kind in KINDS)
    assert all(getattr(SIZES, kind.name) > 0.0 for kind in KINDS)


def test_a_factor_of_zero_leaves_no_error_and_the_cut_as_it_is() -> None:
    assert SIZES.scaled(0.0) == ErrorSizes(cut=SIZES.cut, girder_gap_m=SIZES.girder_gap_m)
