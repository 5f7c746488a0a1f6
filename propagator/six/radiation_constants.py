"""Constants of synchrotron radiation, from CODATA 2022; other particles scale by their rest energy."""

import math

#: Classical radius [m], rest energy [eV] and reduced Compton wavelength [m] of the electron.
RADIUS, REST_ENERGY, COMPTON = 2.8179403205e-15, 510998.95069, 3.8615926744e-13


def loss_constant(energy_ev: float, rest_energy_ev: float) -> float:
    """Return the constant of the classical loss [m], 2/3 r gamma^3: d(delta)/ds = -constant h^2."""
    return 2.0 / 3.0 * RADIUS * (REST_ENERGY / rest_energy_ev) * (energy_ev / rest_energy_ev) ** 3


def diffusion_constant(energy_ev: float, rest_energy_ev: float) -> float:
    """Return the constant of quantum excitation [m^2], 55/(24 sqrt 3) r lambda gamma^5: d<delta^2>/ds = const |h|^3."""
    scale = (REST_ENERGY / rest_energy_ev) ** 2
    return 55.0 / (24.0 * math.sqrt(3.0)) * RADIUS * COMPTON * scale * (energy_ev / rest_energy_ev) ** 5


def quantum_constant(rest_energy_ev: float) -> float:
    """Return Cq [m], 55/(32 sqrt 3) times the reduced Compton wavelength."""
    return 55.0 / (32.0 * math.sqrt(3.0)) * COMPTON * (REST_ENERGY / rest_energy_ev)
