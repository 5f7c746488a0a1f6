"""What all studies share: progress, the beam, the facts of a result."""

from collections.abc import Callable

from gnomon._version import __version__
from gnomon.lattice import Lattice
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.studies.result_files import StudyError

#: Told what a study is at: a phrase, how many steps are done and how many there are.
Say = Callable[[str, int, int], None]


def stored_beam(propagate: Propagator, lattice: Lattice) -> BeamState:
    """Find the beam of a lattice. Raises StudyError with the reason when there is none."""
    beam = propagate(lattice)
    if not beam.found:
        raise StudyError(f"{lattice.ring.name}: {beam.reason}")
    return beam


def facts_of(lattice: Lattice, origin: str) -> dict[str, str]:
    """Facts of a result: the machine, where the settings are from, the lattice's id, the version of gnomon."""
    return {"machine": lattice.ring.name, "settings": origin, "lattice": lattice.id, "gnomon": __version__}
