"""The source of beams that the dispatcher asks."""

import asyncio
from typing import Protocol

from gnomon.lattice import Lattice
from gnomon.propagator import Answer


class Model(Protocol):
    """Takes lattices and answers with their beams: the propagator's service, or hardware that stands before it."""

    def submit(self, lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
        """See `PropagatorService.submit`."""
        ...
