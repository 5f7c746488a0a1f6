"""The runner of jobs as callbacks of pages use it: from their threads, while it lives in the event loop."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from gnomon.services.job_documents import Job, JobRequest
from gnomon.services.job_runner import JobRunner
from gnomon.services.problems import ProblemError

__all__ = ["JobDesk"]

T = TypeVar("T")

#: Time that the event loop may take to start or cancel a job [s].
WAIT_S = 20.0


class JobDesk:
    """Starts, lists and cancels jobs for threads; `take_loop` is called in the event loop before the first of them."""

    def __init__(self, runner: JobRunner) -> None:
        self._runner = runner
        self._loop: asyncio.AbstractEventLoop | None = None

    def take_loop(self) -> None:
        """Remember the event loop in which the runner lives: the one that calls this."""
        self._loop = asyncio.get_running_loop()

    def start(self, procedure: str, title: str, asked: JobRequest) -> Job:
        """Start a procedure whose options were checked. Raises ProblemError."""
        job, _ = self._run(self._runner.start(procedure, title, asked))
        return job

    def cancel(self, job: str) -> Job:
        """Ask a job to put the machine back and end. Raises ProblemError."""
        return self._run(self._runner.cancel(job))

    def jobs(self) -> Sequence[Job]:
        """List jobs, the newest first."""

        async def listed() -> list[Job]:
            return self._runner.jobs()

        return self._run(listed())

    def _run(self, work: "Coroutine[Any, Any, T]") -> T:
        assert self._loop is not None
        waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waiting.result(WAIT_S)
        except TimeoutError as error:
            waiting.cancel()
            raise ProblemError(504, f"the services have not answered within {WAIT_S:g} s") from error
