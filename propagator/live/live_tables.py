"""The tables that the live kernels work on, as one tuple of arrays, and their packing for compiled code.

n is the number of elements, k that of nonlinear ones, g and h those of groups of nonlinear and of affine bodies. A slot
is one momentum deviation (`live_program.SLOTS`).

numba takes about 0.1 us for each array that Python passes to compiled code. So all tables are in two buffers, one per
type of number: Python works with views of them (`pack`); kernels get the buffers and the position of each table, and
make the same tuple of tables again (`unpack`).
"""

import importlib
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, cast, get_args

import numpy as np
from numba.extending import intrinsic

from gnomon.propagator.compiled import Floats, Integers

types: Any = importlib.import_module("numba.core.types")
arrayobj: Any = importlib.import_module("numba.np.arrayobj")

#: Arrays with one, two and three axes.
Floats1 = Annotated[Floats, 1]
Floats2 = Annotated[Floats, 2]
Floats3 = Annotated[Floats, 3]
Integers1 = Annotated[Integers, 1]
Integers2 = Annotated[Integers, 2]

#: Maximum axes of a table, and the alignment of each [numbers], a line of the processor's cache.
MAX_AXES, LINE = 3, 8

#: Argument of kernels: the buffers of floats and of integers, and (fields, 1 + MAX_AXES) each table's start in its
#: buffer and the lengths of its axes.
Packed = tuple[Floats, Integers, Integers]


class LiveTables(NamedTuple):
    """A ring as arrays; the layouts of maps, pairs and states are in `affine_maps`, `map_pairs`, `nonlinear_bodies`."""

    #: (n) `affine_maps.IDENTITY`, DRIFT, AFFINE, CORRECTOR or NONLINEAR.
    kinds: Integers1
    #: (n) number of nonlinear elements before this one.
    ordinals: Integers1
    #: (n) slices of a body's integrator, 1 for an element that is not sliced.
    slices: Integers1
    #: (n) place of a body among the lanes: LANES * group + lane.
    places: Integers1
    #: (k) indices of the nonlinear elements, which are the ends of segments.
    bounds: Integers1
    #: (n, 7) columns `affine_maps.GEOMETRY`: lengths and gap [m], angles [rad], fringe integrals.
    geometry: Floats2
    #: (n, 13) columns `lattice.elements.PARAMETERS`: a1, b1 [1/m] to a4, b4 [1/m^4], kicks and roll [rad], offsets [m].
    parameters: Floats2
    #: (n) 1 for an element with an offset or roll.
    misaligned: Integers1
    #: (n) 1 for an element with edges or changes of frame between its ends and its body.
    has_frame: Integers1
    #: (n, 2, 30) changes of frame at entrance and exit (`misalignment.write_frame`), used if misaligned.
    frames: Floats3
    #: (slots) momentum deviations about which the maps were built.
    bases: Floats1
    #: (slots) momentum deviations at which the maps are used.
    deltas: Floats1
    #: (g, COEFFICIENTS * LANES) fields, steps and curvature of groups of nonlinear bodies.
    coefficients: Floats2
    #: (g) slices of each body in a group.
    group_slices: Integers1
    #: (g, LANES) index among the k nonlinear elements of the one in a lane, -1 for an empty lane.
    lanes: Integers2
    #: (g, LANES) index among the n elements of the one in a lane, -1 for an empty lane.
    members: Integers2
    #: (h, COEFFICIENTS * LANES) as `coefficients`, for groups of affine bodies.
    body_coefficients: Floats2
    #: (h) slices of each body in a group.
    body_slices: Integers1
    #: (h, LANES) index among the n elements of the one in a lane, -1 for an empty lane.
    body_members: Integers2
    #: (slots, n, PAIR) whole affine elements and steerers.
    maps: Floats3
    #: (slots, n, PAIR) from an element's entrance to its body, if it `has_frame`.
    inlets: Floats3
    #: (slots, k, PAIR) from a nonlinear body to its element's exit, if it `has_frame`.
    outlets: Floats3
    #: (slots, k+1, PAIR) from one nonlinear body to the next, with outlet and inlet.
    segments: Floats3
    #: (slots, k, 4) closed orbit [m, rad] at the entrance of each nonlinear body.
    points: Floats3
    #: (slots, k, BODY) nonlinear bodies, linearised about their points.
    bodies: Floats3
    #: (slots) 1 while `bodies` belong to the elements' present strengths, near the points.
    bodies_valid: Integers1
    #: (k, 20) from the ring's start to each nonlinear body: working space of the orbit search.
    arrival_maps: Floats2
    #: (slots, 20) map of the turn from the ring's start.
    turns: Floats2
    #: (slots, 4) closed orbit [m, rad] at the ring's start.
    starts: Floats2


#: For each table: True if it holds floats, and the number of its axes.
FIELDS = tuple((get_args(note)[0] == Floats, int(get_args(note)[1])) for note in LiveTables.__annotations__.values())


def pack(tables: LiveTables) -> tuple[LiveTables, Packed]:
    """Move tables into buffers; return them as views of these, and the argument for kernels.

    Raises ValueError for a table whose type or number of axes is not that of `LiveTables`.
    """
    layout: Integers = np.zeros((len(FIELDS), 1 + MAX_AXES), dtype=np.int64)
    used = {True: 0, False: 0}
    for name, row, table, (is_float, axes) in zip(LiveTables._fields, layout, tables, FIELDS, strict=True):
        if table.ndim != axes or table.dtype != (np.float64 if is_float else np.int64):
            raise ValueError(f"{name}: {table.ndim} axes of {table.dtype}")
        row[0], row[1 : 1 + axes] = used[is_float], table.shape
        used[is_float] += -(-table.size // LINE) * LINE
    floats, integers = np.zeros(used[True]), np.zeros(used[False], dtype=np.int64)
    views = []
    for row, table, (is_float, _) in zip(layout, tables, FIELDS, strict=True):
        view = (floats if is_float else integers)[row[0] : row[0] + table.size].reshape(table.shape)
        if table.any():  # pages that are never written cost no memory
            view[...] = table
        views.append(view)
    return LiveTables(*views), (floats, integers, layout)


def _unpack(context: Any, packed: Any) -> Any:
    """Return the numba type of `unpack` for its argument's type, and the function that builds its code."""
    arrays = [types.Array(types.float64 if is_float else types.int64, axes, "C") for is_float, axes in FIELDS]

    def build(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        buffers = [
            arrayobj.make_array(kind)(target, builder, builder.extract_value(arguments[0], i))
            for i, kind in enumerate(signature.args[0])
        ]
        floats, integers, layout = buffers

        def number(field: int, column: int) -> Any:
            place = target.get_constant(types.intp, field * (1 + MAX_AXES) + column)
            return builder.load(builder.gep(layout.data, [place]))

        values = []
        for field, (is_float, axes) in enumerate(FIELDS):
            buffer = floats if is_float else integers
            shape = [number(field, 1 + axis) for axis in range(axes)]
            strides = [target.get_constant(types.intp, 8)]
            for length in reversed(shape[1:]):
                strides.insert(0, builder.mul(strides[0], length))
            table = arrayobj.make_array(arrays[field])(target, builder)
            data, size = builder.gep(buffer.data, [number(field, 0)]), target.get_constant(types.intp, 8)
            arrayobj.populate_array(table, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
            values.append(table._getvalue())
        return target.make_tuple(builder, signature.return_type, values)

    return types.NamedTuple(arrays, LiveTables)(packed), build


#: Makes the tuple of tables in compiled code. These arrays do not own their memory: no kernel may return one.
unpack: Callable[[Packed], LiveTables] = cast(Any, intrinsic)(_unpack)
