"""Patience of tests: how long they wait for what must happen, and client libraries whose own time-outs are as long.

On a loaded machine a healthy server may take many seconds for an answer. So a time-out that only a server that hangs
shall reach is `PATIENCE_S`; one that the test is about stands in the test.
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps
from inspect import Parameter, signature
from typing import Any

#: Time for anything that must happen [s].
PATIENCE_S = 60.0
#: Times of a test are so much longer when it is run once more.
SLOW_PACE = 8.0
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


def wait_for(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> bool:
    """Wait until something is so, and tell whether it is."""
    end = time.monotonic() + patience_s
    while not (true := condition()) and time.monotonic() < end:
        time.sleep(0.005)
    return bool(true)


def at_any_pace(test: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a test of something that is timed: it gets `pace`, by which it multiplies its times.

    They are short at first. If the test fails, it is run once more with long ones, against which the pauses of a busy
    computer do not count; a mistake in the program is there at any pace.
    """

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        for pace in (1.0, SLOW_PACE):
            try:
                test(*arguments, pace=pace, **named)
            except Exception as error:
                if pace == SLOW_PACE:
                    raise
                print(f"once more, {SLOW_PACE:g} times as slow, after {type(error).__name__}: {error}")
            else:
                return

    described = signature(test)
    asked = [parameter for name, parameter in described.parameters.items() if name != "pace"]
    run.__signature__ = described.replace(parameters=asked)  # type: ignore[attr-defined]
    return run
