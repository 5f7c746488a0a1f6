"""Losses of a stored beam: none on the design orbit, more the nearer it comes to aperture or resonance."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gnomon.ioc.app.imperfect.assembly import losses
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.dynamics_config import StoredBeamConfig
from gnomon.ioc.base.machines import find_machine
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.six import Radiation, RadiationSummary

RING = find_machine(Config(machine="bessy2")).ring
CHAMBER = losses(RING, StoredBeamConfig())


@pytest.fixture(scope="module")
def beam() -> BeamState:
    return Propagator(RING)(RING.nominal)


@pytest.fixture(scope="module")
def equilibrium(beam: BeamState) -> RadiationSummary:
    return Radiation(RING)(RING.nominal, beam)


def displaced(beam: BeamState, x_m: float) -> BeamState:
    orbit = beam.orbit.copy()
    orbit[:, 0] += x_m
    return replace(beam, orbit=orbit)


def test_the_design_beam_loses_nothing_to_speak_of(beam: BeamState, equilibrium: RadiationSummary) -> None:
    assert CHAMBER(beam, equilibrium) < 1e-6


def test_losses_rise_as_the_orbit_comes_to_the_aperture(beam: BeamState, equilibrium: RadiationSummary) -> None:
    rates = [CHAMBER(displaced(beam, x), equilibrium) for x in (0.0, 0.022, 0.0235, 0.0245, 0.025)]
    assert rates == sorted(rates)
    assert rates[1] < 1e-3 < rates[3]
    assert rates[-1] == math.inf


def test_a_beam_on_a_third_order_resonance_is_lost_at_the_stated_rate(
    beam: BeamState, equilibrium: RadiationSummary
) -> None:
    on_the_line = replace(beam, tune=np.array([17.0 + 2.0 / 3.0, 6.74]))
    assert CHAMBER(on_the_line, equilibrium) == pytest.approx(0.02, rel=0.01)
