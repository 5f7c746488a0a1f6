"""Procedures and the runner of jobs as callbacks of pages use them: from their threads, while they live in a loop."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.runnable import RUNNABLE, checked_options, find_runnable
from gnomon.services.job_documents import Job, JobRequest
from gnomon.services.job_runner import JobRunner
from gnomon.services.problems import ProblemError
from gnomon.services.script_routes import ScriptRoutes

__all__ = ["JobDesk", "Offer"]

T = TypeVar("T")

#: Time that the event loop may take to start or cancel a job, and new scripts to be described [s].
WAIT_S, DESCRIBE_S = 20.0, 120.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A procedure that can be started; `script` is the file of a user's own."""

    name: str
    title: str
    kind: str
    schema: Mapping[str, Any]
    script: Path | None = None


class JobDesk:
    """Starts, lists and cancels jobs for threads; `take_loop` is called in the event loop before the first of them."""

    def __init__(self, runner: JobRunner, scripts: ScriptRoutes) -> None:
        self._runner = runner
        self._scripts = scripts
        self._loop: asyncio.AbstractEventLoop | None = None

    def take_loop(self) -> None:
        """Remember the event loop in which the runner lives: the one that calls this."""
        self._loop = asyncio.get_running_loop()

    def offers(self) -> Sequence[Offer]:
        """List the procedures, a user's scripts last. Raises ProblemError."""
        own = [Offer(each.name, each.title, each.kind, each.options.model_json_schema()) for each in RUNNABLE.values()]
        scripts = self._run(self._scripts.all(), DESCRIBE_S)
        return [*own, *(Offer(s.name, s.title, "script", s.options, s.file) for s in scripts if not s.reason)]

    def find(self, name: str) -> Offer:
        """Find a procedure by name. Raises ProcedureError, and ProblemError."""
        found = next((offer for offer in self.offers() if offer.name == name), None)
        if found is None:
            raise ProcedureError(f"there is no procedure {name!r} any more")
        return found

    def start(self, offer: Offer, prefix: str | None, options: Mapping[str, Any]) -> Job:
        """Start a procedure; a script checks its options itself. Raises ProcedureError, and ProblemError."""
        given = dict(options)
        if offer.script is None:
            given = checked_options(find_runnable(offer.name), given).model_dump(mode="json", exclude_unset=True)
        asked = JobRequest(prefix=prefix, options=given)
        job, _ = self._run(self._runner.start(offer.name, offer.title, asked, None, offer.script))
        return job

    def cancel(self, job: str) -> Job:
        """Ask a job to put the machine back and end. Raises ProblemError."""
        return self._run(self._runner.cancel(job))

    def jobs(self) -> Sequence[Job]:
        """List jobs, the newest first."""

        async def listed() -> list[Job]:
            return self._runner.jobs()

        return self._run(listed())

    def _run(self, work: "Coroutine[Any, Any, T]", wait_s: float = WAIT_S) -> T:
        assert self._loop is not None
        waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waiting.result(wait_s)
        except TimeoutError as error:
            waiting.cancel()
            raise ProblemError(504, f"the services have not answered within {wait_s:g} s") from error
