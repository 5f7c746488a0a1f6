"""The gate: a pure decision about each command, from limits, a calibrated bound and the machine's state. No EPICS.

It is not machine protection and must not be counted as such.
"""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.recorder.gating.assessing import Outcome, assess
    from gnomon.recorder.gating.cusum import Cusum, average_run_length
    from gnomon.recorder.gating.deciding import CHECKS, decide
    from gnomon.recorder.gating.history import History
    from gnomon.recorder.gating.limits import Limits, parse_limits, read_limits
    from gnomon.recorder.gating.limits_document import NOT_CHECKED, LimitsDocument
    from gnomon.recorder.gating.reasons import MEANINGS, Code, Meaning, Reason
    from gnomon.recorder.gating.rules import Rules
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
    "Authority",
    "Code",
    "Cusum",
    "GateCommand",
    "History",
    "Limits",
    "LimitsDocument",
    "MachineState",
    "Meaning",
    "Outcome",
    "PvReading",
    "Reason",
    "Rules",
    "TrustRegion",
    "Verdict",
    "assess",
    "average_run_length",
    "decide",
    "parse_limits",
    "read_limits",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Outcome": "assessing",
        "assess": "assessing",
        "Cusum": "cusum",
        "average_run_length": "cusum",
        "CHECKS": "deciding",
        "decide": "deciding",
        "History": "history",
        "Limits": "limits",
        "parse_limits": "limits",
        "read_limits": "limits",
        "NOT_CHECKED": "limits_document",
        "LimitsDocument": "limits_document",
        "MEANINGS": "reasons",
        "Code": "reasons",
        "Meaning": "reasons",
        "Reason": "reasons",
        "Rules": "rules",
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
