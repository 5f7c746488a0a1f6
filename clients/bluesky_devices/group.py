"""Devices of one kind by name."""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from ophyd_async.core import DEFAULT_TIMEOUT, Device, DeviceMap, DeviceMock, wait_for_connection

from gnomon.clients.bluesky_devices.server_session import in_few_words
from gnomon.clients.errors import NoDeviceError
from gnomon.lattice.near_names import near_names_hint

__all__ = ["Group"]

DeviceT = TypeVar("DeviceT", bound=Device)

#: Devices of a group that are connected at the same time.
AT_ONCE = 50


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
        found = list(self.values())
        with in_few_words(self.name):
            # All at once, searches for thousands of PVs get lost.
            for start in range(0, 0 if mock else len(found), AT_ONCE):
                some = found[start : start + AT_ONCE]
                await wait_for_connection(**{each.name: each.connect(False, timeout, force_reconnect) for each in some})
            await super().connect(mock, timeout, force_reconnect)
