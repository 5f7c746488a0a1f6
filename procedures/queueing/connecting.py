"""Devices are connected when a plan first uses them: a worker starts at once, with or without the ring's server."""

from collections.abc import Generator
from typing import Any

import bluesky.preprocessors as bpp
from bluesky.utils import Msg
from ophyd_async.core import Device
from ophyd_async.plan_stubs import ensure_connected

__all__ = ["connecting"]

#: Messages that need a connected device.
USES = frozenset({"complete", "kickoff", "locate", "monitor", "prepare", "read", "set", "stage", "trigger"})


def connecting(plan: Generator[Msg, Any, Any]) -> Generator[Msg, Any, Any]:
    """Connect each device before the first message that uses it: a preprocessor for a Run Engine."""
    connected: set[int] = set()

    def before(message: Msg) -> Any:
        device = message.obj
        if message.command not in USES or not isinstance(device, Device) or id(device) in connected:
            return None, None
        connected.add(id(device))
        return _then(device, message), None

    return bpp.plan_mutator(plan, before)  # type: ignore[no-untyped-call,no-any-return]


def _then(device: Device, message: Msg) -> Generator[Msg, Any, Any]:
    yield from ensure_connected(device)
    return (yield message)
