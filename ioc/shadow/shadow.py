"""A shadow at work: the link to the machine, the commands that come of it, and what is told about both."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.db.sources import Source, in_force
from gnomon.ioc.base.background_tasks import background_task
from gnomon.ioc.base.config import ShadowConfig
from gnomon.ioc.commands.activity import Activity
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.ioc.commands.reservation import Right
from gnomon.ioc.outputs.bank import Severity, Status
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.ioc.shadow.comparison import Comparison
from gnomon.ioc.shadow.follower import Follower
from gnomon.ioc.shadow.link import Link, Update
from gnomon.ioc.shadow.watched_pvs import WatchedPvs
from gnomon.lattice import Client

#: Time between two looks at what is connected and fresh [s].
LOOK_S = 0.25
#: Names that a reason lists, at most.
_MAX_NAMED = 3

#: States of `dt:machine:connected`.
ALONE, AWAY, IN_PART, COMPLETE = range(4)
#: What is told about the machine while none is followed.
NOTHING_FOLLOWED: Mapping[Source, Any] = {
    sources.MACHINE_CONNECTED: ALONE,
    sources.MACHINE_REASON: "",
    sources.MACHINE_PVS: 0,
    sources.MACHINE_REFUSED: 0,
    sources.BOUND_REASON: "no machine is followed",
}
_ALARMS = {AWAY: (Severity.MAJOR, Status.COMM), IN_PART: (Severity.MINOR, Status.COMM)}


@dataclass(frozen=True)
class TwinServices:
    """Parts of the twin that a shadow acts on."""

    specs: Sequence[PvSpec]
    state: ModelState
    outputs: Outputs
    dispatcher: Dispatcher
    activity: Activity


class Shadow:
    """Follow one machine from `start` to `close`; all in the event loop. Nothing of it can write to the machine."""

    def __init__(
        self,
        settings: ShadowConfig,
        watched: WatchedPvs,
        services: TwinServices,
        link: Link,
        comparison: Comparison,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings = settings
        self._watched = watched
        self._services = services
        self._link = link
        self._comparison = comparison
        self._wall_ns = wall_ns
        where = " ".join(settings.addresses)
        label = settings.prefix or "the machine"
        self._where = f"the machine at {where} ({'Channel Access' if settings.protocol == 'ca' else 'PV Access'})"
        self._client = Client(f"shadow-of {label}", where, settings.protocol)
        self._follower = Follower(watched, services.dispatcher, self._client, self._show_setpoints)
        self._connected: set[int] = set()
        self._needed = frozenset(c for c, s in watched.setpoints.items() if s.required)
        self._lost = set(self._needed)  # not connected yet, though every machine has it, or not any more
        self._told: dict[Source, Any] = {}
        self._right: Right | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def description(self) -> str:
        """The machine that it follows, in words."""
        return self._where

    def start(self) -> None:
        """Begin to follow: from now on commands of others are refused, and outputs wait for the machine's state."""
        reason = f"this shadow follows {self._where}; put twin to par:mode to set it yourself; nothing was changed"
        self._right = self._services.dispatcher.reserve(reason)
        self._follower.begin(self._right)
        self._look()
        self._link.start(self._watched.names, self)
        self._task = background_task(self._run(), "shadow", self._failed)

    def close(self) -> None:
        """Stop following. The lattice stays as it is, and clients can set it again."""
        self._link.close()
        self._follower.close()
        self._comparison.close()
        if self._task is not None:
            self._task.cancel()
        services = self._services
        if self._right is not None:
            services.dispatcher.release(self._right)
        lattice = services.dispatcher.lattice
        own = {s.index: in_force(s.spec, lattice) * s.spec.scale for s in self._watched.setpoints.values()}
        services.outputs.validate_setpoints(own, self._wall_ns())
        services.activity.hold("")
        services.outputs.show_many(NOTHING_FOLLOWED)

    def updated(self, updates: Sequence[Update]) -> None:
        """See `LinkSink`."""
        found = {update.channel for update in updates if update.first}
        self._connected |= found
        self._lost -= found
        self._follower.updated(updates, self._wall_ns())
        self._comparison.updated(updates)

    def lost(self, channels: Sequence[int]) -> None:
        """See `LinkSink`."""
        self._connected.difference_update(channels)
        self._lost.update(channels)
        self._follower.lost(channels)
        self._comparison.lost(channels)
        self._look()

    def _show_setpoints(self, values: dict[int, float]) -> None:
        if values:
            self._services.outputs.show_setpoints(values, self._wall_ns())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()

    def _failed(self, reason: str) -> None:
        """Make outputs INVALID after an internal error: without the watch they could become old unnoticed."""
        self._link.close()
        self._services.activity.hold(reason)
        told: dict[Source, Any] = {sources.MACHINE_CONNECTED: AWAY, sources.MACHINE_REASON: reason}
        self._services.outputs.show_many(told, alarms={sources.MACHINE_CONNECTED: _ALARMS[AWAY]})

    def _look(self) -> None:
        """Publish the state of the connection, and keep outputs valid while the machine's state is known."""
        self._comparison.look(self._follower)
        missing = [self._watched.names[c] for c in sorted(self._watched.required - self._connected)]
        refused = self._follower.refused
        setpoints, names = self._watched.setpoints, self._watched.names
        # Each time, since a command that was on its way may have shown a value since.
        unknown = (s.index for c, s in setpoints.items() if c in self._lost or names[c] in refused)
        self._services.outputs.invalidate_setpoints(unknown)
        state = IN_PART if missing or refused else COMPLETE
        if not self._needed & self._connected:
            state = AWAY
            self._follower.forget()
        reason = self._reason(state, missing)
        if state is AWAY or not self._follower.caught_up:
            self._services.activity.hold(reason or f"the state of {self._where} is being taken")
        else:
            self._services.activity.hold("")
        told: dict[Source, Any] = {
            sources.MACHINE_CONNECTED: state,
            sources.MACHINE_REASON: reason or self._comparison.reason,
            sources.MACHINE_PVS: len(self._connected),
            sources.MACHINE_REFUSED: len(refused),
        }
        if told != self._told:
            self._told = told
            alarms = {sources.MACHINE_CONNECTED: _ALARMS[state]} if state in _ALARMS else {}
            self._services.outputs.show_many(told, alarms=alarms)

    def _reason(self, state: int, missing: list[str]) -> str:
        if state == AWAY:
            return f"{self._where} is not reached"
        parts = []
        if missing:
            parts.append(f"{len(missing)} of {len(self._watched.required)} PVs are not connected: {_some(missing)}")
        if self._follower.refused:
            parts.append(f"not followed: {_some(list(self._follower.refused.values()), 1)}")
        return "; ".join(parts)


def _some(texts: Sequence[str], max_count: int = _MAX_NAMED) -> str:
    more = f" and {len(texts) - max_count} more" if len(texts) > max_count else ""
    return ", ".join(texts[:max_count]) + more
