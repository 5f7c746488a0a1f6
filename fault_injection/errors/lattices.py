"""From versions of the ideal lattice to those of the machine as it really is: same settings, true fields."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.errors.drawn import MachineErrors
from gnomon.fault_injection.errors.field_factors import FieldFactors
from gnomon.fault_injection.errors.true_documents import ROLLED, true_document
from gnomon.lattice import Lattice, Ring


class TrueLattices:
    """The true lattice for each version of an ideal ring's: `ring` is the true one.

    Settings are copied: currents, frequency, energy, misalignments that somebody set. Those that stand for a field by
    the ideal calibration, conversion factors and trims, are multiplied by the magnet's factor.
    """

    def __init__(self, ideal: Ring, errors: MachineErrors) -> None:
        self.ideal = ideal
        self.ring = Ring(true_document(ideal.document, errors))
        sources, factors = _links(ideal, self.ring, FieldFactors.of(ideal.document, errors))
        self._sources, self._factors = sources, factors
        self._used = ~np.isnan(self.ring.nominal_settings)

    def __call__(self, lattice: Lattice) -> Lattice:
        """Return the true lattice of an ideal one. Raises LatticeError for a lattice of another ring."""
        settings = np.full(self._used.shape, np.nan)
        settings[self._used] = self._factors * lattice.settings[self._sources]
        return Lattice.of_settings(self.ring, settings)


def _links(ideal: Ring, true: Ring, factors: FieldFactors) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find, for each setting of the true ring, its setting in the ideal one and the factor between the two."""
    places: dict[int, tuple[int, float]] = {}
    for (device, _), spec in true.properties.items():
        if spec.slot is None or spec.slot in places:
            continue
        place, factor = _link(ideal, device, spec.setting, factors)
        places[spec.slot] = (place, factor)
    used = np.flatnonzero(~np.isnan(true.nominal_settings))
    found = [places[slot] for slot in used.tolist()]
    return np.array([place for place, _ in found], dtype=np.intp), np.array([factor for _, factor in found])


def _link(ideal: Ring, device: str, setting: str, factors: FieldFactors) -> tuple[int, float]:
    of_field = setting == "hw2phys" or setting.endswith("_trim")
    own: Mapping[str, float] = factors.own if of_field else {}
    if device.endswith(ROLLED) and device.removesuffix(ROLLED) in factors.cross:
        device = device.removesuffix(ROLLED)
        own = factors.cross
    slot = ideal.property_spec(device, setting).slot
    assert slot is not None  # a setting by its own name
    return slot, own.get(device, 1.0)
