"""All devices of a ring, made from its machine document and its PV document."""

from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from typing import Any, TypeVar

from ophyd_async.core import DEFAULT_TIMEOUT, Device, DeviceMock

from gnomon.clients.bluesky_devices.group import Group
from gnomon.clients.bluesky_devices.injection_device import Injector
from gnomon.clients.bluesky_devices.monitors import Monitors, Tunes
from gnomon.clients.bluesky_devices.others import Current, Magnet, Multiplexer, ReferenceOrbit
from gnomon.clients.bluesky_devices.reach import reach_server
from gnomon.clients.bluesky_devices.server_session import ServerKind, Session, in_few_words
from gnomon.clients.bluesky_devices.setting import Setting
from gnomon.clients.bluesky_devices.signals import Protocol
from gnomon.clients.errors import ClientError, NoDeviceError
from gnomon.clients.machine_pvs import MachinePvs, SettingPvs, find_machine_pvs
from gnomon.db import sources
from gnomon.lattice.near_names import near_names_hint

__all__ = ["RingDevices", "make_devices"]

DeviceT = TypeVar("DeviceT", bound=Device)


class RingDevices(Device):
    """The devices of one ring under one prefix. They are not connected yet: that is Bluesky's part.

    `supplies` and `magnets` are groups by name, `others` what else can be set (`rf-voltage` ...). There is one each of
    `master_clock`, `monitors`, `tunes`, `current`, `injector`, `multiplexer` and `reference_orbit`; NoDeviceError where
    the ring has none. `ring["NAME"]` finds any of them by name, `"NAME" in ring` tells whether it is there. Connect
    those that are used: `RE(ensure_connected(ring.monitors, ring.supplies["HS4P1D1R"]))`.
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
        rest = {f"{key}-{property}": each for (key, property), each in pvs.others.items() if each is not clock}
        self.others = settings("setting", rest)
        single: dict[str, Device] = {}
        #: Why the ring does not have each of the others, by name.
        self._missing: dict[str, str] = {}
        for single_name, make in _SINGLE.items():
            try:
                single[single_name] = make(pvs, session)
            except ClientError as error:
                self._missing[single_name] = f"{error}"
        if clock is not None:
            single["master_clock"] = Setting(clock, session)
        self.single: Group[Device] = Group(
            "device", {key: partial(_itself, each) for key, each in single.items()}, before
        )
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

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Name the ring; its devices keep the names that the control room has for them."""
        self._name = name

    @property
    def master_clock(self) -> Setting:
        """The RF frequency, in the unit of its PV."""
        return self._one("master_clock", Setting)

    @property
    def monitors(self) -> Monitors:
        """All beam position monitors."""
        return self._one("monitors", Monitors)

    @property
    def tunes(self) -> Tunes:
        """Both tunes."""
        return self._one("tunes", Tunes)

    @property
    def current(self) -> Current:
        """Beam current and lifetime."""
        return self._one("current", Current)

    @property
    def injector(self) -> Injector:
        """Injection of a beam, where the server offers it."""
        return self._one("injector", Injector)

    @property
    def multiplexer(self) -> Multiplexer:
        """The supply that is connected to one magnet at a time."""
        return self._one("multiplexer", Multiplexer)

    @property
    def reference_orbit(self) -> ReferenceOrbit:
        """The orbit that a server of gnomon compares with."""
        return self._one("reference_orbit", ReferenceOrbit)

    def _one(self, name: str, kind: type[DeviceT]) -> DeviceT:
        if name not in self.single:
            why = f"{self.pvs.ring.name} has no {name.replace('_', ' ')}: its PV document has no PV for it"
            raise NoDeviceError(self._missing.get(name, why), [name])
        device = self.single[name]
        assert isinstance(device, kind)
        return device

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a device of this name."""
        return any(name in group for group in self._groups())

    def __getitem__(self, name: str) -> Any:
        """Return a device by its name, of any kind. Raises NoDeviceError with near names."""
        for group in self._groups():
            if name in group:
                return group[name]
        names = [each for group in self._groups() for each in group]
        raise NoDeviceError(f"{self.pvs.ring.name} has no device {name!r}{near_names_hint(name, names)}", [name])

    def _groups(self) -> tuple[Group[Any], ...]:
        return (self.single, self.supplies, self.magnets, self.others)


_SINGLE: dict[str, Callable[[MachinePvs, Session], Device]] = {
    "monitors": Monitors,
    "tunes": Tunes,
    "current": Current,
    "injector": Injector,
    "multiplexer": Multiplexer,
    "reference_orbit": ReferenceOrbit,
}


def _itself(device: Device) -> Device:
    return device


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
