"""Devices for Bluesky, made from a machine document and a PV document: ophyd-async, over both protocols.

`gnomon.clients.devices` makes them. This package needs the extra `gnomon[bluesky]`.
"""

from gnomon.clients.bluesky_devices.group import Group
from gnomon.clients.bluesky_devices.injection_device import Injector
from gnomon.clients.bluesky_devices.measurement import Measurement
from gnomon.clients.bluesky_devices.monitors import Monitors, Tunes
from gnomon.clients.bluesky_devices.others import Current, Magnet, Multiplexer, ReferenceOrbit
from gnomon.clients.bluesky_devices.reach import reach_server
from gnomon.clients.bluesky_devices.ring_devices import RingDevices, make_devices
from gnomon.clients.bluesky_devices.server_session import ServerKind
from gnomon.clients.bluesky_devices.setting import Setting
from gnomon.clients.bluesky_devices.signals import Protocol

__all__ = [
    "Current",
    "Group",
    "Injector",
    "Magnet",
    "Measurement",
    "Monitors",
    "Multiplexer",
    "Protocol",
    "ReferenceOrbit",
    "RingDevices",
    "ServerKind",
    "Setting",
    "Tunes",
    "make_devices",
    "reach_server",
]
