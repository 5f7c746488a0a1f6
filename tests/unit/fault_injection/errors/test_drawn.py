"""Errors of a machine: of the stated sizes, the same for the same seed, and independent of what else is there."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gnomon.fault_injection.errors import KINDS, ErrorSizes, draw_errors
from gnomon.lattice import MachineDocument
from gnomon.lattice.document import QuadrupolePart
from unit.fault_injection.errors.machines import BESSY, MLS, SIZES

SEEDS = 1000


@pytest.mark.slow(6)
def test_sizes_over_a_thousand_seeds_are_the_stated_ones_for_all_kinds_together() -> None:
    """Standard deviation and mean of each kind, inside the interval that holds all of them with a probability of 99 %.

    The variance of a sample variance is (m4 - m2^2) / n; with 2 statistics of each kind, each has 1 % / 24.
    """
    from scipy.stats import norm, truncnorm  # slow to import

    drawn = [draw_errors(MLS, seed, SIZES) for seed in range(SEEDS)]
    cut = truncnorm(-SIZES.cut, SIZES.cut)
    second, fourth = cut.moment(2), cut.moment(4)
    bound = norm.ppf(1.0 - 0.5 * 0.01 / (2 * len(KINDS)))
    for kind in KINDS:
        size = getattr(SIZES, kind.name)
        values = np.array([list(errors.values[kind.name].values()) for errors in drawn]).ravel() / size
        assert len(values) >= 4 * SEEDS, kind.name
        of_mean = values.mean() / math.sqrt(second / len(values))
        of_variance = (np.mean(values**2) - second) / math.sqrt((fourth - second**2) / len(values))
        assert abs(of_mean) < bound, kind.name
        assert abs(of_variance) < bound, kind.name
        assert np.abs(values).max() <= SIZES.cut


@pytest.mark.parametrize("document", [BESSY, MLS], ids=["bessy2", "mls"])
def test_the_same_seed_draws_the_same_bits_and_another_seed_others(document: MachineDocument) -> None:
    first, again, other = (draw_errors(document, seed, SIZES) for seed in (5, 5, 6))
    assert first == again
    for kind in KINDS:
        if first.values[kind.name]:
            assert set(first.values[kind.name].values()).isdisjoint(other.values[kind.name].values())


def test_another_magnet_does_not_change_the_errors_of_those_that_are_there() -> None:
    more = MLS.model_copy(
        update={"elements": (QuadrupolePart(type="quadrupole", name="NEW", length=0.1, k1=0.5), *MLS.elements)}
    )
    before, after = draw_errors(MLS, 1, SIZES), draw_errors(more, 1, SIZES)
    assert after.values["magnet_x"].keys() - before.values["magnet_x"].keys() == {"NEW"}
    for kind in KINDS:
        theirs = {name: value for name, value in after.values[kind.name].items() if name != "NEW"}
        assert theirs == before.values[kind.name]


def test_a_size_of_zero_draws_none_and_changes_nothing_else() -> None:
    without = draw_errors(MLS, 1, replace(SIZES, magnet_x=0.0))
    usual = draw_errors(MLS, 1, SIZES)
    assert set(without.values["magnet_x"].values()) == {0.0}
    assert {k: v for k, v in without.values.items() if k != "magnet_x"} == {
        k: v for k, v in usual.values.items() if k != "magnet_x"
    }
    nothing = draw_errors(MLS, 1, ErrorSizes())
    assert not any(value for of in nothing.values.values() for value in of.values())


def test_sizes_multiply_what_was_drawn() -> None:
    once, twice = draw_errors(MLS, 1, SIZES), draw_errors(MLS, 1, SIZES.scaled(2.0))
    assert once.scaled(2.0) == twice
    assert twice.sizes.cut == SIZES.cut
    assert twice.sizes.girder_gap_m == SIZES.girder_gap_m
