"""Every derivative is that of the propagator itself: central differences on rings with errors and misalignments."""

from collections.abc import Callable

import at
import numpy as np
import pytest

from gnomon.lattice import Lattice, Ring
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.derivatives import (
    NoDerivative,
    chromaticity_response,
    frequency_response,
    misalignment_response,
    optics_response,
    orbit_response,
    tune_response,
)
from unit.propagator.errors import with_errors, with_misalignments
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice

#: What a parameter of an element is called as a property.
PROPERTIES = {"b2": "k1", "a2": "k1s", "b3": "b3", "kick_x": "kick", "kick_y": "kick"}


@pytest.fixture(scope="module", params=["bessy2", "mls"])
def lattice(request: pytest.FixtureRequest) -> Lattice:
    ring: Ring = request.getfixturevalue(request.param)
    return with_misalignments(with_errors(ring.nominal))


def difference(
    propagate: Propagator, lattice: Lattice, key: tuple[str, str], step: float, reads: Callable[[BeamState], np.ndarray]
) -> np.ndarray:
    """Fourth-order central difference of what `reads` reads."""
    values = {k: reads(propagate(lattice.updated({key: lattice[key] + k * step}))) for k in (-2, -1, 1, 2)}
    return (values[-2] - 8.0 * values[-1] + 8.0 * values[1] - values[2]) / (12.0 * step)


def sample(count: int) -> list[int]:
    """Some knobs, from all over the ring."""
    return sorted({0, count // 3, 2 * count // 3, count - 1})


def close(ours: np.ndarray, theirs: np.ndarray, limit: float) -> None:
    assert np.abs(ours - theirs).max() < limit * np.abs(theirs).max()


@pytest.mark.parametrize(("hold", "momentum"), [("momentum", "orbit"), ("frequency", "frequency")])
def test_orbit_by_correctors(lattice: Lattice, hold: str, momentum: str) -> None:
    propagate = Propagator(lattice.ring, momentum)  # type: ignore[arg-type]
    response = orbit_response(propagate, lattice, hold=hold)  # type: ignore[arg-type]
    monitors = list(lattice.ring.monitors)
    assert response.x.shape == response.y.shape == (len(monitors), len(response.names))
    for k in sample(len(response.names)):
        there = difference(propagate, lattice, (response.names[k], "kick"), 2e-6, lambda b: b.orbit[monitors][:, ::2])
        close(np.stack([response.x[:, k], response.y[:, k]], axis=1), there, 1e-6)


def test_orbit_by_the_rf_frequency(lattice: Lattice) -> None:
    propagate = Propagator(lattice.ring, "frequency")
    response = frequency_response(propagate, lattice)
    assert response.units == ("m/Hz",)
    monitors, key = list(lattice.ring.monitors), ("rf", "frequency")
    hertz = {"Hz": 1.0, "kHz": 1e3}[lattice.ring.rf_unit]
    there = difference(propagate, lattice, key, 1.0 / hertz, lambda b: np.append(b.orbit[monitors][:, ::2], b.delta))
    ours = np.append(np.stack([response.x[:, 0], response.y[:, 0]], axis=1), response.delta)
    close(ours[:-1], there[:-1] / hertz, 1e-5)
    assert ours[-1] == pytest.approx(there[-1] / hertz, rel=1e-6)


def test_orbit_by_misalignments(lattice: Lattice) -> None:
    propagate = Propagator(lattice.ring, "orbit", chromatic=False)
    response = misalignment_response(propagate, lattice)
    monitors = list(lattice.ring.monitors)
    known = lattice.ring.properties
    knobs = [k for k in range(len(response.names)) if (response.names[k], response.parameters[k]) in known]
    for k in knobs[:: len(knobs) // 11]:
        key = (response.names[k], response.parameters[k])
        there = difference(propagate, lattice, key, 2e-6, lambda b: b.orbit[monitors][:, ::2])
        assert np.abs(np.stack([response.x[:, k], response.y[:, k]], axis=1) - there).max() < 1e-6


def test_optics_by_quadrupoles_and_skews(lattice: Lattice) -> None:
    propagate = Propagator(lattice.ring, "orbit")
    response = optics_response(propagate, lattice)
    monitors = list(lattice.ring.monitors)
    assert np.array_equal(response.tune, tune_response(propagate, lattice).tune)

    def reads(beam: BeamState) -> np.ndarray:
        return np.concatenate([beam.tune, beam.beta[monitors].ravel(), beam.dispersion[monitors][:, ::2].ravel()])

    for k in sample(len(response.names)):
        key = (response.names[k], PROPERTIES[response.parameters[k]])
        there = difference(propagate, lattice, key, 1e-4, reads)
        split = 2 + 2 * len(monitors)
        assert np.abs(response.tune[:, k] - there[:2]).max() < 1e-7
        close(response.beta[:, :, k].ravel(), there[2:split], 1e-6)
        close(response.dispersion[:, :, k].ravel(), there[split:], 1e-5)


def test_chromaticity_by_sextupoles(lattice: Lattice) -> None:
    propagate = Propagator(lattice.ring, "orbit")
    response = chromaticity_response(propagate, lattice)
    # Sextupoles whose term is a property of their own: all, of both rings.
    assert all((name, "b3") in lattice.ring.properties for name in response.names)
    for k in sample(len(response.names)):
        key = (response.names[k], "b3")
        there = difference(propagate, lattice, key, 5e-3, lambda b: b.chromaticity)
        assert np.abs(response.tune[:, k] - there).max() < 1e-4 * np.abs(response.tune).max()


def test_orbit_response_agrees_with_pyat(bessy2: Ring) -> None:
    lattice = with_errors(bessy2.nominal)
    response = orbit_response(Propagator(bessy2, "orbit"), lattice)
    magnets = {m.name: m for m in bessy2.magnets}
    ring = pyat_lattice(lattice)
    monitors = np.array(bessy2.monitors)
    for k in sample(len(response.names))[:2]:
        magnet = magnets[response.names[k]]
        kicks = ring[magnet.element].KickAngle
        orbits = []
        for step in (2e-6, -4e-6):
            kicks[magnet.column - 8] += step
            orbits.append(at.find_orbit4(ring, refpts=monitors, **TIGHT)[1][:, [0, 2]])
        kicks[magnet.column - 8] += 2e-6
        there = (orbits[0] - orbits[1]) / 4e-6
        close(np.stack([response.x[:, k], response.y[:, k]], axis=1), there, 1e-5)


def test_no_beam_has_no_derivatives(bessy2: Ring) -> None:
    broken = bessy2.nominal.updated({("Q1M1D1R", "k1"): 3.6})
    with pytest.raises(NoDerivative, match="no derivatives of lattice"):
        tune_response(Propagator(bessy2), broken)
    with pytest.raises(NoDerivative, match="chromatic"):
        chromaticity_response(Propagator(bessy2, chromatic=False), bessy2.nominal)
