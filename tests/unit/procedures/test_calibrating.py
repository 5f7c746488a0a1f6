"""A calibration from measurement to document, on a model in this process; its bands hold, and the ring is as it was."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gnomon.clients.machine_pvs import find_machine_pvs
from gnomon.db import shipped_document
from gnomon.lattice import Key, Ring
from gnomon.procedures import calibrating, optics_fit
from gnomon.procedures.calibrating import (
    CalibrationOptions,
    calibrate_machine,
    choose_steps,
    expected_calibration_time,
    fitted_changes,
    prepare_calibration,
)
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.optics_fit import OpticsFitData, OpticsFitParameters
from gnomon.procedures.results import new_name
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import supply_response
from gnomon.propagator.studies import steering_supplies
from gnomon.recorder.bounds import Predictor, Reading
from gnomon.recorder.bounds.parameters import ParameterKind
from unit.procedures.noisy_ring import NoisyRing, imperfect
from unit.procedures.plans.fake_ring import FakeSession, fake_devices


@pytest.fixture(scope="module")
def mls() -> Ring:
    return Ring(shipped_document("mls"))


def _machine(mls: Ring, seed: int = 1) -> NoisyRing:
    return NoisyRing(imperfect(mls, seed, position=2e-6), seed)


def _calibrated(ring: NoisyRing, fit: Run | None = None, **options: Any) -> Any:
    session: Any = FakeSession(ring)
    given: dict[str, Any] = {"repeats": 8, "steerers": ("*K1RP",), "steps": 30}
    chosen = CalibrationOptions(**given | options)
    return calibrate_machine(session, fake_devices(ring), chosen, author="test", fit=fit)


@pytest.mark.slow(2)
def test_a_measured_calibration_predicts_the_machine_and_leaves_it_as_it_was(mls: Ring) -> None:
    ring = _machine(mls)
    before = ring.lattice.id
    document = _calibrated(ring)
    assert ring.lattice.id == before
    assert {b.kind for b in document.bins} == {"kick_x", "kick_y", "k1"}
    assert sum(len(b.scores) for b in document.bins) == 72
    assert np.median(document.noise_mm) == pytest.approx(ring.noise_mm, rel=0.3)
    predictor = Predictor.of(document, mls)
    still = ring.lattice
    inside = []
    for name in steering_supplies(mls.nominal)[::2]:
        key: Key = (name, "current")
        shown = _reading(ring)
        changes = {key: mls.nominal[key] + 0.02}
        band = predictor.band({}, changes, shown, coverage=0.95, now_ns=predictor.made_ns)
        assert band.trusted, band.distrust
        ring.set(changes)
        inside.append(bool(band.inside(_reading(ring)).all()))
        ring.lattice = still
    assert np.mean(inside) > 0.8


def test_each_measured_change_knows_what_was_shown_before_it_and_the_baseline_is_shown_before_all(
    mls: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[Any, ...]] = []

    def keep(*arguments: Any, **options: Any) -> None:
        kept.append((options["still"], [*arguments[3], *arguments[4]]))

    monkeypatch.setattr(calibrating, "calibrate", keep)
    ring = _machine(mls)
    _calibrated(ring, steps=4)
    ((still, changes),) = kept
    np.testing.assert_allclose(still[:-2], ring.orbit().ravel(), atol=5.0 * ring.noise_mm)
    np.testing.assert_array_equal(changes[0].shown, still)
    for one, following in pairwise(changes):
        np.testing.assert_allclose(one.shown + one.effect, following.shown, atol=1e-12)


def _reading(ring: NoisyRing) -> Reading:
    return Reading(ring.orbit().T, ring.tunes(), 0)


def test_the_number_of_held_out_steps_is_what_the_coverage_needs() -> None:
    assert CalibrationOptions(coverage=0.95).held_out_steps == 29
    assert CalibrationOptions(coverage=0.99).held_out_steps == 129
    assert CalibrationOptions(coverage=0.99, steps=7).held_out_steps == 7


def test_steps_are_within_limits_and_move_the_orbit_and_the_tunes_as_far_as_asked(mls: Ring) -> None:
    chosen = choose_steps(mls.nominal, mls.nominal, CalibrationOptions(move_mm=0.1, tune_step=1e-4))
    names = tuple(dict.fromkeys(each.name for each in chosen.held_out))
    response = supply_response(Propagator(mls), mls.nominal, names)
    for each in chosen.held_out:
        number = names.index(each.name)
        orbit = 1e3 * np.abs(response.orbit[:, ::2, number]).max() * abs(each.step)
        tune = np.abs(response.tune[:, number]).max() * abs(each.step)
        assert 0.0 < (orbit / 0.1 if each.name in steering_supplies(mls.nominal) else tune / 1e-4) <= 1.001
        spec = mls.properties[each.name, "current"]
        assert spec.low <= mls.nominal[each.name, "current"] + each.step <= spec.high


def test_kinds_of_a_recording_leave_out_the_steps_of_others(mls: Ring) -> None:
    chosen = choose_steps(mls.nominal, mls.nominal, CalibrationOptions(kinds=frozenset({"kick_x"}), steps=40))
    assert len(chosen.held_out) == 20
    assert {each.name[:2] for each in chosen.held_out} == {"HS"}
    assert {each.name[:2] for each in chosen.fitted} == {"HS", "rf"}
    gradients = choose_steps(mls.nominal, mls.nominal, CalibrationOptions(kinds=frozenset({"k1"}), steps=40))
    assert {each.name[0] for each in gradients.held_out} == {"Q"}
    assert {each.name[:2] for each in gradients.fitted} == {"HS", "VS", "rf"}
    with pytest.raises(ProcedureError, match=r"no steps of the kind b3 can be held out; those of k1, kick_x, kick_y"):
        choose_steps(mls.nominal, mls.nominal, CalibrationOptions(kinds=frozenset({"b3"})))


def test_as_many_settings_are_expected_as_are_made(mls: Ring) -> None:
    session: Any = FakeSession(_machine(mls))
    session.pvs, session.ring, session.role = find_machine_pvs("mls", ""), mls, "machine"
    options = CalibrationOptions(kinds=frozenset({"kick_x"}), steerers=("*K1RP",), steps=10, repeats=4)
    prepared = prepare_calibration(session, options)
    assert {each.rows for each in prepared.steps.fitted} == {3}
    settings = sum(each.rows for each in prepared.steps.every)
    expected = expected_calibration_time(session, prepared, options)
    assert expected.settings == settings
    assert expected.readings == 2 * (4 + settings)
    # The tune meter has a reading 1 s after the supply is there, 0.5 s, and a period later at the latest.
    assert expected.time_s == pytest.approx(4 * 1.0 + settings * 2.5, rel=0.1)
    assert prepared.text.endswith("settings for the response, 10 of kick_x held out")


def test_a_pattern_that_no_supply_fits_is_refused(mls: Ring) -> None:
    with pytest.raises(ProcedureError, match="no steering power supply fits 'XX"):
        choose_steps(mls.nominal, mls.nominal, CalibrationOptions(steerers=("XX*",)))


def _fit(ring: NoisyRing) -> Run:
    mls = ring.lattice.ring
    steerers = steering_supplies(mls.nominal)
    response = ring.response(steerers)
    error = np.full(response.shape, 0.01)
    nothing = np.full((2, len(mls.bpms)), np.nan)
    data = OpticsFitData(
        steerers=steerers, monitors=tuple(bpm.name for bpm in mls.bpms), x=response[0], y=response[1],
        x_error=error[0], y_error=error[1], dispersion=nothing, dispersion_error=nothing,
    )  # fmt: skip
    parameters = OpticsFitParameters(model=optics_fit.settings_of(mls.nominal), by_supply=True, steps=1)
    outcome = optics_fit.analyse(data, parameters)
    return Run(
        name=new_name("optics-fit"), procedure="optics-fit", data=data.model_dump(),
        parameters=parameters.model_dump(), outcome=outcome.model_dump(),
    )  # fmt: skip


def test_the_response_of_a_fit_is_used_instead_of_a_measured_one(mls: Ring) -> None:
    ring = _machine(mls)
    fit = _fit(ring)
    changes = fitted_changes(fit, mls.nominal, mls.nominal)
    assert len(changes) == len(steering_supplies(mls.nominal))
    true = ring.response(steering_supplies(mls.nominal))[:, :, 0]
    ((key, value),) = changes[0].changes.items()
    np.testing.assert_allclose(changes[0].effect[:-2], (value - mls.nominal[key]) * true.ravel())
    document = _calibrated(ring, fit, steps=10)
    assert [(d.kind, d.source) for d in document.data] == [("optics fit", fit.name), ("held-out steps", "")]
    predictor = Predictor.of(document, mls)
    where = predictor.model.space.slices[ParameterKind.GRADIENT]
    assert (predictor.posterior.deviations()[where] < 0.9 * predictor.posterior.widths[where]).any()


def test_a_fit_of_other_optics_is_refused(mls: Ring) -> None:
    fit = _fit(_machine(mls))
    other = mls.nominal.updated({("Q1P1K1RP", "current"): mls.nominal["Q1P1K1RP", "current"] * 0.99})
    with pytest.raises(ProcedureError, match="other optics"):
        fitted_changes(fit, other, other)
