"""Health and figures of a server over HTTP: three pages to read, no more; a small server of the standard library."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from gnomon.ioc.app.twin import Twin
from gnomon.ioc.app.twin_figures import figures_of, unready
from gnomon.ioc.base.background_tasks import cancelled
from gnomon.ioc.base.exposition import CONTENT_TYPE, exposition
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.operations_config import MetricsConfig
from gnomon.lattice import GnomonError

__all__ = ["HealthPort", "HealthPortError"]

log = SparingLog(logging.getLogger("gnomon.health"))

#: Time for a request to come and for its answer to go [s], its largest size [bytes], and connections at a time.
MAX_S, MAX_REQUEST_BYTES, MAX_CONNECTIONS = 5.0, 8192, 16
TEXT = "text/plain; charset=utf-8"
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

#: Status, type and text of an answer.
Answer = tuple[int, str, str]


class HealthPortError(GnomonError):
    """The port cannot be opened; the text says which and why."""


class HealthPort:
    """Answers GET /healthz, /readyz and /metrics for the twins that `twins` lists."""

    def __init__(self, twins: Callable[[], Sequence[Twin]]) -> None:
        self._twins = twins
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self, config: MetricsConfig, stack: AsyncExitStack) -> str:
        """Listen until the stack is closed; returns the address. Raises HealthPortError."""
        try:
            server = await asyncio.start_server(
                self._begin, config.interface, config.port, limit=MAX_REQUEST_BYTES, backlog=MAX_CONNECTIONS
            )
        except OSError as error:
            raise HealthPortError(
                f"metrics.port: cannot listen on {config.interface}:{config.port}: {error.strerror or error}"
            ) from error
        stack.push_async_callback(self._end)
        stack.callback(server.close)
        host, port = server.sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def answer(self, method: str, path: str) -> Answer:
        """Answer a request."""
        if path not in ("/healthz", "/readyz", "/metrics"):
            return 404, TEXT, "there are /healthz, /readyz and /metrics\n"
        if method not in ("GET", "HEAD"):
            return 405, TEXT, "read only\n"
        twins = self._twins()
        if path == "/metrics":
            return 200, CONTENT_TYPE, exposition(figures_of(twins))
        if path == "/healthz":
            return 200, TEXT, "ok\n"  # the event loop, through which everything goes, answers
        reasons = [f"{twin.prefix}: {reason}" for twin in twins for reason in unready(twin.bank)]
        return (503, TEXT, "".join(f"{reason}\n" for reason in reasons)) if reasons else (200, TEXT, "ok\n")

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= MAX_CONNECTIONS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="health")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _end(self) -> None:
        for task in list(self._serving):
            await cancelled(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(MAX_S):
                await self._exchange(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.info("a request for health or figures was not complete in time, or too large")
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        first = request.partition(b"\r\n")[0].decode("latin-1").split(" ")
        method = first[0]
        status, kind, text = (
            self.answer(method, first[1].partition("?")[0])
            if len(first) == 3 and first[2].startswith("HTTP/1.")
            else (400, TEXT, "not a request of HTTP\n")
        )
        body = text.encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + (b"" if method == "HEAD" else body))
        await writer.drain()
