"""The gate: a pure decision about each command, from limits, a calibrated bound and the machine's state. No EPICS.

It is not machine protection and must not be counted as such.
"""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.recorder.gating.arming import approved_of, arm, valid_approval
    from gnomon.recorder.gating.arming_tokens import Claims, TimeOfToken, make_token, read_token
    from gnomon.recorder.gating.assessing import Outcome, assess
    from gnomon.recorder.gating.audit_chain import AuditChain, AuditCheck, events_of, verify_audit
    from gnomon.recorder.gating.cusum import Cusum, average_run_length
    from gnomon.recorder.gating.deciding import CHECKS, decide
    from gnomon.recorder.gating.gate_api import Gate, GateRefusedError, GateStoppedError
    from gnomon.recorder.gating.history import History
    from gnomon.recorder.gating.limits import Limits, parse_limits, read_limits
    from gnomon.recorder.gating.limits_check import CheckedSetpoints, checked_setpoints
    from gnomon.recorder.gating.limits_document import NOT_CHECKED, LimitsDocument
    from gnomon.recorder.gating.limits_template import make_limits_template
    from gnomon.recorder.gating.reasons import MEANINGS, Code, Meaning, Reason
    from gnomon.recorder.gating.rules import Rules
    from gnomon.recorder.gating.setpoint_commands import SetpointCommands
    from gnomon.recorder.gating.token_desk import TokenDesk, time_of_token
    from gnomon.recorder.gating.trust_region import TrustRegion
    from gnomon.recorder.gating.verdict import (
        Approved,
        ApprovedStep,
        Authority,
        GateCommand,
        MachineState,
        PvReading,
        Verdict,
    )

__all__ = [
    "CHECKS",
    "MEANINGS",
    "NOT_CHECKED",
    "Approved",
    "ApprovedStep",
    "AuditChain",
    "AuditCheck",
    "Authority",
    "CheckedSetpoints",
    "Claims",
    "Code",
    "Cusum",
    "Gate",
    "GateCommand",
    "GateRefusedError",
    "GateStoppedError",
    "History",
    "Limits",
    "LimitsDocument",
    "MachineState",
    "Meaning",
    "Outcome",
    "PvReading",
    "Reason",
    "Rules",
    "SetpointCommands",
    "TimeOfToken",
    "TokenDesk",
    "TrustRegion",
    "Verdict",
    "approved_of",
    "arm",
    "assess",
    "average_run_length",
    "checked_setpoints",
    "decide",
    "events_of",
    "make_limits_template",
    "make_token",
    "parse_limits",
    "read_limits",
    "read_token",
    "time_of_token",
    "valid_approval",
    "verify_audit",
]

__getattr__ = lazy_names(
    __name__,
    {
        "approved_of": "arming",
        "arm": "arming",
        "valid_approval": "arming",
        "Claims": "arming_tokens",
        "TimeOfToken": "arming_tokens",
        "make_token": "arming_tokens",
        "read_token": "arming_tokens",
        "Outcome": "assessing",
        "assess": "assessing",
        "AuditChain": "audit_chain",
        "AuditCheck": "audit_chain",
        "events_of": "audit_chain",
        "verify_audit": "audit_chain",
        "Cusum": "cusum",
        "average_run_length": "cusum",
        "CHECKS": "deciding",
        "decide": "deciding",
        "Gate": "gate_api",
        "GateRefusedError": "gate_api",
        "GateStoppedError": "gate_api",
        "History": "history",
        "Limits": "limits",
        "parse_limits": "limits",
        "read_limits": "limits",
        "CheckedSetpoints": "limits_check",
        "checked_setpoints": "limits_check",
        "NOT_CHECKED": "limits_document",
        "LimitsDocument": "limits_document",
        "make_limits_template": "limits_template",
        "MEANINGS": "reasons",
        "Code": "reasons",
        "Meaning": "reasons",
        "Reason": "reasons",
        "Rules": "rules",
        "SetpointCommands": "setpoint_commands",
        "TokenDesk": "token_desk",
        "time_of_token": "token_desk",
        "TrustRegion": "trust_region",
        "Approved": "verdict",
        "ApprovedStep": "verdict",
        "Authority": "verdict",
        "GateCommand": "verdict",
        "MachineState": "verdict",
        "PvReading": "verdict",
        "Verdict": "verdict",
    },
)
