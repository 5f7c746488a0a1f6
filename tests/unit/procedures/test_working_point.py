"""Tunes come to 1e-4 in three steps at a resolution of 2e-5, chromaticities to 0.05, within the limits of supplies."""

import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.procedures import working_point
from gnomon.procedures.chromaticity import ChromaticityData, ChromaticityParameters
from gnomon.procedures.chromaticity import analyse as chromaticity
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.model_values import RF, momentum_of
from gnomon.procedures.working_point import WorkingPointData, WorkingPointParameters, nearest_tunes
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import supply_response
from unit.procedures.noisy_ring import NoisyRing, imperfect

QUADRUPOLES = ("Q1PDR", "Q1PTR", "Q2PDR", "Q2PTR")


def proposed(
    ring: NoisyRing, kind: str, names: tuple[str, ...], measured: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    ideal = ring.lattice.ring.nominal
    response = supply_response(Propagator(ideal.ring), ideal, names)
    specs = [ideal.ring.property_spec(name, "current") for name in names]
    data = WorkingPointData(
        kind=kind,
        supplies=names,
        measured=measured,
        wanted=wanted,
        response=getattr(response, kind),
        settings=np.array([ring.lattice[name, "current"] for name in names]),
        low=np.array([spec.low for spec in specs]),
        high=np.array([spec.high for spec in specs]),
    )
    found = working_point.analyse(data, WorkingPointParameters(error=2e-5))
    ring.set({(name, "current"): value for name, value in zip(names, found.proposed, strict=True)})
    return found.expected


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_steps_bring_the_tunes_to_1e_4(bessy2: Ring, seed: int) -> None:
    ring = NoisyRing(imperfect(bessy2, seed), seed)
    wanted = np.array([17.855, 6.735])
    for _ in range(3):
        measured = np.round(ring.tunes() / 2e-5) * 2e-5
        proposed(ring, "tune", QUADRUPOLES, nearest_tunes(measured, wanted), wanted)
    assert np.abs(ring.propagate(ring.lattice).tune - wanted).max() < 1e-4


@pytest.mark.parametrize("seed", [1, 2])
def test_three_steps_bring_the_chromaticities_to_0_05(bessy2: Ring, seed: int) -> None:
    ring = NoisyRing(imperfect(bessy2, seed), seed)
    momentum = momentum_of(bessy2.nominal)
    names = tuple(s.name for s in bessy2.document.supplies if s.name.startswith(("S1", "S2")))
    wanted = np.array([2.0, 2.5])
    for _ in range(3):
        base, tunes, rf = ring.lattice, [], []
        for step in np.linspace(-2.0, 2.0, 9):
            ring.lattice = base.updated({RF: base[RF] + step})
            rf.append(ring.lattice.rf_frequency)
            tunes.append(ring.tunes())
        ring.lattice = base
        x, y = np.array(tunes).T
        data = ChromaticityData(rf_hz=np.array(rf), tune_x=x, tune_y=y, time_s=np.arange(9.0))
        measured = chromaticity(data, ChromaticityParameters(momentum=momentum)).chromaticity
        proposed(ring, "chromaticity", names, measured, wanted)
    assert np.abs(ring.propagate(ring.lattice).chromaticity - wanted).max() < 0.05


def test_supplies_of_one_family_are_refused_with_the_reason() -> None:
    data = WorkingPointData(
        kind="tune", supplies=("A", "B"), measured=np.zeros(2), wanted=np.ones(2) * 1e-3,
        response=np.array([[1.0, 2.0], [-0.5, -1.0]]), settings=np.ones(2), low=np.zeros(2), high=np.full(2, 5.0),
    )  # fmt: skip
    with pytest.raises(ProcedureError, match="A, B: they cannot move the tune in both planes"):
        working_point.analyse(data, WorkingPointParameters())


def test_a_supply_at_its_limit_is_named_and_stays_there() -> None:
    data = WorkingPointData(
        kind="tune", supplies=("A", "B"), measured=np.zeros(2), wanted=np.array([1.0, 0.0]),
        response=np.array([[0.1, -0.02], [-0.02, 0.1]]), settings=np.ones(2), low=np.zeros(2), high=np.full(2, 1.5),
    )  # fmt: skip
    found = working_point.analyse(data, WorkingPointParameters())
    assert "A" in found.at_limit
    assert found.proposed.max() <= 1.5


def test_tunes_without_their_integer_part_are_read_nearest_to_those_wanted() -> None:
    found = nearest_tunes(np.array([0.01, 0.99]), np.array([17.98, 7.02]))
    np.testing.assert_allclose(found, [18.01, 6.99])
