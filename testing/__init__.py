"""Tools for authors of client programs: a ring on free ports for each test, faults on request, scenarios of failures.

The pytest plugin and the scenarios stand on a running server and on what it answers over the network; they see no more
of the ring than the program under test could, except where a check says so. Names are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.testing.client_commands import Command, Commands, Journal
    from gnomon.testing.faults import Fault, Faults
    from gnomon.testing.playing import ScenarioFailed
    from gnomon.testing.ring import Orbit, ServedRing
    from gnomon.testing.truth import HiddenError, Truth
    from gnomon.testing.waiting import WaitedTooLong, wait_until

__all__ = [
    "Command",
    "Commands",
    "Fault",
    "Faults",
    "HiddenError",
    "Journal",
    "Orbit",
    "ScenarioFailed",
    "ServedRing",
    "Truth",
    "WaitedTooLong",
    "wait_until",
]

_MODULES = {
    "Command": "client_commands",
    "Commands": "client_commands",
    "Fault": "faults",
    "Faults": "faults",
    "HiddenError": "truth",
    "Journal": "client_commands",
    "Orbit": "ring",
    "ScenarioFailed": "playing",
    "ServedRing": "ring",
    "Truth": "truth",
    "WaitedTooLong": "waiting",
    "wait_until": "waiting",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
