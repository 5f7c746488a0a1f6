"""Optics from closed orbits: the model says what was measured, and the fit finds the truth within its errors."""

from time import process_time

import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.procedures import optics_fit
from gnomon.procedures.dispersion import DispersionOutcome
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.fitting_optics import fit_data, fit_optics
from gnomon.procedures.model_values import FITTED_ERROR
from gnomon.procedures.optics_fit import OpticsFitOutcome, OpticsFitParameters, fitted_lattice, settings_of
from gnomon.procedures.optics_model import OpticsModel, feed_down_knobs, gradient_knobs, skew_knobs
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.registry import reanalyse, typed
from gnomon.procedures.results import new_name
from gnomon.procedures.summaries import summarise
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import frequency_response, optics_response, supply_response
from gnomon.propagator.studies import steering_supplies
from unit.procedures.distorted_optics import DistortedOptics


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def fitted(ring: DistortedOptics, **options: object) -> OpticsFitOutcome:
    nominal = ring.lattice.ring.nominal
    return optics_fit.analyse(ring.data, OpticsFitParameters(model=settings_of(nominal), **options))


def test_the_model_gives_the_propagators_responses(bessy2: Ring) -> None:
    steerers = steering_supplies(bessy2.nominal)
    found = OpticsModel(bessy2.nominal, steerers, ()).optics(bessy2.nominal)
    response = supply_response(Propagator(bessy2), bessy2.nominal, steerers).orbit[:, ::2].transpose(1, 0, 2)
    np.testing.assert_allclose(found.response, 1e3 * response, atol=1e-12)
    rf = frequency_response(Propagator(bessy2), bessy2.nominal)
    np.testing.assert_allclose(found.dispersion, 1e6 * np.array([rf.x[:, 0], rf.y[:, 0]]), atol=1e-12)


def test_a_rolled_steerer_kicks_in_the_other_plane(bessy2: Ring) -> None:
    steerers = ("HS4P1D1R", "VS3P1D1R")
    found = OpticsModel(bessy2.nominal, steerers, ()).optics(bessy2.nominal)
    assert np.abs(found.response[1, :, 0]).max() < 1e-9 < np.abs(found.rolled[1, :, 0]).max()
    assert np.abs(found.response[0, :, 1]).max() < 1e-9 < np.abs(found.rolled[0, :, 1]).max()


def test_differences_by_gradients_are_the_true_derivative_of_beta(bessy2: Ring) -> None:
    model = OpticsModel(bessy2.nominal, ("HS4P1D1R",), (gradient_knobs(bessy2.nominal, 1e-4, by_supply=False),))
    base, exact = model.optics(bessy2.nominal), optics_response(Propagator(bessy2), bessy2.nominal)
    name = model.knobs[0].names[40]
    magnet = next(m for m in bessy2.magnets if m.name == name)
    _, moved, step = next(each for each in model.derivatives(np.zeros(145)) if each[0] == 40)
    column = exact.names.index(bessy2.elements[magnet.element].name)
    expected = exact.beta[:, :, column].T * bessy2.nominal.strength(magnet)
    np.testing.assert_allclose((moved.beta - base.beta) / step, expected, atol=2e-3 * np.abs(expected).max())


def test_knobs_of_supplies_move_all_their_quadrupoles(bessy2: Ring) -> None:
    knobs = gradient_knobs(bessy2.nominal, 1e-3, by_supply=True)
    assert len(knobs.names) == 54
    assert sum(len(settings) for settings in knobs.settings) == 145
    assert len(skew_knobs(bessy2.nominal, 1.0).names) == 145
    assert len(feed_down_knobs(bessy2.nominal, "x", 1.0).names) == 112


@pytest.mark.slow(3)
def test_a_quick_fit_by_supply_finds_beating_gains_and_rolls_from_a_stored_run(bessy2: Ring) -> None:
    ring = DistortedOptics(bessy2, 1, every=16, gradient=0.0)
    data, nominal = ring.data, bessy2.nominal
    nothing = np.full(len(data.monitors), 1e-3)
    orm = OrbitResponseOutcome(
        steerers=data.steerers, setting_unit="A", monitors=data.monitors, x=data.x, y=data.y,
        x_error=data.x_error, y_error=data.y_error, noise_x_mm=nothing, noise_y_mm=nothing,
    )  # fmt: skip
    x, y = data.dispersion
    dispersion = DispersionOutcome(
        monitors=data.monitors, x_m=-2.0 * x, y_m=-2.0 * y, x_error_m=2.0 * data.dispersion_error[0],
        y_error_m=2.0 * data.dispersion_error[1], second_x_m=nothing, second_y_m=nothing, x_per_khz=x, y_per_khz=y,
        momentum_span=1e-3, scale_error=0.0,
    )  # fmt: skip
    collected = fit_data(orm, dispersion, ("a", "b"))
    np.testing.assert_allclose(collected.dispersion_error, data.dispersion_error, rtol=1e-12)
    stored = Run(name=new_name("orm"), procedure="orm", data={}, parameters={}, outcome=orm.model_dump())
    with pytest.raises(ProcedureError, match="measured at other settings"):
        fit_optics(nominal, nominal, stored, None)
    run = Run(
        name="x", procedure="optics-fit", data=collected.model_dump(),
        parameters=OpticsFitParameters(model=settings_of(nominal), by_supply=True, steps=1).model_dump(),
    )  # fmt: skip
    outcome = reanalyse(run)
    assert isinstance(outcome, OpticsFitOutcome)
    assert len(outcome.knobs) == 54
    truth = ring.lattice.monitor_errors()
    assert rms(outcome.monitor_roll - truth.rolls) < 0.7 * rms(truth.rolls)
    assert 0.8 < rms((outcome.monitor_roll - truth.rolls) / outcome.monitor_roll_error) < 1.25
    assert outcome.residual < 0.2 * outcome.residual_before
    run = Run.model_validate(run.model_dump(by_alias=True) | {"outcome": outcome.model_dump()})
    assert any(line.name == "beta beating x, rms" for line in summarise(Run.model_validate_json(run.to_json())))
    assert typed(Run.model_validate_json(run.to_json()))[2].model_dump_json() == outcome.model_dump_json()  # type: ignore[union-attr]


def test_a_response_of_another_machine_is_refused(bessy2: Ring) -> None:
    ring = DistortedOptics(bessy2, 1, every=56)
    other = ring.data.model_copy(update={"monitors": ring.data.monitors[::-1]})
    with pytest.raises(ProcedureError, match="not those of"):
        optics_fit.analyse(other, OpticsFitParameters(model=settings_of(bessy2.nominal)))


def assert_targets(ring: DistortedOptics, found: OpticsFitOutcome) -> None:
    nominal, truth = ring.lattice.ring.nominal, ring.lattice.monitor_errors()
    assert rms(ring.beating(ring.lattice, nominal)) > 0.045
    assert max(map(rms, ring.beating(ring.lattice, fitted_lattice(nominal, found)))) < 5e-3
    propagate = Propagator(nominal.ring)
    true = propagate(ring.lattice).momentum_compaction
    assert propagate(fitted_lattice(nominal, found)).momentum_compaction == pytest.approx(true, rel=3 * FITTED_ERROR)
    assert 0.6 < rms((found.beta_m - ring.optics.beta) / found.beta_m / found.beating_error) < 1.4
    assert 0.8 < rms((found.monitor_roll - truth.rolls) / found.monitor_roll_error) < 1.25
    assert 0.9 < found.residual < 1.05
    assert found.converged


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 3])
def test_a_fit_to_a_quarter_of_the_steerers_predicts_beating_to_half_a_percent(bessy2: Ring, seed: int) -> None:
    ring = DistortedOptics(bessy2, seed, every=4)
    begin = process_time()
    assert_targets(ring, fitted(ring))
    assert process_time() - begin < 60.0
