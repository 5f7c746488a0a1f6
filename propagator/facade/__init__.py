"""The ring as a library, `gnomon.ring("bessy2")`: settings and results by name and with units."""

from gnomon.propagator.facade.ring_model import By, NoBeamError, RingModel
from gnomon.propagator.facade.ring_tables import optics_table, orbit_table
from gnomon.propagator.facade.saved_picture import SavedPicture

__all__ = ["By", "NoBeamError", "RingModel", "SavedPicture", "optics_table", "orbit_table"]
