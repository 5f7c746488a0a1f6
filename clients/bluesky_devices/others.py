"""Current and lifetime, a magnet, the multiplexer, the reference orbit."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from bluesky.protocols import Location, Movable, Reading
from ophyd_async.core import (
    Array1D,
    AsyncStatus,
    SignalR,
    SignalRW,
    StandardReadable,
    soft_signal_r_and_setter,
)
from ophyd_async.core import StandardReadableFormat as Format

from gnomon.clients.bluesky_devices.group import Group
from gnomon.clients.bluesky_devices.server_session import Served, Session, read_now
from gnomon.clients.bluesky_devices.setting import Setting
from gnomon.clients.bluesky_devices.signals import ANSWER_S, LOST
from gnomon.clients.errors import ClientError, NoAnswerError, NoDeviceError, NotReachedError, RefusedError
from gnomon.clients.machine_pvs import MachinePvs, SettingPvs
from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.lattice.near_names import near_names_hint

__all__ = ["Current", "Magnet", "Multiplexer", "ReferenceOrbit"]

#: Time in which a selection of the multiplexer ends, besides its states [s].
SELECT_S = 3.0
POLL_S = 0.02


class Current(StandardReadable):
    """Beam current under the device's own name, and the lifetime where the machine shows it."""

    def __init__(self, pvs: MachinePvs, session: Session, name: str = "current") -> None:
        spec = pvs.first(sources.BEAM_CURRENT)
        if spec is None:
            raise ClientError(f"{pvs.ring.name}: the PV document has no PV for the beam current")
        with self.add_children_as_readables(Format.HINTED_UNCACHED_SIGNAL):
            self.beam = session.readable(float, spec)
        lifetime = pvs.first(sources.BEAM_LIFETIME_10S, sources.BEAM_LIFETIME_100S)
        if lifetime is not None:
            with self.add_children_as_readables(Format.UNCACHED_SIGNAL):
                self.lifetime = session.readable(float, lifetime)
        super().__init__(name=name)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Name it; the current has the name of the device."""
        super().set_name(name, child_name_separator=child_name_separator)
        self.beam.set_name(name)

    async def read(self) -> dict[str, Reading[Any]]:
        """Read current and lifetime from the server. Raises NoAnswerError."""
        try:
            return await asyncio.wait_for(super().read(), ANSWER_S)
        except (TimeoutError, *LOST) as error:
            raise NoAnswerError(
                f"{self.beam.source}: no answer within {ANSWER_S:g} s; the connection is lost"
            ) from error


class Magnet(StandardReadable):
    """A magnet: `k1`, `b3`, `dx` ... that can be set are of class `Setting`, those that can only be read are signals.

    `magnet["k1"]` is the same as `magnet.k1`. `supply` is the name of the power supply that feeds it, `s_m` its place.
    """

    def __init__(
        self,
        sets: Mapping[str, SettingPvs],
        reads: Mapping[str, PvSpec],
        session: Session,
        name: str = "",
        *,
        supply: str,
        s_m: float,
    ) -> None:
        self.supply = supply
        with self.add_children_as_readables(Format.CHILD):
            for key, pvs in sets.items():
                setattr(self, key, Setting(pvs, session))
        with self.add_children_as_readables(Format.UNCACHED_SIGNAL):
            for key, spec in reads.items():
                setattr(self, key, session.readable(float, spec))
        with self.add_children_as_readables(Format.CONFIG_SIGNAL):
            self.s, _ = soft_signal_r_and_setter(float, s_m, units="m", precision=5)
        self.properties = (*sets, *reads)
        super().__init__(name=name)

    def __getitem__(self, property: str) -> Any:
        """Return the device or the signal of a property. Raises NoDeviceError with those that there are."""
        if property not in self.properties:
            raise NoDeviceError(f"{self.name} has no {property!r}; it has {', '.join(self.properties)}", [property])
        return getattr(self, property)


class Multiplexer(Served, StandardReadable, Movable[str]):
    """A supply that is connected to one magnet at a time: `set(MAGNET)`, and `set(OFF)` disconnects it.

    `set` is done when the hardware's sequence is through: the put is complete, the magnet's button is on, and its name
    is shown; on a machine for longer than the states in between. `OFF` is the name that it shows without a magnet. The
    current of its supply is a power supply like others.
    """

    def __init__(self, pvs: MachinePvs, session: Session, name: str = "multiplexer") -> None:
        part, shown = pvs.ring.document.multiplexer, pvs.first(sources.MULTIPLEXER_NAME)
        off = pvs.first(sources.MULTIPLEXER_OFF)
        if part is None or shown is None or off is None:
            raise ClientError(f"{pvs.ring.name} has no multiplexer, or the PV document no PVs for it")
        self._part, self._session = part, session
        self.magnets: tuple[str, ...] = part.magnets
        self.OFF = part.off_name
        self.supply_name = part.supply
        buttons = pvs.each(sources.MULTIPLEXER_SELECT)
        with self.add_children_as_readables(Format.HINTED_UNCACHED_SIGNAL):
            self.connected = session.readable(str, shown)
        self.off = session.settable(str, off)
        make = {magnet: partial(session.settable, str, spec) for magnet, spec in buttons.items()}
        self.button: Group[SignalRW[Any]] = Group("magnet", make, f"{name}-")
        self._on = {spec.device: spec.states[1] for spec in buttons.values()} | {self.OFF: off.states[1]}
        super().__init__(name=name)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Name it; the name of the connected magnet has the name of the device."""
        super().set_name(name, child_name_separator=child_name_separator)
        self.connected.set_name(name)

    @AsyncStatus.wrap
    async def set(self, value: str, timeout: float | None = None) -> None:
        """Connect a magnet, or none. Raises RefusedError with near names, and NotReachedError."""
        if value != self.OFF and value not in self.button:
            raise RefusedError(f"{self.name}: {value!r} is not a magnet that it can be connected to"
                               f"{near_names_hint(value, [*self.button, self.OFF])}")  # fmt: skip
        button = self.off if value == self.OFF else self.button[value]
        limit_s = SELECT_S + 4 * self._part.state_s if timeout is None else timeout
        end = time.monotonic() + limit_s
        try:
            await button.set(self._on[value], timeout=limit_s)
        except TimeoutError as error:
            raise NotReachedError(f"{button.source} = 1: the put was not completed within {limit_s:g} s") from error
        since: float | None = None
        hold_s = 0.0 if self._session.is_twin else 2 * self._part.state_s
        while True:
            shown, pressed = await asyncio.gather(read_now(self.connected), read_now(button))
            now = time.monotonic()
            there = self._session.is_mock or (shown["value"] == value and pressed["value"] == self._on[value])
            since = (since or now) if there else None
            if since is not None and now - since >= hold_s:
                break
            if now > end:
                raise NotReachedError(
                    f"{self.name}: {value!r} was asked for, {self.connected.source} shows {shown['value']!r} after "
                    f"{limit_s:g} s, and {button.source} is {pressed['value']!r}"
                )
            await asyncio.sleep(POLL_S)
        self._session.note_setting(self._part.state_s)

    async def locate(self) -> Location[str]:
        """Return the magnet that is connected."""
        name = (await read_now(self.connected))["value"]
        return Location(setpoint=name, readback=name)


class ReferenceOrbit(StandardReadable, Movable[str]):
    """The orbit that a server of gnomon compares with: `set(NAME)` chooses one, `save` takes the present one.

    `read` has the name in use under the device's own name, and `NAME-x`, `NAME-y` [mm]. A machine has no such PVs.
    """

    def __init__(self, pvs: MachinePvs, session: Session, name: str = "reference_orbit") -> None:
        wanted: Sequence[sources.Source] = (sources.REFERENCE_USE, sources.REFERENCE_SAVE, *sources.REFERENCE)
        specs = [pvs.first(each) for each in wanted]
        if any(spec is None for spec in specs):
            raise ClientError(f"{pvs.ring.name}: the PV document has no PVs for a reference orbit")
        use, save, x, y = (spec for spec in specs if spec is not None)
        with self.add_children_as_readables(Format.UNCACHED_SIGNAL):
            self.in_use = session.settable(str, use)
            self.x: SignalR[Any] = session.readable(Array1D[np.float64], x)
            self.y: SignalR[Any] = session.readable(Array1D[np.float64], y)
        self.saved = session.settable(str, save)
        super().__init__(name=name)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Name it; the name in use has the name of the device."""
        super().set_name(name, child_name_separator=child_name_separator)
        self.in_use.set_name(name)

    @AsyncStatus.wrap
    async def set(self, value: str) -> None:
        """Choose a reference orbit by name. Raises RefusedError."""
        await self.in_use.set(value)

    @AsyncStatus.wrap
    async def save(self, name: str) -> None:
        """Save the present orbit under a name. Raises RefusedError, as without a beam."""
        await self.saved.set(name)

    async def locate(self) -> Location[str]:
        """Return the name of the reference orbit in use."""
        name = (await read_now(self.in_use))["value"]
        return Location(setpoint=name, readback=name)
