"""Beam sizes in the middle of a bend agree with pyAT's optics at half of it."""

import math
from dataclasses import replace

import at
import pytest

from gnomon.lattice import Lattice, Ring
from gnomon.lattice.elements import Bend
from gnomon.propagator import Propagator
from gnomon.propagator.six import radiation_summary
from gnomon.propagator.six.source_size import SourcePoint
from unit.propagator.pyat_oracle import pyat_element, pyat_lattice


@pytest.mark.parametrize("name", ["nominal", "low_emittance", "injection"])
def test_sizes_are_those_of_pyats_optics_at_half_the_bend(name: str, mls: Ring) -> None:
    compare(mls.nominal if name == "nominal" else mls.optics[name], "BM1L2RP")


@pytest.mark.parametrize("offset_khz", [-5.0, 5.0])
def test_off_momentum_too(offset_khz: float, bessy2: Ring) -> None:
    key = ("rf", "frequency")
    bend = next(e.name for e in bessy2.elements if isinstance(e, Bend))
    compare(bessy2.nominal.updated({key: bessy2.nominal[key] + offset_khz}), bend)


def compare(lattice: Lattice, name: str) -> None:
    """The sizes of a source point next to those of pyAT's optics and our equilibrium."""
    machine = lattice.ring
    beam = Propagator(machine)(lattice)
    equilibrium = radiation_summary(lattice, beam)
    ring = pyat_lattice(lattice)
    index = machine.index[name]
    bend = machine.elements[index]
    assert isinstance(bend, Bend)
    first = pyat_element(replace(bend, length=bend.length / 2, angle=bend.angle / 2, exit_angle=0.0, fint_exit=0.0))
    second = pyat_element(
        replace(bend, length=bend.length / 2, angle=bend.angle / 2, entrance_angle=0.0, fint_entrance=0.0)
    )
    halves = at.Lattice([*ring[:index], first, second, *ring[index + 1 :]], energy=lattice.energy_ev, periodicity=1)
    _, _, found = halves.get_optics(refpts=[index + 1], dp=beam.delta)
    shares = 1.0 / 1.01, 0.01 / 1.01
    sizes = SourcePoint(machine, name).sizes(lattice, beam, equilibrium)
    for plane, size in enumerate(sizes):
        emittance = shares[plane] * equilibrium.emittance_m
        eta = found.dispersion[0][2 * plane]
        expected = math.sqrt(emittance * found.beta[0][plane] + (eta * equilibrium.energy_spread) ** 2)
        assert size == pytest.approx(expected, rel=2e-4)
