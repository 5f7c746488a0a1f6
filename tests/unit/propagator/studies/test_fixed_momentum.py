"""Points inside elements continue what the propagator says at their ends; tunes along the momentum are pyAT's."""

import at
import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.propagator import Propagator
from gnomon.propagator.studies.fixed_momentum import optics_inside, present_elements, tune_scan
from unit.propagator.errors import with_errors, with_misalignments
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice


@pytest.mark.parametrize("name", ["bessy2", "mls"])
@pytest.mark.parametrize("misaligned", [False, True])
def test_ends_of_elements_are_those_of_the_beam(name: str, misaligned: bool, request: pytest.FixtureRequest) -> None:
    ring: Ring = request.getfixturevalue(name)
    lattice = with_errors(ring.nominal)
    lattice = with_misalignments(lattice) if misaligned else lattice
    beam = Propagator(ring)(lattice)
    inside = optics_inside(lattice, beam)
    assert np.diff(inside.s).min() >= 0.0
    assert len(inside.s) > 2 * len(ring.elements)
    first = np.searchsorted(inside.element, np.arange(len(ring.elements)))
    assert np.allclose(inside.s[first], ring.s[:-1], rtol=0.0, atol=1e-9)
    assert np.abs(inside.orbit[first] - beam.orbit[:-1]).max() < 1e-12
    assert np.abs(inside.beta[first] / beam.beta[:-1] - 1.0).max() < 1e-8
    assert np.abs(inside.dispersion[first] - beam.dispersion[:-1]).max() < 1e-8


def test_points_inside_a_magnet_are_those_of_pyat(mls: Ring) -> None:
    lattice = mls.nominal
    inside = optics_inside(lattice, Propagator(mls)(lattice), step_m=0.05)
    places = sorted({e for e in inside.element.tolist() if mls.elements[e].length > 0.2})[:12]
    ring = pyat_lattice(lattice)
    for place in places:
        points = np.flatnonzero(inside.element == place)
        element = ring[place]
        cut = [element] if len(points) == 1 else element.divide(np.full(len(points), 1.0 / len(points)))
        for part in cut:
            if "NumIntSteps" in vars(part):
                part.NumIntSteps = max(1, element.NumIntSteps // len(points))
        whole = at.Lattice([*ring[:place], *cut, *ring[place + 1 :]], energy=ring.energy, periodicity=1)
        beta = whole.linopt4(refpts=np.arange(place, place + len(points)))[2].beta
        assert np.abs(inside.beta[points] / beta - 1.0).max() < 1e-4


def test_tunes_along_the_momentum_are_those_of_pyat(mls: Ring) -> None:
    lattice = with_errors(mls.nominal)
    deltas = np.array([-8e-3, -2e-3, 0.0, 1e-3, 8e-3])
    tunes = tune_scan(lattice, deltas.tolist())
    ring = pyat_lattice(lattice)
    for delta, ours in zip(deltas, tunes, strict=True):
        theirs = at.linopt6(ring, dp=delta, **TIGHT)[1].tune[:2]
        assert ours % 1.0 == pytest.approx(theirs, abs=1e-6)
    assert np.floor(tunes) == pytest.approx(np.floor(Propagator(mls)(lattice).tune)[None].repeat(5, axis=0))


def test_tunes_are_unknown_where_no_beam_is_stable(mls: Ring) -> None:
    tunes = tune_scan(mls.nominal, [-0.3, 0.0, 0.3])
    assert np.isfinite(tunes[1]).all()
    assert np.isnan(tunes[[0, 2]]).any()


def test_present_elements_are_those_of_the_lattice(mls: Ring) -> None:
    lattice = with_misalignments(with_errors(mls.nominal))
    assert present_elements(lattice)[::7] == [lattice.element(i) for i in range(0, len(mls.elements), 7)]


def test_a_beam_of_another_lattice_is_refused(mls: Ring) -> None:
    with pytest.raises(ValueError, match="not that of the lattice"):
        optics_inside(with_errors(mls.nominal), Propagator(mls)(mls.nominal))
