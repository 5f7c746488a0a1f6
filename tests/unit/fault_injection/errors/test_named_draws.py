"""Draws by name: the same everywhere, independent of each other, cut normal."""

import hashlib
import math

import numpy as np
import pytest

from gnomon.fault_injection.errors.named_draws import cut_normals, tail, uniforms
from unit.fault_injection.kolmogorov import cut_normal, probability, uniform

MANY = [f"Q{n}" for n in range(20_000)]


def test_a_number_is_made_from_seed_kind_and_device_alone() -> None:
    first = int.from_bytes(hashlib.sha256(b"7\nmagnet_x\nQ3").digest()[:8], "big") >> 11
    assert uniforms(7, "magnet_x", ["Q3"]).tolist() == [(first + 0.5) / 2**53]
    assert uniforms(7, "magnet_x", MANY)[3] == uniforms(7, "magnet_x", ["Q3"])[0]


def test_other_seeds_kinds_and_devices_give_other_numbers() -> None:
    alike = [(seed, kind) for seed in (1, 2, 11) for kind in ("magnet_x", "magnet_y")]
    drawn = np.array([uniforms(seed, kind, MANY) for seed, kind in alike])
    assert np.abs(np.corrcoef(drawn) - np.eye(len(alike))).max() < 4.5 / math.sqrt(len(MANY))


def test_numbers_are_uniform_and_draws_cut_normal() -> None:
    assert probability(uniforms(1, "magnet_x", MANY), uniform) > 0.001
    for cut in (1.0, 3.0):
        assert probability(cut_normals(1, "magnet_x", MANY, cut), cut_normal(-cut, cut)) > 0.001


@pytest.mark.parametrize("cut", [0.5, 2.0, 3.0])
def test_nothing_is_drawn_beyond_the_cut(cut: float) -> None:
    assert np.abs(cut_normals(1, "magnet_x", MANY, cut)).max() <= cut


@pytest.mark.parametrize("cut", [0.5, 1.0, 3.0, 6.0])
def test_the_tail_is_that_of_the_normal_distribution(cut: float) -> None:
    assert tail(cut) == pytest.approx(0.5 * math.erfc(cut / math.sqrt(2.0)), rel=1e-12)


def test_draws_have_the_same_bits_as_on_every_other_machine() -> None:
    drawn = cut_normals(1, "quadrupole_gradient", ["Q1M1D1R", "Q2M1D1R", "Q3M1D1R", "Q4M1D1R"], 3.0)
    assert [value.hex() for value in drawn.tolist()] == [
        "-0x1.b6d29f72d2c43p-1",
        "-0x1.4c3522d9f5e45p+0",
        "0x1.fff75371d22a1p-1",
        "0x1.6ae83f1165114p-1",
    ]
