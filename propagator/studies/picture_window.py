"""The part of a ring that a picture shows: between two places, or one of the ring's cells."""

import numpy as np

from gnomon.lattice import Ring
from gnomon.lattice.elements import Bend
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import NotANumberError, parse_number, shorten
from gnomon.propagator.studies.result_files import StudyError

#: Bends of at least this part of the largest angle define the cells; tolerance of their repeating positions [m].
MAIN, NEAR_M = 0.5, 0.02
#: Part of these bends that must repeat; a few cells may have been rebuilt.
ALIKE = 0.85


def window_of(ring: Ring, first: str | None, last: str | None, cell: int | None) -> tuple[float | None, float | None]:
    """Find the two ends of a window [m]; None means the ring's start or end.

    `first` and `last` are positions [m] or names of elements, `cell` counts the ring's cells from 1. Raises StudyError
    for an unknown name, a position outside the ring, an empty window, or a cell that the ring does not have.
    """
    if cell is not None:
        if first is not None or last is not None:
            raise StudyError("--cell and --from or --to exclude each other: give one of them")
        count = cells_of(ring)
        if not 1 <= cell <= count:
            raise StudyError(f"{ring.name} has {count} cells: there is no cell {cell}")
        length = ring.circumference / count
        return (cell - 1) * length, cell * length
    ends = (None if first is None else _place(ring, first, 0), None if last is None else _place(ring, last, 1))
    low, high = 0.0 if ends[0] is None else ends[0], ring.circumference if ends[1] is None else ends[1]
    if not low < high:
        raise StudyError(f"nothing is between {low:g} and {high:g} m: give --from before --to")
    return ends


def cells_of(ring: Ring) -> int:
    """Count the equal cells by the positions of the main bends: 16 for BESSY II; 1 if they do not repeat."""
    bends = [i for i, e in enumerate(ring.elements) if isinstance(e, Bend)]
    angles = np.array([abs(e.angle) for e in ring.elements if isinstance(e, Bend)])
    if not bends:
        return 1
    main = np.array(bends)[angles >= MAIN * angles.max()]
    centres = np.array([0.5 * (ring.s[i] + ring.s[i + 1]) for i in main])
    for count in range(len(main), 1, -1):
        moved = centres + ring.circumference / count
        apart = (moved[:, None] - centres + 0.5 * ring.circumference) % ring.circumference - 0.5 * ring.circumference
        if np.mean(np.abs(apart).min(axis=1) < NEAR_M) >= ALIKE:
            return count
    return 1


def _place(ring: Ring, text: str, end: int) -> float:
    """Find the position [m] that a text names: a number, or the entrance (`end` 0) or exit (1) of an element."""
    if text in ring.index:
        return float(ring.s[ring.index[text] + end])
    try:
        place = parse_number(text)
    except NotANumberError:
        hint = near_names_hint(text, ring.index)
        raise StudyError(f"{shorten(text)} is neither a position [m] nor an element of {ring.name}{hint}") from None
    if not 0.0 <= place <= ring.circumference:
        raise StudyError(f"{place:g} m is outside the ring: it ends at {ring.circumference:g} m")
    return place
