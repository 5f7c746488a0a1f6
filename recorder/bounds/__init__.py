"""Confidence bounds of the beam after the next command: calibrated, simultaneous, of finite samples.

Pure: no I/O, no EPICS, and nothing that writes to a machine, so that a shadow may import it.
"""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.recorder.bounds.band import Band, Kind, Observable, Predicts, Reading, values_of

__all__ = ["Band", "Kind", "Observable", "Predicts", "Reading", "values_of"]

__getattr__ = lazy_names(
    __name__,
    dict.fromkeys(("Band", "Kind", "Observable", "Predicts", "Reading", "values_of"), "band"),
)
