"""The lattice as pyAT sees it in six dimensions: with the cavities of a `SixDBeam`, and radiating magnets if asked."""

from typing import Any

import at
import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import Cavity
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.live.momentum_from_rf import path_difference
from gnomon.propagator.six import SixD, SixDBeam
from unit.propagator.pyat_oracle import pyat_element


def pyat_six(six: SixD, lattice: Lattice, beam: SixDBeam) -> Any:
    """The ring at the lattice's RF frequency; pyAT's frequency is h c over the path, as its cavities take it."""
    ring, cavities = lattice.ring, six.cavities
    path = ring.circumference + path_difference(ring.harmonic_number, lattice.rf_frequency, ring.rf_reference)
    number = {int(element): k for k, element in enumerate(cavities.elements)}
    made = []
    for index in range(len(ring.elements)):
        element = lattice.element(index)
        if isinstance(element, Cavity) and cavities.voltages[number[index]]:
            harmonic = int(cavities.harmonics[number[index]])
            phase = beam.synchronous_phase_rad if cavities.fundamental[number[index]] else 0.0
            frequency, lag = harmonic * SPEED_OF_LIGHT / path, phase * path / (2.0 * np.pi * harmonic)
            other = at.RFCavity(
                element.name, element.length, cavities.voltages[number[index]], frequency, harmonic, lattice.energy_ev,
                TimeLag=lag, PassMethod="RFCavityPass",
            )  # fmt: skip
            made.append(other)
            continue
        other = pyat_element(element)
        if beam.radiation and other.PassMethod.endswith("Symplectic4Pass"):
            other.PassMethod = other.PassMethod.replace("4Pass", "4RadPass")
            other.Energy = lattice.energy_ev
        made.append(other)
    return at.Lattice(made, energy=lattice.energy_ev, periodicity=1)
