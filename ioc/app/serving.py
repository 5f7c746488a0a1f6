"""A server from configuration to twins that clients can connect to, started and stopped together."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from gnomon.db.pvs import PvSpec
from gnomon.ioc.app import initial_state
from gnomon.ioc.app.announcer import Announcer
from gnomon.ioc.app.forks import ForkRequest, Forks
from gnomon.ioc.app.imperfect.imperfect_machine import ImperfectMachine, as_operators_left_it
from gnomon.ioc.app.initial_state import InitialState
from gnomon.ioc.app.rpc.dt_fork import procedures
from gnomon.ioc.app.servers import Servers
from gnomon.ioc.app.twin import Twin, TwinRecipe, keep_alive, make_twin
from gnomon.ioc.base.config import OF_THE_SERVER, Config
from gnomon.ioc.base.machines import LoadedMachine, find_machine, keep_document, pvs_of
from gnomon.ioc.base.user import user_name
from gnomon.ioc.servers.duplicate_pvs import refuse_duplicate_pvs
from gnomon.lattice import Client, GnomonError, Ring
from gnomon.propagator import Compute, Propagator

__all__ = ["RenewalError", "Serving", "start"]


class RenewalError(GnomonError):
    """A twin that cannot take the place of the one that is served."""


@dataclass(frozen=True)
class _Origin:
    """A twin's model, and its settings where no journal has any: computed once, which takes long for some machines."""

    make: Callable[[], Compute]
    without_journal: Callable[[], InitialState]
    imperfect: ImperfectMachine | None


@dataclass
class Serving:
    """Servers that clients can connect to. `renew` replaces the twin that they show."""

    twin: Twin
    servers: Servers
    forks: Forks
    recipe: TwinRecipe
    _origin: _Origin
    _announce: Callable[[Twin], AbstractContextManager[None]] | None
    _made: AsyncExitStack = field(default_factory=AsyncExitStack)  # the twin
    _alive: AsyncExitStack = field(default_factory=AsyncExitStack)  # what changes with time, and the announcement

    async def renew(self, config: Config) -> None:
        """Let a new twin take the place of the present one, whose forks end too; clients stay connected.

        It is as after a new start with this configuration: all but the bank and the servers is made anew, so that
        nothing of settings, faults, journal, reference orbit and beam is left. Raises RenewalError where PVs or ports
        would be others.
        """
        before = self.recipe
        if others := [key for key in OF_THE_SERVER if getattr(config, key) != getattr(before.config, key)]:
            raise RenewalError(f"another {others[0]} needs another server")
        if (config.shadow.calibration is None) != (before.config.shadow.calibration is None):
            raise RenewalError("shadow.calibration adds PVs, or takes them away: it needs another server")
        same = all(getattr(config, key) == getattr(before.config, key) for key in ("role", "imperfections", "model"))
        origin = self._origin if same else _origin(config, before.machine.ring)
        propagator = await asyncio.to_thread(_propagator, origin, before.machine.ring)
        await keep_document(before.machine, config)
        recipe = _recipe(config, before.machine, before.specs, propagator, origin)
        us = _us()
        for fork in self.forks.all():
            await self.forks.drop(fork.name, us)
        await self._alive.aclose()
        await self._made.aclose()
        bank = self.twin.bank
        bank.forget(time.time_ns())
        twin = await make_twin(recipe, self._made, bank)
        self.servers.replace(self.twin, twin, procedures(twin, self.forks))
        self.twin, self.recipe, self._origin = twin, recipe, origin
        await self.begin()
        bank.tell_what_is_empty()

    async def begin(self) -> None:
        """Begin what changes with time, add the forks of the configuration, and make the twin known."""
        config = self.recipe.config
        keep_alive(self.twin, self.servers.clients, self._alive)
        for name, prefix in config.forks.start.items():
            await self.forks.add(self.twin, ForkRequest(name, prefix), _us(), restore=config.recorder.restore)
        if self._announce is not None:
            self._alive.enter_context(self._announce(self.twin))


async def start(config: Config, stack: AsyncExitStack, announcer: Announcer | None = None) -> Serving:
    """Start everything; `stack` stops it, in reverse order. Raises GnomonError when it cannot start.

    With an announcer, clients on this computer find the twins by themselves.
    The search for servers that already answer our names overlaps loading; nothing is opened before it has ended.
    """
    machine = await asyncio.to_thread(find_machine, config)
    specs = pvs_of(machine, config.prefix)
    names = asyncio.create_task(refuse_duplicate_pvs([spec.name for spec in specs], config.network))
    origin = _origin(config, machine.ring)
    try:
        propagator = await asyncio.to_thread(_propagator, origin, machine.ring)
    finally:
        with suppress(asyncio.CancelledError):
            await names
    await keep_document(machine, config)

    servers = Servers(config)
    recipe = _recipe(config, machine, specs, propagator, origin)
    made = await stack.enter_async_context(AsyncExitStack())
    twin = await make_twin(recipe, made)
    announce = None if announcer is None else partial(announcer.announced, servers)
    forks = Forks(config, servers, lambda each: procedures(each, forks), announce)
    stack.push_async_callback(forks.stop)
    servers.add(twin, procedures(twin, forks))
    await servers.start(stack)
    alive = await stack.enter_async_context(AsyncExitStack())
    serving = Serving(twin, servers, forks, recipe, origin, announce, made, alive)
    await serving.begin()
    return serving


def _origin(config: Config, ring: Ring) -> _Origin:
    """Choose the model: that of the machine that the server stands in for, if it is one with errors."""
    if config.role != "machine" or config.imperfections.scale == 0.0:
        return _Origin(partial(Propagator, ring, config.model.momentum), partial(initial_state.nominal, ring), None)
    imperfect = ImperfectMachine.of(ring, config.imperfections, config.model.momentum)
    return _Origin(imperfect.propagator, cache(partial(as_operators_left_it, imperfect)), imperfect)


def _propagator(origin: _Origin, ring: Ring) -> Compute:
    propagator = origin.make()
    propagator(ring.nominal)
    return propagator


def _recipe(
    config: Config, machine: LoadedMachine, specs: Sequence[PvSpec], propagator: Compute, origin: _Origin
) -> TwinRecipe:
    initial = partial(_choose_initial_state, config, machine.ring, origin.without_journal)
    return TwinRecipe(config, machine, specs, propagator, origin.make, initial, origin.imperfect)


def _choose_initial_state(
    config: Config, ring: Ring, without_journal: Callable[[], InitialState], journal: Path
) -> InitialState:
    if not config.recorder.restore:
        return without_journal()
    return initial_state.last_state_or_nominal(ring, journal, config.prefix, without_journal)


def _us() -> Client:
    return Client(user_name(), socket.gethostname(), "internal")
