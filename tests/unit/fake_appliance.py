"""An Archiver Appliance that gives recorded answers, in this process."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class FakeAppliance(ThreadingHTTPServer):
    """Answers `getDataAtTime` from `at` and `getData.raw` from `raw`, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, at: Mapping[str, object], raw: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.at, self.raw = at, raw
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.status = 200
        self.short_by = 0  # bytes that an answer lacks at its end
        self.pieces = 1  # in which an answer is sent, with a pause after each

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeAppliance

    def do_POST(self) -> None:
        names = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._note()
        self._answer(json.dumps({name: self.server.at[name] for name in names if name in self.server.at}).encode())

    def do_GET(self) -> None:
        query = self._note()
        self._answer(self.server.raw.get(query.get("pv", ""), b""))

    def _note(self) -> dict[str, str]:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.server.asked.append((parts.path, query))
        return query

    def _answer(self, body: bytes) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent, step = body[: len(body) - self.server.short_by], -(-len(body) // self.server.pieces)
        for begin in range(0, len(sent), step or 1):
            self.wfile.write(sent[begin : begin + step])
            self.wfile.flush()
            time.sleep(0.01 if self.server.pieces > 1 else 0.0)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def fake_appliance(
    at: Mapping[str, object] | None = None, raw: dict[str, bytes] | None = None
) -> Iterator[FakeAppliance]:
    """Serve recorded answers while the block runs."""
    with FakeAppliance(at or {}, raw or {}) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
