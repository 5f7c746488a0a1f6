"""The source of beams that the dispatcher asks."""

import asyncio
from typing import Protocol

from gnomon.lattice import Change, Lattice
from gnomon.propagator import Answer


class Model(Protocol):
    """Takes lattices and answers with their beams: the propagator's service, or hardware that stands before it."""

    def submit(self, lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
        """See `PropagatorService.submit`."""
        ...


class CommandListener(Protocol):
    """Hears which settings have acted, also those that changed no value; asked only while it `listens`."""

    @property
    def listens(self) -> bool:
        """True if it wants to hear of commands now."""
        ...

    def acted(self, changes: tuple[Change, ...]) -> None:
        """Hear what a command has set, before the model is asked for its beam."""
        ...
