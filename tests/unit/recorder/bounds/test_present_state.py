"""The state of a machine that has drifted: BESSY II, longer, or with other gradients, than at its calibration."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest

from gnomon.db import shipped_document
from gnomon.lattice import Key, Ring
from gnomon.propagator import BeamState, Propagator
from gnomon.recorder.bounds import MeasuredChange, Noise, Predictor, Priors, Reading, calibrate, parse_calibration
from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.calibration_document import still_of
from gnomon.recorder.bounds.parameters import ParameterSpace
from gnomon.recorder.bounds.present_state import SAME, STEP, TUNE_STEP, PresentState, State

STEERER, FOCUS, RF = ("HS4P1D1R", "current"), ("Q1PDR", "current"), ("rf", "frequency")
#: A change of the circumference as tides and the hall's temperature make it within hours.
STRETCH = 3.5e-7
#: A change of gradients as supplies that drift make it.
DRIFT = 5e-5
NOISE_MM, NOISE_TUNE = 1e-3, 2e-5
MADE, MADE_NS = "2026-11-27T12:00:00+00:00", 1_795_780_800_000_000_000
#: A model that is nearly known, so that only the energy is wrong.
KNOWN = Priors(
    gradient=1e-6, skew=1e-6, offset_mm=1e-3, supply_gain=1e-6, steerer_gain=1e-6, steerer_roll=1e-6,
    monitor_gain=1e-6, monitor_roll=1e-6,
)  # fmt: skip


@cache
def bessy2() -> Ring:
    return Ring(shipped_document("bessy2"))


@cache
def propagator() -> Propagator:
    return Propagator(bessy2())


@cache
def model() -> CalibratedModel:
    space = ParameterSpace(bessy2().nominal, Priors())
    return CalibratedModel(space, bessy2().nominal, np.zeros(space.size), propagator())


def noise() -> Noise:
    return Noise(np.full((len(bessy2().bpms), 2), NOISE_MM), np.full(2, NOISE_TUNE))


@cache
def drifts() -> dict[str, float]:
    """Relative changes of the gradients of each supply's quadrupoles, not all in one direction."""
    supplies = dict.fromkeys(m.supply for m in bessy2().magnets if m.main == "k1")
    random = np.random.default_rng(4)
    return {name: float(random.normal(1.0, 0.5)) for name in supplies}


def beam(settings: Mapping[Key, float], stretch: float = 0.0, drift: float = 0.0) -> BeamState:
    """The beam of a machine that is longer by the part `stretch`, and has other gradients, than at its calibration."""
    lattice = bessy2().nominal.updated(settings)
    drifted = {
        (m.name, "k1_trim"): drift * drifts()[m.supply] * lattice.strength(m)
        for m in bessy2().magnets
        if drift and m.main == "k1"
    }
    found = propagator()(lattice.updated({RF: lattice[RF] * (1.0 + stretch), **drifted}))
    assert found.found
    return found


def shown(settings: Mapping[Key, float], stretch: float = 0.0, drift: float = 0.0) -> np.ndarray:
    found = beam(settings, stretch, drift)
    orbit = 1e3 * found.orbit[list(bessy2().monitors)]
    return np.concatenate((orbit[:, 0], orbit[:, 2], np.mod(found.tune, 1.0)))


def present() -> PresentState:
    return PresentState(model(), shown({}), noise().rows)


def moved(key: Key, by: float) -> dict[Key, float]:
    return {key: bessy2().nominal[key] + by}


@pytest.mark.parametrize("stretch", [STRETCH, -STRETCH])
@pytest.mark.parametrize("settings", [{}, moved(STEERER, 0.2), moved(RF, 0.2), moved(RF, -0.2)])
def test_the_momentum_that_a_longer_ring_has_is_found_from_the_orbit(
    settings: dict[Key, float], stretch: float
) -> None:
    steps = present().find(settings, shown(settings, stretch)).energy
    assert steps * STEP == pytest.approx(beam(settings, stretch).delta - beam(settings).delta, abs=STEP)
    assert abs(steps * STEP) > 4e-4


@pytest.mark.parametrize("settings", [{}, moved(STEERER, 0.2), moved(FOCUS, 0.05)])
def test_the_tunes_that_other_gradients_make_are_found_from_their_readings(settings: dict[Key, float]) -> None:
    state = present().find(settings, shown(settings, 0.0, DRIFT))
    true = np.asarray(beam(settings, 0.0, DRIFT).tune) - np.asarray(beam(settings).tune)
    np.testing.assert_allclose(np.array(state[1:]) * TUNE_STEP, true, atol=TUNE_STEP)
    assert np.abs(true).max() > 5.0 * TUNE_STEP


@pytest.mark.parametrize(("stretch", "drift", "less"), [(STRETCH, 0.0, 0.15), (0.0, DRIFT, 0.5), (STRETCH, DRIFT, 0.4)])
def test_effects_are_those_in_the_present_state(stretch: float, drift: float, less: float) -> None:
    for changes in (moved(STEERER, 0.1), moved(STEERER, -0.1)):
        before = shown({}, stretch, drift)
        true = shown(changes, stretch, drift) - before
        at, errors = present(), []
        for state in (SAME, at.find({}, before)):
            change, _ = at.at(state).change({}, changes)
            assert change is not None
            errors.append(1e3 * np.abs(model().effects.effect(change) - true)[:-2].max())
        assert errors[0] > 1.0, "um: what a model in the calibration's state has wrong"
        assert errors[1] < less * errors[0], errors


def test_noise_dead_and_wild_monitors_do_not_move_it() -> None:
    before = shown({}, STRETCH)
    expected = present().find({}, before)
    ill = before + noise().rows * np.random.default_rng(1).standard_normal(before.size)
    ill[3], ill[7], ill[150] = np.nan, 40.0, -3.0
    assert np.abs(np.subtract(present().find({}, ill), expected)).max() <= 1
    assert present().find({}, np.full_like(before, np.nan)) == SAME


def test_the_state_does_not_depend_on_the_one_that_was_found_before() -> None:
    long, short = shown({}, STRETCH, DRIFT), shown({}, -STRETCH)
    one, other = present(), present()
    other.find({}, short)
    assert np.abs(np.subtract(one.find({}, long), other.find({}, long))).max() <= 1


def test_without_readings_of_the_baseline_or_of_the_present_it_is_that_of_the_calibration() -> None:
    nothing = PresentState(model(), np.full_like(shown({}), np.nan), noise().rows)
    assert nothing.find({}, shown({}, STRETCH, DRIFT)) == SAME
    assert present().find({}, None) == SAME
    still = shown({})
    still[-2:] = np.nan
    assert PresentState(model(), still, noise().rows).find({}, shown({}, 0.0, DRIFT))[1:] == (0, 0)


def test_a_tune_that_passes_a_whole_number_is_not_one_apart() -> None:
    still = shown({})
    still[-2:] = 0.9999, 0.0001
    state = PresentState(model(), still, noise().rows).find({}, np.concatenate((still[:-2], [0.0002, 0.9998])))
    assert np.abs(np.subtract(state, State(0, 3, -3))).max() <= 1


def _reading(rows: np.ndarray) -> Reading:
    return Reading(rows[:-2].reshape(2, -1).T, rows[-2:], MADE_NS)


@cache
def _measured(count: int, stretch: float, seed: int) -> list[tuple[dict[Key, float], np.ndarray, np.ndarray]]:
    """Steps of a horizontal steerer, with what is read before and after."""
    random, found = np.random.default_rng(seed), []
    still = shown({}, stretch)
    for _ in range(count):
        changes = moved(STEERER, float(random.uniform(0.1, 0.2) * random.choice((-1.0, 1.0))))
        pair = [rows + noise().rows * random.standard_normal(rows.size) for rows in (still, shown(changes, stretch))]
        found.append((changes, pair[0], pair[1]))
    return found


@cache
def _predictor(follows: bool) -> Predictor:
    held = [MeasuredChange(changes, b - a, {}, shown=a) for changes, a, b in _measured(150, 0.0, 1)]
    still = shown({}) if follows else None
    nominal = bessy2().nominal
    made = calibrate(
        nominal, nominal, noise(), [], held, still=still, made=MADE, author="test", priors=KNOWN, min_per_bin=100
    )
    return Predictor.of(parse_calibration(made.model_dump_json(), "a file"), bessy2())


@pytest.mark.slow(1)
@pytest.mark.parametrize("follows", [True, False])
def test_bands_of_a_longer_ring_hold_as_often_as_stated_where_the_energy_is_followed(follows: bool) -> None:
    inside = [
        _predictor(follows).band({}, changes, _reading(a), coverage=0.95, now_ns=MADE_NS).inside(_reading(b)).all()
        for changes, a, b in _measured(200, STRETCH, 2)
    ]
    # Two and a half standard deviations of 200 commands, and of a quantile of 120 held-out ones.
    assert bool(np.mean(inside) >= 0.89) == follows, np.mean(inside)


def test_a_step_is_learnt_from_in_the_bin_of_its_band_and_needs_no_further_beam() -> None:
    predictor, (changes, a, b) = _predictor(True), _measured(200, STRETCH, 2)[0]
    band = predictor.band({}, changes, _reading(a), coverage=0.95, now_ns=MADE_NS)
    known = set(predictor.model._known)
    adapted = predictor.observe({}, changes, band, _reading(b))
    assert set(predictor.model._known) == known
    assert list(adapted.shell.rates) == [(0, 0.05)]


def test_a_state_far_from_that_of_the_calibration_is_not_trusted() -> None:
    changes = moved(STEERER, 0.1)
    near, far, detuned = (
        _predictor(True).band({}, changes, _reading(shown({}, s, d)), coverage=0.95, now_ns=MADE_NS)
        for s, d in ((STRETCH, DRIFT), (3.0 * STRETCH, 0.0), (0.0, 20.0 * DRIFT))
    )
    assert near.trusted, near.distrust
    assert any("another momentum" in reason for reason in far.distrust), far.distrust
    assert any("the tunes are others" in reason for reason in detuned.distrust), detuned.distrust


def test_a_calibration_without_readings_of_the_baseline_has_the_id_that_it_always_had() -> None:
    document = _predictor(False).document
    before = document.model_dump(mode="json", exclude={"id", "prefix", "still_mm", "still_tune"})
    text = json.dumps(before, sort_keys=True, separators=(",", ":"), allow_nan=False)
    assert document.id == hashlib.sha256(text.encode()).hexdigest()[:20]
    followed = _predictor(True).document
    assert followed.id != followed.model_copy(update={"still_mm": ()}).content_id()
    assert followed.id != followed.model_copy(update={"still_tune": None}).content_id()


def test_a_monitor_that_was_dead_at_the_calibration_is_null_in_the_document() -> None:
    rows = np.arange(8.0)
    rows[1] = np.nan
    assert still_of(rows) == ((0.0, 3.0), (None, 4.0), (2.0, 5.0))
    assert still_of(np.full(8, np.nan)) == ()
