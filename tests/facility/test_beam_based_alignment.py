"""Contract of beam based alignment: what the multiplexer shows, in which order, and what its supply does."""

import pytest

from facility.serving import Server
from gnomon.db import shipped_machine
from gnomon.propagator import Propagator

#: Quadrupoles and the monitors beside them.
QUADRUPOLES = {"Q3M2D1R": "BPMZ6D1R", "Q2M2D1R": "BPMZ7D1R", "Q2M1T1R": "BPMZ2T1R"}
STEERER, OFFSET_M = "HS4P1D1R", 2e-4
OFF = "Mux OFF"


def centre_at_monitor(quadrupole: str, monitor: str) -> float:
    """Position [mm] at a monitor, by the model, where the steerer brings the beam to the quadrupole's centre."""
    ring = shipped_machine("bessy2")
    propagate, at, quad = Propagator(ring), ring.index[monitor], ring.index[quadrupole]
    points = []
    for kick in (0.0, 0.02):
        orbit = propagate(ring.nominal.updated({(quadrupole, "dx"): OFFSET_M, (STEERER, "current"): kick})).orbit[:, 0]
        points.append((0.5 * (orbit[quad] + orbit[quad + 1]) - OFFSET_M, orbit[at]))
    (first, low), (second, high) = points
    return float(1e3 * (low - first * (high - low) / (second - first)))


def test_an_alignment_goes_from_quadrupole_to_quadrupole_and_finds_their_centres(bessy2: Server) -> None:
    found = bessy2.run(
        "beam_based_alignment.align", quadrupoles=QUADRUPOLES, steerer=f"{STEERER}:set", offset_m=OFFSET_M
    )
    first, second, third = QUADRUPOLES
    assert found["names"] == [[first, OFF, first], [first], [OFF, second], [second], [OFF, third], [third]]
    for quadrupole, (aligned, moved) in found["centres"].items():
        assert aligned == pytest.approx(0.0, abs=2e-3), quadrupole  # mm
        assert moved == pytest.approx(centre_at_monitor(quadrupole, QUADRUPOLES[quadrupole]), abs=0.02), quadrupole
        assert moved > 0.1
