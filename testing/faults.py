"""Faults in the hands of a test: `ring.fault("reading_stuck", "BPMZ6D1R")`, with the keys of `gnomon fault add`."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from gnomon.clients.errors import RefusedError

__all__ = ["Fault", "Faults"]

Call = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Fault:
    """An injected fault: its number, and its text as the journal has it. Used with `with`, it ends with the block."""

    id: int
    text: str
    _call: Call

    def clear(self) -> None:
        """End the fault; nothing happens if it is over already."""
        with suppress(RefusedError):
            self._call("dt:fault", {"do": "clear", "id": str(self.id)})

    @property
    def active(self) -> bool:
        """True as long as it can still act."""
        return any(int(each["id"]) == self.id for each in self._call("dt:fault", {"do": "list"}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def __repr__(self) -> str:
        return f"<{self.text}>"


class Faults:
    """The faults of one ring. All end with the test."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __call__(self, kind: str, device: str | None = None, **keys: float | str | bool) -> Fault:
        """Add a fault: its kind, a pattern of devices where the kind has one, and further keys.

        For example `ring.fault("abandon", "HS*", count=3)`, `ring.fault("reading_offset", "BPMZ6D1R", offset=0.3)`.
        `gnomon fault kinds` lists the kinds and keys. Raises RefusedError, with the nearest right spelling.
        """
        given: dict[str, Any] = {"kind": kind, **({} if device is None else {"device": device}), **keys}
        texts = {key: _text(value) for key, value in given.items()}
        __tracebackhide__ = True  # a test's author has to see the call, and the reason
        try:
            added = self._call("dt:fault", {"do": "add", **texts})
        except RefusedError as error:
            raise RefusedError(str(error)) from None
        number = int(added["id"])
        return Fault(number, str(added.get("text", f"fault {number}")), self._call)

    def active(self) -> list[str]:
        """Describe the faults that can still act."""
        return [str(each["text"]) for each in self._call("dt:fault", {"do": "list"})]

    def clear(self) -> None:
        """End all faults."""
        self._call("dt:fault", {"do": "clear"})

    def __repr__(self) -> str:
        return f"<faults: {'; '.join(self.active()) or 'none'}>"


def _text(value: float | str | bool) -> str:
    """Write a value as the command line sends it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)
