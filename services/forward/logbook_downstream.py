"""An electronic logbook: one POST of JSON for each item, with its key in the header `Idempotency-Key`."""

import asyncio
import http.client
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from gnomon.ioc.base.forward_config import LogbookConfig
from gnomon.lattice.text import printable, shorten
from gnomon.services.forward.downstream import DeliveryError, Parcel, RefusedItemError
from gnomon.services.forward.forward_messages import Kind

__all__ = ["LogbookDownstream"]

#: Time for an answer [s], and the part of one that is read [bytes].
ANSWER_S, MAX_ANSWER = 10.0, 4096
#: Answers that mean "it is here already", and those that mean "try again".
THERE, AGAIN = (409,), (408, 421, 423, 425, 429)


class LogbookDownstream:
    """A logbook behind a URL. The token goes in the header `Authorization`; redirects are not followed with it."""

    name = "logbook"
    batch = 20
    from_oldest = False

    def __init__(self, config: LogbookConfig, token: str | None = None) -> None:
        self._url = urlsplit(str(config.url))
        self.kinds: frozenset[Kind] = frozenset(config.what)
        self._ca_file = config.ca_file
        self._token = token

    @asynccontextmanager
    async def session(self, prefix: str, journal: str) -> "AsyncIterator[LogbookSession]":
        """See `Downstream`."""
        connection = await asyncio.to_thread(self._connect)
        try:
            yield LogbookSession(connection, self._url.path or "/", self._url.query, self._token)
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        try:
            if self._url.scheme == "https":
                context = ssl.create_default_context(cafile=self._ca_file)
                return http.client.HTTPSConnection(host, self._url.port, timeout=ANSWER_S, context=context)
            return http.client.HTTPConnection(host, self._url.port, timeout=ANSWER_S)
        except OSError as error:
            raise DeliveryError(f"a file of certificates cannot be used: {error}") from error


class LogbookSession:
    """A connection to a logbook."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, query: str, token: str | None) -> None:
        self._connection = connection
        self._target = f"{path}?{query}" if query else path
        self._authorization = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def deliver(self, parcels: Sequence[Parcel]) -> None:
        """See `Session`: one entry after the other."""
        for number, parcel in enumerate(parcels):
            try:
                status, answer = await asyncio.to_thread(self._post, parcel)
            except (OSError, http.client.HTTPException) as error:
                what = str(error) or type(error).__name__
                raise DeliveryError(f"the logbook cannot be reached: {what}", number) from error
            if 200 <= status < 300 or status in THERE:
                continue
            reason = f"the logbook answers {status} to {parcel.key}: {shorten(printable(answer))}"
            if status in AGAIN or status >= 500:
                raise DeliveryError(reason, number)
            raise RefusedItemError(reason, number)

    async def lost(self) -> None:
        """See `Session`: a connection that was closed is opened again with the next entry."""
        await asyncio.Event().wait()

    def _post(self, parcel: Parcel) -> tuple[int, str]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": parcel.key, **self._authorization}
        try:
            self._connection.request("POST", self._target, parcel.encode(), headers)
            answer = self._connection.getresponse()
            text = answer.read(MAX_ANSWER)
            if not answer.isclosed():  # more than is read
                self._connection.close()
            return answer.status, text.decode("utf-8", "replace")
        except BaseException:
            self._connection.close()
            raise
