"""The predictor of a calibrated machine: coverage, width, second tier, and every reason for distrust."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from gnomon.db import shipped_document
from gnomon.lattice import Key, Ring
from gnomon.recorder import CalibrationError
from gnomon.recorder.bounds import (
    Band,
    CalibrationDocument,
    Kind,
    Predictor,
    Predicts,
    Reading,
    calibrate,
    parse_calibration,
)
from gnomon.recorder.bounds.conformal import quantile
from gnomon.recorder.bounds.way import Way
from unit.recorder.bounds.machines import MADE, MADE_NS, NOISE_MM, MeasuredMachine, noise, reading, supplies
from unit.recorder.bounds.rings import SEXTUPOLE, STEER_X, mls, moved

#: Largest steps, of the range.
STEER, FOCUS = 5e-3, 1e-4
HOUR_NS = 3600 * 10**9


@cache
def machine() -> MeasuredMachine:
    return MeasuredMachine(3)


@cache
def document() -> CalibrationDocument:
    m = machine()
    held = [m.measured(m.step(m.steerers, STEER)) for _ in range(300)]
    held += [m.measured(m.step(supplies("k1"), FOCUS)) for _ in range(300)]
    return calibrate(
        mls().nominal, mls().nominal, noise(), m.response(2), held, made=MADE, author="test", half_aperture_mm=(35, 15)
    )


@cache
def predictor() -> Predictor:
    return Predictor.of(parse_calibration(document().model_dump_json(), "a file"), mls())


@cache
def steps() -> list[tuple[dict[Key, float], np.ndarray, np.ndarray]]:
    """New commands of both kinds, with what is read before and after."""
    m = machine()
    m.random = np.random.default_rng(7)
    found = []
    for number in range(400):
        changes = m.step(supplies("k1"), FOCUS) if number % 2 else m.step(m.steerers, STEER)
        found.append((changes, m.noisy(m.still), m.noisy(m.machine.readings(changes))))
    return found


def _band(changes: dict[Key, float], before: np.ndarray | None = None, **options: Any) -> Band:
    shown = machine().still if before is None else before
    given = {"coverage": 0.95, "now_ns": MADE_NS} | options
    return predictor().band({}, changes, reading(shown), **given)


def test_a_predictor_is_what_the_gate_asks_for() -> None:
    found: Predicts = predictor()
    assert found.calibration_id == document().id
    assert found.document_digest == mls().digest


@pytest.mark.slow(1)
def test_all_measured_observables_are_inside_at_once_as_often_as_stated() -> None:
    inside = np.zeros(2)
    for number, (changes, before, after) in enumerate(steps()):
        band = _band(changes, before)
        assert band.trusted, band.distrust
        inside[number % 2] += bool(band.inside(reading(after)).all())
    # Two and a half standard deviations of 200 commands, and of a quantile of 240 held-out ones.
    assert (np.abs(inside / 200 - 0.95) < 0.055).all(), inside


def test_the_band_is_at_most_half_as_wide_again_as_that_of_an_oracle() -> None:
    random = np.random.default_rng(5)
    scores = np.sort(np.abs(random.standard_normal((999, 58))).max(axis=1))
    oracle = 2.0 * quantile(scores, 0.95) * np.sqrt(2.0) * NOISE_MM
    for part in (0, 1):
        widths = [np.median((b := _band(c, before)).upper[:56] - b.lower[:56]) for c, before, _ in steps()[part::20]]
        assert np.median(widths) < 1.5 * oracle


def test_the_score_and_the_bounds_say_the_same() -> None:
    changes, before, after = steps()[0]
    band = _band(changes, before)
    factor = float(((band.upper - band.expected) / band.scale)[0])
    assert (predictor().score(band, reading(after)) <= factor) == bool(band.inside(reading(after)).all())


def test_optics_are_those_of_the_machine_within_their_bounds() -> None:
    changes, before, _ = steps()[1]
    band = _band(changes, before)
    beam, design = machine().machine.beam(changes), mls().nominal
    from unit.recorder.bounds.rings import propagator

    first = propagator()(design).beta.copy()
    places = list(mls().monitors)
    beating = 1e2 * (machine().machine.beam(changes).beta / first - 1.0)[places].T.ravel()
    where = band.indices(Kind.BETA_BEATING)
    assert (np.abs(beating - band.expected[where]) < 5.0 * band.scale[where]).all()
    assert np.abs(beating).max() > 3.0 * band.scale[where].max()
    where = band.indices(Kind.CHROMATICITY)
    assert (np.abs(beam.chromaticity - band.expected[where]) < 0.1).all()


def test_positions_at_sources_are_those_of_the_beam() -> None:
    changes, _, _ = steps()[0]
    m = machine()
    band = _band(changes, m.still)
    straight = predictor().observables.straights[0]
    orbit = 1e3 * m.machine.beam(changes).orbit[straight.element]
    found = {o.kind: e for o, e in zip(band.observables, band.expected, strict=True) if o.place == straight.name}
    # Gains and rolls of the monitors are in what they show.
    assert found[Kind.SOURCE_X] == pytest.approx(orbit[0] + straight.to_centre_m * orbit[1], abs=0.02)
    assert found[Kind.SOURCE_ANGLE_Y] == pytest.approx(orbit[3], abs=0.01)


def test_clearance_is_what_the_orbit_leaves_of_the_chamber() -> None:
    changes, _, _ = steps()[0]
    band = _band(changes, machine().still)
    where = band.indices(Kind.APERTURE)
    orbit = 1e3 * np.abs(machine().machine.beam(changes).orbit)
    left = [35 - orbit[:, 0].max(), 15 - orbit[:, 2].max()]
    assert (np.abs(band.expected[where] - left) < 0.1).all()
    assert (band.lower[where] < left).all()
    assert (left < band.upper[where]).all()


def test_the_second_tier_agrees_with_the_first_where_both_can_be_trusted() -> None:
    changes, before, after = steps()[0]
    first, second = _band(changes, before), _band(changes, before, tier=2)
    assert second.tier == 2
    assert second.trusted, second.distrust
    np.testing.assert_allclose(second.expected[:56], first.expected[:56], atol=3e-3)
    assert 0.7 < np.median((second.scale / first.scale)[:56]) < 1.5
    assert second.inside(reading(after)).all()


def test_a_tune_next_to_a_half_integer_goes_to_the_second_tier() -> None:
    changes, before, _ = steps()[1]
    near = before.copy()
    near[-2] = 3.495
    assert _band(changes, before).tier == 1
    assert _band(changes, near).tier == 2


def test_several_settings_at_once_have_a_kind_of_their_own() -> None:
    band = _band(moved(STEER_X, 1e-3) | moved(SEXTUPOLE, -1e-3))
    assert not band.trusted
    assert "b3+kick_x" in band.distrust[0]
    assert np.isinf(band.upper[:58]).all()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"coverage": 0.999}, "758 are missing"),
        ({"now_ns": MADE_NS + 25 * HOUR_NS}, "25.0 h old, above its limit of 24.0 h"),
        ({"now_ns": MADE_NS - HOUR_NS}, "from the future"),
    ],
)
def test_distrust_has_its_reason(options: dict[str, Any], reason: str) -> None:
    band = _band(steps()[1][0], **options)
    assert any(reason in each for each in band.distrust), band.distrust


def test_a_step_larger_than_any_that_was_held_out_is_not_trusted() -> None:
    band = _band(moved(STEER_X, 0.05))
    assert any("split it" in each for each in band.distrust)
    assert np.isinf(band.upper[:58]).all()


def test_settings_without_a_beam_make_an_infinite_band() -> None:
    band = _band(dict.fromkeys(supplies("k1"), 0.0))
    assert any("beam" in each for each in band.distrust)
    assert np.isinf(band.lower).all()


def test_an_old_calibration_has_wider_bounds() -> None:
    changes, before, _ = steps()[0]
    new, old = (_band(changes, before, now_ns=MADE_NS + age * HOUR_NS) for age in (0, 23))
    assert (old.scale[:56] >= new.scale[:56]).all()
    assert old.scale[:56].sum() > new.scale[:56].sum()


def test_a_dead_monitor_has_no_bounds_and_the_others_keep_theirs() -> None:
    changes, before, after = steps()[0]
    dead = before.copy()
    dead[5] = np.nan
    band = _band(changes, dead)
    assert not band.measured[5]
    assert np.isinf(band.upper[5])
    assert band.trusted
    assert np.isfinite(band.upper[band.indices(Kind.SOURCE_X)]).all()
    assert band.inside(reading(after)).all()


def test_without_a_tune_meter_tunes_are_the_models_own() -> None:
    changes, before, _ = steps()[1]
    dark = before.copy()
    dark[-2:] = np.nan
    band = _band(changes, dark)
    tunes = band.expected[band.indices(Kind.TUNE)]
    assert np.isfinite(band.upper[band.indices(Kind.TUNE)]).all()
    assert (np.abs(tunes - np.mod(machine().machine.readings(changes)[-2:], 1.0)) < 2e-3).all()


def test_wrong_polarity_and_a_stuck_supply_are_outside() -> None:
    m = machine()
    changes = moved(STEER_X, 2e-3)
    opposite = moved(STEER_X, -2e-3)
    band = _band(changes, m.still)
    assert band.inside(reading(m.machine.readings(changes))).all()
    assert not band.inside(reading(m.machine.readings(opposite))).all()
    assert not band.inside(reading(m.still)).all()


def test_a_miss_widens_the_next_band_of_its_kind() -> None:
    changes, before, _ = steps()[0]
    band = _band(changes, before)
    after = predictor().observe({}, changes, band, reading(before + 1.0))
    wider = after.band({}, changes, reading(before), coverage=0.95, now_ns=MADE_NS)
    assert (wider.upper - wider.lower)[0] >= (band.upper - band.lower)[0]
    assert after.shell.rates


def test_a_predictor_of_another_machine_document_is_refused() -> None:
    with pytest.raises(CalibrationError, match="another machine document"):
        Predictor.of(document(), Ring(shipped_document("bessy2")))


def test_an_edited_calibration_is_refused() -> None:
    text = document().model_dump_json().replace('"author":"test"', '"author":"else"')
    with pytest.raises(CalibrationError, match="edited or damaged"):
        parse_calibration(text, "a file")


@pytest.mark.parametrize("number", range(6))
def test_bands_on_the_way_of_a_step_are_those_of_its_parts_and_never_narrower(number: int) -> None:
    changes, before, _ = steps()[number]
    fresh = Predictor.of(document(), mls())
    given: dict[str, Any] = {"coverage": 0.95, "now_ns": MADE_NS}
    end = fresh.band({}, changes, reading(before), **given)
    ((key, new),) = changes.items()
    old = mls().nominal[key]
    for part in (0.25, 0.5, 0.75):
        partly = {key: old + part * (new - old)}
        known = len(fresh.model._known)
        quick, own = fresh.band({}, partly, reading(before), **given), _band(partly, before)
        assert len(fresh.model._known) == known, "no further beam was computed"
        width = own.upper - own.lower
        assert (np.abs(quick.expected - own.expected) <= 0.02 * width + 1e-9)[:-2].all()
        assert (quick.expected <= own.expected + 1e-4)[-2:].all(), "a clearance is at least that of the straight line"
        assert (quick.lower <= own.lower + 1e-4)[-2:].all()
        assert np.allclose((quick.upper - quick.lower)[:-2], (end.upper - end.lower)[:-2]), "but for the clearance"
        assert (quick.lower[quick.measured] <= own.lower[quick.measured] + 0.02 * width[quick.measured]).all()
        assert (quick.upper[quick.measured] >= own.upper[quick.measured] - 0.02 * width[quick.measured]).all()


def test_a_band_on_the_way_is_not_that_of_another_state_step_or_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    changes, before, after = steps()[0]
    ((key, new),) = changes.items()
    half = {key: 0.5 * (mls().nominal[key] + new)}
    fresh = Predictor.of(document(), mls())
    used: list[float] = []

    def end_of(way: Way, part: float) -> Band:
        used.append(part)
        return way.end

    monkeypatch.setattr(Way, "band", end_of)
    other = next(each for each in machine().steerers if each != key)
    cases: tuple[tuple[dict[str, Any], np.ndarray, dict[Key, float], dict[Key, float]], ...] = (
        ({"coverage": 0.9}, before, {}, half),
        ({"now_ns": MADE_NS + HOUR_NS}, before, {}, half),
        ({"tier": 2}, before, {}, half),
        ({}, after, {}, half),
        ({}, before, {other: 1e-3 + mls().nominal[other]}, half),
        ({}, before, {}, {other: 1e-3 + mls().nominal[other]}),
        ({}, before, {}, {key: 2.0 * new - mls().nominal[key]}),
    )
    for options, shown, settings, asked in cases:
        fresh.band({}, changes, reading(before), coverage=0.95, now_ns=MADE_NS)
        fresh.band(settings, asked, reading(shown), **({"coverage": 0.95, "now_ns": MADE_NS} | options))
        assert not used
    fresh.band({}, changes, reading(before), coverage=0.95, now_ns=MADE_NS)
    adapted = fresh.observe({}, changes, _band(changes, before), reading(after))
    adapted.band({}, half, reading(before), coverage=0.95, now_ns=MADE_NS)
    assert not used, "a shell that has adapted has other factors"
    fresh.band({}, half, reading(before), coverage=0.95, now_ns=MADE_NS)
    assert used == [pytest.approx(0.5)]


def test_while_nothing_changes_the_next_reading_is_inside_and_the_band_is_of_the_noise() -> None:
    shown, next_one = (reading(machine().noisy(machine().still)) for _ in range(2))
    quiet = predictor().quiet_band(shown, coverage=0.95, now_ns=MADE_NS)
    assert quiet.trusted
    assert quiet.inside(next_one).all()
    count = len(mls().bpms)
    assert quiet.expected[:count] == pytest.approx(shown.orbit[:, 0])
    widths = 0.5 * (quiet.upper - quiet.lower)
    assert np.all(widths[: 2 * count] > 2.0 * NOISE_MM)
    assert np.all(widths[: 2 * count] < 12.0 * NOISE_MM)
    moved = Reading(shown.orbit + 20.0 * NOISE_MM, shown.tune, shown.time_ns)
    assert not quiet.inside(moved)[: 2 * count].any()


def test_while_nothing_changes_too_a_band_needs_held_out_commands_and_a_young_calibration() -> None:
    shown = reading(machine().noisy(machine().still))
    few = predictor().quiet_band(shown, coverage=0.9999, now_ns=MADE_NS)
    assert np.isinf(few.upper).all()
    assert "are missing" in few.distrust[0]
    old = predictor().quiet_band(shown, coverage=0.95, now_ns=MADE_NS + 25 * HOUR_NS)
    assert "above its limit" in old.distrust[0]
    dead = Reading(np.where(np.arange(len(mls().bpms))[:, None] == 2, np.nan, shown.orbit), shown.tune, MADE_NS)
    blind = predictor().quiet_band(dead, coverage=0.95, now_ns=MADE_NS)
    assert blind.trusted
    assert not blind.measured[2]
    assert np.isinf(blind.upper[2])


def test_bands_are_those_of_the_settings_given_however_often_they_were_asked_for() -> None:
    """The memory of the last command never answers for another one, nor for settings that changed in place."""
    settings: dict[Key, float] = {}
    changes, before, _ = steps()[0]
    others = [moved(SEXTUPOLE, 1e-3), moved(STEER_X, 1e-3), {}]
    for other in (*others, *others):
        settings.clear()
        settings.update(other)
        given: dict[str, Any] = {"coverage": 0.95, "now_ns": MADE_NS}
        kept = predictor().band(settings, changes, reading(before), **given)
        fresh = Predictor.of(document(), mls()).band(dict(other), changes, reading(before), **given)
        np.testing.assert_allclose(kept.expected, fresh.expected, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(kept.upper, fresh.upper, rtol=1e-3, atol=1e-5)
        assert kept.distrust == fresh.distrust


def test_an_ensemble_is_not_asked_where_the_band_is_distrusted_already() -> None:
    near = machine().still.copy()
    near[-2] = 0.4999
    changes = steps()[0][0]
    assert _band(changes, near).tier == 2
    old = _band(changes, near, now_ns=MADE_NS + 2 * int(document().max_age_s * 1e9))
    assert old.tier == 1
    assert any("calibrate again" in reason for reason in old.distrust)
    assert _band(changes, near, now_ns=MADE_NS + 2 * int(document().max_age_s * 1e9), tier=2).tier == 2
