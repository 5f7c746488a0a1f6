"""Confidence bounds of the beam after the next command: calibrated, simultaneous, of finite samples.

Pure: no I/O, no EPICS, and nothing that writes to a machine, so that a shadow may import it. `calibrate` makes a
`CalibrationDocument` of measured commands, `Predictor` bands of it: docs/explanations/confidence_bounds.md.
"""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.recorder.bounds.band import Band, Kind, Observable, Predicts, Reading, rows_of, values_of
    from gnomon.recorder.bounds.calibration import MeasuredChange, Noise, calibrate, noise_of, with_held_out
    from gnomon.recorder.bounds.calibration_document import CalibrationDocument, DataUsed, lattice_of, parse_calibration
    from gnomon.recorder.bounds.command_kinds import kind_of, optics_digest, optics_settings
    from gnomon.recorder.bounds.conformal import needed, quantile
    from gnomon.recorder.bounds.observables import measured_observables
    from gnomon.recorder.bounds.parameters import Priors
    from gnomon.recorder.bounds.predictor import Predictor

__all__ = [
    "Band",
    "CalibrationDocument",
    "DataUsed",
    "Kind",
    "MeasuredChange",
    "Noise",
    "Observable",
    "Predictor",
    "Predicts",
    "Priors",
    "Reading",
    "calibrate",
    "kind_of",
    "lattice_of",
    "measured_observables",
    "needed",
    "noise_of",
    "optics_digest",
    "optics_settings",
    "parse_calibration",
    "quantile",
    "rows_of",
    "values_of",
    "with_held_out",
]

__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Band", "Kind", "Observable", "Predicts", "Reading", "rows_of", "values_of"), "band"),
        **dict.fromkeys(("MeasuredChange", "Noise", "calibrate", "noise_of", "with_held_out"), "calibration"),
        **dict.fromkeys(("CalibrationDocument", "DataUsed", "lattice_of", "parse_calibration"), "calibration_document"),
        **dict.fromkeys(("kind_of", "optics_digest", "optics_settings"), "command_kinds"),
        **dict.fromkeys(("needed", "quantile"), "conformal"),
        "measured_observables": "observables",
        "Priors": "parameters",
        "Predictor": "predictor",
    },
)
