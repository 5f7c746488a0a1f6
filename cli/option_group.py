"""Groups of options that several commands share, each written once: a dataclass, or a function that makes something."""

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

Command = Callable[..., None]


def with_options(
    parameter: str, make: Callable[..., Any], without: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Give a command the options of a group in the place of one of its parameters, which gets what `make` returns.

    The options are the parameters of `make`, for a dataclass its fields, but for those in `without`, which keep their
    defaults. A command may have several groups.
    """
    options = {name: each for name, each in inspect.signature(make).parameters.items() if name not in without}

    def decorate(command: Command) -> Command:
        own = inspect.signature(command).parameters

        @wraps(command)
        def run(**arguments: Any) -> None:
            chosen = {name: arguments.pop(name) for name in options}
            command(**arguments, **{parameter: make(**chosen)})

        together = [each for name in own for each in (options.values() if name == parameter else [own[name]])]
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in together]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate
