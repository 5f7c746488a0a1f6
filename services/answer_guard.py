"""Answers whatever happens: an error of gnomon itself as a problem, and no waiting for a client that takes nothing."""

import asyncio
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gnomon.services.body_limit import answer_of
from gnomon.services.problems import ProblemError

_log = logging.getLogger("gnomon.services")


class AnswerGuard:
    """Ends an answer of which the client takes nothing for `max_s`, and answers an error that nothing else has."""

    def __init__(self, app: ASGIApp, max_s: float) -> None:
        self._app = app
        self._max_s = max_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = slow = False

        async def give(message: Message) -> None:
            nonlocal started, slow
            started = True
            try:
                async with asyncio.timeout(self._max_s):
                    await send(message)
            except TimeoutError:
                slow = True
                raise

        where = f"{scope['method']} {scope['path']}"
        try:
            await self._app(scope, receive, give)
        except Exception:  # of any kind: nothing above answers it, and a client gets problems alone
            if slow:  # the server closes the connection, since the answer is not complete
                _log.info("%s: the client has taken nothing for %g s", where, self._max_s)
                return
            _log.exception("%s", where)
            if started:
                return
            problem = ProblemError(500, "an error of gnomon itself", action="report it, with the log")
            await answer_of(problem)(scope, receive, send)
