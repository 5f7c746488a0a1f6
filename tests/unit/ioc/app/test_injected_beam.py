"""Faults of the beam: a jump against the closed formula, the magnets that can kick, and effects together."""

from typing import Any

import numpy as np
import pytest

from gnomon.db import shipped_machine
from gnomon.fault_injection import BeamJump, Fault, Injector
from gnomon.ioc.app.fault_notes import FaultNotes
from gnomon.ioc.app.injected_beam import InjectedBeam, kick, kicking_magnets
from gnomon.lattice import Lattice
from gnomon.propagator import BeamState, Propagator

RING = shipped_machine("mls")
PROPAGATE = Propagator(RING)
KICK_MRAD = 0.02


def jump(device: str, plane: str, kick_mrad: float = KICK_MRAD) -> BeamJump:
    request = Fault.from_request(
        {"kind": "beam_jump", "device": device, "plane": plane, "kick_mrad": kick_mrad}
    ).request
    assert isinstance(request, BeamJump)
    return request


def kicked(device: str, plane: str) -> tuple[BeamState, int]:
    """The beam with a kick by a magnet, and the magnet's element."""
    (magnet,) = kicking_magnets(RING, jump(device, plane))
    slot, by = kick(RING.nominal, magnet, jump(device, plane))
    settings = RING.nominal.settings
    settings[slot] += by
    return PROPAGATE(Lattice.of_settings(RING, settings)), magnet.element


QUADRUPOLE = next(m.name for m in RING.magnets if m.main == "k1")
STEERERS = {
    plane: next(m.name for m in kicking_magnets(RING, jump("*", plane)) if m.main == "kick") for plane in ("x", "y")
}


@pytest.mark.parametrize("plane", ["x", "y"])
@pytest.mark.parametrize("quadrupole", [True, False])
def test_the_orbit_jumps_as_the_closed_formula_says(plane: str, quadrupole: bool) -> None:
    beam, element = kicked(QUADRUPOLE if quadrupole else STEERERS[plane], plane)
    k = "xy".index(plane)
    at, middle = list(RING.monitors), 0.5 * (beam.beta[element, k] + beam.beta[element + 1, k])
    phase = 0.5 * (beam.phase[element, k] + beam.phase[element + 1, k])
    tune = beam.tune[k]
    angle = 2.0 * np.pi * np.abs(beam.phase[at, k] - phase) - np.pi * tune
    expected = 1e-3 * KICK_MRAD * np.sqrt(middle * beam.beta[at, k]) * np.cos(angle) / (2.0 * np.sin(np.pi * tune))
    # In x, the frequency holds the length of the path: the kick changes the momentum too.
    momentum = beam.delta * beam.dispersion[at, 2 * k]
    seen = beam.orbit[at, 2 * k] - momentum
    assert seen == pytest.approx(expected, abs=0.06 * np.abs(expected).max())


def test_steerers_kick_in_their_own_plane_and_quadrupoles_in_both() -> None:
    names = {plane: {m.name for m in kicking_magnets(RING, jump("*", plane))} for plane in ("x", "y")}
    assert QUADRUPOLE in names["x"] & names["y"]
    assert STEERERS["x"] not in names["y"]
    assert STEERERS["y"] not in names["x"]
    assert kicking_magnets(RING, jump("S1*", "x")) == []


class Faults:
    """Faults of the beam with a clock that the test moves."""

    def __init__(self, *requests: dict[str, Any], seed: int = 1) -> None:
        self.now_s = 1.0
        self.notes: list[str] = []
        self.injector = Injector(seed, clock_s=lambda: self.now_s)
        for keys in requests:
            self.injector.add(Fault.from_request(keys))
        notes = FaultNotes()
        notes.begin(lambda text, client: self.notes.append(text))
        self.faults = InjectedBeam(RING, self.injector, notes)


def test_a_drawn_place_follows_from_the_seed_and_stands_in_the_journal() -> None:
    places = []
    for seed in (1, 1, 2, 3, 4):
        rig = Faults({"kind": "beam_jump", "kick_mrad": 0.1}, seed=seed)
        first = rig.faults.effects(RING.nominal).kicks
        rig.now_s += 1.0
        assert rig.faults.effects(RING.nominal).kicks == first
        (note,) = rig.notes
        assert note.startswith("fault 1 acts: beam_jump of 0.1 mrad in x by ")
        places.append(note.rpartition(" ")[2])
    assert places[0] == places[1]
    assert len(set(places)) > 2


def test_effects_of_several_faults_add_up() -> None:
    steerer = STEERERS["x"]
    rig = Faults(
        {"kind": "beam_jump", "device": steerer, "kick_mrad": 0.1},
        {"kind": "beam_jump", "device": steerer, "kick_mrad": 0.2},
        {"kind": "beam_lifetime", "factor": 0.5},
        {"kind": "beam_lifetime", "factor": 0.2},
        {"kind": "beam_no_orbit"},
        {"kind": "beam_dump"},
        {"kind": "beam_loss", "fraction": 0.3},
    )
    found = rig.faults.effects(RING.nominal)
    assert list(found.kicks.values()) == [pytest.approx(0.3e-3)]
    assert found.lifetime == pytest.approx(0.1)
    assert [(fault.id, fraction) for fault, fraction in found.lost] == [(7, 0.3)]
    assert found.gone.startswith("no closed orbit")
    rig.now_s += 0.1
    assert rig.faults.effects(RING.nominal).lost == ()
    assert len(rig.notes) == 6
    rig.injector.clear()
    assert rig.faults.effects(RING.nominal).kicks == {}
