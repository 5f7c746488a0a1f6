"""The gate: a pure decision about each command, from limits, a calibrated bound and the machine's state. No EPICS.

It is not machine protection and must not be counted as such.
"""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.recorder.gating.cusum import Cusum, average_run_length
    from gnomon.recorder.gating.history import History
    from gnomon.recorder.gating.reasons import MEANINGS, Code, Meaning, Reason
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
    "MEANINGS",
    "Approved",
    "ApprovedStep",
    "Authority",
    "Code",
    "Cusum",
    "GateCommand",
    "History",
    "MachineState",
    "Meaning",
    "PvReading",
    "Reason",
    "TrustRegion",
    "Verdict",
    "average_run_length",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Cusum": "cusum",
        "average_run_length": "cusum",
        "History": "history",
        "MEANINGS": "reasons",
        "Code": "reasons",
        "Meaning": "reasons",
        "Reason": "reasons",
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
