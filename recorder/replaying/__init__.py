"""The executor of a gated replay: predict, decide, write, measure and compare, one step at a time.

Built on `gnomon.recorder.replay_execution.carry_out`, whose `gate` a `GatedSteps` is. The machine, the clock and the
rules are passed in, so that a replay runs without servers as well.
"""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.recorder.replaying.beam_meter import NEW_READINGS_S, BeamMeter, BeamPvs, Meter, beam_pvs
    from gnomon.recorder.replaying.beam_put_back import BeamPutBack
    from gnomon.recorder.replaying.commands_of_plan import PlanCommands
    from gnomon.recorder.replaying.correction_gate import CorrectionGate, settle_times
    from gnomon.recorder.replaying.gated_steps import GatedSteps, GateRules, StepView
    from gnomon.recorder.replaying.live_view import LEGEND, LiveView, line_of, steps_table
    from gnomon.recorder.replaying.rehearsing import RehearsalClock, recorded_state, rehearse
    from gnomon.recorder.replaying.replay_report import ReplayReport, write_document, write_report
    from gnomon.recorder.replaying.replay_state import ReplayState, StateFile, Status, load_state
    from gnomon.recorder.replaying.resuming import KeptState, resume, roll_back
    from gnomon.recorder.replaying.state_doubts import audited_parts, compact_parts, doubts_of
    from gnomon.recorder.replaying.step_record import StepRecord, record_of
    from gnomon.recorder.verifying import SystemClock

__all__ = [
    "LEGEND",
    "NEW_READINGS_S",
    "BeamMeter",
    "BeamPutBack",
    "BeamPvs",
    "CorrectionGate",
    "GateRules",
    "GatedSteps",
    "KeptState",
    "LiveView",
    "Meter",
    "PlanCommands",
    "RehearsalClock",
    "ReplayReport",
    "ReplayState",
    "StateFile",
    "Status",
    "StepRecord",
    "StepView",
    "SystemClock",
    "audited_parts",
    "beam_pvs",
    "compact_parts",
    "doubts_of",
    "line_of",
    "load_state",
    "record_of",
    "recorded_state",
    "rehearse",
    "resume",
    "roll_back",
    "settle_times",
    "steps_table",
    "write_document",
    "write_report",
]

#: Names by module, each imported on first use.
_NAMES = {
    "beam_meter": ("NEW_READINGS_S", "BeamMeter", "BeamPvs", "Meter", "beam_pvs"),
    "beam_put_back": ("BeamPutBack",),
    "commands_of_plan": ("PlanCommands",),
    "correction_gate": ("CorrectionGate", "SystemClock", "settle_times"),
    "gated_steps": ("GatedSteps", "GateRules", "StepView"),
    "live_view": ("LEGEND", "LiveView", "line_of", "steps_table"),
    "rehearsing": ("RehearsalClock", "recorded_state", "rehearse"),
    "replay_report": ("ReplayReport", "write_document", "write_report"),
    "replay_state": ("ReplayState", "StateFile", "Status", "load_state"),
    "resuming": ("KeptState", "resume", "roll_back"),
    "state_doubts": ("audited_parts", "compact_parts", "doubts_of"),
    "step_record": ("StepRecord", "record_of"),
}

__getattr__ = lazy_names(__name__, {name: module for module, names in _NAMES.items() for name in names})
