"""The two servers as one: what is added is shown over both protocols, and what is removed disconnects."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from gnomon.db import sources
from gnomon.ioc.app.status_pvs import Figures
from gnomon.ioc.app.twin import Twin
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.memory_budget import MemoryBudget
from gnomon.ioc.base.open_files import raise_open_file_limit
from gnomon.ioc.base.protocols import PutSink, RpcHandler
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.ca.ca_server import CaError, CaServer
from gnomon.ioc.servers.ca.ca_server import settings as ca_settings
from gnomon.ioc.servers.pva.pva_server import PvaServer
from gnomon.ioc.servers.pva.settings import Endpoint, Settings


class Servers:
    """Channel Access and PV Access for any number of twins; all methods are for the event loop."""

    def __init__(self, config: Config) -> None:
        network = config.network
        access = AccessRules(config.access)
        self.budget = MemoryBudget(config.guard)
        self.ca = CaServer(ca_settings(network.interfaces, network.ca_port), access, config.guard, self.budget)
        where = Settings(network.interfaces, network.pva_port, network.pva_broadcast_port)
        self._pva = PvaServer(where, access, config.guard, budget=self.budget)
        self._endpoint: Endpoint | None = None
        self._twins: list[Twin] = []

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Prefix of the names of all that is shown."""
        return tuple(twin.prefix for twin in self._twins)

    @property
    def pva_endpoint(self) -> Endpoint:
        """Addresses and ports on which PV Access is served."""
        assert self._endpoint is not None
        return self._endpoint

    @property
    def clients(self) -> Figures:
        """Number of clients, as status PVs show it."""
        return {
            sources.CA_CLIENTS: lambda: self.ca.clients,
            sources.PVA_CLIENTS: lambda: self._pva.clients,
            sources.PVA_CHANNELS: lambda: self._pva.connected,
        }

    def add(self, twin: Twin, rpcs: Mapping[str, RpcHandler]) -> None:
        """Show a twin. PVA listens to its bank first, so that a PVA update is out before a CA put is answered.

        Raises GnomonError when one of its names is served already.
        """
        self._pva.add(twin.bank, twin.dispatcher, rpcs, twin.connections)
        try:
            self.ca.add(twin.bank, twin.dispatcher, twin.connections)
        except CaError:
            self._pva.remove(twin.bank)
            raise
        self._twins.append(twin)
        twin.connections.serve(TwinDoors(self.ca, self._pva, twin.bank), rpcs)

    def replace(self, before: Twin, after: Twin, rpcs: Mapping[str, RpcHandler]) -> None:
        """Show another twin through the same bank: puts and calls go to it from now on, and clients stay connected."""
        self._twins[self._twins.index(before)] = after
        before.connections.stop()
        doors = TwinDoors(self.ca, self._pva, after.bank)
        self._pva.redirect(after.bank, after.dispatcher, rpcs, after.connections)
        self.ca.redirect(after.bank, after.dispatcher, after.connections)
        after.connections.serve(doors, rpcs)
        if not before.connections.idle:  # clients get back what faults had taken from them
            doors.review_rights()
            doors.call_clients()

    def remove(self, twin: Twin) -> None:
        """Show a twin no longer: its clients are disconnected at once."""
        self._twins.remove(twin)
        twin.connections.stop()
        self.ca.remove(twin.bank)
        self._pva.remove(twin.bank)

    async def start(self, stack: AsyncExitStack) -> None:
        """Listen. Raises GnomonError when an address cannot be had."""
        raise_open_file_limit(self.ca.guard)
        self._endpoint = self._pva.start()
        stack.callback(self._pva.stop)
        await self.ca.start()
        stack.push_async_callback(self.ca.stop)


class TwinDoors:
    """Effects of faults of connections on the clients of one twin, over both protocols (`Doors`)."""

    def __init__(self, ca: CaServer, pva: PvaServer, bank: Bank) -> None:
        self._ca = ca
        self._pva = pva
        self._bank = bank

    def disconnect(self, *, close: bool) -> None:
        """See `Doors`."""
        self._ca.disconnect(self._bank, close=close)
        self._pva.disconnect(self._bank, close=close)

    def review_rights(self) -> None:
        """See `Doors`."""
        self._pva.review_rights()
        self._ca.review_rights(self._bank)

    def send_puts(self, sink: PutSink) -> None:
        """See `Doors`."""
        self._ca.send_puts(self._bank, sink)
        self._pva.send_puts(self._bank, sink)

    def call_clients(self) -> None:
        """See `Doors`."""
        self._ca.call_clients()
        self._pva.call_clients()
