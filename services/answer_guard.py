"""Answers whatever happens: an error of gnomon itself as a problem, and no waiting for a client that takes nothing."""

import asyncio
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gnomon.services.body_limit import answer_of
from gnomon.services.problems import ProblemError

_log = logging.getLogger("gnomon.services")


class AnswerGuard:
    """Ends an answer of which the client takes nothing for `max_s`, and answers an error that nothing else has.

    The server closes the connection of an answer that is not complete.
    """

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
        except Exception as error:  # noqa: BLE001 - of any kind: nothing above answers it
            if slow:
                _log.info("%s: the client has taken nothing for %g s", where, self._max_s)
                return
            _log.error("%s", where, exc_info=error)
            if not started:
                problem = ProblemError(500, "an error of gnomon itself", action="report it, with the log")
                await answer_of(problem)(scope, receive, send)
