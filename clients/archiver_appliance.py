"""The Archiver Appliance over HTTP: values at one time (JSON), histories (PB)."""

import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from gnomon.clients.errors import ClientError
from gnomon.lattice.text import printable, shorten
from gnomon.recorder.archives import Archive, ArchiveError, parse_answer_at

__all__ = ["ApplianceError", "ArchiverAppliance"]

#: PVs that are asked for in one request.
TOGETHER = 500
#: Largest answers [bytes]: a history of one PV, and values of some PVs at one time.
MAX_ANSWER_BYTES, MAX_VALUES_BYTES = 2**25, 2**24
#: Time for a whole answer, in times of that for each part of it.
WHOLE_ANSWER = 20
#: Bytes that are read together.
PART_BYTES = 2**16
#: How far back the appliance looks for the last value before a time: settings may stay for months.
SEARCH_PERIOD = "P365D"


class ApplianceError(ClientError):
    """An archiver that does not answer, or refuses; the text has its address and the reason."""


class ArchiverAppliance:
    """An appliance at a URL, of its retrieval or of the computer; raises ApplianceError, ArchiveError."""

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        try:
            parts = urlsplit(url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            fits = False
        if not fits:
            raise ApplianceError(f"{shorten(url)} is not the address of an archiver; use http://HOST:17668")
        if "@" in parts.netloc:  # which messages and snapshots would show
            raise ApplianceError(
                "the archiver's address has a user or a password in it; use http://HOST:17668: the appliance asks for "
                "none"
            )
        base = url.rstrip("/")
        self.url = base if parts.path.strip("/") else f"{base}/retrieval"
        self._timeout_s = timeout_s

    def values_at(self, names: Sequence[str], time_ns: int) -> Archive:
        """Ask for the last values of PVs at or before a time; what is not archived is not in the answer."""
        found = Archive()
        query = urlencode({"at": _iso(time_ns), "searchPeriod": SEARCH_PERIOD})
        for begin in range(0, len(names), TOGETHER):
            body = json.dumps(names[begin : begin + TOGETHER]).encode()
            answer = self._ask(f"data/getDataAtTime?{query}", body, MAX_VALUES_BYTES)
            try:
                found.add(parse_answer_at(answer))
            except ArchiveError as error:
                raise ApplianceError(f"{self.url}: {error}") from error
        return found

    def history(self, names: Iterable[str], from_ns: int, to_ns: int) -> Iterable[tuple[str, bytes]]:
        """Ask for the samples of each PV in a time, with the last one before it: names, and chunks of PB."""
        for name in names:
            query = urlencode({"pv": name, "from": _iso(from_ns), "to": _iso(to_ns)})
            yield name, self._ask(f"data/getData.raw?{query}")

    def _ask(self, path: str, body: bytes | None = None, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = Request(f"{self.url}/{path}", body, headers)
        try:
            with urlopen(request, timeout=self._timeout_s) as answer:
                return self._whole(answer, max_bytes)
        except HTTPError as error:
            if error.code == 404 and body is None:  # a PV that is not archived
                return b""
            raise ApplianceError(
                f"{self.url}: the archiver answers {error.code} {printable(str(error.reason))}"
            ) from error
        except (URLError, HTTPException, OSError, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise ApplianceError(f"{self.url}: the archiver cannot be asked: {reason}") from error

    def _whole(self, answer: HTTPResponse, max_bytes: int) -> bytes:
        """Read an answer to its end, which must come in time: one that sends a byte now and then would never end."""
        deadline = time.monotonic() + WHOLE_ANSWER * self._timeout_s
        data = bytearray()
        while part := answer.read1(PART_BYTES):
            data += part
            if len(data) > max_bytes:
                raise ApplianceError(f"{self.url}: an answer larger than {max_bytes / 2**20:g} MiB; ask for less")
            if time.monotonic() > deadline:
                raise ApplianceError(
                    f"{self.url}: the answer did not end within {WHOLE_ANSWER * self._timeout_s:g} s; ask for less, or "
                    "allow more with --timeout"
                )
        if answer.length:
            raise ApplianceError(f"{self.url}: the answer ended {answer.length} bytes too early; ask again")
        return bytes(data)


def _iso(time_ns: int) -> str:
    """Format a time as the appliance reads it: UTC, milliseconds."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns // 1_000_000 % 1000:03d}Z"
