"""From what the machine's setpoints say to commands: the same road as a client's put, in the machine's order."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from gnomon.ioc.base.protocols import PutReply
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.ioc.commands.reservation import Right
from gnomon.ioc.commands.validation import SetpointRequest, parse_put, short, state_of
from gnomon.ioc.shadow.link import INVALID, Update
from gnomon.ioc.shadow.watched_pvs import Setpoint, WatchedPvs
from gnomon.lattice import Client, Lattice, LatticeError, Setting

#: After the machine was found, or found again, its state is taken as one command when nothing more of it has come for
#: this long [s].
GATHER_S = 0.2

#: Notes of the commands in the journal.
CATCH_UP, FOLLOW = "catch up", "follow"

log = logging.getLogger("gnomon.shadow")


@dataclass(frozen=True, slots=True)
class MachineValue:
    """A value that the machine's setpoint has, in the PV's own unit, what it sets, and the time at which it got it.

    What a PV sets is mostly one property; a button that is not pressed sets nothing, an optics several.
    """

    setpoint: Setpoint
    value: float
    settings: tuple[Setting, ...]
    time_ns: int

    def is_in(self, lattice: Lattice) -> bool:
        """Tell whether a lattice has this value; a strength is a sum with its trim, so but for the last bits."""
        tolerance = 1e-13 * self.setpoint.strength
        return all(
            math.isclose(lattice[s.device, s.property], s.value, rel_tol=tolerance, abs_tol=1e-4 * tolerance)
            for s in self.settings
        )


class Follower:
    """Make the shadow's setpoints those of the machine, for one connection to it; all in the event loop.

    `show` is told indices and values of setpoints that are in order already, and `refused` maps names of the machine's
    PVs to why the shadow does not have their value. `changed_ns` is when the machine changed last, by its own clock;
    `caught_up` says whether its state has been taken since it was found.
    """

    def __init__(
        self, watched: WatchedPvs, dispatcher: Dispatcher, client: Client, show: Callable[[dict[int, float]], None]
    ) -> None:
        self._watched = watched
        self._dispatcher = dispatcher
        self._client = client
        self._right: Right | None = None
        self._show = show
        self._loop = asyncio.get_running_loop()
        self._present: dict[int, MachineValue] = {}  # the machine's state since it was found, until it is taken
        self._strengths: dict[int, Update] = {}  # what magnets really have, by the setpoint's channel
        self._changes: dict[int, MachineValue] = {}  # what has come in this turn of the event loop
        self._gathering: asyncio.TimerHandle | None = None
        self._shown = {(s.spec.device, s.spec.property) for s in watched.setpoints.values()}
        self._newest: dict[int, MachineValue] = {}  # what was sent last
        self._open = 0
        self._times_lost = 0
        self._closed = False
        self.refused: dict[str, str] = {}
        self.changed_ns = 0
        self.caught_up = False

    def begin(self, right: Right) -> None:
        """Command with this right from now on."""
        self._right = right

    @property
    def settled(self) -> bool:
        """True if the shadow's outputs contain all that the machine has told."""
        return not (self._open or self._changes or self._present)

    def close(self) -> None:
        """Send nothing more."""
        self._closed = True
        if self._gathering is not None:
            self._gathering.cancel()

    def updated(self, updates: Sequence[Update], now_ns: int) -> None:
        """Take what the link heard; what is not a setpoint is passed over."""
        for update in updates:
            if (channel := self._watched.readbacks.get(update.channel)) is not None:
                self._strengths[channel] = update
            elif (setpoint := self._watched.setpoints.get(update.channel)) is not None:
                self._take(setpoint, update, now_ns)

    def lost(self, channels: Sequence[int]) -> None:
        """Forget what was heard of channels that are out of reach."""
        for channel in channels:
            self._present.pop(channel, None)
            self._strengths.pop(self._watched.readbacks.get(channel, -1), None)
            self.refused.pop(self._watched.names[channel], None)

    def forget(self) -> None:
        """The whole machine is out of reach: when it is found again, its state has to be read again."""
        self.caught_up = False
        self._times_lost += 1

    def _take(self, setpoint: Setpoint, update: Update, now_ns: int) -> None:
        name = self._watched.names[update.channel]
        request = parse_put(setpoint.spec, update.value)
        reason = request.refusal
        if update.severity >= INVALID:
            reason = f"{name}: {short(update.value)} {setpoint.spec.unit} is INVALID at the machine"
        if reason:
            self._present.pop(update.channel, None)
            if self.refused.get(name) != reason:
                self.refused[name] = reason
                self._send(SetpointRequest(request.settings, reason), "not followed", {})
            return
        self.refused.pop(name, None)
        asked = self._read(setpoint, update, min(update.time_ns, now_ns))
        if update.first or self._present:
            self._present[update.channel] = asked
            self._gather(update.first)
            return
        if not self._changes:
            self._loop.call_soon(self._follow)
        self._changes[update.channel] = asked  # of one PV the newest value counts

    def _gather(self, restart: bool) -> None:
        if self._gathering is not None and not restart:
            return
        if self._gathering is not None:
            self._gathering.cancel()
        self._gathering = self._loop.call_later(GATHER_S, self._catch_up)

    def _catch_up(self) -> None:
        """Take the machine's present state: all that differs from ours, as one command."""
        self._gathering = None
        present, self._present = self._present, {}
        if self._closed or not present:
            return
        # A machine may be found piece by piece: strengths that came before their currents are taken again.
        again = {c: u for c, u in self._strengths.items() if c not in present and u.severity < INVALID}
        known = {c: MachineValue(self._watched.setpoints[c], 0.0, (), u.time_ns) for c, u in again.items()}
        in_force = {channel: self._in_force(channel, one) for channel, one in (present | known).items()}
        asked = {channel: one for channel, one in in_force.items() if one is not None}
        differ = differing(self._dispatcher.lattice, asked)
        self._show({a.setpoint.index: a.value for c, a in asked.items() if c in present and c not in differ})
        log.info("setpoints taken from the machine: %d, of which %d differ", len(asked), len(differ))
        if differ:
            self._command(differ, CATCH_UP)
        else:
            self.caught_up = True

    def _in_force(self, channel: int, asked: MachineValue) -> MachineValue | None:
        """A strength is taken as it is by now: currents may have moved since it was put. None when it cannot be had."""
        found = self._strengths.get(channel)
        if not asked.setpoint.strength or found is None or found.severity >= INVALID:
            return asked
        if refusal := parse_put(asked.setpoint.spec, found.value).refusal:
            self.refused[self._watched.names[channel]] = refusal
            return None
        return self._read(asked.setpoint, found, asked.time_ns)

    def _read(self, setpoint: Setpoint, update: Update, time_ns: int) -> MachineValue:
        """Convert an update that is not refused; properties that have a setpoint of their own are left to it."""
        spec = setpoint.spec
        settings = parse_put(spec, update.value).settings
        if not spec.presets:
            return MachineValue(setpoint, settings[0].value * spec.scale, settings, time_ns)
        value = state_of(spec, update.value) or 0.0
        key = (spec.device, spec.property)
        kept = (s for s in settings if (s.device, s.property) == key or (s.device, s.property) not in self._shown)
        return MachineValue(setpoint, value, tuple(kept), time_ns)

    def _follow(self) -> None:
        """Send what has come in this turn: one command, or a few where the order matters."""
        changes, self._changes = self._changes, {}
        if not self._closed:
            for group in in_order(changes):
                self._command(group, FOLLOW)

    def _command(self, group: Mapping[int, MachineValue], note: str) -> None:
        self.changed_ns = max(self.changed_ns, *(asked.time_ns for asked in group.values()))
        settings = tuple(setting for asked in group.values() for setting in asked.settings)
        if settings:
            self._send(SetpointRequest(settings), note, group)

    def _send(self, request: SetpointRequest, note: str, group: Mapping[int, MachineValue]) -> None:
        self._open += 1
        self._newest |= group
        times_lost = self._times_lost
        done = self._dispatcher.command(request, self._client, note, self._right)
        done.add_done_callback(
            lambda future: self._loop.call_soon_threadsafe(self._sent, future, note, group, times_lost)
        )

    def _sent(self, future: "Future[PutReply]", note: str, group: Mapping[int, MachineValue], times_lost: int) -> None:
        self._open -= 1
        if self._closed or times_lost != self._times_lost:  # its state is read again
            return
        reply, lattice = future.result(), self._dispatcher.lattice
        failed: dict[int, MachineValue] = {}
        # A failure of the model is shown by the outputs; here counts whether the lattice has the values.
        if not reply.accepted and not all(a.is_in(lattice) for a in group.values()):
            failed = {channel: asked for channel, asked in group.items() if self._newest[channel] is asked}
        if failed and len(group) > 1:  # one of them spoilt it for all
            for channel, asked in failed.items():
                self._command({channel: asked}, note)
            return
        self.refused |= {self._watched.names[channel]: reply.message for channel in failed}
        self.caught_up = self.caught_up or note == CATCH_UP


def differing(lattice: Lattice, asked: Mapping[int, MachineValue]) -> dict[int, MachineValue]:
    """Select the values that a lattice does not have; strengths come last, since they depend on the others."""
    rest = {c: a for c, a in asked.items() if not a.setpoint.strength and not a.is_in(lattice)}
    try:
        after = lattice.updated({(s.device, s.property): s.value for a in rest.values() for s in a.settings})
    except LatticeError:  # which of them cannot be had shows when they are tried one by one
        after = lattice
    return rest | {c: a for c, a in asked.items() if a.setpoint.strength and not a.is_in(after)}


def in_order(changes: Mapping[int, MachineValue]) -> list[dict[int, MachineValue]]:
    """Changes of one turn as groups, each to become one command; a new one where something is set after a strength.

    In one command strengths come last, so a current that was set later would wrongly be part of their trim.
    """
    groups: list[dict[int, MachineValue]] = [{}]
    strength_ns: int | None = None
    for channel, asked in sorted(changes.items(), key=lambda item: item[1].time_ns):
        if asked.setpoint.strength:
            strength_ns = asked.time_ns
        elif strength_ns is not None and asked.time_ns > strength_ns:
            groups.append({})
            strength_ns = None
        groups[-1][channel] = asked
    return groups
