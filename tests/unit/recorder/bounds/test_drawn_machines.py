"""The second tier: machines drawn from the posterior, their order statistics, and what happens without a beam."""

import numpy as np
import pytest

from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.drawn_machines import Ensemble, EnsembleChange, NoBeams
from gnomon.recorder.bounds.posterior import Posterior
from unit.recorder.bounds.machines import supplies
from unit.recorder.bounds.rings import STEER_X, mls, moved, propagator, space


def _ensemble(size: float = 0.1, count: int = 24) -> Ensemble:
    prior = Posterior.prior(size * space().widths)
    return Ensemble(CalibratedModel(space(), mls().nominal, prior.mean, propagator()), prior, 5, count)


def test_the_spread_is_that_of_the_linear_variances() -> None:
    ensemble, changes = _ensemble(0.03, 60), moved(STEER_X, 1e-3)
    drawn = ensemble.change({}, changes)
    change, _ = ensemble.model.change({}, changes)
    assert change is not None
    linear = ensemble.posterior.variances(ensemble.model.effects.jacobian(change))
    ratio = np.sqrt(drawn.variances / linear)[:56]
    assert drawn.lost == 0
    assert 0.75 < np.median(ratio) < 1.35


def test_the_same_seed_draws_the_same_machines() -> None:
    first, second = (_ensemble(count=3).change({}, moved(STEER_X, 1e-3)).effects for _ in range(2))
    np.testing.assert_allclose(first, second, atol=1e-9)  # orbits are found from the last one


def test_machines_without_a_beam_are_told() -> None:
    with pytest.raises(NoBeams, match="3 of 3 drawn machines have no beam"):
        _ensemble(count=3).change({}, dict.fromkeys(supplies("k1"), 0.0))


def test_the_factor_holds_the_stated_part_and_lost_machines_are_outside() -> None:
    random = np.random.default_rng(1)
    effects, normals = random.standard_normal((199, 3)), np.zeros((200, 3))
    whole = EnsembleChange(effects, 0, 199, normals)
    factor = whole.order_factor(0.95, np.zeros(3), np.ones(3))
    scores = np.abs(effects - effects.mean(axis=0)).max(axis=1)
    assert np.mean(scores <= factor) == pytest.approx(0.95, abs=0.01)
    assert EnsembleChange(effects, 5, 204, normals).order_factor(0.95, np.zeros(3), np.ones(3)) > factor
    assert np.isinf(EnsembleChange(effects, 20, 219, normals).order_factor(0.95, np.zeros(3), np.ones(3)))
    # Discrepancy and noise are drawn too.
    noisy = EnsembleChange(effects, 0, 199, random.standard_normal((200, 3)))
    assert noisy.order_factor(0.95, np.full(3, 3.0), np.ones(3)) > 2.0 * factor
