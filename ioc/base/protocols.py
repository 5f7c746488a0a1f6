"""Interfaces between the servers and the commands: one sink for the puts of both protocols."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol, runtime_checkable

from gnomon.lattice import Client


@dataclass(frozen=True, slots=True)
class PutReply:
    """Result of a put: `message` has the reason if it was not accepted, `lattice_id` the new lattice if it was."""

    accepted: bool
    message: str = ""
    sequence: int = 0
    lattice_id: str = ""


class PutFuture(Future[PutReply]):
    """A put under way: it ends when the put is complete, and is shown before, when the PV shows what was put."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = False
        self._waiting: list[Callable[[], None]] = []
        self._lock = Lock()

    def show(self) -> None:
        """Say that the PV shows what was put, or that the put is refused. A second call does nothing."""
        with self._lock:
            self._shown = True
            waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()

    def when_shown(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, in whichever thread, once the put is shown; at once when it is."""
        with self._lock:
            if not self._shown:
                self._waiting.append(callback)
                return
        callback()

    def set_result(self, result: PutReply) -> None:
        """See `Future`."""
        super().set_result(result)
        self.show()

    def set_exception(self, exception: BaseException | None) -> None:
        """See `Future`."""
        super().set_exception(exception)
        self.show()


class PutSink(Protocol):
    """Takes puts from any thread; the order of calls is the order of commands."""

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        """Take a put to the PV at `index` of the bank. Never blocks, never raises.

        `value` is what the client sent, as float, int, str, list or array; one that has the wrong type, is out of
        range or goes to a read-only PV is refused here (and stands in the journal), so servers pass on everything.
        The future ends when the put is complete: a server then answers its client. What a client reads after a put of
        its own waits until that is shown.
        """
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """An answer that is a table: columns of equal length, by name."""

    columns: Mapping[str, Sequence[Any]]


#: The answer of a remote procedure: a text, fields by name, or rows of fields, of plain texts, numbers and None.
Answer = str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Table


class RpcHandler(Protocol):
    """A remote procedure behind a PV name (PV Access only)."""

    def __call__(self, arguments: dict[str, Any], client: Client) -> Future[Any]:
        """Start the procedure; never blocks. The future ends with an `Answer`, or a GnomonError."""
        ...


@runtime_checkable
class Query(Protocol):
    """A remote procedure that only tells something: who may read its name may call it."""

    changes_nothing: bool


@runtime_checkable
class Writer(Protocol):
    """A remote procedure that sets PVs: the access rules of those count, not only its own."""

    def writes(self, arguments: dict[str, Any]) -> Sequence[str]:
        """The names of the PVs that a call with these arguments would set."""
        ...
