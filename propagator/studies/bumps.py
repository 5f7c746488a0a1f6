"""The steerers of a closed bump at a monitor, and the place where the bump ends."""

from collections.abc import Sequence

from gnomon.lattice import Lattice
from gnomon.lattice.elements import PARAMETERS
from gnomon.propagator.derivatives import fed_by, supplies_of
from gnomon.propagator.studies.result_files import StudyError

#: Steerers of a bump on each side of its monitor.
EACH_SIDE = 2


def nearest_steerers(lattice: Lattice, monitor: int, plane: str) -> tuple[str, ...]:
    """Find the supplies of a plane's (`x`, `y`) two nearest steerers before the element `monitor`, and two after it.

    Raises StudyError if the ring has fewer than four.
    """
    ring, column = lattice.ring, PARAMETERS.index(f"kick_{plane}")
    places: dict[int, str] = {}
    for name in supplies_of(lattice):
        fed = fed_by(lattice, name)
        if len(fed) == 1 and fed[0][0].column == column and fed[0][1] != 0.0:
            places.setdefault(fed[0][0].element, name)
    if len(places) < 2 * EACH_SIDE:
        raise StudyError(f"{ring.name}: a bump in {plane} needs {2 * EACH_SIDE} steerers with supplies of their own")
    count = len(ring.elements)
    behind = sorted(places, key=lambda element: (element - monitor) % count)
    chosen = [*behind[-EACH_SIDE:], *behind[:EACH_SIDE]]
    return tuple(places[element] for element in chosen)


def closing_place(lattice: Lattice, supplies: Sequence[str], monitor: int) -> int:
    """Find the element at whose entrance a bump is closed: the one after the bump's last steerer.

    The largest gap between steerers that does not contain the monitor is outside the bump. Raises StudyError for fewer
    than three steerers.
    """
    ring = lattice.ring
    count = len(ring.elements)
    magnets = [m for name in supplies for m, _ in fed_by(lattice, name) if m.main == "kick"]
    behind = sorted({(m.element - monitor) % count for m in magnets})
    if len(behind) < 3:
        raise StudyError("a closed bump needs at least three steerers around its monitor")
    distance = [(float(ring.s[(k + monitor) % count] - ring.s[monitor])) % ring.circumference for k in behind]
    gaps = [(after - before, k) for before, after, k in zip(distance, distance[1:], behind, strict=False)]
    return (max(gaps)[1] + monitor + 1) % count
