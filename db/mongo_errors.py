"""Failures of a MongoDB server as errors that say which database, what happened, and what to do."""

from gnomon.db.mongo_address import FILE_OPTIONS, PASSWORD_VARIABLE, MongoAddress
from gnomon.db.store import AwayError, StoreError, TooLargeError

__all__ = ["NO_CHANGE_STREAMS", "is_duplicate", "store_error"]

#: Codes of MongoDB: a key that is there already, a wrong password, a user without the right, and several of the latter.
DUPLICATE_KEY = 11000
AUTHENTICATION_FAILED = 18
UNAUTHORIZED = (13, 8000)
#: A document above the limit, which the server says of one that the library lets through.
TOO_LARGE = 10334
#: Codes with which a server says that it has no change streams: one that is not a replica set, or a service like it.
NO_CHANGE_STREAMS = (40573, 40324, 115, 59)


def is_duplicate(error: Exception) -> bool:
    """Tell whether an insertion may have failed because the key is there already.

    Servers that speak MongoDB's protocol do not all give the code: one without a code may be it, too.
    """
    codes = _codes(error)
    return DUPLICATE_KEY in codes or codes == {None}


def store_error(error: Exception, address: MongoAddress) -> StoreError:
    """Say what a failure means. No text of it has the password."""
    from pymongo.errors import (
        AutoReconnect,
        ConfigurationError,
        DocumentTooLarge,
        ExecutionTimeout,
        InvalidURI,
        OperationFailure,
        ServerSelectionTimeoutError,
    )

    reason = _reason(error, address)
    match error:
        case OperationFailure(code=code) if code == AUTHENTICATION_FAILED:
            user = f"user {address.user!r}" if address.user else "a client without a user"
            return StoreError(
                f"{address}: the server refuses {user} ({reason}): check the name, and the password in "
                f"{PASSWORD_VARIABLE} or in the file that the address names (?passwordFile=FILE)"
            )
        case OperationFailure(code=code) if code in UNAUTHORIZED:
            return StoreError(
                f"{address}: the server does not allow this ({reason}): the user {address.user!r} needs the role "
                f"readWrite on the database {address.database!r}"
            )
        case ServerSelectionTimeoutError():
            return AwayError(
                f"{address}: no MongoDB server answers ({reason}): is it running, and is the address right?"
            )
        case AutoReconnect() | ExecutionTimeout():
            return AwayError(
                f"{address}: the connection to the MongoDB server was lost, or it took too long ({reason}): try again"
            )
        case _ if isinstance(error, DocumentTooLarge) or TOO_LARGE in _codes(error):
            return TooLargeError(f"{address}: the document is too large for MongoDB, which takes 16 MB ({reason})")
        case ConfigurationError() if "password is required" in reason:
            return StoreError(
                f"{address}: there is no password for the user {address.user!r}: set {PASSWORD_VARIABLE}, or name a "
                "file in the address (?passwordFile=FILE)"
            )
        case InvalidURI() | ConfigurationError() | ValueError() | OSError() | UserWarning():
            given = ", ".join(f"{k}={v}" if k in FILE_OPTIONS else k for k, v in address.options)
            check = f"host, port and options ({given})" if given else "host and port"
            return StoreError(f"{address}: the address cannot be used ({reason}): check {check}")
    return StoreError(f"{address}: the document store failed: {reason}")


def _codes(error: Exception) -> set[int | None]:
    details = getattr(error, "details", None) or {}
    return {getattr(error, "code", None), *(each.get("code") for each in details.get("writeErrors", ()))}


def _reason(error: Exception, address: MongoAddress) -> str:
    """The first part of the library's message: what follows lists all servers and their states."""
    text = str(error).partition(", full error:")[0].partition(", Timeout:")[0].partition(" (configured timeouts")[0]
    return " ".join(text.split()).replace(address.password, "***") if address.password else " ".join(text.split())
