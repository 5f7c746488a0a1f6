"""Puts and remote procedure calls of clients: who it is, the arguments, and the late answer."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np

from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.protocols import PutReply
from gnomon.ioc.servers.pva.replies import reply, sends_texts
from gnomon.lattice import GnomonError

_STOPPED = "the server stopped before this was complete"
_log = SparingLog(logging.getLogger(__name__))


class _Pending:
    """An operation that waits for its future, and is let go of as soon as it has been answered.

    The end of an operation's life waits for pvxs' thread, which may itself be waiting for a lock of ours in a put. So
    no operation may die while a lock is held: it dies here, not with whatever still holds the future.
    """

    def __init__(self, operation: Any, finish: Callable[[Any, Future[Any]], None]) -> None:
        self._operation = operation
        self._finish = finish

    def __call__(self, future: Future[Any]) -> None:
        operation, self._operation = self._operation, None
        self._finish(operation, future)


def answer_put(operation: Any, future: Future[PutReply]) -> None:
    """Have the client answered when the put is complete, by whichever thread completes it."""
    future.add_done_callback(_Pending(operation, _finish_put))


def answer_call(operation: Any, future: Future[Any]) -> None:
    """Have the client answered when the procedure has ended, by whichever thread ends it."""
    future.add_done_callback(_Pending(operation, _finish_call))


def arguments_of(value: Any) -> dict[str, Any]:
    """The arguments of a call as plain Python: the query of an NTURI, else all fields of the structure."""
    try:
        fields = value.todict()
        described = str(value.getID())
    except RuntimeError:  # a call that brings nothing
        return {}
    if not isinstance(fields, dict):  # a single value, which has no name
        return {}
    is_uri = described.startswith("epics:nt/NTURI:") or {"scheme", "path", "query"} <= fields.keys()
    arguments = fields.get("query") if is_uri else fields
    if not isinstance(arguments, dict):
        return {}
    return {str(name): _plain(argument) for name, argument in arguments.items()}


def reason_of(error: BaseException) -> str:
    """Return what a client reads about a failure: gnomon's own words, or the kind of a fault that nobody foresaw."""
    if isinstance(error, CancelledError):
        return _STOPPED
    text = str(error)
    if isinstance(error, GnomonError) and text:
        return text
    return f"internal error: {type(error).__name__}: {text}" if text else f"internal error: {type(error).__name__}"


def _finish_put(operation: Any, future: Future[PutReply]) -> None:
    error = CancelledError() if future.cancelled() else future.exception()
    if error is not None:
        _fail(operation, reason_of(error))
    elif not (reply := future.result()).accepted:
        operation.done(error=reply.message or "refused")
    else:
        operation.done()


def _finish_call(operation: Any, future: Future[Any]) -> None:
    error = CancelledError() if future.cancelled() else future.exception()
    if error is not None:
        _fail(operation, reason_of(error))
    else:
        operation.done(reply(future.result(), plain=sends_texts(arguments_of(operation.value()))))


def _fail(operation: Any, message: str) -> None:
    _log.info("%s by %s ended with: %s", operation.name(), operation.peer(), message)
    operation.done(error=message)


def _plain(argument: Any) -> Any:
    match argument:
        case np.ndarray() | np.generic():
            return argument.tolist()
        case Mapping():
            return {str(name): _plain(item) for name, item in argument.items()}
        case list() | tuple():
            return [_plain(item) for item in argument]
        case _:
            return argument
