"""All devices of a ring, made from its machine document and its PV document."""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from os import PathLike
from typing import Any, TypeVar

from ophyd_async.core import DEFAULT_TIMEOUT, Device, DeviceMap, DeviceMock, wait_for_connection

from gnomon.clients.bluesky_devices.monitors import Monitors, Tunes
from gnomon.clients.bluesky_devices.others import Current, Magnet, Multiplexer, ReferenceOrbit
from gnomon.clients.bluesky_devices.reach import reach_server
from gnomon.clients.bluesky_devices.session import ServerKind, Session, in_few_words
from gnomon.clients.bluesky_devices.setting import Setting
from gnomon.clients.bluesky_devices.signals import Protocol
from gnomon.clients.errors import ClientError, NoDeviceError
from gnomon.clients.machine_pvs import MachinePvs, SettingPvs, find_machine_pvs
from gnomon.db import sources
from gnomon.lattice.near_names import near_names_hint

__all__ = ["Group", "RingDevices", "make_devices"]

#: Devices of a group that are connected at the same time.
AT_ONCE = 50

DeviceT = TypeVar("DeviceT", bound=Device)


class Group(DeviceMap[DeviceT]):
    """Devices of one kind by name, each made when it is asked for. Connecting the group connects all of it.

    A name that is not there raises NoDeviceError, with near names.
    """

    def __init__(self, kind: str, make: Mapping[str, Callable[[], DeviceT]], prefix: str) -> None:
        self._kind, self._make, self._name_prefix = kind, make, prefix
        super().__init__()

    def __getitem__(self, key: str) -> DeviceT:
        """Return the device of this name."""
        if key not in self._children:
            if key not in self._make:
                raise NoDeviceError(f"there is no {self._kind} {key!r}{near_names_hint(key, self._make)}", [key])
            device = self._make[key]()
            device.set_name(self._name_prefix + key)
            self[key] = device
        return self._children[key]

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a device of this name."""
        return key in self._make

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the ring's order."""
        return iter(self._make)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._make)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Name the group; its devices keep the names that the control room has for them."""
        self._name = name

    def match(self, *patterns: str) -> list[DeviceT]:
        """List the devices whose names fit patterns (`*`, `?`), in the ring's order. Raises NoDeviceError."""
        found = [name for name in self if any(fnmatchcase(name, pattern) for pattern in patterns)]
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in found):
                raise NoDeviceError(f"no {self._kind} fits {pattern!r}{near_names_hint(pattern, self)}", [pattern])
        return [self[name] for name in found]

    async def connect(
        self, mock: bool | DeviceMock[Any] = False, timeout: float = DEFAULT_TIMEOUT, force_reconnect: bool = False
    ) -> None:
        """Connect all of them, those too that nobody has asked for yet."""
        found = self.match("*")
        with in_few_words(self.name):
            # All at once, searches for thousands of PVs get lost.
            for start in range(0, 0 if mock else len(found), AT_ONCE):
                some = found[start : start + AT_ONCE]
                await wait_for_connection(**{each.name: each.connect(False, timeout, force_reconnect) for each in some})
            await super().connect(mock, timeout, force_reconnect)


class RingDevices(Device):
    """The devices of one ring under one prefix. They are not connected yet: that is Bluesky's part.

    `supplies` and `magnets` are groups by name, `others` what else can be set (`rf-voltage` ...). Single devices are
    `master_clock`, `monitors`, `tunes`, `current`, `multiplexer` and `reference_orbit`; None where the ring has none.
    `ring["NAME"]` finds any of them by name. Connect those that are used:
    `RE(ensure_connected(ring.monitors, ring.supplies["HS4P1D1R"]))`.
    """

    def __init__(
        self, pvs: MachinePvs, protocol: Protocol = "ca", kind: ServerKind | None = None, name: str = ""
    ) -> None:
        self.pvs = pvs
        self.session = session = Session(
            protocol,
            kind,
            role=pvs.first(sources.MACHINE_ROLE),
            generation=pvs.first(sources.MODEL_GENERATION),
            reason=pvs.first(sources.BEAM_REASON),
        )
        before = f"{name}-" if name else ""

        def settings(kind: str, each: Mapping[str, SettingPvs]) -> Group[Setting]:
            return Group(kind, {key: partial(Setting, one, session) for key, one in each.items()}, before)

        self.supplies = settings("power supply", pvs.supplies)
        self.magnets = Group("magnet", {key: partial(self._magnet, key) for key in pvs.magnets}, before)
        clock = pvs.others.get(("rf", "frequency"))
        self.master_clock = None if clock is None else Setting(clock, session)
        rest = {f"{key}-{property}": each for (key, property), each in pvs.others.items() if each is not clock}
        self.others = settings("setting", rest)
        self.monitors = self._optional(Monitors)
        self.tunes = self._optional(Tunes)
        self.current = self._optional(Current)
        self.multiplexer = self._optional(Multiplexer)
        self.reference_orbit = self._optional(ReferenceOrbit)
        self._before = before
        super().__init__(name=name or pvs.ring.name)

    async def connect(
        self, mock: bool | DeviceMock[Any] = False, timeout: float = DEFAULT_TIMEOUT, force_reconnect: bool = False
    ) -> None:
        """Connect all devices."""
        with in_few_words(self.name):
            for _, child in self.children():
                await child.connect(mock, timeout, force_reconnect)
            await super().connect(mock, timeout)

    def _magnet(self, name: str) -> Magnet:
        sets, reads = self.pvs.magnets[name]
        ring = self.pvs.ring
        magnet = next(each for each in ring.magnets if each.name == name)
        return Magnet(sets, reads, self.session, supply=magnet.supply or "", s_m=float(ring.s[magnet.element]))

    def _optional(self, make: Callable[[MachinePvs, Session], DeviceT]) -> DeviceT | None:
        """Make a device; None where the ring has none."""
        try:
            return make(self.pvs, self.session)
        except ClientError:
            return None

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Name the ring, and its devices as the control room does; the ring's name is before if one was given."""
        super().set_name(name, child_name_separator=child_name_separator)
        for own, device in self.children():
            device.set_name(self._before + own)

    def __getitem__(self, name: str) -> Any:
        """Return a device by its name, of any kind. Raises NoDeviceError with near names."""
        groups = [child for _, child in self.children() if isinstance(child, Group)]
        singles = {own: child for own, child in self.children() if not isinstance(child, Group)}
        if name in singles:
            return singles[name]
        for group in groups:
            if name in group:
                return group[name]
        names = [*singles, *(each for group in groups for each in group)]
        raise NoDeviceError(f"{self.pvs.ring.name} has no device {name!r}{near_names_hint(name, names)}", [name])


def make_devices(
    machine: str | PathLike[str] = "bessy2",
    *,
    prefix: str | None = None,
    protocol: Protocol = "ca",
    pvs: str | PathLike[str] | None = None,
    kind: ServerKind | None = None,
    name: str = "",
) -> RingDevices:
    """Make the devices of a ring, as `gnomon.clients.devices` describes.

    A server on this computer is found without EPICS variables; others by these, as by any client.
    """
    found = reach_server(machine, prefix)
    return RingDevices(find_machine_pvs(machine, found, pvs), protocol, kind, name)
