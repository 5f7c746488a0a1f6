"""Draws are the same everywhere, in whatever order they are made, and have the distributions that they say."""

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from gnomon.fault_injection import Draws, Lane
from gnomon.fault_injection.draws import logarithm, normal_quantile
from unit.fault_injection.kolmogorov import cut_normal, probability, uniform

MASK = 2**64 - 1


def philox4x64(key: tuple[int, int], counter: tuple[int, int, int, int]) -> list[int]:
    """Philox4x64-10 as the paper has it (Salmon et al., SC'11), in whole numbers."""
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(10):
        a, b = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (b >> 64) ^ c1 ^ k0, b & MASK, (a >> 64) ^ c3 ^ k1, a & MASK
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return [c0, c1, c2, c3]


@pytest.mark.parametrize(("seed", "fault", "number"), [(0, 1, 1), (7, 3, 2**40), (2**63 - 1, 9, 0)])
def test_draws_are_philox_of_the_paper(seed: int, fault: int, number: int) -> None:
    words = [w for block in (1, 2) for w in philox4x64((seed, fault), (block, number, int(Lane.SHARE), 0))]
    assert list(Draws(seed).uniforms(fault, number, Lane.SHARE, 8)) == [(word >> 11) * 2.0**-53 for word in words]


def test_draws_do_not_depend_on_what_was_drawn_before() -> None:
    draws = Draws(5)
    forward = [draws.uniform(2, number, Lane.DELAY) for number in range(20)]
    assert [Draws(5).uniform(2, number, Lane.DELAY) for number in reversed(range(20))] == forward[::-1]


def test_seed_fault_number_and_lane_each_change_a_draw() -> None:
    base = (1, 1, 1, Lane.DELAY)
    others = [(2, 1, 1, Lane.DELAY), (1, 2, 1, Lane.DELAY), (1, 1, 2, Lane.DELAY), (1, 1, 1, Lane.NOISE)]
    assert len({Draws(seed).uniform(fault, number, lane) for seed, fault, number, lane in (base, *others)}) == 5


def test_known_draws_stay_as_they_are() -> None:
    """A recording names its seed: what it drew must not change with a version of gnomon or numpy."""
    draws = Draws(1)
    assert draws.uniform(1, 1, Lane.PROBABILITY).hex() == KNOWN[0]
    assert draws.exponential(1, 1, Lane.DELAY, 2.0).hex() == KNOWN[1]
    assert float(draws.normals(1, 1, Lane.NOISE, 1)[0]).hex() == KNOWN[2]


KNOWN = ("0x1.e55db667127b8p-1", "0x1.ec60c73947792p+0", "0x1.440a864821382p-2")


def test_the_logarithm_is_right_to_the_last_bits() -> None:
    x = np.concatenate([Draws(3).uniforms(1, 1, Lane.NOISE, 10_000) + 2.0**-54, [2.0**-54, 1.0, 0.5, 0.70710678]])
    right = np.array([math.log(v) for v in x])
    assert np.all(np.abs(logarithm(x) - right) <= 5e-16 * np.abs(right) + 1e-16)


def test_normal_quantiles_are_those_of_scipy() -> None:
    p = np.concatenate(
        [10.0 ** np.arange(-16.0, 0.0), 1.0 - 10.0 ** np.arange(-12.0, 0.0), np.linspace(0.01, 0.99, 99)]
    )
    np.testing.assert_allclose(normal_quantile(p), ndtri(p), rtol=3e-15, atol=1e-15)


def test_draws_have_the_distributions_that_they_say() -> None:
    draws = Draws(11)
    uniforms = draws.uniforms(1, 1, Lane.NOISE, 20_000)
    normal = draws.normals(1, 2, Lane.NOISE, 20_000)
    exponential = [draws.exponential(1, n, Lane.DELAY, 3.0) for n in range(2000)]
    cut = [draws.normal_between(1, n, Lane.DELAY, 1.0, 1.0, 0.0, 1.5) for n in range(2000)]
    assert probability(uniforms, uniform) > 0.001
    assert probability(normal, ndtr) > 0.001
    assert probability(exponential, lambda x: -np.expm1(-x / 3.0)) > 0.001
    assert probability(np.array(cut) - 1.0, cut_normal(-1.0, 0.5)) > 0.001
