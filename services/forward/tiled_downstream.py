"""Results in a catalogue of tiled: each run's file, tried again until the catalogue has it. Needs `tiled`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.tiled_catalogue import publish_run, require_tiled
from gnomon.services.forward.downstream import DeliveryError, Parcel
from gnomon.services.forward.forward_messages import Kind

__all__ = ["TiledDownstream"]


class TiledDownstream:
    """A catalogue, the one of `results.tiled`; the key is the environment variable TILED_API_KEY."""

    name = "tiled"
    kinds: frozenset[Kind] = frozenset({"results"})
    batch = 1
    from_oldest = True

    def __init__(self, uri: str) -> None:
        try:
            require_tiled()
        except ProcedureError as error:
            raise DeliveryError(str(error)) from error
        self._uri = uri

    @asynccontextmanager
    async def session(self, prefix: str, journal: str) -> "AsyncIterator[TiledDownstream]":
        """See `Downstream`: each run has a connection of its own."""
        yield self

    async def deliver(self, parcels: Sequence[Parcel]) -> None:
        """See `Session`. A run that the catalogue has under its name counts as delivered."""
        for parcel in parcels:
            assert parcel.path is not None
            try:
                await asyncio.to_thread(publish_run, parcel.path, self._uri)
            except ProcedureError as error:
                if "already" not in str(error):
                    raise DeliveryError(str(error)) from error

    async def lost(self) -> None:
        """See `Session`."""
        await asyncio.Event().wait()
