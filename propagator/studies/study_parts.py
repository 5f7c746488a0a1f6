"""Parts that all studies share: progress, the beam, the facts of a result."""

from collections.abc import Callable

from gnomon._version import __version__
from gnomon.lattice import Lattice
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.studies.result_files import StudyError

#: Function that is called with a study's progress: a phrase, the steps done and the total.
Say = Callable[[str, int, int], None]


def stored_beam(propagate: Propagator, lattice: Lattice) -> BeamState:
    """Find the beam of a lattice. Raises StudyError with the reason if there is none."""
    beam = propagate(lattice)
    if not beam.found:
        raise StudyError(f"{lattice.ring.name}: {beam.reason}")
    return beam


def facts_of(lattice: Lattice, origin: str) -> dict[str, str]:
    """Return the facts of a result: machine, source of the settings, the lattice's id, version of gnomon."""
    return {"machine": lattice.ring.name, "settings": origin, "lattice": lattice.id, "gnomon": __version__}
