"""A link to a machine that says what the test wants."""

import time
from collections.abc import Sequence
from typing import Any

from gnomon.ioc.shadow.link import LinkSink, Update


class FakeLink:
    """`Link` by hand; `names` is what the shadow watches."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.closed = False
        self._sink: LinkSink | None = None
        self._known: set[str] = set()

    def start(self, names: Sequence[str], sink: LinkSink) -> None:
        self.names, self._sink = list(names), sink

    def close(self) -> None:
        self.closed = True

    def say(self, values: dict[str, Any], severity: int = 0, time_ns: int | None = None) -> None:
        """The machine's PVs have new values; those that were not known are found."""
        assert self._sink is not None
        stamp = time.time_ns() if time_ns is None else time_ns
        updates = [
            Update(self.names.index(name), value, severity, stamp, name not in self._known)
            for name, value in values.items()
        ]
        self._known |= values.keys()
        self._sink.updated(updates)

    def lose(self, *names: str) -> None:
        """The machine's PVs, all or some, are out of reach."""
        assert self._sink is not None
        gone = [name for name in names or self.names if name in self._known]
        self._known.difference_update(gone)
        self._sink.lost([self.names.index(name) for name in gone])
