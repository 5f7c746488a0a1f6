"""Devices are connected when a plan first uses them: a worker starts at once, with or without the ring's server."""

from collections.abc import Callable, Generator
from typing import Any

import bluesky.preprocessors as bpp
from bluesky.utils import Msg
from ophyd_async.core import Device
from ophyd_async.plan_stubs import ensure_connected

__all__ = ["connecting"]

Plan = Generator[Msg, Any, Any]

#: Messages that need a connected device.
USES = frozenset({"complete", "kickoff", "locate", "monitor", "prepare", "read", "set", "stage", "trigger"})


def connecting(reach: Callable[[], object]) -> Callable[[Plan], Plan]:
    """Make a preprocessor for a Run Engine, which connects each device before the first message that uses it.

    `reach` is called before: the EPICS libraries learn where to search when they search for the first time.
    """

    def preprocessor(plan: Plan) -> Plan:
        connected: set[int] = set()

        def before(message: Msg) -> Any:
            device = message.obj
            if message.command not in USES or not isinstance(device, Device) or id(device) in connected:
                return None, None
            reach()
            connected.add(id(device))
            return _then(device, message), None

        return bpp.plan_mutator(plan, before)  # type: ignore[no-untyped-call,no-any-return]

    return preprocessor


def _then(device: Device, message: Msg) -> Plan:
    yield from ensure_connected(device)
    return (yield message)
