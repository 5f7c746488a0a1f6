"""The gate's view of an imperfect machine: limits, state, commands and authority, made from the truth's readings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.gate_commands import Commands
from bench.gate_limits import TrueLimits
from bench.gate_truth import NS, TrueMachine

from gnomon.db.pvs import PvSpec
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine, pvs_of
from gnomon.lattice import Key
from gnomon.lattice.resonances import ResonanceLine, resonance_lines
from gnomon.recorder.bounds import Predicts, Reading
from gnomon.recorder.gating import (
    Approved,
    ApprovedStep,
    Authority,
    GateCommand,
    MachineState,
    PvReading,
    Verdict,
)
from gnomon.recorder.gating.deciding import decide
from gnomon.recorder.gating.history import History
from gnomon.recorder.gating.limits import Limits
from gnomon.recorder.gating.limits_document import NOT_CHECKED, LimitsDocument
from gnomon.recorder.replay_steps import Setpoints, Start, Step

#: Age of a read value [s], and the monotonic time at which all scenes are [s].
AGE_S, MONOTONIC_S = 0.2, 1000.0
MAX_ORDER = 3


def lines_about(tune: Sequence[float]) -> tuple[ResonanceLine, ...]:
    """All resonances up to the third order within half a unit of a working point."""
    x, y = tune
    return tuple(resonance_lines((x - 0.5, x + 0.5), (y - 0.5, y + 0.5), MAX_ORDER))


def limits_of(spec: PvSpec) -> tuple[float, float]:
    """The drive limits of a setpoint, which all of these have."""
    assert spec.drive is not None, spec.name
    return spec.drive


def limits_document(
    machine: TrueMachine, pvs: Mapping[Key, PvSpec], true: TrueLimits, coverage: float
) -> LimitsDocument:
    """Limits in which the bounds alone have to refuse: steps and rates are only limited by the range of each PV."""
    families = {(line.m, line.n) for line in true.lines} | {(2, 0), (0, 2)}
    unchecked = NOT_CHECKED
    rows: list[dict[str, Any]] = []
    for spec in pvs.values():
        low, high = limits_of(spec)
        span = high - low
        rows.append(
            {"pvs": (spec.name,), "unit": spec.unit, "low": low, "high": high, "max_step": span, "max_rate": span * 1e3,
             "max_total": span}
        )  # fmt: skip
    content: dict[str, Any] = {
        "schema": "gnomon.gate_limits/1",
        "machine": machine.ring.name,
        "note": "of the bench: wide static limits, so that the bounds have to refuse",
        "fresh": {"max_age_s": 5.0, "max_skew_s": 2.0, "max_severity": "minor"},
        "baseline": {"share": 1e-3, "orbit_mm": unchecked, "tune": unchecked},
        "orbit": {
            "x_mm": true.gate_mm, "y_mm": true.gate_mm, "rms_x_mm": unchecked, "rms_y_mm": unchecked,
            "absolute_x_mm": unchecked, "absolute_y_mm": unchecked, "max_dead_monitors": 0,
        },
        "sources": {"x_mm": unchecked, "y_mm": unchecked, "angle_x_mrad": unchecked, "angle_y_mrad": unchecked},
        "tunes": {
            "max_change": 0.1,
            "lines": [{"x": m, "y": n, "half_width": true.half_width} for m, n in sorted(families)],
        },
        "optics": {
            "beta_beating_percent": unchecked,
            "coupling": unchecked,
            "dispersion_m": {"x": unchecked, "y": unchecked},
            "chromaticity": {"x": unchecked, "y": unchecked},
        },
        "aperture_mm": unchecked,
        "beam": {
            "min_current_ma": 1.0, "max_current_drop": 0.1, "min_lifetime_h": unchecked, "max_lifetime_drop": unchecked,
        },
        "bounds": {
            "coverage": coverage, "ramp_points": 3, "second_tier_step": 1.0, "second_tier_distance": 0.0,
            "agreement": 1.0,
        },
        "trust_region": {"start": 1.0, "smallest": 0.01, "grow_after": 3},
        "outcome": {"near_miss": 0.8, "stop_band": 1.0, "cusum_slack": 1.0, "cusum_alarm": 20.0},
        "settings": rows,
    }  # fmt: skip
    return LimitsDocument.model_validate(content)


@dataclass(eq=False)
class Scene:
    """A machine at the gate. `reference` is the reading to which limits are relative, `true` those of the truth."""

    machine: TrueMachine
    commands: Commands
    predictor: Predicts
    reference: Reading
    true: TrueLimits
    limits: Limits
    pvs: Mapping[Key, PvSpec]
    readbacks: Mapping[Key, str] = field(default_factory=dict)

    @classmethod
    def at_baseline(
        cls, machine: TrueMachine, commands: Commands, predictor: Predicts, coverage: float = 0.99
    ) -> "Scene":
        """Make the scene of a machine at its baseline, whose orbit is the reference."""
        machine.restore()
        moment = machine.moment()
        reference = machine.reading(moment, average=100)
        specs = pvs_of(find_machine(Config(machine=machine.ring.name)), "")
        setpoints = Setpoints(specs)
        keys = [*commands.unit]
        pvs = {key: spec for key in keys if (spec := setpoints.of_property(*key)) is not None}
        true = TrueLimits(reference.orbit, lines_about(moment.tune.tolist()))
        limits = Limits(limits_document(machine, pvs, true, coverage), "")
        readbacks = {key: setpoints.readback(spec) for key, spec in pvs.items()}
        return cls(machine, commands, predictor, reference, true, limits, pvs, readbacks)

    def command(self, key: Key, value: float, start: float | None = None, number: int = 0) -> GateCommand:
        """The command that brings a setting from its present value to another one."""
        spec, now = self.pvs[key], self.machine.setting(key) if start is None else start
        low, high = limits_of(spec)
        step = Step(
            number + 1, self.machine.now_ns, spec.name, self.readbacks[key], spec.unit,
            now * spec.scale, value * spec.scale, value * spec.scale, low, high,
        )  # fmt: skip
        family = self.commands.family_of_key(key)
        return GateCommand(step, {key: (now, value)}, family, number, spec.scale)

    def state(self, reading: Reading, **changed: Any) -> MachineState:
        """The machine as the gate sees it, with one reading of the beam; `changed` replaces fields."""
        machine = self.machine
        pvs: dict[str, PvReading] = {}
        for key, spec in self.pvs.items():
            low, high = limits_of(spec)
            shown = PvReading(
                machine.setting(key) * spec.scale, 0, machine.now_ns - round(AGE_S * NS), True, MONOTONIC_S - AGE_S,
                spec.unit, low, high,
            )  # fmt: skip
            pvs[spec.name] = pvs[self.readbacks[key]] = shown
        values: dict[str, Any] = {
            "pvs": pvs, "settings": machine.settings, "reading": reading, "now_ns": machine.now_ns,
            "monotonic_s": MONOTONIC_S,
        }  # fmt: skip
        return MachineState(**(values | changed))

    def approved(self, steps: Sequence[GateCommand] | None = None, starts: tuple[Start, ...] = ()) -> Approved:
        """An approval: of these steps, or of free commands within the limits."""
        approved = None
        if steps is not None:
            approved = tuple(ApprovedStep(c.step.pv, c.step.unit, c.step.start, c.step.target) for c in steps)
        return Approved(
            "0" * 64, self.machine.ring.name, self.predictor.document_digest, self.predictor.optics_digest, approved,
            starts, self.reference, self.predictor.calibration_id, frozenset(spec.name for spec in self.pvs.values()),
        )  # fmt: skip

    def authority(self, approved: Approved) -> Authority:
        """An armed authority that was granted ten seconds ago."""
        granted = self.machine.now_ns - 10 * NS
        return Authority(approved, "token", "author", "reviewer", granted, MONOTONIC_S - 10.0, granted + 1800 * NS)

    def decide(self, command: GateCommand, state: MachineState) -> Verdict:
        """Decide about a free command, as the first one of a session."""
        return decide(command, state, self.predictor, self.limits, History(), self.authority(self.approved()))
