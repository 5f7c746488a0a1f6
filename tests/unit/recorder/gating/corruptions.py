"""Ways to spoil an accepted case in one place, each with the code of the reason that must be given.

`only` is the check that alone finds it, so that a gate without that check would accept.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gnomon.recorder.bounds import Band, Kind
from gnomon.recorder.gating import Code, GateCommand, History, TrustRegion
from gnomon.recorder.gating import observable_places as places
from unit.recorder.gating.situations import (
    KEY,
    NOW_NS,
    NOW_S,
    Case,
    FloatArray,
    accepted_case,
    limits_with,
    pv,
    reading_at,
    step_of,
)

SECOND_NS = 10**9


@dataclass(frozen=True)
class Corruption:
    name: str
    code: Code
    spoil: Callable[[Case], Case]
    only: str = ""


def first_case() -> Case:
    """The first step of the recording, from 0 to 0.2 A."""
    case = accepted_case()
    pvs = {**case.state.pvs, "P:H1:set": pv(0.0), "P:H1:rdbk": pv(0.0)}
    case = case.with_state(pvs=pvs, settings=dict(case.state.settings) | {KEY: 0.0}, reading=reading_at(0.0))
    command = GateCommand(step_of(0.0, 0.2), {KEY: (0.0, 0.2)}, "steerer", number=0)
    return replace(case, command=command, history=History())


def _first(spoil: Callable[[Case], Case]) -> Callable[[Case], Case]:
    return lambda _: spoil(first_case())


def _bound(kind: Kind, spread: float) -> Callable[[Case], Case]:
    """Widen the band of one observable, on the upper side alone or on the lower one, as the sign of `spread` says."""

    def spoil(case: Case) -> Case:
        def shifted(values: FloatArray, index: int) -> FloatArray:
            values = values.copy()
            values[index] += spread
            return values

        def index(band: Band) -> int:
            return int(places.places_of(band.observables).of(kind)[0])

        side = "upper" if spread > 0.0 else "lower"
        return case.with_predictor(spoil={side: lambda band: shifted(getattr(band, side), index(band))})

    return spoil


BOUNDS = [
    Corruption(f"{kind.value}, {name} bound", Code(f"bound_{kind.value}"), _bound(kind, spread))
    for kind, size in (
        (Kind.ORBIT_X, 0.6), (Kind.ORBIT_Y, 0.6), (Kind.SOURCE_X, 0.6), (Kind.SOURCE_Y, 0.6),
        (Kind.SOURCE_ANGLE_X, 0.3), (Kind.SOURCE_ANGLE_Y, 0.3), (Kind.TUNE, 0.03), (Kind.BETA_BEATING, 12.0),
        (Kind.DISPERSION, 1.2), (Kind.CHROMATICITY, 5.0),
    )
    for name, spread in (("upper", size), ("lower", -size))
] + [
    Corruption("coupling upper bound", Code.BOUND_COUPLING, _bound(Kind.COUPLING, 0.1)),
    Corruption("aperture lower bound", Code.BOUND_APERTURE, _bound(Kind.APERTURE, -19.0)),
]  # fmt: skip

CORRUPTIONS = [
    # the right to write
    Corruption("dry run", Code.NOT_ARMED, lambda c: c.with_authority(token_id=""), "check_armed"),
    Corruption("reviewer is author", Code.NOT_ARMED, lambda c: c.with_authority(reviewer="ann")),
    Corruption("reviewer is author on another computer", Code.NOT_ARMED, lambda c: c.with_authority(reviewer="ann@b")),
    Corruption("no reviewer", Code.NOT_ARMED, lambda c: c.with_authority(reviewer="")),
    Corruption("edited limits", Code.LIMITS_DIFFER, lambda c: c.with_authority(limits_digest="1"), "check_armed"),
    Corruption(
        "expired token", Code.AUTHORITY_EXPIRED, lambda c: c.with_authority(expires_ns=NOW_NS), "check_clock"
    ),
    Corruption(
        "token for an hour", Code.AUTHORITY_EXPIRED, lambda c: c.with_authority(expires_ns=NOW_NS + 3590 * SECOND_NS)
    ),
    Corruption("clock set back", Code.CLOCK_JUMP, lambda c: c.with_authority(granted_ns=NOW_NS + 60 * SECOND_NS)),
    Corruption("clock set on", Code.CLOCK_JUMP, lambda c: c.with_authority(granted_s=NOW_S - 5.0)),
    Corruption("clock of another start", Code.CLOCK_JUMP, lambda c: c.with_authority(granted_s=NOW_S + 50.0)),
    Corruption("limits of another machine", Code.MACHINE_DIFFERS, lambda c: c.with_limits({"machine": "other"}),
               "check_machine"),
    Corruption("calibration of another machine document", Code.MACHINE_DIFFERS,
               lambda c: c.with_predictor(document_digest="other")),
    # what was approved
    Corruption("another value", Code.NOT_APPROVED, lambda c: c.with_step(target=0.1), "check_approved"),
    Corruption("sign flip", Code.NOT_APPROVED, lambda c: c.with_step(target=-0.4)),
    Corruption("times ten", Code.NOT_APPROVED, lambda c: c.with_step(target=4.0)),
    Corruption("times a thousand", Code.NOT_APPROVED, lambda c: c.with_step(target=400.0)),
    Corruption("a part in a thousand", Code.NOT_APPROVED, lambda c: c.with_step(target=4e-4)),
    Corruption("a little beyond", Code.NOT_APPROVED, lambda c: c.with_step(target=0.401)),
    Corruption("another PV", Code.NOT_APPROVED, lambda c: c.with_step(pv="P:H2:set")),
    Corruption("a missing step", Code.OUT_OF_ORDER, lambda c: c.with_history(number=0)),
    Corruption("a repeated step", Code.OUT_OF_ORDER, lambda c: c.with_history(number=2)),
    Corruption("a step too many", Code.NOT_APPROVED, lambda c: c.with_command(number=3).with_history(number=3)),
    Corruption("a step before the first", Code.NOT_APPROVED,
               lambda c: c.with_command(number=-1).with_history(number=-1)),
    Corruption("a part that was made", Code.NOT_APPROVED, lambda c: c.with_history(reached=0.3)),
    # the command
    Corruption("no row", Code.PV_NOT_ALLOWED, lambda c: c.with_limits({"settings.0.pvs": ["V*:set"]}), "check_allowed"),
    Corruption("another prefix", Code.PV_NOT_ALLOWED, lambda c: replace(c, limits=limits_with(prefix="X:"))),
    Corruption("several settings at once", Code.PV_NOT_ALLOWED, lambda c: c.with_command(presets=True)),
    Corruption("NaN in a second setting", Code.NOT_FINITE, lambda c: c.with_command(
        changes=dict(c.command.changes) | {("X", "y"): (0.0, float("nan"))}
    ).with_state(settings=dict(c.state.settings) | {("X", "y"): 0.0}), "check_finite"),
    Corruption("NaN", Code.NOT_FINITE, lambda c: c.with_step(target=float("nan"))),
    Corruption("infinite", Code.NOT_FINITE, lambda c: c.with_step(target=float("inf"))),
    Corruption("no setting", Code.NOT_FINITE, lambda c: c.with_command(changes={})),
    Corruption("a text", Code.NOT_FINITE, lambda c: c.with_command(scale="1")),
    Corruption("the machine's unit", Code.UNIT, lambda c: c.with_pv("P:H1:set", unit="mrad"), "check_unit"),
    Corruption("no unit", Code.UNIT, lambda c: c.with_pv("P:H1:set", unit="")),
    Corruption("the command's unit", Code.UNIT, lambda c: c.with_step(unit="mrad")),
    Corruption("the limits' unit", Code.UNIT, lambda c: c.with_limits({"settings.0.unit": "mrad"})),
    Corruption("a scale", Code.CONVERSION, lambda c: c.with_command(scale=2.0), "check_conversion"),
    Corruption("another setting than the value", Code.CONVERSION, lambda c: c.with_command(changes={KEY: (0.2, 0.3)})),
    # the state
    Corruption("disconnected", Code.DISCONNECTED, lambda c: c.with_pv("P:H2:rdbk", connected=False), "check_fresh"),
    Corruption("a PV is missing", Code.DISCONNECTED, lambda c: c.with_state(
        pvs={name: each for name, each in c.state.pvs.items() if name != "P:H2:set"})),
    Corruption("INVALID", Code.INVALID, lambda c: c.with_pv("P:H2:rdbk", severity=3)),
    Corruption("MAJOR", Code.INVALID, lambda c: c.with_pv("P:H2:rdbk", severity=2)),
    Corruption("a severity below none", Code.INVALID, lambda c: c.with_pv("P:H2:rdbk", severity=-1)),
    Corruption("a value of NaN", Code.INVALID, lambda c: c.with_pv("P:H2:rdbk", value=float("nan"))),
    Corruption("read long ago", Code.STALE, lambda c: c.with_pv("P:H2:set", read_s=NOW_S - 3.0)),
    Corruption("read in the future", Code.STALE, lambda c: c.with_pv("P:H2:set", read_s=NOW_S + 0.1)),
    Corruption("clock of the server", Code.CLOCK_SKEW,
               lambda c: c.with_pv("P:H2:set", stamp_ns=NOW_NS + 2 * SECOND_NS)),
    Corruption("an old monitor", Code.STALE, lambda c: c.with_pv("P:M0:x", stamp_ns=NOW_NS - 3 * SECOND_NS),
               "check_readings"),
    Corruption("a monitor from the future", Code.CLOCK_SKEW,
               lambda c: c.with_pv("P:M0:x", stamp_ns=NOW_NS + 3 * SECOND_NS)),
    Corruption("a silent monitor", Code.DISCONNECTED, lambda c: c.with_pv("P:M0:x", connected=False)),
    Corruption("an old orbit", Code.STALE, lambda c: c.with_reading(time_ns=NOW_NS - 3 * SECOND_NS)),
    Corruption("an orbit from the future", Code.CLOCK_SKEW, lambda c: c.with_reading(time_ns=NOW_NS + 3 * SECOND_NS)),
    Corruption("a dead monitor", Code.DEAD_MONITORS, lambda c: c.with_reading(
        orbit=np.where(np.arange(6).reshape(3, 2) == 0, np.nan, c.state.reading.orbit)), "check_monitors"),
    Corruption("no tune", Code.DEAD_MONITORS, lambda c: c.with_reading(tune=np.array([np.nan, 0.7]))),
    Corruption("another number of monitors", Code.DEAD_MONITORS, lambda c: c.with_reading(orbit=np.zeros((2, 2)))),
    Corruption("the readback is elsewhere", Code.START_DIFFERS, lambda c: c.with_pv("P:H1:rdbk", value=0.25)),
    Corruption("the setpoint is elsewhere", Code.START_DIFFERS, lambda c: c.with_pv("P:H1:set", value=0.21)),
    Corruption("the model is elsewhere", Code.START_DIFFERS, lambda c: c.with_state(
        settings=dict(c.state.settings) | {KEY: 0.21}), "check_start"),
    Corruption("someone else's write", Code.FOREIGN_WRITE, lambda c: c.with_pv("P:H2:set", value=1.1),
               "check_baseline"),
    Corruption("a stale recording", Code.BASELINE, _first(lambda c: c.with_pv("P:H2:set", value=1.1))),
    Corruption("another orbit at the start", Code.BASELINE_ORBIT,
               _first(lambda c: c.with_reading(orbit=c.state.reading.orbit + 0.15)), "check_orbit"),
    Corruption("other tunes at the start", Code.BASELINE_TUNE,
               _first(lambda c: c.with_reading(tune=c.state.reading.tune + 0.004))),
    Corruption("little current", Code.CURRENT, lambda c: c.with_reading(current_ma=0.5), "check_beam"),
    Corruption("no current", Code.CURRENT, lambda c: c.with_reading(current_ma=float("nan"))),
    Corruption("short lifetime", Code.LIFETIME, lambda c: c.with_reading(lifetime_h=0.5)),
    # limits of settings
    Corruption("no drive limits", Code.MISSING_LIMIT, lambda c: c.with_pv("P:H1:set", low=0.0, high=0.0),
               "check_static"),
    Corruption("the machine's limits", Code.STATIC_LIMIT, lambda c: c.with_pv("P:H1:set", high=0.3)),
    Corruption("the document's limits", Code.STATIC_LIMIT, lambda c: c.with_step(high=0.3)),
    Corruption("the file's limits", Code.STATIC_LIMIT, lambda c: c.with_limits({"settings.0.high": 0.3})),
    Corruption("a start outside of the limits", Code.STATIC_LIMIT, lambda c: c.with_limits({"settings.0.low": 0.3})),
    Corruption("a large step", Code.MAX_STEP, lambda c: c.with_limits({"settings.0.max_step": 0.15}).with_history(
        regions={"steerer": TrustRegion(2.0, 0.1, 2)}), "check_step"),
    Corruption("beyond the trust region", Code.TRUST_REGION,
               lambda c: c.with_history(regions={"steerer": TrustRegion(0.1, 0.1, 2)}), "check_trust_region"),
    Corruption("too fast", Code.MAX_RATE, lambda c: c.with_history(sent_s={"P:H1:set": NOW_S - 0.1}), "check_rate"),
    Corruption("a clock behind the last step", Code.MAX_RATE,
               lambda c: c.with_history(sent_s={"P:H1:set": NOW_S + 5.0})),
    Corruption("creeping", Code.CUMULATED, lambda c: c.with_history(first={"P:H1:set": -1.3}), "check_cumulated"),
    Corruption("creeping from the recording's start", Code.CUMULATED, lambda c: c.with_limits(
        {"settings.0.max_total": 0.3})),
    # the model
    Corruption("no calibration", Code.NO_CALIBRATION, lambda c: replace(c, predictor=None)),
    Corruption("another calibration", Code.CALIBRATION_DIFFERS, lambda c: c.with_predictor(calibration_id="other"),
               "check_calibration"),
    Corruption("an old calibration", Code.CALIBRATION_AGE, lambda c: c.with_predictor(max_age_s=60.0)),
    Corruption("a calibration from the future", Code.CALIBRATION_AGE,
               lambda c: c.with_predictor(made_ns=NOW_NS + SECOND_NS)),
    Corruption("other optics", Code.OPTICS_DIFFER, lambda c: c.with_predictor(optics_digest="other")),
    Corruption("the model's own distrust", Code.DISTRUST, lambda c: c.with_predictor(distrust=("12 are missing",))),
    Corruption("a smaller coverage", Code.DISTRUST, lambda c: c.with_predictor(spoil={"coverage": 0.9})),
    Corruption("a band of another calibration", Code.DISTRUST,
               lambda c: c.with_predictor(spoil={"calibration_id": "other"})),
    Corruption("bounds beside the expected value", Code.DISTRUST, lambda c: c.with_predictor(
        spoil={"expected": lambda band: band.expected + 1.0})),
    Corruption("tiers that disagree", Code.TIERS_DISAGREE, lambda c: c.with_predictor(bias=1.0).with_limits(
        {"bounds.second_tier_step": 0.1})),
    Corruption("infinite bounds", Code.BOUND_ORBIT_X, lambda c: c.with_predictor(widen=float("inf"))),
    Corruption("NaN bounds", Code.BOUND_ORBIT_X, lambda c: c.with_predictor(widen=float("nan"))),
    Corruption("an orbit that is not measured", Code.NO_BOUND, lambda c: c.with_predictor(
        spoil={"measured": lambda band: np.zeros_like(band.measured)})),
    Corruption("no observable of the chamber", Code.NO_BOUND, lambda c: c.with_predictor(
        spoil={name: lambda band, name=name: getattr(band, name)[:-2]
               for name in ("observables", "expected", "lower", "upper", "scale", "measured")})),
    Corruption("an rms", Code.BOUND_ORBIT_X, lambda c: c.with_limits({"orbit.rms_x_mm": 0.1})),
    Corruption("an rms, vertical", Code.BOUND_ORBIT_Y, lambda c: c.with_limits({"orbit.rms_y_mm": 0.04})),
    Corruption("an absolute position", Code.BOUND_ORBIT_X, lambda c: c.with_limits({"orbit.absolute_x_mm": 0.15})),
    Corruption("a resonance", Code.RESONANCE, lambda c: c.with_limits(
        {"tunes.lines.4": {"x": 5, "y": -3, "half_width": 0.02}})),
    Corruption("a check that fails", Code.FAILED_CHECK, lambda c: c.with_state(settings=None)),
    Corruption("a model that fails", Code.FAILED_CHECK, lambda c: c.with_predictor(spoil={"nothing": 1})),
    Corruption("no limits file", Code.MISSING_LIMIT, lambda c: replace(c, limits=None)),
    *BOUNDS,
]  # fmt: skip
