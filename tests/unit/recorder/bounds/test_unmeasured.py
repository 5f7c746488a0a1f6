"""Scales and values of what no instrument shows: optics from draws, sources and clearance from the monitors."""

from functools import cache

import numpy as np

from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.observables import observables_of
from gnomon.recorder.bounds.posterior import Posterior
from gnomon.recorder.bounds.unmeasured import Unmeasured
from unit.recorder.bounds.machines import noise
from unit.recorder.bounds.rings import STEER_X, mls, moved, propagator, space


@cache
def unmeasured() -> Unmeasured:
    prior = Posterior.prior(0.1 * space().widths)
    model = CalibratedModel(space(), mls().nominal, prior.mean, propagator())
    beta = model.beam(model.reference).beta[list(mls().monitors)]
    return Unmeasured(model, prior, observables_of(mls(), beta, chamber=True), noise().rows, (35.0, 15.0), 7)


def test_the_optics_are_as_uncertain_as_draws_of_the_posterior_make_them() -> None:
    found = unmeasured()
    others = Unmeasured(found.model, found.posterior, found.observables, found.noise, None, 8)
    assert (found.optics_deviation > 0.0).all()
    ratio = found.optics_deviation / others.optics_deviation
    assert 0.8 < np.median(ratio) < 1.25


def test_a_monitor_orbit_of_zero_leaves_the_whole_chamber_less_what_is_uncertain() -> None:
    found = unmeasured()
    beam = found.model.beam(found.model.reference)
    nothing = np.zeros(2 * len(mls().bpms))
    expected, lower, upper, scale = found.clearance(nothing, (beam, beam), nothing, 2.0)
    np.testing.assert_allclose(expected, [35.0, 15.0], atol=1e-6)
    assert (lower < expected).all()
    assert (upper >= expected).all()
    assert (scale > 0.0).all()


def test_the_clearance_shrinks_by_the_change_of_the_orbit() -> None:
    found = unmeasured()
    model = found.model
    before, after = model.beams({}, moved(STEER_X, 1e-2))
    beams = before.beam, after.beam
    nothing = np.zeros(2 * len(mls().bpms))
    moved_mm = 1e3 * np.abs(beams[1].orbit[:, 0] - beams[0].orbit[:, 0]).max()
    expected = found.clearance(nothing, beams, nothing, 2.0)[0]
    assert abs(35.0 - expected[0] - moved_mm) < 0.02 * moved_mm


def test_variances_of_the_command_widen_the_sources() -> None:
    found = unmeasured()
    beam = found.model.beam(found.model.reference)
    nothing = np.zeros(2 * len(mls().bpms))
    quiet = found.sources(nothing, (beam, beam), nothing)[1]
    wide = found.sources(nothing, (beam, beam), np.full(nothing.size, 1e-2))[1]
    assert (wide > quiet).all()
