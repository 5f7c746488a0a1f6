"""Messages of plans that set and read thousands of times, without the stack that stubs of Bluesky each keep."""

from collections.abc import Generator, Mapping
from typing import Any

from bluesky.utils import Msg

__all__ = ["set_device", "set_devices", "take_reading"]

Plan = Generator[Msg, Any, Any]


def set_device(device: Any, value: Any) -> Plan:
    """Set a device, and wait until it is there."""
    yield from set_devices([(device, value)])


def set_devices(values: "list[tuple[Any, Any]]") -> Plan:
    """Set devices at the same time, and wait until all are there."""
    for device, value in values:
        yield Msg("set", device, value, group="set")  # type: ignore[no-untyped-call]
    yield Msg("wait", None, group="set")  # type: ignore[no-untyped-call]


def take_reading(detector: Any) -> Generator[Msg, Any, Mapping[str, Any]]:
    """Trigger and read a detector as an event; return the reading. A Run Engine that is paused begins here again."""
    yield Msg("checkpoint")  # type: ignore[no-untyped-call]
    yield Msg("trigger", detector, group="trigger")  # type: ignore[no-untyped-call]
    yield Msg("wait", None, group="trigger")  # type: ignore[no-untyped-call]
    yield Msg("create", None, name="primary")  # type: ignore[no-untyped-call]
    try:
        found: Mapping[str, Any] = yield Msg("read", detector)  # type: ignore[no-untyped-call]
    except Exception:  # whatever ended the reading, also an abort: its event is dropped, and the reason goes on
        yield Msg("drop")  # type: ignore[no-untyped-call]
        raise
    yield Msg("save")  # type: ignore[no-untyped-call]
    return found
