"""A running twin: everything between the configuration and the two servers, started and stopped together."""

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gnomon.fault_injection import Injector
from gnomon.ioc import beginnings
from gnomon.ioc.activity import Activity
from gnomon.ioc.bank import Bank
from gnomon.ioc.beginnings import Beginning
from gnomon.ioc.ca.server import CaServer
from gnomon.ioc.ca.server import settings as ca_settings
from gnomon.ioc.config import Config
from gnomon.ioc.controls import Controls
from gnomon.ioc.dispatcher import Dispatcher
from gnomon.ioc.machines import Found, find_machine, keep, pvs_of
from gnomon.ioc.names import refuse_taken_names
from gnomon.ioc.outputs import Outputs
from gnomon.ioc.procedures import procedures
from gnomon.ioc.pva.server import PvaServer
from gnomon.ioc.pva.settings import Endpoint, Settings
from gnomon.ioc.status import Figures, Status, figures
from gnomon.lattice import Ring
from gnomon.propagator import Propagator, PropagatorService
from gnomon.recorder import Journal


@dataclass(frozen=True)
class Twin:
    """A twin that clients can connect to."""

    config: Config
    found: Found
    beginning: Beginning
    bank: Bank
    dispatcher: Dispatcher
    ca: CaServer
    pva: PvaServer
    pva_endpoint: Endpoint


async def start(config: Config, stack: AsyncExitStack) -> Twin:
    """Start everything; `stack` stops it, in reverse order. Raises GnomonError when it cannot start.

    The search for servers that already answer our names overlaps loading; nothing is opened before it has ended.
    """
    found = await asyncio.to_thread(find_machine, config)
    ring = found.ring
    specs = pvs_of(found, config.prefix)
    names = asyncio.create_task(refuse_taken_names([spec.name for spec in specs], config.network))
    make = partial(Propagator, ring, config.model.momentum)
    try:
        propagator = await asyncio.to_thread(make)
        await asyncio.to_thread(propagator, ring.nominal)
    finally:
        with suppress(asyncio.CancelledError):
            await names
    await keep(found, config)

    path = config.journal()
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path)
    stack.callback(journal.close)
    beginning = _beginning(config, ring, path)
    beginnings.begin(journal, ring, config.prefix, beginning)
    lattice = beginning.lattice
    bank = Bank(specs, time.time_ns())
    outputs = Outputs(bank, ring, time.time_ns)
    outputs.start(lattice)
    injector = Injector()
    service = PropagatorService(
        propagator,
        timeout_s=config.model.timeout_s,
        max_wait_s=config.model.max_wait_s,
        on_answer=outputs.publish,
        renew=make,
    )
    stack.callback(service.close)
    controls = Controls(bank)
    stack.push_async_callback(controls.stop)
    dispatcher = Dispatcher(bank, lattice, journal, injector, service, outputs, controls)
    stack.push_async_callback(dispatcher.stop)
    await service.submit(lattice, journal.next_sequence - 1)
    Activity(controls, service, outputs)

    network = config.network
    pva = PvaServer(Settings(network.interfaces, network.pva_port, network.pva_broadcast_port))
    pva.add(bank, dispatcher, procedures(bank, config.prefix, dispatcher, injector, outputs))
    endpoint = pva.start()
    stack.callback(pva.stop)
    # PVA listens to the bank first, so a PVA update is out before a CA put is answered.
    ca = CaServer(bank, dispatcher, ca_settings(network.interfaces, network.ca_port))
    await ca.start()
    stack.push_async_callback(ca.stop)
    clients: Figures = {"status.ca.clients": lambda: ca.clients, "status.pva.channels": lambda: pva.connected}
    status = Status(outputs, figures(outputs, dispatcher, service, journal, clients))
    status.begin()
    beating = asyncio.create_task(status.run(), name="status")
    stack.push_async_callback(_cancelled, beating)
    if config.publish.repeat_hz > 0.0:
        repeating = asyncio.create_task(_repeat(outputs, 1.0 / config.publish.repeat_hz), name="repeat")
        stack.push_async_callback(_cancelled, repeating)
    return Twin(config, found, beginning, bank, dispatcher, ca, pva, endpoint)


def _beginning(config: Config, ring: Ring, journal: Path) -> Beginning:
    if not config.recorder.restore:
        return beginnings.nominal(ring)
    return beginnings.restored(ring, journal, config.prefix)


async def _repeat(outputs: Outputs, period_s: float) -> None:
    while True:
        await asyncio.sleep(period_s)
        outputs.repeat()


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
