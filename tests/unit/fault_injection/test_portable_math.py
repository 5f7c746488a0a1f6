"""Logarithm and normal quantile are right, and have the same bits wherever they are calculated."""

import math

import numpy as np
import pytest
from scipy.special import ndtri

from gnomon.fault_injection.portable_math import logarithm, normal_quantile


def test_the_logarithm_is_right_to_the_last_bits() -> None:
    x = np.concatenate([np.logspace(-300, 300, 4001), np.linspace(0.5, 2.0, 4001)[1:]])
    expected = np.array([math.log(value) for value in x])
    assert logarithm(x) == pytest.approx(expected, rel=5e-16, abs=2e-16)


def test_the_quantiles_are_those_of_the_normal_distribution() -> None:
    p = np.concatenate([np.logspace(-300, -0.31, 4001), 1.0 - np.logspace(-15, -0.31, 4001)])
    assert normal_quantile(p) == pytest.approx(ndtri(p), rel=2e-13, abs=1e-15)


def test_its_bits_are_those_of_every_other_machine() -> None:
    p = np.array([1e-300, 1e-20, 0.001, 0.07, 0.3, 0.5, 0.71, 0.93, 0.999])
    assert [value.hex() for value in normal_quantile(p).tolist()] == [
        "-0x1.286074064c26ep+5",
        "-0x1.2865170b43a4bp+3",
        "-0x1.8b8cbb7204470p+1",
        "-0x1.79cd70d9c27f0p+0",
        "-0x1.0c7e39582c5fap-1",
        "0x0.0p+0",
        "0x1.1b553df1320bdp-1",
        "0x1.79cd70d9c27f3p+0",
        "0x1.8b8cbb7204470p+1",
    ]
