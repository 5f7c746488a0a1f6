"""Errors of clients: no server, no such PV, refused, no answer."""

from collections.abc import Sequence

from gnomon.lattice import GnomonError

__all__ = ["ClientError", "NoAnswerError", "NoServerError", "NotFoundError", "RefusedError"]


class ClientError(GnomonError):
    """A running server could not be found or asked, or refused."""


class NoServerError(ClientError):
    """No server runs, or several do and none was chosen; the text says how to choose."""


class NotFoundError(ClientError):
    """A PV that no server serves; `names` are those that were asked for."""

    exit_code = 2  # of the command line: wrong use

    def __init__(self, message: str, names: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.names = tuple(names)


class RefusedError(ClientError):
    """The server refused; the text is the server's own."""


class NoAnswerError(ClientError):
    """A server that did not answer in time."""
