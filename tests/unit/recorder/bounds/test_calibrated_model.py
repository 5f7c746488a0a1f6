"""The calibrated model: settings count from the baseline, with gains; beams are kept, but not many."""

import numpy as np
import pytest

from gnomon.lattice import Key, LatticeError
from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.parameters import ParameterKind
from unit.recorder.bounds.rings import FOCUS, STEER_X, TrueMachine, drawn, mls, moved, propagator, space


def _model(
    values: np.ndarray | None = None, baseline: dict[Key, float] | None = None, kept: int = 8
) -> CalibratedModel:
    at = mls().nominal.updated(baseline) if baseline else mls().nominal
    return CalibratedModel(space(), at, np.zeros(space().size) if values is None else values, propagator(), kept)


def test_settings_count_as_changes_from_those_of_the_machine() -> None:
    elsewhere = _model(baseline=moved(STEER_X, 0.1))
    assert elsewhere.lattice({}) is elsewhere.reference
    assert elsewhere.lattice(moved(STEER_X, 0.1)).id == elsewhere.reference.id
    assert elsewhere.lattice(moved(STEER_X, 0.11))[STEER_X] == pytest.approx(
        _model().lattice(moved(STEER_X, 0.01))[STEER_X]
    )


def test_gains_and_gradient_errors_make_the_changes_of_a_machine_that_has_them() -> None:
    others = tuple(k for k in ParameterKind if k not in ("gradient", "supply_gain", "steerer_gain", "skew"))
    values = drawn(3, without=others)
    model, changes = _model(values), moved(FOCUS, 1e-3) | moved(STEER_X, 2e-3)
    beam = model.beam(model.lattice(changes))
    true = TrueMachine(values).beam(changes)
    np.testing.assert_allclose(beam.tune, true.tune, atol=1e-9)
    np.testing.assert_allclose(beam.orbit, true.orbit, atol=1e-10)


def test_settings_outside_the_models_limits_are_an_error() -> None:
    with pytest.raises(LatticeError):
        _model().lattice({STEER_X: 1e6})


def test_the_beams_that_were_asked_for_last_are_kept() -> None:
    model = _model(kept=2)
    before = model.beam(model.reference)
    for part in (1e-3, 2e-3, 3e-3):
        model.beam(model.lattice(moved(STEER_X, part)))
        assert model.beam(model.reference) is before
