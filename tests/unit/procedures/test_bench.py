"""A bench uses stored results, wherever their files are, and notes which it used."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gnomon.lattice import Ring
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.optics_fit import OpticsFitData, OpticsFitOutcome, OpticsFitParameters, settings_of
from gnomon.procedures.results import Results, new_name
from unit.procedures.noisy_ring import NoisyRing
from unit.procedures.test_runnable import FakeBench


def fit_without_magnets(ring: Ring) -> Run:
    one: NDArray[np.float64] = np.zeros(0)
    both: NDArray[np.float64] = np.zeros((2, 0))
    none: NDArray[np.float64] = np.zeros((0, 0))
    data = OpticsFitData(
        steerers=(), monitors=(), x=none, y=none, x_error=none, y_error=none, dispersion=both, dispersion_error=both
    )
    outcome = OpticsFitOutcome(
        quadrupoles=(), knobs=(), sextupoles=(), monitors=(), steerers=(),
        gradient=one, gradient_error=one, skew=one, skew_error=one, feed_down_mm=both, feed_down_error_mm=both,
        monitor_gain=both, monitor_gain_error=both, monitor_roll=one, monitor_roll_error=one,
        steerer_gain=one, steerer_gain_error=one, steerer_roll=one, steerer_roll_error=one,
        beta_m=both, beating=both, beating_error=both, tune=np.array([0.1, 0.2]), settings=(),
        residual_before=2.0, residual=1.0, steps=1, converged=True,
    )  # fmt: skip
    return Run(
        name=new_name("optics-fit"), procedure="optics-fit", data=data.model_dump(), outcome=outcome.model_dump(),
        parameters=OpticsFitParameters(model=settings_of(ring.nominal)).model_dump(),
    )  # fmt: skip


@pytest.mark.parametrize("by", ["file elsewhere", "name", "procedure"])
def test_a_fit_is_loaded_by_its_name_its_procedure_or_its_file_and_is_a_source(
    by: str, bessy2: Ring, tmp_path: Path
) -> None:
    bench = FakeBench(NoisyRing(bessy2.nominal, 1), tmp_path / "results")
    run = fit_without_magnets(bessy2)
    file = Results(tmp_path / ("elsewhere" if by == "file elsewhere" else "results")).save(run)
    asked = {"file elsewhere": str(file), "name": run.name, "procedure": "optics-fit"}[by]
    load_fit = bench.session.load_fit
    assert load_fit is not None
    name, outcome = load_fit(asked)
    assert (name, outcome.tune.tolist()) == (run.name, [0.1, 0.2])
    assert bench.with_sources(run).provenance.sources == (str(run.identifier),)


def test_a_fit_that_did_not_finish_is_refused_and_is_no_source(bessy2: Ring, tmp_path: Path) -> None:
    bench = FakeBench(NoisyRing(bessy2.nominal, 1), tmp_path)
    run = fit_without_magnets(bessy2).model_copy(update={"outcome": None})
    bench.results.save(run)
    load_fit = bench.session.load_fit
    assert load_fit is not None
    with pytest.raises(ProcedureError, match="is not a finished result of optics-fit"):
        load_fit(run.name)
    assert bench.used == []
