"""A limit on the size of requests, whether or not they say their length first."""

from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gnomon.services.problems import PROBLEM_JSON, ProblemError


def answer_of(error: ProblemError) -> Response:
    """Make the answer that is a problem document."""
    return Response(error.problem.model_dump_json(exclude_none=True), error.problem.status, error.headers, PROBLEM_JSON)


class BodyLimit:
    """Reads a request's body before anything else sees it, and refuses one of more than `max_bytes`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and len(length) < 20 and int(length) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the client has left
                return
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                await self._refuse(scope, receive, send)
                return
            more = message.get("more_body", False)
        given = False

        async def give() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, give, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = ProblemError(
            413,
            f"the request has more than {self._max_bytes} bytes",
            unit="byte",
            limit=str(self._max_bytes),
            action="send less, in several requests",
            headers={"Connection": "close"},
        )
        await answer_of(error)(scope, receive, send)
