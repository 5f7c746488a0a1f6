"""A server from configuration to twins that clients can connect to, started and stopped together."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from gnomon.db.pvs import PvSpec
from gnomon.db.store import AwayError
from gnomon.ioc.app import initial_state
from gnomon.ioc.app.announcer import Announcer
from gnomon.ioc.app.document_watch import DocumentWatch
from gnomon.ioc.app.forks import ForkRequest, Forks
from gnomon.ioc.app.imperfect.imperfect_machine import ImperfectMachine, as_operators_left_it
from gnomon.ioc.app.initial_state import InitialState
from gnomon.ioc.app.machine_reload import ReloadError, candidate, carried, check_beam, check_idle
from gnomon.ioc.app.rpc.dt_fork import procedures
from gnomon.ioc.app.rpc.dt_machine import machine_procedures
from gnomon.ioc.app.servers import Servers
from gnomon.ioc.app.twin import Twin, TwinRecipe, keep_alive, make_twin
from gnomon.ioc.base.background_tasks import background_task, cancelled
from gnomon.ioc.base.config import OF_THE_SERVER, Config
from gnomon.ioc.base.machines import LoadedMachine, find_machine, keep_document, pvs_of
from gnomon.ioc.base.protocols import RpcHandler
from gnomon.ioc.base.user import user_name
from gnomon.ioc.servers.duplicate_pvs import refuse_duplicate_pvs
from gnomon.lattice import Client, GnomonError, Ring
from gnomon.propagator import Compute, Propagator

__all__ = ["RenewalError", "Serving", "start"]

#: Time in which a client gets the answer before its channel ends [s].
ANSWER_S = 0.3

_log = logging.getLogger("gnomon.machine")


class RenewalError(GnomonError):
    """A twin that cannot take the place of the one that is served."""


@dataclass(frozen=True)
class _Origin:
    """A twin's model, and its settings where no journal has any: computed once, which takes long for some machines."""

    make: Callable[[], Compute]
    without_journal: Callable[[], InitialState]
    imperfect: ImperfectMachine | None


@dataclass(frozen=True)
class _Change:
    """A machine document that is about to be taken over: everything that takes long is made."""

    revision: int
    recipe: TwinRecipe
    origin: _Origin
    start: InitialState
    same_pvs: bool
    at_start: str  # where the configuration takes the document from, if that is not the store


@dataclass
class Serving:
    """Servers that clients can connect to. `renew` and `reload` replace the twin that they show."""

    twin: Twin
    servers: Servers
    forks: Forks
    recipe: TwinRecipe
    _origin: _Origin
    _announce: Callable[[Twin], AbstractContextManager[None]] | None
    _made: AsyncExitStack = field(default_factory=AsyncExitStack)  # the twin
    _alive: AsyncExitStack = field(default_factory=AsyncExitStack)  # what changes with time, and the announcement
    _watch: DocumentWatch | None = None
    _away: str = ""  # why the store did not take the document at the start
    _began_ns: int = field(default_factory=time.time_ns)
    _shown: bool = True  # the servers show the twin
    _taking: "asyncio.Task[None] | None" = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # one twin takes the place of another at a time

    @property
    def watch(self) -> DocumentWatch:
        """The watch over the machine document in the store."""
        if self._watch is None:
            config = self.recipe.config
            machine, away = self.recipe.machine, self._away
            keep = partial(keep_document, machine, config, self._began_ns) if away else None
            place = self.twin.parts.store_of(config)
            self._watch = DocumentWatch(place, machine.document, config.store.look_s, keep=keep, away=away)
        return self._watch

    @property
    def document_facts(self) -> Mapping[str, Any]:
        """Name and origin of the served machine document, and the digest of its ring."""
        return _facts(self.recipe.machine)

    def procedures(self, twin: Twin) -> Mapping[str, RpcHandler]:
        """Remote procedures of the server's own twin."""
        return {**procedures(twin, self.forks), **machine_procedures(twin.prefix, self)}

    async def renew(self, config: Config) -> None:
        """Let a new twin take the place of the present one, whose forks end too; clients stay connected.

        It is as after a new start with this configuration: all but the bank and the servers is made anew, so that
        nothing of settings, faults, journal, reference orbit and beam is left. Raises RenewalError where PVs or ports
        would be others.
        """
        async with self._lock:
            before = self.recipe
            if others := [key for key in OF_THE_SERVER if getattr(config, key) != getattr(before.config, key)]:
                raise RenewalError(f"another {others[0]} needs another server")
            if (config.shadow.calibration is None) != (before.config.shadow.calibration is None):
                raise RenewalError("shadow.calibration adds PVs, or takes them away: it needs another server")
            same = all(
                getattr(config, key) == getattr(before.config, key) for key in ("role", "imperfections", "model")
            )
            origin = self._origin if same else _origin(config, before.machine.ring)
            propagator = await asyncio.to_thread(_propagator, origin, before.machine.ring)
            await keep_document(before.machine, config)
            recipe = _recipe(config, before.machine, before.specs, propagator, origin)
            us = _us()
            for fork in self.forks.all():
                await self.forks.drop(fork.name, us)
            await self._replace(recipe, origin)

    async def reload(self, client: Client, *, reconnect: bool = False) -> Mapping[str, Any]:
        """Take over the machine document that waits in the store.

        Settings that were changed stay, the others get the new document's nominal values, as after a restart with
        --restore. Behind the same PVs clients stay connected. Where PVs, units or limits are others, they have to
        connect again, which only `reconnect` allows; then the answer comes before. Raises ReloadError with the
        reason when it cannot be, and what reading and building a document raise; then nothing has changed.
        """
        async with self._lock:
            change = await self._prepare(client, reconnect=reconnect)
            if change.same_pvs:
                await self._take_over(change)
        if not change.same_pvs:
            self._taking = background_task(self._take_over_later(change), "reload")
        machine = change.recipe.machine
        return {
            **_facts(machine),
            "revision": change.revision,
            "reconnect": not change.same_pvs,
            "left_out": list(change.start.left_out),
            "at_start": change.at_start,
        }

    async def _prepare(self, client: Client, *, reconnect: bool) -> "_Change":
        """Do everything that can fail before the present twin ends."""
        found, watch = await self.watch.look(), self.watch
        if found is None:
            raise ReloadError("the store has no other document of this machine: there is nothing to take over")
        if watch.document is None:
            raise ReloadError(f"revision {found.revision} cannot be used: {watch.problem}")
        check_idle(self.twin, [fork.name for fork in self.forks.all()])
        before, config = self.recipe, self.recipe.config
        new = await asyncio.to_thread(candidate, before.machine, found, watch.document, config.prefix)
        if new.other_pv and not reconnect:
            raise ReloadError(
                f"revision {found.revision} changes what clients were told of their PVs ({new.other_pv}), so that they "
                "must connect again: --reconnect allows that"
            )
        ring = new.machine.ring
        if new.new_names:
            await refuse_duplicate_pvs(list(new.new_names), config.network)
        origin = _origin(config, ring)
        propagator = await asyncio.to_thread(_propagator, origin, ring)
        lattice = self.twin.dispatcher.lattice
        note = f"machine document of revision {found.revision}, taken over by {client.user}@{client.host}"
        start = await asyncio.to_thread(carried, new.machine, lattice, note)
        await asyncio.to_thread(check_beam, propagator, before.make(), start, lattice)
        await keep_document(new.machine, config)
        recipe = _recipe(config, new.machine, new.specs, propagator, origin)
        named = await asyncio.to_thread(_named_source, config)
        return _Change(found.revision, recipe, origin, start, same_pvs=not new.other_pv, at_start=named)

    async def _take_over(self, change: "_Change") -> None:
        before, twin, note = self.recipe, self.twin, change.start.note
        check_idle(twin, [fork.name for fork in self.forks.all()])
        # Commands may come until the twin ends: its last lattice is carried over, not the one that was checked.
        recipe = replace(
            change.recipe, initial_state=lambda _: carried(change.recipe.machine, twin.dispatcher.lattice, note)
        )
        try:
            await self._replace(recipe, change.origin, same_pvs=change.same_pvs)
        except GnomonError as error:
            again = replace(
                before, initial_state=lambda _: initial_state.from_lattice(twin.dispatcher.lattice, "as before")
            )
            await self._replace(again, self._origin, same_pvs=change.same_pvs)
            raise ReloadError(f"the document before is served again: {error}") from error
        finally:
            self.recipe = replace(self.recipe, initial_state=before.initial_state)  # lets go of the twin that ended
        _log.info("machine %s: %s", recipe.machine.document.name, note)

    async def _take_over_later(self, change: "_Change") -> None:
        """Take over when the client has its answer, whose channel ends, too."""
        await asyncio.sleep(ANSWER_S)
        try:
            async with self._lock:
                await self._take_over(change)
        except GnomonError as error:
            _log.error("machine %s: %s", change.recipe.machine.document.name, error)

    async def _replace(self, recipe: TwinRecipe, origin: _Origin, *, same_pvs: bool = True) -> None:
        """End the present twin, and show another one: through the same bank, or clients have to connect again."""
        await self._alive.aclose()
        if not same_pvs and self._shown:
            self.servers.remove(self.twin)
            self._shown = False
        await self._made.aclose()
        bank = self.twin.bank if same_pvs else None
        if bank is not None:
            bank.forget(time.time_ns())
        twin = await make_twin(recipe, self._made, bank)
        if same_pvs:
            self.servers.replace(self.twin, twin, self.procedures(twin))
        else:
            self.servers.add(twin, self.procedures(twin))
        self.twin, self.recipe, self._origin, self._watch, self._shown = twin, recipe, origin, None, True
        self._away = ""  # whoever replaces it has kept the document
        await self.begin()
        if bank is not None:
            bank.tell_what_is_empty()

    async def begin(self) -> None:
        """Begin what changes with time, add the forks of the configuration, and make the twin known."""
        config = self.recipe.config
        keep_alive(self.twin, self.servers.clients, self._alive, lambda: self.watch.state)
        self._alive.push_async_callback(cancelled, background_task(self.watch.run(), "document watch"))
        for name, prefix in config.forks.start.items():
            await self.forks.add(self.twin, ForkRequest(name, prefix), _us(), restore=config.recorder.restore)
        if self._announce is not None:
            self._alive.enter_context(self._announce(self.twin))


async def start(config: Config, stack: AsyncExitStack, announcer: Announcer | None = None) -> Serving:
    """Start everything; `stack` stops it, in reverse order. Raises GnomonError when it cannot start.

    With an announcer, clients on this computer find the twins by themselves.
    The search for servers that already answer our names overlaps loading; nothing is opened before it has ended. While
    the server of the document store is away, a machine that is shipped or in a file is served all the same, and kept in
    the store when that is back.
    """
    began_ns = time.time_ns()
    machine = await asyncio.to_thread(find_machine, config)
    specs = pvs_of(machine, config.prefix)
    names = asyncio.create_task(refuse_duplicate_pvs([spec.name for spec in specs], config.network))
    origin = _origin(config, machine.ring)
    try:
        propagator = await asyncio.to_thread(_propagator, origin, machine.ring)
    finally:
        with suppress(asyncio.CancelledError):
            await names
    away = ""
    try:
        await keep_document(machine, config)
    except AwayError as error:
        away = f"{error}; the served document is not in it yet"
        _log.warning(
            "machine %s is served from %s, without the document store: %s. It is kept there when the store is back",
            machine.document.name, machine.origin, error,
        )  # fmt: skip

    servers = Servers(config)
    recipe = _recipe(config, machine, specs, propagator, origin)
    made = await stack.enter_async_context(AsyncExitStack())
    twin = await make_twin(recipe, made)
    announce = None if announcer is None else partial(announcer.announced, servers)
    forks = Forks(config, servers, lambda each: procedures(each, forks), announce, lambda: serving.watch.state)
    stack.push_async_callback(forks.stop)
    alive = AsyncExitStack()
    serving = Serving(twin, servers, forks, recipe, origin, announce, made, alive, _away=away, _began_ns=began_ns)
    servers.add(twin, serving.procedures(twin))
    await servers.start(stack)
    await stack.enter_async_context(alive)
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


def _facts(machine: LoadedMachine) -> Mapping[str, Any]:
    return {"machine": machine.document.name, "origin": machine.origin, "digest": machine.ring.digest}


def _named_source(config: Config) -> str:
    """The file or shipped machine that the next start serves again; empty: the newest document of the store."""
    origin = find_machine(config).origin
    return "" if origin.startswith("store") else f"{config.machine} ({origin})" if origin == "shipped" else origin


def _us() -> Client:
    return Client(user_name(), socket.gethostname(), "internal")
