"""The two ends of a multipole: the changes of frame and, for a bend, the edges."""

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine_maps import MAP, compose, copy, edge_map, has_edges, set_identity
from gnomon.propagator.live.misalignment import frame_map


@compiled
def write_ends(
    geometry: Floats, misaligned: bool, frames: Floats, delta: float, inlet: Floats, outlet: Floats, work: Floats
) -> None:
    """Write the maps from an element's entrance to its body and from its body to its exit.

    `frames` (2, 30) are its changes of frame, used if it is `misaligned`; `work` has space for two maps.
    """
    set_identity(inlet)
    set_identity(outlet)
    if has_edges(geometry):
        edge_map(geometry, False, delta, inlet)
        edge_map(geometry, True, delta, outlet)
    if misaligned:
        frame, spare = work[0:MAP], work[MAP : 2 * MAP]
        frame_map(frames[0], delta, frame)
        compose(inlet, frame, spare)
        copy(spare, inlet)
        frame_map(frames[1], delta, frame)
        compose(frame, outlet, spare)
        copy(spare, outlet)
