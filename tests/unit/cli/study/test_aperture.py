"""`gnomon study aperture`: what it asks of the tracking, and what it shows of the answer. Nothing is tracked."""

import json
from typing import Any

import numpy as np
import pytest

from gnomon.lattice import Lattice
from gnomon.propagator.ensembles import ApertureStudy
from gnomon.propagator.ensembles.dynamic_aperture import DynamicAperture
from gnomon.propagator.ensembles.momentum_aperture import MomentumAperture
from unit.cli.commands import gnomon


def dynamic(delta: float, *, is_open: bool = False) -> DynamicAperture:
    """A triangle from 20 mm over 10 mm up to -30 mm: its area is 250 mm^2."""
    x, y = np.array([0.02, 0.0, -0.03]), np.array([0.0, 0.01, 0.0])
    none = np.zeros((3, 1))
    return DynamicAperture(delta, 500, x, y, np.array([False, is_open, False]), none, none, none.astype(np.int64))


MOMENTUM = MomentumAperture(
    ("A", "B"), 500, 0.1, False, np.array([0.0, 5.0]), np.array([-0.03, -0.025]), np.array([0.028, 0.04])
)


class FakeTracking:
    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.momentum: MomentumAperture | None = MOMENTUM

    def __call__(self, lattice: Lattice, *, progress: Any, **options: Any) -> ApertureStudy:
        self.asked.append(options)
        found = tuple(dynamic(delta, is_open=delta != 0.0) for delta in options["deltas"])
        return ApertureStudy(lattice.ring.name, lattice.id, found, self.momentum)


@pytest.fixture
def tracking(monkeypatch: pytest.MonkeyPatch, no_kernels: None) -> FakeTracking:
    fake = FakeTracking()
    monkeypatch.setattr("gnomon.propagator.ensembles.aperture_study", fake)
    return fake


def test_options_reach_the_tracking_in_metres(tracking: FakeTracking) -> None:
    options = ("--turns", 7, "--delta", "-0.01", "--delta", 0, "--places", 3, "--extent", 30, 12, "--time-limit", 9)
    assert gnomon("study", "aperture", "--machine", "mls", *options).exit_code == 0
    gnomon("study", "aperture", "--machine", "mls")
    given, usual = tracking.asked
    assert given.pop("extent_m") == pytest.approx((0.03, 0.012))
    assert usual.pop("extent_m") == pytest.approx((0.04, 0.02))
    assert given == {"turns": 7, "deltas": [-0.01, 0.0], "places": 3, "time_limit_s": 9.0}
    assert usual == {"turns": 500, "deltas": (0.0,), "places": 24, "time_limit_s": 600.0}


def test_each_momentum_is_a_row_in_millimetres_and_an_edge_of_the_search_is_told(tracking: FakeTracking) -> None:
    output = gnomon("study", "aperture", "--machine", "mls", "--delta", "0", "--delta", "-0.01").output
    rows = [" ".join(line.split()) for line in output.splitlines()]
    assert "0 -30.0 to 20.0 10.0 250" in rows
    assert "-0.01 -30.0 to 20.0 10.0 250 limited by the search range (--extent)" in rows


def test_the_momentum_aperture_is_the_narrowest_on_each_side(tracking: FakeTracking) -> None:
    told = "momentum aperture, minimum around the ring: -2.50 % and +2.80 %"
    assert told in gnomon("study", "aperture", "--machine", "mls").output
    tracking.momentum = None
    assert "momentum aperture" not in gnomon("study", "aperture", "--machine", "mls", "--places", 0).output


def test_json_has_every_edge_in_metres(tracking: FakeTracking) -> None:
    document = json.loads(gnomon("study", "aperture", "--machine", "mls", "--json").stdout)
    data = {name: (each["data"], each["unit"]) for name, each in document["quantities"].items()}
    assert data["dynamic aperture at delta 0, x"] == ([0.02, 0.0, -0.03], "m")
    assert data["dynamic aperture at delta 0, area"] == (pytest.approx(2.5e-4), "m^2")
    assert data["momentum aperture, positive"] == ([0.028, 0.04], "1")
    assert document["names"] == {"momentum": ["0"], "place": ["A", "B"]}
