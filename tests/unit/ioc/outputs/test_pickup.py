"""Button signals: difference over sum gives the positions back."""

import numpy as np

from gnomon.ioc.outputs.pickup import button_signals
from gnomon.lattice.document import PickupPart

PICKUP = PickupPart(factor_x_mm=14.0, factor_y_mm=11.0)


def test_a_centred_beam_gives_1_in_each_button() -> None:
    np.testing.assert_array_equal(button_signals(PICKUP, np.zeros(2), np.zeros(2)), np.ones((2, 4)))


def test_difference_over_sum_gives_the_position_back_at_every_distance() -> None:
    x, y = np.meshgrid(np.linspace(-9e-3, 9e-3, 7), np.linspace(-9e-3, 9e-3, 7))
    a, b, c, d = button_signals(PICKUP, x.ravel(), y.ravel()).T
    total = a + b + c + d
    np.testing.assert_allclose(14e-3 * (a + d - b - c) / total, x.ravel(), atol=1e-17)
    np.testing.assert_allclose(11e-3 * (a + b - c - d) / total, y.ravel(), atol=1e-17)


def test_button_signals_are_to_first_order_the_image_charges_on_a_round_pipe() -> None:
    radius, x, y = 0.02, 3e-5, -2e-5
    angles = np.deg2rad([45.0, 135.0, 225.0, 315.0])
    distance = radius**2 + x**2 + y**2 - 2.0 * radius * (x * np.cos(angles) + y * np.sin(angles))
    image = (radius**2 - x**2 - y**2) / distance
    factor_mm = 1e3 * radius / np.sqrt(2.0)
    linear = button_signals(PickupPart(factor_x_mm=factor_mm, factor_y_mm=factor_mm), np.array([x]), np.array([y]))
    np.testing.assert_allclose(linear[0], image, atol=2.0 * (5e-5 / radius) ** 2)
    assert abs(linear[0] - 1.0).max() > 1e-3
