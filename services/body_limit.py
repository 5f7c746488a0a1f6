"""Limits on requests: their size, whether or not they say it first, and the time in which they must have arrived."""

import asyncio

from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gnomon.services.problems import PROBLEM_JSON, ProblemError


def answer_of(error: ProblemError) -> Response:
    """Make the answer that is a problem document."""
    return Response(error.problem.model_dump_json(exclude_none=True), error.problem.status, error.headers, PROBLEM_JSON)


class BodyLimit:
    """Reads a request's body before anything else sees it; refuses one of more than `max_bytes`, or a slow one."""

    def __init__(self, app: ASGIApp, max_bytes: int, max_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_s = max_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and len(length) < 20 and int(length) > self._max_bytes:
            await answer_of(self._too_large())(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._max_s):
                body = await self._read(receive)
        except TimeoutError:
            await answer_of(self._too_slow())(scope, receive, send)
            return
        except ProblemError as error:
            await answer_of(error)(scope, receive, send)
            return
        if body is None:
            return
        given = False

        async def give() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, give, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """Read the body; None if the client has left. Raises ProblemError if it is too large."""
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                raise self._too_large()
            more = message.get("more_body", False)
        return bytes(body)

    def _too_large(self) -> ProblemError:
        return ProblemError(
            413,
            f"the request has more than {self._max_bytes} bytes",
            unit="byte",
            limit=str(self._max_bytes),
            action="send less, in several requests",
            headers={"Connection": "close"},
        )

    def _too_slow(self) -> ProblemError:
        return ProblemError(
            408,
            f"the request has not arrived within {self._max_s:g} s",
            unit="s",
            limit=f"{self._max_s:g}",
            action="send it faster, or in several requests",
            headers={"Connection": "close"},
        )
