"""Forks: further twins in one server, each with its own prefix, lattice, journal, faults and model.

They are added and dropped at run time. A fork shares the ring with the twin that it was made from, and nothing that a
command changes.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gnomon.ioc.app import initial_state
from gnomon.ioc.app.document_watch import DocumentState
from gnomon.ioc.app.initial_state import InitialState
from gnomon.ioc.app.servers import Servers
from gnomon.ioc.app.twin import Twin, TwinRecipe, keep_alive, make_twin
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import pvs_of
from gnomon.ioc.base.protocols import RpcHandler
from gnomon.ioc.base.snapshot_store import find
from gnomon.ioc.servers.duplicate_pvs import DuplicatePvError, refuse_duplicate_pvs
from gnomon.lattice import Client, GnomonError, Lattice
from gnomon.propagator import Propagator
from gnomon.recorder import Reader
from gnomon.recorder.recorded_states import state_at
from gnomon.recorder.snapshots import assignments

log = logging.getLogger("gnomon.forks")

NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")

Procedures = Callable[[Twin], Mapping[str, RpcHandler]]
#: Makes a fork of a name known to clients on this computer while the context lasts.
Announce = Callable[[Twin, str], AbstractContextManager[None]]


class ForkError(GnomonError):
    """A fork that cannot be made or does not exist; nothing has changed."""


@dataclass(frozen=True)
class ForkRequest:
    """A fork to be made. It starts as its origin is now, or nominal, at a snapshot, or at an earlier lattice."""

    name: str
    prefix: str
    nominal: bool = False
    snapshot: str = ""
    lattice: str = ""


@dataclass(frozen=True)
class Fork:
    """A running fork; `origin` is the prefix of the twin that it was made from."""

    name: str
    twin: Twin
    origin: str
    made_ns: int
    made_by: str
    stack: AsyncExitStack

    def to_json(self) -> dict[str, Any]:
        """Describe the fork for the command line, ready for json.dumps."""
        return {
            "name": self.name,
            "prefix": self.twin.prefix,
            "origin": self.origin,
            "began": self.twin.initial_state.note,
            "made_ns": self.made_ns,
            "made_by": self.made_by,
            "lattice_id": self.twin.dispatcher.lattice.id,
            "commands": self.twin.journal.next_sequence - 1,
            "pvs": len(self.twin.bank.specs),
            "journal": str(self.twin.journal.path),
        }


class Forks:
    """All forks of a server, for use in the event loop. `procedures` gives the procedures of each fork.

    `document` tells what is known of the machine document in the store, which is that of the server.
    """

    def __init__(
        self,
        config: Config,
        servers: Servers,
        procedures: Procedures,
        announce: Announce | None = None,
        document: Callable[[], DocumentState] = DocumentState,
    ) -> None:
        self._config = config
        self._servers = servers
        self._procedures = procedures
        self._document = document
        self._announce: Announce = announce or (lambda twin, name: nullcontext())
        self._forks: dict[str, Fork] = {}
        self._lock = asyncio.Lock()  # one at a time: two that are made at once might want the same names
        self._stopped = False

    def all(self) -> tuple[Fork, ...]:
        """List the forks, the oldest first."""
        return tuple(self._forks.values())

    async def add(self, origin: Twin, request: ForkRequest, client: Client, *, restore: bool = False) -> Fork:
        """Make a fork of `origin`; clients can connect when this returns. Raises GnomonError.

        With `restore`, it starts with the last settings of an earlier fork of its prefix, if there was one.
        """
        async with self._lock:
            self._check(request)
            config, machine = self._config.forked(request.prefix), origin.machine
            specs = await asyncio.to_thread(pvs_of, machine.without_bounds(), request.prefix)
            search = asyncio.create_task(refuse_duplicate_pvs([spec.name for spec in specs], config.network))
            try:
                make = partial(Propagator, machine.ring, config.model.momentum)
                propagator = await asyncio.to_thread(make)
                initial = await asyncio.to_thread(_choose_initial_state, origin, request)
                await asyncio.to_thread(propagator, initial.lattice)
            finally:
                await asyncio.wait([search])
            _refuse_if_taken(search, request.prefix)
            self._refuse_if_stopped()

            def begin_with(journal: Path) -> InitialState:
                left = initial_state.last_state(machine.ring, journal, request.prefix) if restore else None
                return left or initial

            return await self._open(
                TwinRecipe(config, machine, specs, propagator, make, begin_with), origin, request.name, client
            )

    async def drop(self, name: str, client: Client) -> Fork:
        """Disconnect a fork's clients and end it; its journal is kept. Raises ForkError."""
        async with self._lock:
            fork = self._forks.pop(name, None)
            if fork is None:
                raise ForkError(f"there is no fork {name!r}; existing forks: {', '.join(self._forks) or 'none'}")
            self._servers.remove(fork.twin)
            await fork.stack.aclose()
            log.info("%s@%s: dropped fork %s", client.user, client.host, name)
            return fork

    async def stop(self) -> None:
        """End all forks, also one that is just being made; the servers must have ended before."""
        self._stopped = True
        async with self._lock:
            while self._forks:
                _, fork = self._forks.popitem()
                await fork.stack.aclose()

    def _check(self, request: ForkRequest) -> None:
        self._refuse_if_stopped()
        limit = self._config.forks.most
        if not NAME.fullmatch(request.name):
            raise ForkError(f"invalid fork name {request.name!r}: use 1 to 20 letters, digits, '_' or '-'")
        if request.name in self._forks:
            raise ForkError(f"fork {request.name!r} already exists; drop it first, or choose another name")
        if len(self._forks) >= limit:
            raise ForkError(f"{limit} forks exist already, the limit (forks.most); drop one first")
        if sum((request.nominal, bool(request.snapshot), bool(request.lattice))) > 1:
            raise ForkError("a fork starts nominal, at a snapshot or at a lattice: give only one of them")
        if taken := next((p for p in self._servers.prefixes if p == request.prefix), None):
            raise ForkError(f"the prefix {taken!r} is already used by this server; choose another one")

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise ForkError("the server is stopping; no fork was made")

    async def _open(self, recipe: TwinRecipe, origin: Twin, name: str, client: Client) -> Fork:
        async with AsyncExitStack() as stack:
            twin = await make_twin(recipe, stack)
            self._servers.add(twin, self._procedures(twin))
            keep_alive(twin, self._servers.clients, stack, self._document)
            stack.enter_context(self._announce(twin, name))
            by = f"{client.user}@{client.host}"
            fork = Fork(name, twin, origin.prefix, time.time_ns(), by, stack.pop_all())
        self._forks[name] = fork
        log.info("%s: added fork %s of %r: %r, %s", by, name, origin.prefix, twin.prefix, twin.initial_state.note)
        return fork


def _refuse_if_taken(search: "asyncio.Task[None]", prefix: str) -> None:
    try:
        search.result()
    except DuplicatePvError as error:
        found = str(error).partition(". ")[0]
        raise ForkError(f"the prefix {prefix!r} cannot be used: {found}; choose another one") from error


def _choose_initial_state(origin: Twin, request: ForkRequest) -> InitialState:
    present = origin.dispatcher.lattice
    if request.nominal:
        return initial_state.nominal(present.ring, f"fork of {origin.prefix!r}, nominal")
    if request.snapshot:
        return _at_snapshot(origin, present, request.snapshot)
    if request.lattice:
        return _at_lattice(origin, present, request.lattice)
    return initial_state.from_lattice(present, f"fork of {origin.prefix!r} at lattice {present.id}")


def _at_snapshot(origin: Twin, present: Lattice, name: str) -> InitialState:
    """Start at a snapshot; settings that it lacks are as in the origin. Runs an event loop of its own."""
    todo = assignments(find(origin.config, name, place=origin.parts.store_of(origin.config)).snapshot, present)
    lattice = present.updated({(a.device, a.setting): a.value for a in todo})
    return initial_state.from_lattice(lattice, f"fork of {origin.prefix!r} at snapshot {name}")


def _at_lattice(origin: Twin, present: Lattice, wanted: str) -> InitialState:
    nominal = present.ring.nominal
    if nominal.id.startswith(wanted):
        return initial_state.nominal(present.ring, f"fork of {origin.prefix!r}, nominal")
    with Reader(origin.journal.path) as reader:
        sequence = reader.command_of_lattice(wanted)
        if sequence is None:
            raise ForkError(
                f"lattice {wanted!r} is not in the journal {origin.journal.path}; `gnomon log show N` shows the ids"
            )
        point = state_at(reader, sequence)
    found = initial_state.from_settings(
        present.ring, point.settings, f"fork of {origin.prefix!r} at command {sequence}"
    )
    if not found.lattice.id.startswith(wanted):
        reasons = "; ".join(found.left_out) or "the machine document has changed since"
        raise ForkError(f"lattice {wanted!r} of command {sequence} cannot be reproduced any more: {reasons}")
    return found
