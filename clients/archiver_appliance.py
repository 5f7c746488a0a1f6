"""The Archiver Appliance over HTTP: values at one time (JSON), histories (PB)."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from gnomon.clients.errors import ClientError
from gnomon.lattice.text import shorten
from gnomon.recorder.archives import Archive, ArchiveError, parse_answer_at

__all__ = ["ApplianceError", "ArchiverAppliance"]

#: PVs that are asked for in one request.
TOGETHER = 500
#: Largest answer [bytes].
MAX_ANSWER_BYTES = 2**28
#: How far back the appliance looks for the last value before a time: settings may stay for months.
SEARCH_PERIOD = "P365D"


class ApplianceError(ClientError):
    """An archiver that does not answer, or refuses; the text has its address and the reason."""


class ArchiverAppliance:
    """An appliance at a URL, of its retrieval or of the computer; raises ApplianceError, ArchiveError."""

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ApplianceError(f"{shorten(url)} is not the address of an archiver; use http://HOST:17668")
        base = url.rstrip("/")
        self.url = base if parts.path.strip("/") else f"{base}/retrieval"
        self._timeout_s = timeout_s

    def values_at(self, names: Sequence[str], time_ns: int) -> Archive:
        """Ask for the last values of PVs at or before a time; what is not archived is not in the answer."""
        found = Archive()
        query = urlencode({"at": _iso(time_ns), "searchPeriod": SEARCH_PERIOD})
        for begin in range(0, len(names), TOGETHER):
            body = json.dumps(names[begin : begin + TOGETHER]).encode()
            answer = self._ask(f"data/getDataAtTime?{query}", body)
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

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = Request(f"{self.url}/{path}", body, headers)
        try:
            with urlopen(request, timeout=self._timeout_s) as answer:
                data: bytes = answer.read(MAX_ANSWER_BYTES + 1)
        except HTTPError as error:
            if error.code == 404 and body is None:  # a PV that is not archived
                return b""
            raise ApplianceError(f"{self.url}: the archiver answers {error.code} {error.reason}") from error
        except (URLError, HTTPException, OSError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise ApplianceError(f"{self.url}: the archiver cannot be asked: {reason}") from error
        if len(data) > MAX_ANSWER_BYTES:
            raise ApplianceError(f"{self.url}: an answer larger than {MAX_ANSWER_BYTES / 2**20:g} MiB; ask for less")
        return data


def _iso(time_ns: int) -> str:
    """Format a time as the appliance reads it: UTC, milliseconds."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns // 1_000_000 % 1000:03d}Z"
