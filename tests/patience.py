"""Patience of tests: how long they wait for what must happen, and client libraries whose own time-outs are as long.

On a loaded machine a healthy server may take many seconds for an answer. So a time-out that only a server that hangs
shall reach is `PATIENCE_S`; one that the test is about stands in the test.
"""

import sys
from collections.abc import Callable, Iterator
from inspect import Parameter, signature
from typing import Any

#: Time for anything that must happen [s].
PATIENCE_S = 60.0
#: Functions and classes whose time-outs are defaults of arguments, by module.
_CLIENTS = {
    "p4p.client.thread": ("Context",),
    "epics": ("caget", "caput", "cainfo", "caget_many", "caput_many"),
    "epics.pv": ("PV", "get_pv"),
}


def make_clients_patient() -> None:
    """Let the client libraries that are imported here wait for `PATIENCE_S` wherever a call names no time-out.

    Their defaults, 0.5 to 5 s, are for an operator who wants to be told soon. Those of pyepics for one channel, without
    a PV, stay.
    """
    for module, names in _CLIENTS.items():
        if (library := sys.modules.get(module)) is not None:
            for function in _functions(library, names):
                _wait_longer(function)
    if (ca := sys.modules.get("epics.ca")) is not None:
        ca.DEFAULT_CONNECTION_TIMEOUT = PATIENCE_S  # type: ignore[attr-defined]


def _functions(module: Any, names: tuple[str, ...]) -> Iterator[Callable[..., Any]]:
    for name in names:
        found = getattr(module, name)
        if isinstance(found, type):
            yield from (value for value in vars(found).values() if callable(value) and hasattr(value, "__defaults__"))
        else:
            yield found


def _wait_longer(function: Any) -> None:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not getattr(function, "__defaults__", None):
        return
    parameters = [p for p in signature(function).parameters.values() if p.default is not Parameter.empty]
    positional = [p for p in parameters if p.kind is not Parameter.KEYWORD_ONLY]
    function.__defaults__ = tuple(PATIENCE_S if "timeout" in p.name else p.default for p in positional)
