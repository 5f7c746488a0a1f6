"""Quadrupole supplies bring beta functions as near to the model's as they can, within their limits."""

import numpy as np
import pytest

from gnomon.lattice import Key, Ring
from gnomon.procedures import optics_correction
from gnomon.procedures.correcting_optics import propose_optics
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.optics_correction import (
    OpticsCorrectionData,
    OpticsCorrectionOutcome,
    OpticsCorrectionParameters,
)
from gnomon.procedures.optics_fit import OpticsFitOutcome
from unit.procedures.distorted_optics import DistortedOptics
from unit.procedures.test_optics_fit import fitted, rms


def known(ring: DistortedOptics) -> OpticsFitOutcome:
    """Return the outcome of a fit that found the truth; only what a correction uses."""
    nominal = ring.lattice.ring.nominal
    keys: list[Key] = [(m.name, name) for m in nominal.ring.magnets if m.main == "k1" for name in ("k1_trim", "k1s")]
    beating = ring.beating(ring.lattice, nominal)[:, list(nominal.ring.monitors)]
    return OpticsFitOutcome.model_construct(  # type: ignore[call-arg]
        monitors=ring.data.monitors, beta_m=ring.optics.beta, beating=beating,
        settings=tuple((*key, ring.lattice[key]) for key in keys),
    )  # fmt: skip


def left(ring: DistortedOptics, fit: OpticsFitOutcome) -> float:
    """Correct, and return the rms beating that is left at the monitors."""
    nominal = ring.lattice.ring.nominal
    found = propose_optics(nominal, fit, OpticsCorrectionParameters())
    true = ring.beating(ring.lattice.updated(found.settings), nominal)
    return rms(true[:, list(nominal.ring.monitors)])


def test_a_known_distortion_is_corrected_to_what_supplies_leave(bessy2: Ring) -> None:
    ring = DistortedOptics(bessy2, 1, every=56)
    found = propose_optics(bessy2.nominal, known(ring), OpticsCorrectionParameters())
    assert isinstance(found.outcome, OpticsCorrectionOutcome)
    assert len(found.outcome.supplies) == 54
    true = ring.beating(ring.lattice.updated(found.settings), bessy2.nominal)[:, list(bessy2.monitors)]
    np.testing.assert_allclose(found.outcome.beating_expected, [rms(each) for each in true], rtol=0.02)
    assert rms(true) < 0.012
    assert found.expectation.found
    np.testing.assert_allclose(found.outcome.beating_before, [rms(each) for each in known(ring).beating], rtol=1e-6)


def test_a_supply_stays_within_its_limits_and_is_named() -> None:
    data = OpticsCorrectionData(
        supplies=("A", "B"), monitors=("M", "N"),
        present=np.array([[0.1, 0.0], [0.0, 0.1]]), beating=np.array([[0.1, 0.0], [0.0, 0.1]]),
        response=np.array([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]), settings=np.array([5.0, 5.0]),
        low=np.array([4.95, 0.0]), high=np.array([10.0, 10.0]),
    )  # fmt: skip
    found = optics_correction.analyse(data, OpticsCorrectionParameters(error=0.01))
    np.testing.assert_allclose(found.proposed, [4.95, 4.9], atol=1e-9)
    assert found.at_limit == ("A",)
    np.testing.assert_allclose(found.change_errors, 0.01)


def test_a_fit_of_another_machine_is_refused(bessy2: Ring) -> None:
    other = known(DistortedOptics(bessy2, 1, every=56)).model_copy(update={"monitors": ("M",)})
    with pytest.raises(ProcedureError, match="not those of"):
        propose_optics(bessy2.nominal, other, OpticsCorrectionParameters())


@pytest.mark.slow
def test_a_correction_by_a_fit_comes_within_a_fifth_of_the_floor(bessy2: Ring) -> None:
    ring = DistortedOptics(bessy2, 1, every=4)
    assert left(ring, fitted(ring)) < 1.2 * left(ring, known(ring))
