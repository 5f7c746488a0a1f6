"""Origin of the parameters of a set of elements, as index arrays: a supply of many magnets costs as one of one.

Machines change the same few sets of elements over and over, so that a ring keeps the arrays of the sets it has met.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice._errors import LatticeError
from gnomon.lattice.device_table import DeviceTable
from gnomon.lattice.devices import Magnet
from gnomon.lattice.elements import PARAMETERS, Element, Multipole

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Gathering:
    """Recipe for the parameter rows (m, 13) of some elements.

    `base` are the design's rows without what magnets drive. Other arrays are places: `into` in the raveled rows; the
    rest in the settings of `chunks`, one behind the other. `curved` are magnets whose conversion is not linear.
    """

    base: NDArray[np.float64]
    chunks: tuple[int, ...]
    magnet_into: Indices
    scale: Indices
    supply: Indices
    trim: Indices
    intercept: NDArray[np.float64]
    selection: NDArray[np.float64]
    curved: tuple[tuple[int, Magnet], ...]
    error_into: Indices
    error: Indices


def gathering(elements: Sequence[Element], devices: DeviceTable, indices: tuple[int, ...], chunk: int) -> Gathering:
    """Build the arrays for the elements of these indices. Raises LatticeError for an element that has no parameters."""
    columns = len(PARAMETERS)
    base = np.empty((len(indices), columns))
    linear: list[tuple[int, Magnet]] = []
    curved: list[tuple[int, Magnet]] = []
    errors: list[tuple[int, int]] = []
    for row, index in enumerate(indices):
        element = elements[index]
        if not isinstance(element, Multipole):
            raise LatticeError(f"{element.name} is a {type(element).__name__.lower()} and has no field")
        base[row] = (*element.a, *element.b, element.kick_x, element.kick_y, element.dx, element.dy, element.roll)
        for magnet in (devices.magnets[m] for m in devices.magnets_on.get(index, ())):
            base[row, magnet.column] = 0.0
            (curved if magnet.scale_slot is None else linear).append((row * columns + magnet.column, magnet))
        errors.extend((row * columns + column, slot) for column, slot in devices.errors_of.get(index, ()))
    scale = [m.scale_slot for _, m in linear if m.scale_slot is not None]
    supply, trim = [m.supply_slot for _, m in linear], [m.trim_slot for _, m in linear]
    chunks = tuple(sorted({s // chunk for s in (*scale, *supply, *trim, *(slot for _, slot in errors))}))
    begin = {number: at * chunk for at, number in enumerate(chunks)}

    def places(slots: list[int]) -> Indices:
        return np.array([begin[s // chunk] + s % chunk for s in slots], dtype=np.intp)

    return Gathering(
        base=base,
        chunks=chunks,
        magnet_into=np.array([into for into, _ in linear], dtype=np.intp),
        scale=places(scale),
        supply=places(supply),
        trim=places(trim),
        intercept=np.array([m.intercept for _, m in linear]),
        selection=np.array([np.nan if m.selection is None else m.selection for _, m in linear], dtype=np.float64),
        curved=tuple(curved),
        error_into=np.array([into for into, _ in errors], dtype=np.intp),
        error=places([slot for _, slot in errors]),
    )
