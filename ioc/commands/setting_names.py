"""The PV names that stand for a setting in the access rules, also for settings without a PV of their own."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

from gnomon.db.pvs import PvSpec
from gnomon.lattice import Key, Ring


class SettingNames:
    """Finds the names whose rules decide who may set a device's property.

    They are, and the first kind that there is decides: the setpoints of this very setting, those whose states set it,
    the setpoints of the device, its other PVs, the setpoints of the supply that drives the magnet, and else
    `<prefix><DEVICE>:<property>`, a name that only rules know. So a setting that no rule covers cannot be set.
    """

    def __init__(self, specs: Sequence[PvSpec], ring: Ring, prefix: str) -> None:
        self._specs = specs
        self._ring = ring
        self._prefix = prefix

    def names(self, device: str, name: str) -> tuple[str, ...]:
        """Return the names of one property of one device; a client needs the right to write all of them."""
        own = self._by_setting.get(self._stored(device, name))
        if own:
            return tuple(own)
        supplies = {magnet.supply for magnet in self._ring.magnets if magnet.name == device}
        found = self._by_device.get(device) or [
            n for supply in sorted(supplies) for n in self._setpoints.get(supply, ())
        ]
        return tuple(found) or (f"{self._prefix}{device}:{name}",)

    def _stored(self, device: str, name: str) -> Key:
        spec = self._ring.properties.get((device, name))
        return (device, spec.setting if spec else name)

    @cached_property
    def _by_setting(self) -> dict[Key, list[str]]:
        """Setpoints by the setting that is stored: a magnet's strength and its trim are one."""
        direct: dict[Key, list[str]] = defaultdict(list)
        by_state: dict[Key, list[str]] = defaultdict(list)
        for spec in self._specs:
            if not spec.writable:
                continue
            for key in {preset[:2] for presets in spec.presets for preset in presets}:
                by_state[self._stored(*key)].append(spec.name)
            if spec.device and not spec.presets:
                direct[self._stored(spec.device, spec.property)].append(spec.name)
        return dict(by_state) | dict(direct)

    @cached_property
    def _by_device(self) -> dict[str, list[str]]:
        return _grouped(spec for spec in self._specs if not spec.writable) | self._setpoints

    @cached_property
    def _setpoints(self) -> dict[str, list[str]]:
        return _grouped(spec for spec in self._specs if spec.writable)


def _grouped(specs: Iterable[PvSpec]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for spec in specs:
        if spec.device:
            grouped[spec.device].append(spec.name)
    return dict(grouped)
