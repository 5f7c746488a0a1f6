"""A command that is accepted, with everything around it, to be spoiled in one place."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import yaml
from numpy.typing import NDArray

from gnomon.lattice import Key
from gnomon.recorder.bounds import Band, Kind, Observable, Reading
from gnomon.recorder.bounds.band import Settings, largest_error
from gnomon.recorder.gating import (
    Approved,
    ApprovedStep,
    Authority,
    GateCommand,
    History,
    Limits,
    LimitsDocument,
    MachineState,
    PvReading,
    Verdict,
    decide,
)
from gnomon.recorder.replay_steps import Start, Step

FloatArray = NDArray[np.float64]

NOW_NS = 1_800_000_000_000_000_000
NOW_S = 1000.0
MONITORS = 3
KEY: Key = ("H1", "current")

LIMITS = """
schema: gnomon.gate_limits/1
machine: toy
note: of tests
fresh: {max_age_s: 2.0, max_skew_s: 1.0, max_severity: minor}
baseline: {share: 5.0e-5, orbit_mm: 0.1, tune: 0.002}
orbit:
  {x_mm: 0.5, y_mm: 0.5, rms_x_mm: 0.3, rms_y_mm: 0.3, absolute_x_mm: 1.0, absolute_y_mm: 1.0, max_dead_monitors: 0}
sources: {x_mm: 0.5, y_mm: 0.5, angle_x_mrad: 0.25, angle_y_mrad: 0.25}
tunes:
  max_change: 0.02
  lines:
    - {x: 1, y: 0, half_width: 0.005}
    - {x: 0, y: 1, half_width: 0.005}
    - {x: 2, y: 0, half_width: 0.005}
    - {x: 0, y: 2, half_width: 0.005}
    - {x: 3, y: 0, half_width: 0.005}
    - {x: 1, y: -1, half_width: 0.005}
optics:
  beta_beating_percent: 10
  dispersion_m: {x: {low: -1.0, high: 1.0}, y: {low: -0.1, high: 0.1}}
  chromaticity: {x: {low: 0.0, high: 5.0}, y: {low: 0.0, high: 5.0}}
  coupling: 0.02
aperture_mm: 2.0
beam: {min_current_ma: 1.0, max_current_drop: 0.1, min_lifetime_h: 1.0, max_lifetime_drop: 0.5}
bounds: {coverage: 0.99, ramp_points: 1, second_tier_step: 1.0, second_tier_distance: 0.0, agreement: 0.5}
trust_region: {start: 0.5, smallest: 0.05, grow_after: 2}
outcome: {near_miss: 0.9, stop_band: 1.2, cusum_slack: 0.5, cusum_alarm: 8.0}
settings:
  - {pvs: ["H*:set"], unit: A, low: -2.0, high: 2.0, max_step: 1.0, max_rate: 1.0, max_total: 1.5}
"""

CONTENT = yaml.safe_load(LIMITS)

#: Value of each observable per unit of the setting, and at 0; the half width of its band.
OBSERVABLES = {
    **{f"orbit_x:M{i}": (Kind.ORBIT_X, "mm", 0.4 * (1 - i), 0.0, 0.05) for i in range(MONITORS)},
    **{f"orbit_y:M{i}": (Kind.ORBIT_Y, "mm", 0.1 * (1 - i), 0.0, 0.05) for i in range(MONITORS)},
    "tune_x": (Kind.TUNE, "", 0.002, 0.846, 0.001),
    "tune_y": (Kind.TUNE, "", 0.001, 0.728, 0.001),
    "source_x:S": (Kind.SOURCE_X, "mm", 0.3, 0.0, 0.05),
    "source_y:S": (Kind.SOURCE_Y, "mm", 0.1, 0.0, 0.05),
    "source_angle_x:S": (Kind.SOURCE_ANGLE_X, "mrad", 0.1, 0.0, 0.02),
    "source_angle_y:S": (Kind.SOURCE_ANGLE_Y, "mrad", 0.05, 0.0, 0.02),
    **{f"beta_beating_x:M{i}": (Kind.BETA_BEATING, "%", 1.0, 1.0, 1.0) for i in range(MONITORS)},
    **{f"dispersion_x:M{i}": (Kind.DISPERSION, "m", 0.01, 0.1, 0.01) for i in range(MONITORS)},
    **{f"dispersion_y:M{i}": (Kind.DISPERSION, "m", 0.001, 0.0, 0.01) for i in range(MONITORS)},
    "chromaticity_x": (Kind.CHROMATICITY, "", 0.01, 1.0, 0.1),
    "chromaticity_y": (Kind.CHROMATICITY, "", 0.01, 1.0, 0.1),
    "coupling": (Kind.COUPLING, "", 0.001, 0.005, 0.001),
    "aperture_x": (Kind.APERTURE, "mm", -0.1, 20.0, 0.5),
    "aperture_y": (Kind.APERTURE, "mm", -0.1, 8.0, 0.5),
}
ALL = tuple(Observable(name, kind, unit, name.partition(":")[2]) for name, (kind, unit, *_) in OBSERVABLES.items())
SLOPE, AT_ZERO, HALF = np.array([row[2:] for row in OBSERVABLES.values()]).T


@dataclass(frozen=True)
class Fake:
    """A linear machine's model: see `Predicts`. `widen` multiplies the bands, `bias` shifts them in the second tier."""

    calibration_id: str = "calibration"
    document_digest: str = "document"
    optics_digest: str = "optics"
    made_ns: int = NOW_NS - 3600 * 10**9
    max_age_s: float = 86400.0
    widen: float = 1.0
    bias: float = 0.0
    distrust: tuple[str, ...] = ()
    spoil: Mapping[str, Any] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def band(
        self, settings: Settings, changes: Settings, reading: Reading, *, coverage: float, now_ns: int, tier: int = 1
    ) -> Band:
        self.asked.append(tier)
        expected = AT_ZERO + SLOPE * {**settings, **changes}[KEY]
        measured = np.arange(len(ALL)) < 2 * MONITORS + 2
        shown = np.concatenate((reading.orbit[:, 0], reading.orbit[:, 1], reading.tune))
        before = (AT_ZERO + SLOPE * settings[KEY])[: shown.size]
        expected[: shown.size] = shown + expected[: shown.size] - before
        measured[: shown.size] &= np.isfinite(shown)
        expected = expected + (self.bias * HALF if tier == 2 else 0.0)
        half = self.widen * HALF
        lower, upper = expected - half, expected + half
        lower[: shown.size][np.isnan(shown)], upper[: shown.size][np.isnan(shown)] = -np.inf, np.inf
        band = Band(
            ALL, expected, lower, upper, half / 3.0, measured, coverage, tier, self.calibration_id, self.distrust
        )
        return replace(band, **{name: value(band) if callable(value) else value for name, value in self.spoil.items()})

    def score(self, band: Band, after: Reading) -> float:
        return largest_error(band, after)

    def observe(self, settings: Mapping[Key, float], changes: Mapping[Key, float], band: Band, after: Reading) -> Self:
        return self


def limits_with(change: Mapping[str, Any] | None = None, prefix: str = "P:") -> Limits:
    """The limits with some values changed, given by dotted keys."""
    data = deepcopy(CONTENT)
    for key, value in (change or {}).items():
        part, *path = data, *key.split(".")
        for name in path[:-1]:
            part = part[int(name) if name.isdecimal() else name]
        part[int(path[-1]) if path[-1].isdecimal() else path[-1]] = value
    return Limits(LimitsDocument.model_validate(data), prefix)


def reading_at(setting: float, **changed: Any) -> Reading:
    """The reading of the linear machine at a setting."""
    values: FloatArray = AT_ZERO + SLOPE * setting
    orbit = values[: 2 * MONITORS].reshape(2, MONITORS).T
    given: dict[str, Any] = {
        "orbit": orbit,
        "tune": values[2 * MONITORS : 2 * MONITORS + 2],
        "time_ns": NOW_NS - 10**8,
        "current_ma": 100.0,
        "lifetime_h": 8.0,
    }
    return Reading(**(given | changed))


def pv(value: float, **changed: Any) -> PvReading:
    """A healthy setpoint or readback."""
    given: dict[str, Any] = {"severity": 0, "stamp_ns": NOW_NS - 10**12, "connected": True, "read_s": NOW_S - 0.1}
    return PvReading(value, **(given | {"unit": "A", "low": -10.0, "high": 10.0} | changed))


@dataclass(frozen=True)
class Case:
    """Arguments of `decide`; the second step of an approved recording, of which the first one was made."""

    command: GateCommand
    state: MachineState
    predictor: Fake | None
    limits: Limits | None
    history: History
    authority: Authority

    def decide(self) -> Verdict:
        return decide(self.command, self.state, self.predictor, self.limits, self.history, self.authority)

    def with_step(self, **changed: Any) -> "Case":
        """Change the step, and the settings with it, as a wrong command would."""
        step = replace(self.command.step, **changed)
        command = replace(self.command, step=step, changes={KEY: (step.start, step.target)})
        return replace(self, command=command)

    def with_command(self, **changed: Any) -> "Case":
        return replace(self, command=replace(self.command, **changed))

    def with_state(self, **changed: Any) -> "Case":
        return replace(self, state=replace(self.state, **changed))

    def with_pv(self, name: str, **changed: Any) -> "Case":
        return self.with_state(pvs={**self.state.pvs, name: replace(self.state.pvs[name], **changed)})

    def with_reading(self, **changed: Any) -> "Case":
        return self.with_state(reading=replace(self.state.reading, **changed))

    def with_predictor(self, **changed: Any) -> "Case":
        assert self.predictor is not None
        return replace(self, predictor=replace(self.predictor, **changed))

    def with_limits(self, change: Mapping[str, Any]) -> "Case":
        return replace(self, limits=limits_with(change))

    def with_history(self, **changed: Any) -> "Case":
        return replace(self, history=replace(self.history, **changed))

    def with_authority(self, **changed: Any) -> "Case":
        return replace(self, authority=replace(self.authority, **changed))

    def with_approved(self, **changed: Any) -> "Case":
        return self.with_authority(approved=replace(self.authority.approved, **changed))


def step_of(start: float, target: float) -> Step:
    return Step(2, 0, "P:H1:set", "P:H1:rdbk", "A", start, target, target, -10.0, 10.0)


def accepted_case() -> Case:
    """The second of three approved steps: P:H1:set from 0.2 to 0.4 A; the recording began at 0 A."""
    steps = tuple(ApprovedStep("P:H1:set", "A", a, b) for a, b in ((0.0, 0.2), (0.2, 0.4), (0.4, 0.1)))
    starts = tuple(Start(name, "A", value, 20.0) for name, value in
                   (("P:H1:set", 0.0), ("P:H1:rdbk", 0.0), ("P:H2:set", 1.0), ("P:H2:rdbk", 1.0)))  # fmt: skip
    reference = reading_at(0.0)
    approved = Approved("recording", "toy", "document", "optics", steps, starts, reference, "calibration")
    authority = Authority(approved, "token", "ann", "bob", NOW_NS - 10 * 10**9, NOW_S - 10.0, NOW_NS + 1790 * 10**9)
    state = MachineState(
        {
            "P:H1:set": pv(0.2), "P:H1:rdbk": pv(0.2), "P:H2:set": pv(1.0), "P:H2:rdbk": pv(1.0),
            "P:M0:x": pv(0.08, stamp_ns=NOW_NS - 10**8, unit="mm"),
        },
        {KEY: 0.2, ("H2", "current"): 1.0},
        reading_at(0.2),
        NOW_NS,
        NOW_S,
    )  # fmt: skip
    history = History(
        written=1, number=1, expected={"P:H1:set": 0.2, "P:H1:rdbk": 0.2}, first={"P:H1:set": 0.0},
        sent_s={"P:H1:set": NOW_S - 5.0},
    )  # fmt: skip
    command = GateCommand(step_of(0.2, 0.4), {KEY: (0.2, 0.4)}, "steerer", number=1)
    return Case(command, state, Fake(), limits_with(), history, authority)
