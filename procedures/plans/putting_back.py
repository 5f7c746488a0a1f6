"""One wrapper for all plans: the machine is as it was found however the plan ends, and it is checked."""

import time
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
from bluesky.preprocessors import finalize_wrapper, plan_mutator
from bluesky.utils import FailedStatus, Msg

from gnomon.procedures.errors import ProcedureError

__all__ = ["NotRestoredError", "restoring", "restoring_what_moves", "setpoint_of"]

T = TypeVar("T")
Plan = Generator[Msg, Any, T]

#: Longest time for which a setting that does not go back is tried again, and the time between two trials [s].
PATIENCE_S, PAUSE_S = 60.0, 1.0


class NotRestoredError(ProcedureError):
    """Settings that could not be put back; `settings` has their values from before by name."""

    def __init__(self, message: str, settings: dict[str, Any]) -> None:
        super().__init__(message)
        self.settings = settings


def restoring(
    plan: Plan[T], devices: Iterable[Any], *, patience_s: float = PATIENCE_S, pause_s: float = PAUSE_S
) -> Plan[T]:
    """Run a plan that moves `devices`; then put each back to its setpoint from before, and check that it is there.

    So it ends after success, an exception, Ctrl-C, a lost beam, and a lost connection, which is waited for. One device
    that does not go back does not keep the others from it. Raises NotRestoredError with what is left, and its values.
    """
    found: list[tuple[Any, Any]] = []
    for device in devices:
        found.append((device, (yield from setpoint_of(device))))
    result: T = yield from finalize_wrapper(plan, lambda: _put_back(found, patience_s, pause_s))  # type: ignore[no-untyped-call]
    return result


def restoring_what_moves(plan: Plan[T], *, patience_s: float = PATIENCE_S, pause_s: float = PAUSE_S) -> Plan[T]:
    """Do the same for whatever a plan sets: each device's setpoint is read before it is set for the first time.

    For plans of users, which may not say what they move.
    """
    found: list[tuple[Any, Any]] = []
    kept: list[T] = []

    def keep() -> Plan[None]:
        kept.append((yield from plan))

    def look_first(message: Msg) -> tuple[Plan[Any] | None, None]:
        if message.command != "set" or any(message.obj is device for device, _ in found):
            return None, None

        def remember() -> Plan[Any]:
            found.append((message.obj, (yield from setpoint_of(message.obj))))
            return (yield message)

        return remember(), None

    mutated = plan_mutator(keep(), look_first)  # type: ignore[no-untyped-call]
    yield from finalize_wrapper(mutated, lambda: _put_back(found, patience_s, pause_s))  # type: ignore[no-untyped-call]
    return kept[0]


def setpoint_of(device: Any) -> Plan[Any]:
    """Ask a device for its setpoint."""
    location = yield Msg("locate", device, squeeze=True)  # type: ignore[no-untyped-call]
    return location["setpoint"]


def _put_back(found: list[tuple[Any, Any]], patience_s: float, pause_s: float) -> Plan[None]:
    end = time.monotonic() + patience_s
    # The last that was moved goes back first, as one takes down what one has built.
    left = [*reversed(found)]
    reason = ""
    while left:
        still: list[tuple[Any, Any]] = []
        for device, before in left:
            try:
                yield from _put_one_back(device, before)
            except Exception as error:  # noqa: BLE001  whatever failed, the others go back, and it is tried again
                reason = _reason(error)
                still.append((device, before))
        left = still
        if left and time.monotonic() > end:
            settings = {device.name: before for device, before in left}
            told = ", ".join(f"{name} to {value}" for name, value in settings.items())
            raise NotRestoredError(f"not put back: {told}; {reason}. Set by hand", settings)
        if left:
            yield from bps.sleep(pause_s)


def _put_one_back(device: Any, before: Any) -> Plan[None]:
    present = yield from setpoint_of(device)
    if present != before:
        # Done when the readback is there: that is the device's own check.
        yield from bps.abs_set(device, before, wait=True)
        present = yield from setpoint_of(device)
    if present != before:
        raise ProcedureError(f"{device.name} is at {present} after it was put back to {before}")


def _reason(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error, FailedStatus) and error.__cause__ is not None else error
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
