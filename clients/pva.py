"""PVs over PV Access, by p4p."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import Empty, Queue
from typing import Any

from p4p.client import raw
from p4p.client.thread import Context, Disconnected, RemoteError
from p4p.nt import NTURI

from gnomon.clients.errors import NoAnswerError, RefusedError
from gnomon.clients.pv_values import reading_of
from gnomon.clients.pva_subscriptions import Subscriptions
from gnomon.clients.reading import Reading
from gnomon.clients.sampled_values import PvaSampler
from gnomon.recorder.remote import client_settings, type_code


class PvaClient:
    """A connection to servers of PV Access, for names with their prefix; close it, or use it in a `with`."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        settings = client_settings(os.environ if environment is None else environment)
        self._context = Context("pva", conf=settings, useenv=False, nt=False)
        self._subscriptions = Subscriptions(self._context)

    def get(self, names: Sequence[str], timeout_s: float) -> list[Reading | None]:
        """Read PVs at the same time; None for one that no server answers in time. Raises RefusedError."""
        found = self._context.get(list(names), timeout=timeout_s, throw=False)
        readings: list[Reading | None] = []
        for name, value in zip(names, found, strict=True):
            if isinstance(value, RemoteError):
                raise RefusedError(str(value))
            readings.append(None if isinstance(value, Exception) else reading_of(name, value))
        return readings

    def put(self, name: str, value: Any, timeout_s: float, *, wait: bool = True) -> None:
        """Write a PV; a state by its number. Without `wait`, return when the server has taken the value.

        Raises RefusedError with the server's reason, and NoAnswerError.
        """
        done: Queue[Any] = Queue()
        # A read on the same connection is answered when the put before it shows in the PV, or is refused (decision 40).
        operation = raw.Context.put(self._context, name, done.put_nowait, builder=partial(_assign, value), get=False)
        try:
            if not wait:
                self._context.get(name, timeout=timeout_s, throw=False)
            answer = done.get(timeout=timeout_s) if wait else done.get_nowait()
        except Empty:
            if wait:
                raise NoAnswerError(f"{name}: the put was not completed within {timeout_s:g} s") from None
            return
        finally:
            if wait:
                operation.close()
        if isinstance(answer, RemoteError):
            raise RefusedError(str(answer))
        if isinstance(answer, Exception):
            raise NoAnswerError(f"{name}: the put was not completed: {type(answer).__name__} {answer}")

    def monitor(self, name: str, callback: Callable[[Reading | None], None]) -> Callable[[], None]:
        """Have `callback` called, in a thread, with each new reading, and with None whenever the PV disconnects.

        Returns a function that ends it.
        """

        def show(value: Any) -> None:
            if isinstance(value, Disconnected):
                callback(None)
            elif not isinstance(value, Exception):
                callback(reading_of(name, value))

        return self._subscriptions.add(name, show)

    def sampler(self) -> PvaSampler:
        """Make subscriptions whose news are asked for."""
        return PvaSampler(self._context)

    def call(self, name: str, arguments: Mapping[str, Any], timeout_s: float) -> Any:
        """Call a remote procedure and return its answer: a `p4p.Value`. Raises RefusedError, NoAnswerError."""
        kinds = [(key, type_code(value)) for key, value in arguments.items()]
        call = NTURI(kinds).wrap(name, kws=dict(arguments), scheme="pva")
        try:
            return self._context.rpc(name, call, timeout=timeout_s)
        except RemoteError as error:
            raise RefusedError(str(error)) from error
        except (TimeoutError, Disconnected) as error:
            raise NoAnswerError(f"{name}: no server answered within {timeout_s:g} s") from error

    def close(self) -> None:
        """Disconnect."""
        self._subscriptions.stop()
        self._context.close()

    def __enter__(self) -> "PvaClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _assign(value: Any, structure: Any) -> None:
    """Put the value where the server's structure keeps it."""
    structure["value.index" if structure.getID().startswith("epics:nt/NTEnum:") else "value"] = value
