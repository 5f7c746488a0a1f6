"""The arc tangent of the optics is that of the mathematics library, in all quadrants and on the axes."""

import numpy as np

from gnomon.propagator.live.coupled_optics import angle_of


def test_angle_agrees_with_the_library() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(4000, 2)) * 10.0 ** rng.uniform(-8, 8, size=(4000, 2))
    points[:8] = [[0, 1], [0, -1], [1, 0], [-1, 0], [1, 1], [-1, 1], [1, -1], [-1, -1]]
    for y, x in points:
        assert abs(angle_of(y, x) - np.arctan2(y, x) / (2.0 * np.pi)) < 2.3e-16
