"""Signals of a monitor's four buttons: the linear model whose inverse is difference over sum. Pure."""

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice.document import PickupPart

Floats = NDArray[np.float64]

#: The buttons' sides: by name, the signs of x and y.
BUTTONS = {"A": (1.0, 1.0), "B": (-1.0, 1.0), "C": (-1.0, -1.0), "D": (1.0, -1.0)}


def button_signals(pickup: PickupPart, x: Floats, y: Floats) -> Floats:
    """Signals (monitors, 4) of the buttons A to D for positions [m], each 1 for a centred beam.

    A = 1 + x/kx + y/ky, and so on with the signs of `BUTTONS`. Thus x = kx (A + D - B - C) / (A + B + C + D) and
    y = ky (A + B - C - D) / (A + B + C + D), exactly. To first order these are the image charges on a round pipe of
    radius r with buttons at 45 degrees, k = r / sqrt(2). Where |x|/kx + |y|/ky is above 1 a signal is negative, which
    that of a real button never is.
    """
    signs = np.array(list(BUTTONS.values()))
    relative = np.column_stack([x / (1e-3 * pickup.factor_x_mm), y / (1e-3 * pickup.factor_y_mm)])
    signals: Floats = 1.0 + relative @ signs.T
    return signals
