"""Calculations in threads of their own, never in the event loop, each within a time limit."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from gnomon.services.problems import ProblemError
from gnomon.services.service_settings import ServiceLimits

T = TypeVar("T")


class Calculations:
    """Runs calculations; one that takes too long is abandoned, and its thread counted until it ends.

    A thread cannot be ended from outside, so with `limits.hung` abandoned ones nothing is computed until one returns.
    Daemon threads: the process ends without waiting for them.
    """

    def __init__(self, limits: ServiceLimits, advice: str = "ask for less: fewer turns, particles or elements") -> None:
        self._limits = limits
        self._advice = advice
        self._turns = asyncio.Semaphore(limits.together)
        self._waiting = 0
        self.hung = 0

    @property
    def stuck(self) -> bool:
        """True while too many abandoned calculations run."""
        return self.hung >= self._limits.hung

    async def run(self, what: str, compute: Callable[[], T]) -> T:
        """Return what `compute` returns, or raise what it raises. Raises ProblemError: 503 busy, 504 too long."""
        if self.stuck:
            raise ProblemError(
                503,
                f"{self.hung} calculations took too long and still run; nothing is computed until one ends",
                limit=f"{self._limits.hung} calculations",
                action="wait, or restart the services",
                headers={"Retry-After": "10"},
            )
        if self._waiting >= self._limits.waiting:
            raise ProblemError(
                503,
                f"{self._waiting} calculations wait already",
                limit=f"{self._limits.waiting} calculations",
                action="send fewer requests at a time; try again later",
                headers={"Retry-After": "1"},
            )
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._compute(what, compute)
        finally:
            self._turns.release()

    async def _compute(self, what: str, compute: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        abandoned = False

        def finish(result: T | None, raised: BaseException | None) -> None:
            if abandoned:
                self.hung -= 1
            elif raised is not None:
                done.set_exception(raised)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            result: T | None = None
            raised: BaseException | None = None
            try:
                result = compute()
            except BaseException as error:  # noqa: BLE001 - raised again in the event loop
                raised = error
            try:
                loop.call_soon_threadsafe(finish, result, raised)
            except RuntimeError:  # the event loop is closed: nothing waits for the result
                return

        threading.Thread(target=work, name=f"gnomon {what}", daemon=True).start()
        try:
            finished, _ = await asyncio.wait({done}, timeout=self._limits.calculation_s)
        except asyncio.CancelledError:
            abandoned = not done.done()
            self.hung += abandoned
            raise
        if not finished:
            abandoned = True
            self.hung += 1
            raise ProblemError(
                504,
                f"{what}: not done after {self._limits.calculation_s:g} s",
                unit="s",
                limit=f"{self._limits.calculation_s:g}",
                action=self._advice,
            )
        return done.result()
