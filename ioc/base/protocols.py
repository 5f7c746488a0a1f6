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


class HangingPut(PutFuture):
    """A put that an injected fault never lets complete; `replaced` once another one has taken its place."""

    replaced = False

    def replace(self) -> None:
        """End it, because another put with completion has waited long enough for it."""
        if not self.done():
            self.replaced = True
            self.set_result(PutReply(False, "another put has taken its place"))


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


class ConnectionGate(Protocol):
    """Injected faults of the connections to the PVs of a bank, as servers ask for them; names are those of records.

    Whoever puts it up tells the servers when channels have to end, or rights to be told anew.
    """

    @property
    def idle(self) -> bool:
        """True while nothing is disconnected, late or denied: nothing else needs to be asked."""
        ...

    def is_lost(self, name: str) -> bool:
        """Return whether no client may find a name or have a channel to it. Safe to call from any thread."""
        ...

    def is_denied(self, name: str, *, reading: bool = False) -> bool:
        """Return whether a name may not be written, or not even be read. Safe to call from any thread."""
        ...

    def search_delay_s(self, name: str) -> float:
        """Return the time by which the answer to this search for a name is late [s]; counts as an answer."""
        ...

    def channel_delay_s(self, name: str) -> float:
        """Return the time by which this channel to a name is made late [s]; counts as a channel."""
        ...


class OpenGate:
    """No faults of connections."""

    idle = True

    def is_lost(self, name: str) -> bool:
        """See `ConnectionGate`."""
        return False

    def is_denied(self, name: str, *, reading: bool = False) -> bool:
        """See `ConnectionGate`."""
        return False

    def search_delay_s(self, name: str) -> float:
        """See `ConnectionGate`."""
        return 0.0

    def channel_delay_s(self, name: str) -> float:
        """See `ConnectionGate`."""
        return 0.0


#: The gate of a bank whose connections are never disturbed.
OPEN_GATE = OpenGate()


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
