"""Observables that no instrument shows: coupling, straights, and the orbit between monitors."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from gnomon.db import shipped_document
from gnomon.lattice import Ring
from gnomon.propagator import BeamState, Propagator
from gnomon.recorder.bounds.between_monitors import BetweenMonitors
from gnomon.recorder.bounds.command_kinds import kind_of, optics_digest
from gnomon.recorder.bounds.observables import coupling, observables_of
from gnomon.recorder.bounds.straights import straights_of
from unit.recorder.bounds.machines import supplies
from unit.recorder.bounds.rings import FOCUS, RF, STEER_X, STEER_Y, mls, moved, propagator


def test_coupling_is_what_keeps_the_tunes_apart_on_the_resonance() -> None:
    assert coupling(propagator()(mls().nominal)) < 1e-9
    skewed = mls().nominal.updated({(mls().magnets[0].name, "k1s"): 0.02})

    family = [key for key in supplies("k1") if key[0].startswith("Q1P")]

    def changed(part: float) -> BeamState:
        return propagator()(skewed.updated({key: skewed[key] * (1.0 + part) for key in family}))

    def apart(part: float) -> float:
        tunes = changed(part).tune % 1.0
        return float(np.nan_to_num(abs(tunes[0] - tunes[1]), nan=1.0))  # without a beam, they are far apart

    parts = np.linspace(-0.2, 0.2, 101)
    near = parts[int(np.argmin([apart(part) for part in parts]))]
    best = minimize_scalar(apart, bounds=(near - 4e-3, near + 4e-3), method="bounded", options={"xatol": 1e-7})
    assert abs(near) < 0.19, "the resonance is not within reach"
    assert best.fun == pytest.approx(coupling(changed(best.x)), rel=0.03)


def test_straights_are_long_and_without_magnets() -> None:
    ring = Ring(shipped_document("bessy2"))
    found = straights_of(ring)
    assert len(found) >= 12
    assert all(each.length_m > 2.0 for each in found)
    for each in found:
        end = ring.s[each.element] + 2.0 * each.to_centre_m
        inside = [m for m in ring.magnets if ring.s[each.element] < ring.s[m.element] < end - 1e-9]
        assert inside == []


def test_the_orbit_in_a_straight_between_two_monitors_is_the_line_through_both() -> None:
    position, angle = np.random.default_rng(1).standard_normal((2, 40))
    shown = np.stack((position, position + 2.0 * angle))
    wanted = np.stack((position + angle, angle))
    found = BetweenMonitors.of(1e4 * wanted, 1e4 * shown, np.full(2, 1e-3))
    np.testing.assert_allclose(found.at, [[0.5, 0.5], [-0.5, 0.5]], atol=1e-3)
    np.testing.assert_allclose(found.deviation, [1e-3 / np.sqrt(2), 1e-3 / np.sqrt(2)], rtol=0.01)


def test_a_dead_monitor_counts_for_nothing_and_makes_it_less_certain() -> None:
    shown = np.random.default_rng(2).standard_normal((6, 9))
    wanted = np.random.default_rng(3).standard_normal((2, 9))
    whole = BetweenMonitors.of(1e4 * wanted, 1e4 * shown, np.full(6, 1e-3))
    dead = BetweenMonitors.of(1e4 * wanted, 1e4 * shown, np.array([1e-3, np.inf, *[1e-3] * 4]))
    assert not dead.at[:, 1].any()
    assert (dead.deviation > whole.deviation).all()


def test_observables_begin_in_the_order_of_a_reading_and_have_names_of_their_own() -> None:
    found = observables_of(mls(), propagator()(mls().nominal).beta[list(mls().monitors)], chamber=True)
    names = [each.name for each in found.all]
    assert len(set(names)) == len(names)
    assert names[0] == f"orbit_x:{mls().bpms[0].name}"
    assert names[found.measured][-2:] == ["tune_x", "tune_y"]
    assert names[-2:] == ["aperture_x", "aperture_y"]
    values = found.optics_values(Propagator(mls())(mls().nominal))
    assert values.size == found.optics.stop - found.optics.start
    assert np.abs(values[: 2 * len(mls().bpms)]).max() < 1e-6


def test_kinds_are_what_is_driven() -> None:
    assert kind_of(mls(), [STEER_X]) == "kick_x"
    assert kind_of(mls(), [STEER_Y, FOCUS]) == "k1+kick_y"
    assert kind_of(mls(), [RF]) == "frequency"


def test_the_digest_of_the_optics_is_that_without_steerers_and_rf() -> None:
    nominal = mls().nominal
    steered = nominal.updated(moved(STEER_X, 0.01) | moved(RF, 0.01))
    assert optics_digest(steered) == optics_digest(nominal)
    assert optics_digest(nominal.updated(moved(FOCUS, 1e-6))) != optics_digest(nominal)


def test_a_setting_that_has_gone_through_other_units_and_back_is_the_same_optics() -> None:
    focus = mls().nominal[FOCUS]
    for value in (focus * (1.0 + 4e-16), focus + 1e-12):
        assert value != focus
        assert optics_digest(mls().nominal.updated({FOCUS: value})) == optics_digest(mls().nominal)
    zero = mls().nominal.updated({FOCUS: 0.0})
    assert optics_digest(zero.updated({FOCUS: 1e-17})) == optics_digest(zero)
