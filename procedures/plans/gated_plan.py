"""Bluesky plans through the gate: each `set` is decided before it is made, and compared with its band after it.

The gate is not machine protection and must not be counted as such.
"""

import asyncio
from collections.abc import Callable, Generator
from typing import Any
from uuid import uuid4

from bluesky.preprocessors import plan_mutator
from bluesky.utils import Msg

from gnomon.db.canonical_name import canonical_name
from gnomon.procedures.errors import ProcedureError
from gnomon.recorder.gating import Gate

__all__ = ["gated", "written_pv"]

Plan = Generator[Msg, Any, Any]

#: Beginning of the groups of our own messages, which are not looked at again.
OURS = "gate-"


def gated(plan: Plan, gate: Gate, pv_of: Callable[[Any], str] | None = None) -> Plan:
    """Let a plan set devices through the gate alone, one after the other, in parts where the gate needs them.

    Devices that the plan sets together are set in turn: the gate compares the machine after each. `pv_of` finds the
    full name of the PV that a device sets; by default, it is that of its setpoint. The gate puts back what was
    written if it is a context manager around the run: `with gate: engine(gated(plan, gate))`.

    Raises, within the plan, what the gate raises, and ProcedureError for a device without a setpoint.
    """
    find = pv_of or written_pv

    def through(message: Msg) -> tuple[Plan | None, None]:
        if message.command != "set" or str(message.kwargs.get("group")).startswith(OURS):
            return None, None
        return _set(message, gate, find(message.obj)), None

    result: Plan = plan_mutator(plan, through)  # type: ignore[no-untyped-call]
    return result


def written_pv(device: Any) -> str:
    """Find the PV that a device sets: a `Setting`, or a signal of ophyd-async or ophyd. Raises ProcedureError."""
    for each in (getattr(device, "setpoint", None), device):
        for name in ("source", "setpoint_pvname", "pvname"):
            if isinstance(found := getattr(each, name, None), str) and found:
                return canonical_name(found)
    raise ProcedureError(f"{getattr(device, 'name', device)}: the PV of its setpoint is not known; tell it with pv_of")


def _set(message: Msg, gate: Gate, pv: str) -> Plan:
    value = float(message.args[0])
    while True:
        part = yield from _aside(lambda: gate.next_value(pv, value))
        yield from _aside(lambda part=part: gate.allow(pv, part))  # type: ignore[misc]
        group = f"{OURS}{uuid4()}"
        status = yield message._replace(args=(part, *message.args[1:]), kwargs={**message.kwargs, "group": group})
        yield Msg("wait", None, group=group)  # type: ignore[no-untyped-call]
        yield from _aside(gate.confirm)
        if part == value:
            return status


def _aside(call: Callable[[], Any]) -> Plan:
    """Call something that waits without holding up the Run Engine; raise in the plan what it raises."""
    outcome: list[Any] = []

    async def in_a_thread() -> None:
        try:
            outcome.append((await asyncio.to_thread(call), None))
        except Exception as error:  # noqa: BLE001 - raised in the plan, below
            outcome.append((None, error))

    yield Msg("wait_for", None, [in_a_thread])  # type: ignore[no-untyped-call]
    ((result, error),) = outcome
    if error is not None:
        raise error
    return result
