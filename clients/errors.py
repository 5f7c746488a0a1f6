"""Errors of clients: no server, no such PV, refused, no answer."""

from collections.abc import Sequence

from gnomon.lattice import GnomonError

__all__ = [
    "ClientError",
    "NoAnswerError",
    "NoBeamError",
    "NoDeviceError",
    "NoServerError",
    "NotFoundError",
    "NotReachedError",
    "RefusedError",
    "SeveralServersError",
    "StaleReadingError",
]


class ClientError(GnomonError):
    """A running server could not be found or asked, or refused."""


class NoServerError(ClientError):
    """No server runs, or several do and none was chosen; the text says how to choose."""


class SeveralServersError(NoServerError):
    """Several servers run, and nothing chooses one."""


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


class NoDeviceError(NotFoundError, KeyError):
    """A device that a machine does not have; the text has the nearest names."""

    __str__ = Exception.__str__


class NotReachedError(ClientError, TimeoutError):
    """A readback that did not arrive at its setpoint in time."""


class StaleReadingError(ClientError, TimeoutError):
    """No reading came that is newer than the last setting."""


class NoBeamError(ClientError):
    """A reading is INVALID: there is no beam, or no measurement; the text says why, where the server does."""
