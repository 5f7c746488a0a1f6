"""Maps of elements and of the segments between nonlinear ones, with their momentum derivatives, from parameters."""

import numpy as np

from gnomon.propagator.compiled import Floats, Integers, compiled, kernel
from gnomon.propagator.live.affine_bodies import BODY_STATE, map_bodies, take_body
from gnomon.propagator.live.affine_maps import (
    AFFINE,
    ANGLE,
    CORRECTOR,
    DRIFT,
    DX,
    DY,
    IDENTITY,
    KICK_X,
    KICK_Y,
    LENGTH,
    NONLINEAR,
    ROLL,
    has_edges,
)
from gnomon.propagator.live.live_tables import LiveTables, Packed, unpack
from gnomon.propagator.live.map_pairs import (
    PAIR,
    apply_drift_pair,
    compose_pair,
    copy_pair,
    corrector_pair,
    move_pair,
    set_identity_pair,
    write_end_pairs,
)
from gnomon.propagator.live.misalignment import write_frames
from gnomon.propagator.live.nonlinear_bodies import COEFFICIENTS, LANES, write_coefficients

#: Numbers of working space of this kernel.
WORK = 500


@kernel
def rebuild(which: Integers, slots: Integers, packed: Packed) -> None:
    """Update the maps of the elements `which` in all `slots`, and the segments that contain them.

    The maps are built about the momentum deviations `bases` and moved to `deltas`.
    """
    tables = unpack(packed)
    bases, deltas, kinds, ordinals, slices = tables.bases, tables.deltas, tables.kinds, tables.ordinals, tables.slices
    places, bounds, geometry, parameters = tables.places, tables.bounds, tables.geometry, tables.parameters
    misaligned, has_frame, frames = tables.misaligned, tables.has_frame, tables.frames
    body_coefficients, body_slices, body_members = tables.body_coefficients, tables.body_slices, tables.body_members
    maps, inlets, outlets, segments = tables.maps, tables.inlets, tables.outlets, tables.segments
    count = bounds.size
    touched = np.zeros(count + 1, dtype=np.int64)
    asked = np.zeros(kinds.size, dtype=np.int64)
    groups = np.zeros(body_slices.size, dtype=np.int64)
    work = np.empty(WORK)
    first, second, spare = work[0:PAIR], work[PAIR : 2 * PAIR], work[2 * PAIR : 4 * PAIR]
    flat = tables.coefficients.reshape(tables.coefficients.size)
    flat_bodies = body_coefficients.reshape(body_coefficients.size)
    for number in range(which.size):
        index = which[number]
        kind = kinds[index]
        if kind == IDENTITY:
            continue
        k = ordinals[index]
        touched[k] = 1
        if kind == DRIFT:
            continue
        asked[index] = 1
        row = parameters[index]
        shape = geometry[index]
        misaligned[index] = 0
        if row[DX] != 0.0 or row[DY] != 0.0 or row[ROLL] != 0.0:
            misaligned[index] = 1
            write_frames(shape[ANGLE], row[DX], row[DY], row[ROLL], work, frames[index, 0], frames[index, 1])
        has_frame[index] = 1 if has_edges(shape) or misaligned[index] else 0
        place = places[index]
        at = (place // LANES) * COEFFICIENTS * LANES
        if kind == AFFINE:
            groups[place // LANES] = 1
            write_coefficients(shape, row, slices[index], place % LANES, flat_bodies, at)
        elif kind == NONLINEAR:
            touched[k + 1] = 1
            write_coefficients(shape, row, slices[index], place % LANES, flat, at)
        for slot in slots:
            delta = bases[slot]
            if kind == NONLINEAR:
                tables.bodies_valid[slot] = 0
                if has_frame[index]:
                    write_end_pairs(
                        shape, misaligned[index] != 0, frames[index], delta, inlets[slot, index], outlets[slot, k],
                        spare,
                    )  # fmt: skip
                    move_pair(inlets[slot, index], deltas[slot] - delta)
                    move_pair(outlets[slot, k], deltas[slot] - delta)
            elif kind == CORRECTOR:
                corrector_pair(shape[LENGTH], row[KICK_X], row[KICK_Y], delta, maps[slot, index])
                if has_frame[index]:
                    between_ends(
                        shape, misaligned[index] != 0, frames[index], delta, maps[slot, index], inlets[slot, index],
                        first, second, spare,
                    )  # fmt: skip
                move_pair(maps[slot, index], deltas[slot] - delta)
    state = np.empty(BODY_STATE)
    for group in range(groups.size):
        if not groups[group]:
            continue
        for slot in slots:
            delta = bases[slot]
            map_bodies(body_coefficients[group], body_slices[group], delta, state)
            for lane in range(LANES):
                index = body_members[group, lane]
                if index < 0 or not asked[index]:
                    continue
                take_body(state, lane, maps[slot, index])
                if has_frame[index]:
                    between_ends(
                        geometry[index], misaligned[index] != 0, frames[index], delta, maps[slot, index],
                        inlets[slot, index], first, second, spare,
                    )  # fmt: skip
                    move_pair(inlets[slot, index], deltas[slot] - delta)
                move_pair(maps[slot, index], deltas[slot] - delta)
    for k in range(count + 1):
        if not touched[k]:
            continue
        begin = 0 if k == 0 else bounds[k - 1] + 1
        end = kinds.size if k == count else bounds[k]
        for slot in slots:
            delta = bases[slot]
            weight = 1.0 / (1.0 + delta)
            if k > 0 and has_frame[bounds[k - 1]]:
                copy_pair(outlets[slot, k - 1], first)
            else:
                set_identity_pair(first)
            for index in range(begin, end):
                kind = kinds[index]
                if kind == DRIFT:
                    apply_drift_pair(geometry[index, LENGTH], weight, first)
                elif kind != IDENTITY:
                    compose_pair(maps[slot, index], first, second)
                    copy_pair(second, first)
            if k < count and has_frame[bounds[k]]:
                compose_pair(inlets[slot, bounds[k]], first, second)
                copy_pair(second, first)
            copy_pair(first, segments[slot, k])
            move_pair(segments[slot, k], deltas[slot] - delta)


@compiled
def between_ends(
    geometry: Floats,
    misaligned: bool,
    frames: Floats,
    delta: float,
    pair: Floats,
    inlet: Floats,
    outlet: Floats,
    spare: Floats,
    work: Floats,
) -> None:
    """Extend a body's pair to the whole element, and write the pair from entrance to body to `inlet`."""
    write_end_pairs(geometry, misaligned, frames, delta, inlet, outlet, work)
    compose_pair(pair, inlet, spare)
    compose_pair(outlet, spare, pair)


@compiled
def move_slot(by: float, tables: LiveTables, slot: int) -> None:
    """Move all maps of a slot to the momentum deviation `by` above the one about which they were built."""
    kinds, bounds, has_frame = tables.kinds, tables.bounds, tables.has_frame
    maps, inlets, outlets, segments = (
        tables.maps[slot],
        tables.inlets[slot],
        tables.outlets[slot],
        tables.segments[slot],
    )
    for index in range(kinds.size):
        kind = kinds[index]
        if kind in (AFFINE, CORRECTOR):
            move_pair(maps[index], by)
        if has_frame[index]:
            move_pair(inlets[index], by)
    for k in range(bounds.size):
        if has_frame[bounds[k]]:
            move_pair(outlets[k], by)
    for k in range(bounds.size + 1):
        move_pair(segments[k], by)
