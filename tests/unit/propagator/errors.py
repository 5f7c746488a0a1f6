"""Lattices with errors: the seeded error set of the comparisons, and misalignments."""

import numpy as np

from gnomon.lattice import Lattice


def with_errors(lattice: Lattice, seed: int = 1) -> Lattice:
    """2e-4 relative quadrupole errors, skews of the same size and kicks of 10 urad, all rms."""
    rng = np.random.default_rng(seed)
    values = {}
    for device, name in lattice.ring.properties:
        if name == "k1":
            values[device, "k1"] = lattice[device, "k1"] * (1.0 + 2e-4 * rng.normal())
            values[device, "k1s"] = lattice[device, "k1"] * 2e-4 * rng.normal()
        elif name == "kick":
            values[device, "kick"] = 1e-5 * rng.normal()
    return lattice.updated(values)


def with_misalignments(lattice: Lattice, seed: int = 2) -> Lattice:
    """Offsets of 10 um and rolls of 0.1 mrad rms of every magnet, bends among them."""
    rng = np.random.default_rng(seed)
    sizes = {"dx": 1e-5, "dy": 1e-5, "roll": 1e-4}
    keys = [key for key in lattice.ring.properties if key[1] in sizes]
    return lattice.updated({key: sizes[key[1]] * rng.normal() for key in keys})
