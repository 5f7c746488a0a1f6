"""Proposals do what the full model says that they do, and refuse what they cannot."""

import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.procedures.correcting import RF, expect, propose_bump, propose_orbit, propose_working_point
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.orbit_correction import OrbitCorrectionOutcome, OrbitCorrectionParameters
from gnomon.procedures.summaries import summarise
from gnomon.propagator import Propagator
from unit.procedures.noisy_ring import NoisyRing


def told(proposal: object) -> list[str]:
    run = Run(
        name="x", procedure=proposal.procedure, data=proposal.data.model_dump(),  # type: ignore[attr-defined]
        parameters=proposal.parameters.model_dump(), outcome=proposal.outcome.model_dump(),  # type: ignore[attr-defined]
    )  # fmt: skip
    return [line.name for line in summarise(run)]


def test_an_orbit_proposal_takes_a_kick_away(bessy2: Ring) -> None:
    lattice = bessy2.nominal.updated({("HS4P1D1R", "current"): 0.1, ("VS3P1D1R", "current"): 0.1})
    ring = NoisyRing(lattice, 1)
    found = propose_orbit(lattice, ring.true_orbit(), OrbitCorrectionParameters(strength=1e-4))
    assert isinstance(found.outcome, OrbitCorrectionOutcome)
    ring.set(found.settings)
    np.testing.assert_allclose(
        ring.true_orbit(), found.expectation.change_mm + NoisyRing(lattice, 1).true_orbit(), atol=1e-9
    )
    assert np.sqrt((ring.true_orbit() ** 2).mean()) < 0.02
    assert "rms orbit expected" in told(found)


def test_an_orbit_proposal_with_the_rf_frequency_takes_it_back(bessy2: Ring) -> None:
    lattice = bessy2.nominal.updated({RF: bessy2.nominal[RF] + 0.2})
    ring = NoisyRing(lattice, 1)
    found = propose_orbit(lattice, ring.true_orbit(), OrbitCorrectionParameters(use_rf=True, strength=1e-4))
    assert found.settings[RF] - lattice[RF] == pytest.approx(-0.2, abs=0.05)


@pytest.mark.parametrize(("kind", "wanted", "patterns"), [
    ("tune", [0.85, 0.73], ("Q1*", "Q2*")),
    ("chromaticity", [2.0, 2.5], ("S1*", "S2*")),
])  # fmt: skip
def test_a_working_point_is_reached_by_the_full_model(
    bessy2: Ring, kind: str, wanted: list[float], patterns: tuple[str, ...]
) -> None:
    lattice = bessy2.nominal
    for _ in range(2):
        beam = Propagator(bessy2)(lattice)
        measured = beam.tune % 1.0 if kind == "tune" else beam.chromaticity
        found = propose_working_point(lattice, kind, measured, np.array(wanted), patterns)  # type: ignore[arg-type]
        lattice = lattice.updated(found.settings)
    reached = Propagator(bessy2)(lattice)
    values = reached.tune % 1.0 if kind == "tune" else reached.chromaticity
    np.testing.assert_allclose(values, wanted, atol=1e-4 if kind == "tune" else 0.02)
    np.testing.assert_allclose(found.expectation.tune_after, reached.tune, atol=1e-12)
    assert f"{kind} x expected" in told(found)


@pytest.mark.parametrize(
    ("plane", "count", "rf", "angle"), [("y", 4, False, None), ("x", 4, True, 0.05), ("y", 3, False, None)]
)
def test_a_bump_is_where_it_should_be_and_nowhere_else(
    bessy2: Ring, plane: str, count: int, rf: bool, angle: float | None
) -> None:
    wanted = {"position": 0.2} | ({} if angle is None else {"angle": angle})
    found = propose_bump(bessy2.nominal, "BPMZ5D1R", plane, wanted, count, rf)  # type: ignore[arg-type]
    change = found.expectation.change_mm["xy".index(plane)]
    monitors = [bpm.name for bpm in bessy2.bpms]
    assert change[monitors.index("BPMZ5D1R")] == pytest.approx(0.2, rel=0.02)
    outside = found.data.outside > 0  # type: ignore[attr-defined]
    assert np.abs(change[outside]).max() < 0.01 * np.abs(change).max()
    assert (RF in found.settings) is rf
    assert told(found)[0] == "leak expected"


def test_unknown_names_are_refused_with_near_ones(bessy2: Ring) -> None:
    with pytest.raises(ProcedureError, match=r"no monitor 'BPMZ5D1'.*BPMZ5D1R"):
        propose_bump(bessy2.nominal, "BPMZ5D1", "y", {"position": 0.1}, 4)
    with pytest.raises(ProcedureError, match="needs 3 to"):
        propose_bump(bessy2.nominal, "BPMZ5D1R", "y", {"position": 0.1}, 2)
    with pytest.raises(ProcedureError, match="no power supply that moves the tune fits"):
        propose_working_point(bessy2.nominal, "tune", np.zeros(2), np.zeros(2), ("QX*",))


def test_settings_without_a_beam_say_so(bessy2: Ring) -> None:
    found = expect(bessy2.nominal, {("Q4PD1R", "current"): 0.0, ("Q3PD1R", "current"): 0.0, ("Q1PDR", "current"): 0.0})
    assert not found.found
    assert "with these settings" in found.reason
