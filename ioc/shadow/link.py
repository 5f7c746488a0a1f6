"""The seam between a shadow and the machine's network: names go in, values come out, and nothing else passes.

There is no way to write through a link. What stands in this folder imports no client that could (an import contract in
pyproject.toml), and the Channel Access link does not even know the messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: EPICS's severity of a value that means nothing.
INVALID = 3


@dataclass(frozen=True, slots=True)
class Update:
    """A PV of the machine at one moment: its number in the list of names, and what the machine said.

    `value` is a float, a text or an array. `first` marks the first value after the PV was found, or found again.
    """

    channel: int
    value: Any
    severity: int
    time_ns: int
    first: bool


class LinkSink(Protocol):
    """Receiver of what a link hears, in the event loop."""

    def updated(self, updates: Sequence[Update]) -> None:
        """Take new values, in the order in which the machine sent them."""
        ...

    def lost(self, channels: Sequence[int]) -> None:
        """Note that these PVs are out of reach; they are searched for again without being told."""
        ...


class Link(Protocol):
    """Monitors PVs of a machine, all of them by one connection where that is possible; reconnects by itself."""

    def start(self, names: Sequence[str], sink: LinkSink) -> None:
        """Begin to search for `names` and to watch them, once."""
        ...

    def close(self) -> None:
        """End; the sink hears nothing more."""
        ...
