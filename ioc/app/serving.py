"""A server from configuration to twins that clients can connect to, started and stopped together."""

import asyncio
import socket
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gnomon.ioc.app import initial_state
from gnomon.ioc.app.announcer import Announcer
from gnomon.ioc.app.forks import ForkRequest, Forks
from gnomon.ioc.app.imperfect.imperfect_machine import ImperfectMachine, as_operators_left_it
from gnomon.ioc.app.initial_state import InitialState
from gnomon.ioc.app.machines import find_machine, keep_document, pvs_of
from gnomon.ioc.app.rpc.dt_fork import procedures
from gnomon.ioc.app.servers import Servers
from gnomon.ioc.app.twin import Twin, TwinRecipe, keep_alive, make_twin
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.user import user_name
from gnomon.ioc.servers.duplicate_pvs import refuse_duplicate_pvs
from gnomon.lattice import Client, Ring
from gnomon.propagator import Propagator


@dataclass(frozen=True)
class Serving:
    """Servers that clients can connect to."""

    twin: Twin
    servers: Servers
    forks: Forks


async def start(config: Config, stack: AsyncExitStack, announcer: Announcer | None = None) -> Serving:
    """Start everything; `stack` stops it, in reverse order. Raises GnomonError when it cannot start.

    With an announcer, clients on this computer find the twins by themselves.
    The search for servers that already answer our names overlaps loading; nothing is opened before it has ended.
    """
    machine = await asyncio.to_thread(find_machine, config)
    ring = machine.ring
    specs = pvs_of(machine, config.prefix)
    names = asyncio.create_task(refuse_duplicate_pvs([spec.name for spec in specs], config.network))
    imperfect = _imperfect(config, ring)
    make = imperfect.propagator if imperfect else partial(Propagator, ring, config.model.momentum)
    try:
        propagator = await asyncio.to_thread(make)
        await asyncio.to_thread(propagator, ring.nominal)
    finally:
        with suppress(asyncio.CancelledError):
            await names
    await keep_document(machine, config)

    servers = Servers(config)
    initial = partial(_choose_initial_state, config, ring, imperfect)
    recipe = TwinRecipe(config, machine, specs, propagator, make, initial, imperfect)
    twin = await make_twin(recipe, stack)
    announce = None if announcer is None else partial(announcer.announced, servers)
    forks = Forks(config, servers, lambda each: procedures(each, forks), announce)
    stack.push_async_callback(forks.stop)
    servers.add(twin, procedures(twin, forks))
    await servers.start(stack)
    keep_alive(twin, servers.clients, stack)
    us = Client(user_name(), socket.gethostname(), "internal")
    for name, prefix in config.forks.start.items():
        await forks.add(twin, ForkRequest(name, prefix), us, restore=config.recorder.restore)
    if announce is not None:
        stack.enter_context(announce(twin))
    return Serving(twin, servers, forks)


def _imperfect(config: Config, ring: Ring) -> ImperfectMachine | None:
    """Return the machine that the server stands in for, if it is one with errors."""
    if config.role != "machine" or config.imperfections.scale == 0.0:
        return None
    return ImperfectMachine.of(ring, config.imperfections, config.model.momentum)


def _choose_initial_state(
    config: Config, ring: Ring, imperfect: ImperfectMachine | None, journal: Path
) -> InitialState:
    def without_journal() -> InitialState:
        return as_operators_left_it(imperfect) if imperfect else initial_state.nominal(ring)

    if not config.recorder.restore:
        return without_journal()
    return initial_state.last_state_or_nominal(ring, journal, config.prefix, without_journal)
