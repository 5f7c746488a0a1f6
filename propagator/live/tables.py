"""The tables that the live kernels work on, as one tuple of arrays.

n counts the ring's elements, k its nonlinear ones, g and h the groups of nonlinear and of affine bodies. A slot is one
momentum deviation (`program.SLOTS`). Python hands kernels a plain tuple of these arrays, since numba recognises its
type in half the time; each kernel names them again with `LiveTables(*arrays)`, which costs nothing in compiled code.
"""

from typing import Any, NamedTuple

from gnomon.propagator.compiled import Floats, Integers

#: The arrays of `LiveTables` as a plain tuple.
Arrays = tuple[Any, ...]


class LiveTables(NamedTuple):
    """A ring as arrays; layouts of maps, pairs and states are those of `affine`, `pairs` and `nonlinear`."""

    #: (n) `affine.IDENTITY`, DRIFT, AFFINE, CORRECTOR or NONLINEAR.
    kinds: Integers
    #: (n) how many nonlinear elements come before this one.
    ordinals: Integers
    #: (n) slices of a body's integrator, 1 for what is not sliced.
    slices: Integers
    #: (n) place of a body among the lanes: LANES * group + lane.
    places: Integers
    #: (k) indices of the nonlinear elements, which bound the segments.
    bounds: Integers
    #: (n, 7) columns `affine.GEOMETRY`: lengths and gap [m], angles [rad], fringe integrals.
    geometry: Floats
    #: (n, 13) columns `lattice.elements.PARAMETERS`: a1, b1 [1/m] to a4, b4 [1/m^4], kicks and roll [rad], offsets [m].
    parameters: Floats
    #: (n) 1 for an element with an offset or roll.
    misaligned: Integers
    #: (n) 1 for an element with something between its ends and its body: a bend's edges, or changes of frame.
    has_frame: Integers
    #: (n, 2, 30) changes of frame at entrance and exit (`misalignment.write_frame`); they count when misaligned.
    frames: Floats
    #: (slots) momentum deviations about which maps were built.
    bases: Floats
    #: (slots) momentum deviations at which maps are used.
    deltas: Floats
    #: (g, COEFFICIENTS * LANES) fields, steps and curvature of groups of nonlinear bodies.
    coefficients: Floats
    #: (g) slices of each body in a group.
    group_slices: Integers
    #: (g, LANES) which of the k nonlinear elements a lane carries, -1 for none.
    lanes: Integers
    #: (g, LANES) which of the n elements a lane carries, -1 for none.
    members: Integers
    #: (h, COEFFICIENTS * LANES) the same as `coefficients`, of groups of affine bodies.
    body_coefficients: Floats
    #: (h) slices of each body in a group.
    body_slices: Integers
    #: (h, LANES) which of the n elements a lane carries, -1 for none.
    body_members: Integers
    #: (slots, n, PAIR) whole affine elements and steerers.
    maps: Floats
    #: (slots, n, PAIR) from an element's entrance to its body, where `has_frame`.
    inlets: Floats
    #: (slots, k, PAIR) from a nonlinear body to its element's exit, where `has_frame`.
    outlets: Floats
    #: (slots, k+1, PAIR) all between two nonlinear bodies, their inlets and outlets included.
    segments: Floats
    #: (slots, k, 4) closed orbit [m, rad] at the entrance of each nonlinear body.
    points: Floats
    #: (slots, k, BODY) nonlinear bodies, linearised about their points.
    bodies: Floats
    #: (slots) 1 while `bodies` are those of the elements' present strengths, near the points.
    bodies_valid: Integers
    #: (k, 20) from the ring's start to each nonlinear body: room for the search for an orbit.
    arrival_maps: Floats
    #: (slots, 20) the turn from the ring's start.
    turns: Floats
    #: (slots, 4) closed orbit [m, rad] at the ring's start.
    starts: Floats
