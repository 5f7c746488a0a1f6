"""The tables that the live kernels work on, as one tuple of arrays, and their way into compiled code.

n counts the ring's elements, k its nonlinear ones, g and h the groups of nonlinear and of affine bodies. A slot is one
momentum deviation (`program.SLOTS`).

numba takes some 0.1 us for each array that Python hands to compiled code. So all tables lie in two buffers, one of each
type of number: Python works with views of them (`pack`), and kernels get the buffers with the place of each table, and
name the same tables again (`unpack`).
"""

import importlib
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, cast, get_args

import numpy as np
from numba.extending import intrinsic

from gnomon.propagator.compiled import Floats, Integers

types: Any = importlib.import_module("numba.core.types")
arrayobj: Any = importlib.import_module("numba.np.arrayobj")

#: Arrays of one, two and three axes.
Floats1 = Annotated[Floats, 1]
Floats2 = Annotated[Floats, 2]
Floats3 = Annotated[Floats, 3]
Integers1 = Annotated[Integers, 1]
Integers2 = Annotated[Integers, 2]

#: Most axes of a table, and the numbers at a multiple of which each begins (a line of the processor's cache).
MAX_AXES, LINE = 3, 8

#: What kernels take: the buffers of floats and of integers, and of each table (fields, 1 + MAX_AXES) where it begins in
#: its buffer, and the lengths of its axes.
Packed = tuple[Floats, Integers, Integers]


class LiveTables(NamedTuple):
    """A ring as arrays; layouts of maps, pairs and states are those of `affine`, `pairs` and `nonlinear`."""

    #: (n) `affine.IDENTITY`, DRIFT, AFFINE, CORRECTOR or NONLINEAR.
    kinds: Integers1
    #: (n) how many nonlinear elements come before this one.
    ordinals: Integers1
    #: (n) slices of a body's integrator, 1 for what is not sliced.
    slices: Integers1
    #: (n) place of a body among the lanes: LANES * group + lane.
    places: Integers1
    #: (k) indices of the nonlinear elements, which bound the segments.
    bounds: Integers1
    #: (n, 7) columns `affine.GEOMETRY`: lengths and gap [m], angles [rad], fringe integrals.
    geometry: Floats2
    #: (n, 13) columns `lattice.elements.PARAMETERS`: a1, b1 [1/m] to a4, b4 [1/m^4], kicks and roll [rad], offsets [m].
    parameters: Floats2
    #: (n) 1 for an element with an offset or roll.
    misaligned: Integers1
    #: (n) 1 for an element with something between its ends and its body: a bend's edges, or changes of frame.
    has_frame: Integers1
    #: (n, 2, 30) changes of frame at entrance and exit (`misalignment.write_frame`); they count when misaligned.
    frames: Floats3
    #: (slots) momentum deviations about which maps were built.
    bases: Floats1
    #: (slots) momentum deviations at which maps are used.
    deltas: Floats1
    #: (g, COEFFICIENTS * LANES) fields, steps and curvature of groups of nonlinear bodies.
    coefficients: Floats2
    #: (g) slices of each body in a group.
    group_slices: Integers1
    #: (g, LANES) which of the k nonlinear elements a lane carries, -1 for none.
    lanes: Integers2
    #: (g, LANES) which of the n elements a lane carries, -1 for none.
    members: Integers2
    #: (h, COEFFICIENTS * LANES) the same as `coefficients`, of groups of affine bodies.
    body_coefficients: Floats2
    #: (h) slices of each body in a group.
    body_slices: Integers1
    #: (h, LANES) which of the n elements a lane carries, -1 for none.
    body_members: Integers2
    #: (slots, n, PAIR) whole affine elements and steerers.
    maps: Floats3
    #: (slots, n, PAIR) from an element's entrance to its body, where `has_frame`.
    inlets: Floats3
    #: (slots, k, PAIR) from a nonlinear body to its element's exit, where `has_frame`.
    outlets: Floats3
    #: (slots, k+1, PAIR) all between two nonlinear bodies, their inlets and outlets included.
    segments: Floats3
    #: (slots, k, 4) closed orbit [m, rad] at the entrance of each nonlinear body.
    points: Floats3
    #: (slots, k, BODY) nonlinear bodies, linearised about their points.
    bodies: Floats3
    #: (slots) 1 while `bodies` are those of the elements' present strengths, near the points.
    bodies_valid: Integers1
    #: (k, 20) from the ring's start to each nonlinear body: room for the search for an orbit.
    arrival_maps: Floats2
    #: (slots, 20) the turn from the ring's start.
    turns: Floats2
    #: (slots, 4) closed orbit [m, rad] at the ring's start.
    starts: Floats2


#: Whether each table is one of floats, and the number of its axes.
FIELDS = tuple((get_args(note)[0] == Floats, int(get_args(note)[1])) for note in LiveTables.__annotations__.values())


def pack(tables: LiveTables) -> tuple[LiveTables, Packed]:
    """Move tables into buffers; returns them as views of these, and what kernels take.

    Raises ValueError for a table of another type than `LiveTables` says.
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
        if table.any():  # what is never written costs no memory
            view[...] = table
        views.append(view)
    return LiveTables(*views), (floats, integers, layout)


def _unpack(context: Any, packed: Any) -> Any:
    """Return the numba type of `unpack` for that of its argument, and what builds its code."""
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


#: Names the tables again in compiled code. They own nothing: no kernel may return one.
unpack: Callable[[Packed], LiveTables] = cast(Any, intrinsic)(_unpack)
