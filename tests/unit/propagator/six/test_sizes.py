"""Beam sizes in the middle of a bend agree with pyAT's optics at half of it."""

import math
from dataclasses import replace

import at
import pytest

from gnomon.lattice import Ring
from gnomon.propagator import Propagator
from gnomon.propagator.six import radiation_summary
from gnomon.propagator.six.sizes import SourcePoint
from unit.propagator.pyat_oracle import pyat_element, pyat_lattice


@pytest.mark.parametrize("name", ["nominal", "low_emittance", "injection"])
def test_sizes_are_those_of_pyats_optics_at_half_the_bend(name: str, mls: Ring) -> None:
    lattice = mls.nominal if name == "nominal" else mls.optics[name]
    beam = Propagator(mls)(lattice)
    equilibrium = radiation_summary(lattice, beam)
    ring = pyat_lattice(lattice)
    index = mls.index["BM1L2RP"]
    bend = mls.elements[index]
    first = pyat_element(replace(bend, length=bend.length / 2, angle=bend.angle / 2, exit_angle=0.0, fint_exit=0.0))
    second = pyat_element(
        replace(bend, length=bend.length / 2, angle=bend.angle / 2, entrance_angle=0.0, fint_entrance=0.0)
    )
    halves = at.Lattice([*ring[:index], first, second, *ring[index + 1 :]], energy=lattice.energy_ev, periodicity=1)
    _, _, found = halves.get_optics(refpts=[index + 1])
    shares = 1.0 / 1.01, 0.01 / 1.01
    sizes = SourcePoint(mls, "BM1L2RP").sizes(lattice, beam, equilibrium)
    for plane, size in enumerate(sizes):
        emittance = shares[plane] * equilibrium.emittance_m
        eta = found.dispersion[0][2 * plane]
        expected = math.sqrt(emittance * found.beta[0][plane] + (eta * equilibrium.energy_spread) ** 2)
        assert size == pytest.approx(expected, rel=2e-4)
