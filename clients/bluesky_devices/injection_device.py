"""Injection into the ring, where a server offers it: triggered, a beam is injected."""

from bluesky.protocols import Triggerable
from ophyd_async.core import AsyncStatus, StandardReadable
from ophyd_async.core import StandardReadableFormat as Format

from gnomon.clients.bluesky_devices.server_session import Served, Session
from gnomon.clients.errors import ClientError
from gnomon.clients.machine_pvs import MachinePvs
from gnomon.db import sources

__all__ = ["Injector"]

#: Time in which an injection is done [s].
INJECT_S = 20.0


class Injector(Served, StandardReadable, Triggerable):
    """Control that injects a beam that was lost, or the part of it that is missing; `trigger` is done with the beam.

    Raises RefusedError with the server's reason: a beam is there, or none can be stored with these settings.
    """

    def __init__(self, pvs: MachinePvs, session: Session, name: str = "injector") -> None:
        spec = pvs.first(sources.INJECT)
        if spec is None:
            raise ClientError(f"{pvs.ring.name}: the PV document has no PV for an injection")
        self._session, self._inject = session, spec.states[1]
        with self.add_children_as_readables(Format.UNCACHED_SIGNAL):
            self.control = session.settable(str, spec)
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        """Inject."""
        await self.control.set(self._inject, timeout=INJECT_S)
