"""Responses by supplies' currents are central differences of the propagator, and those of pyAT by hand."""

from collections.abc import Callable

import at
import numpy as np
import pytest

from gnomon.lattice import Lattice, LatticeError, Ring
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.derivatives import (
    NoDerivative,
    fed_by,
    orbit_response,
    supplies_of,
    supply_response,
    tune_response,
)
from unit.propagator.errors import with_errors, with_misalignments
from unit.propagator.pyat_oracle import pyat_lattice


@pytest.fixture(scope="module", params=["bessy2", "mls"])
def lattice(request: pytest.FixtureRequest) -> Lattice:
    ring: Ring = request.getfixturevalue(request.param)
    return with_misalignments(with_errors(ring.nominal))


def difference(
    propagate: Propagator, lattice: Lattice, supply: str, step: float, reads: Callable[[BeamState], np.ndarray]
) -> np.ndarray:
    """Fourth-order central difference, by a supply's current [A], of what `reads` reads."""
    key = (supply, "current")
    values = {k: reads(propagate(lattice.updated({key: lattice[key] + k * step}))) for k in (-2, -1, 1, 2)}
    return (values[-2] - 8.0 * values[-1] + 8.0 * values[1] - values[2]) / (12.0 * step)


def one_of_each(lattice: Lattice) -> list[str]:
    """A supply of each kind: of each field that supplies drive, the one with the most magnets and the last."""
    found: dict[str, list[str]] = {}
    for supply in supplies_of(lattice):
        spec = lattice.ring.property_spec(supply, "current")
        if not spec.low + 0.1 < lattice[supply, "current"] < spec.high - 0.1:
            continue  # no room for differences
        magnet = fed_by(lattice, supply)[0][0]
        found.setdefault(f"{magnet.main} {magnet.column}", []).append(supply)
    picks = [(max(names, key=lambda n: len(fed_by(lattice, n))), names[-1]) for names in found.values()]
    return sorted({name for pair in picks for name in pair})


@pytest.mark.parametrize(("hold", "momentum"), [("momentum", "orbit"), ("frequency", "frequency")])
def test_response_by_a_current_is_that_of_the_whole_model(lattice: Lattice, hold: str, momentum: str) -> None:
    propagate = Propagator(lattice.ring, momentum)  # type: ignore[arg-type]
    supplies = one_of_each(lattice)
    response = supply_response(propagate, lattice, supplies, hold=hold)  # type: ignore[arg-type]
    monitors = list(lattice.ring.monitors)
    assert response.orbit.shape == (len(monitors), 4, len(supplies))
    for k, supply in enumerate(supplies):

        def reads(beam: BeamState) -> np.ndarray:
            return np.concatenate([beam.orbit[monitors].ravel(), beam.tune, beam.chromaticity, [beam.delta]])

        there = difference(propagate, lattice, supply, 0.01, reads)
        orbit = there[:-5].reshape(-1, 4)
        assert np.abs(response.orbit[:, :, k] - orbit).max() < 1e-6 * np.abs(orbit).max() + 1e-10
        assert response.tune[:, k] == pytest.approx(there[-5:-3], rel=1e-5, abs=1e-8)
        # the model's chromaticities are right to a relative 1e-6, which the difference divides by its step
        assert response.chromaticity[:, k] == pytest.approx(there[-3:-1], rel=1e-3, abs=2e-4)
        if hold == "frequency":
            assert response.delta[k] == pytest.approx(there[-1], rel=1e-4, abs=1e-11)


def test_response_of_a_supply_is_the_sum_over_its_magnets(bessy2: Ring) -> None:
    propagate, lattice = Propagator(bessy2), bessy2.nominal
    response = supply_response(propagate, lattice, ["Q1PDR"], hold="momentum")
    single = tune_response(propagate, lattice)
    fed = fed_by(lattice, "Q1PDR")
    assert len(fed) == 16
    by_element = {name: single.tune[:, k] for k, name in enumerate(single.names) if single.parameters[k] == "b2"}
    total = sum(slope * by_element[bessy2.elements[m.element].name] for m, slope in fed)
    assert response.tune[:, 0] == pytest.approx(total, rel=1e-10)


def test_tunes_by_a_supply_are_those_of_pyat(bessy2: Ring) -> None:
    lattice = bessy2.nominal
    response = supply_response(Propagator(bessy2), lattice, ["Q1PDR", "S2PDR"], hold="momentum")
    for k, (supply, step) in enumerate((("Q1PDR", 0.02), ("S2PDR", 0.5))):
        found = []
        for sign in (1.0, -1.0):
            key = (supply, "current")
            ring = pyat_lattice(lattice.updated({key: lattice[key] + sign * step}))
            optics = at.linopt6(ring, get_chrom=True)[1]
            found.append(np.concatenate([optics.tune[:2], optics.chromaticity[:2]]))
        there = (found[0] - found[1]) / (2.0 * step)
        assert response.tune[:, k] == pytest.approx(there[:2], rel=1e-4, abs=1e-7)
        assert response.chromaticity[:, k] == pytest.approx(there[2:], rel=1e-3, abs=1e-4)


def test_slope_follows_the_beam_energy(mls: Ring) -> None:
    magnet = next(m for m in mls.magnets if m.main == "k1")
    half = mls.nominal.updated({("ring", "energy"): 0.5 * mls.energy_ev})
    assert half.slope(magnet) == pytest.approx(2.0 * mls.nominal.slope(magnet), rel=1e-4)


def test_multiplexer_supply_feeds_the_magnet_that_it_is_connected_to(bessy2: Ring) -> None:
    mux = bessy2.multiplexer
    assert mux is not None
    assert mux.supply not in supplies_of(bessy2.nominal)
    connected = bessy2.nominal.updated({(mux.name, "selected"): 3.0})
    ((magnet, slope),) = fed_by(connected, mux.supply)
    assert magnet.name == mux.magnets[2]
    assert slope == pytest.approx(mux.factor * connected.slope(magnet))
    with pytest.raises(LatticeError, match="feeds no magnet"):
        supply_response(Propagator(bessy2), bessy2.nominal, [mux.supply])


def test_steerer_by_current_is_its_kick_by_the_slope(mls: Ring) -> None:
    propagate, lattice = Propagator(mls), mls.nominal
    kicks = orbit_response(propagate, lattice, hold="frequency")
    magnet = next(m for m in mls.magnets if m.main == "kick")
    response = supply_response(propagate, lattice, [magnet.supply])
    column = kicks.names.index(magnet.name)
    assert [m.name for m, _ in fed_by(lattice, magnet.supply)] == [magnet.name]
    assert response.orbit[:, 0, 0] == pytest.approx(kicks.x[:, column] * lattice.slope(magnet), rel=1e-9, abs=1e-15)


def test_unknown_supply_and_no_beam_are_refused(bessy2: Ring) -> None:
    with pytest.raises(LatticeError, match="there is no device 'Q9'"):
        supply_response(Propagator(bessy2), bessy2.nominal, ["Q9"])
    broken = bessy2.nominal.updated({("Q1M1D1R", "k1"): 3.6})
    with pytest.raises(NoDerivative, match="no derivatives of lattice"):
        supply_response(Propagator(bessy2), broken, ["Q1PDR"])
