"""Asynchronous service that computes beams: the newest lattice wins, nothing waits forever, everything is answered."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from gnomon.lattice import Lattice
from gnomon.propagator.beam import BeamState
from gnomon.propagator.worker import Worker

log = logging.getLogger("gnomon.model")

Compute = Callable[[Lattice], BeamState]

#: Maximum number of computations that hang, each in an abandoned thread. A thread cannot be ended from outside and may
#: keep a processor busy, so at this number nothing is computed until one of them returns.
MAX_HUNG = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of the service for a lattice that contains all commands up to `sequence`.

    `generation` counts answers from 1. Without a result, `beam` is None and `failure` gives the reason: the computation
    timed out or raised, the submission waited too long, or the service is `paused`. A lattice without a stable beam is
    a result. `seconds` is the time that the model took; `more` is True if a newer state is already being computed.
    """

    generation: int
    sequence: int
    lattice: Lattice
    beam: BeamState | None
    failure: str = ""
    seconds: float = 0.0
    paused: bool = False
    more: bool = False

    @property
    def lattice_id(self) -> str:
        """Id of the lattice that was submitted."""
        return self.lattice.id


@dataclass(slots=True, eq=False)
class Submission:
    """One call of `submit`, with the timer that limits its wait."""

    lattice: Lattice
    sequence: int
    future: asyncio.Future[Answer]
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class Job:
    """A state to compute, and the submissions that its result answers."""

    lattice: Lattice
    sequence: int
    submissions: list[Submission] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    started: float = 0.0


class PropagatorService:
    """Computes beams one at a time in a thread. Call all methods in the event loop in which the service was made.

    While a state is being computed, only the newest of the waiting ones is kept; the futures of the others get its
    answer. `on_answer` is called for every answer, in the order of generations, before the futures resolve. If it
    raises, it is called again with a failed answer in place of the result; if it raises again, the futures still get
    that answer.

    A submission without an answer after `max_wait_s` is answered as failed. Its state is computed all the same, so
    outputs recover by themselves. A computation that takes longer than `timeout_s` is answered as failed, and its
    thread is abandoned. It may still be using the objects that `compute` holds, so `renew` makes a new compute for the
    next thread (without `renew`, two threads may call `compute` at once). With `MAX_HUNG` computations hanging,
    submissions are answered as failed at once, until one returns. Compile the kernels (`compile_kernels`) beforehand,
    or the first submission waits for them.
    """

    def __init__(
        self,
        compute: Compute,
        max_wait_s: float = 5.0,
        *,
        timeout_s: float = 2.0,
        on_answer: Callable[[Answer], None] | None = None,
        renew: Callable[[], Compute] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._renew = renew or (lambda: compute)
        self._max_wait_s = max_wait_s
        self._timeout_s = timeout_s
        self._on_answer = on_answer
        self._generation = 0
        self._newest: tuple[Lattice, int] | None = None
        self._running: Job | None = None
        self._waiting: Job | None = None
        self._hung: set[Job] = set()
        self._paused = ""
        self._failing = False
        self._closed = False
        self._worker: Worker[Lattice, BeamState] | None = self._make_worker(lambda: compute)

    @property
    def generation(self) -> int:
        """Generation of the last answer, 0 before the first."""
        return self._generation

    @property
    def hung(self) -> int:
        """Number of abandoned computations that have not returned."""
        return len(self._hung)

    def submit(self, lattice: Lattice, sequence: int) -> asyncio.Future[Answer]:
        """Request the beam of `lattice`, which contains all commands up to `sequence`.

        A sequence must not be lower than that of the call before. Raises RuntimeError after `close`.
        """
        if self._closed:
            raise RuntimeError("the propagator service is closed; submit before close()")
        self._newest = lattice, sequence
        submission = Submission(lattice, sequence, self._loop.create_future())
        if self._paused:
            self._answer([submission], lattice, sequence, None, self._paused, paused=True)
        elif self._worker is None:
            self._waiting = Job(lattice, sequence)
            self._answer([submission], lattice, sequence, None, self._stuck())
        elif self._running is None:
            self._start(Job(lattice, sequence, [submission]))
        else:
            if self._waiting is None:
                self._waiting = Job(lattice, sequence)
            self._waiting.lattice, self._waiting.sequence = lattice, sequence
            self._waiting.submissions.append(submission)
        if not submission.future.done() and (self._waiting is not None or self._max_wait_s < self._timeout_s):
            submission.timer = self._loop.call_later(self._max_wait_s, self._waited_too_long, submission)
        return submission.future

    def pause(self, reason: str) -> None:
        """Stop computing: open submissions and all new ones are answered at once with `reason`.

        If the service is paused already, this replaces the reason.
        """
        if self._paused == reason or self._closed or self._newest is None:
            return
        self._paused = reason
        open_ones = self._drop_jobs()
        self._answer(open_ones, *self._newest, None, reason, paused=True)

    def resume(self) -> asyncio.Future[Answer]:
        """Compute again, starting with the state that was submitted last."""
        if self._newest is None:
            raise RuntimeError("nothing has been submitted yet; there is nothing to resume with")
        self._paused = ""
        return self.submit(*self._newest)

    def retry(self) -> None:
        """Compute the newest state again, if it has no result because the model failed."""
        if self._failing and not self._paused and self._running is None and self._worker is not None and self._newest:
            self.submit(*self._newest)

    def close(self) -> None:
        """Answer all open submissions as failed and let the thread end; the result that it is computing is dropped."""
        if self._closed:
            return
        self._closed = True
        if self._worker is not None:
            self._worker.leave()
        jobs = [job for job in (self._running, self._waiting) if job is not None]
        self._drop_jobs()
        for job in jobs:
            self._generation += 1
            answer = Answer(self._generation, job.sequence, job.lattice, None, "the propagator service was closed")
            self._resolve(job.submissions, answer)

    def _make_worker(self, make: Callable[[], Compute]) -> Worker[Lattice, BeamState]:
        return Worker(make, self._loop, "gnomon propagator")

    def _drop_jobs(self) -> list[Submission]:
        """Drop the running and the waiting job; return their submissions that are still to be answered."""
        jobs = [job for job in (self._running, self._waiting) if job is not None]
        self._running = self._waiting = None
        for job in jobs:
            self._stop_timers(job)
        return [submission for job in jobs for submission in job.submissions]

    def _start(self, job: Job) -> None:
        if self._worker is None:
            raise RuntimeError("no worker is left to compute")
        self._running = job
        job.started = self._loop.time()
        job.timer = self._loop.call_later(self._timeout_s, self._timed_out, job)
        self._worker.start(job.lattice, partial(self._computed, job))

    def _computed(self, job: Job, beam: BeamState | None, error: BaseException | None) -> None:
        if job in self._hung:
            self._returned(job)
        elif job is not self._running:
            return
        elif error is None and beam is None:
            self._finish(job, None, "the model returned nothing")
        else:
            self._finish(job, beam, "" if error is None else f"the model failed: {type(error).__name__}: {error}")

    def _timed_out(self, job: Job) -> None:
        if job is not self._running or self._worker is None:
            return
        self._worker.leave()
        self._hung.add(job)
        self._worker = self._make_worker(self._renew) if len(self._hung) < MAX_HUNG else None
        failure = f"the model took longer than {self._timeout_s:g} s; its thread was left behind"
        self._finish(job, None, failure if self._worker is not None else self._stuck())

    def _returned(self, job: Job) -> None:
        """Count an abandoned computation as ended; its result is too old to be shown."""
        self._hung.discard(job)
        if self._worker is not None or self._closed:
            return
        self._worker = self._make_worker(self._renew)
        if self._waiting is not None:
            following, self._waiting = self._waiting, None
            self._start(following)

    def _stuck(self) -> str:
        return (
            f"the model hangs: {len(self._hung)} computations were left behind and none has returned; nothing is "
            "computed until one does, or until the server is restarted"
        )

    def _waited_too_long(self, submission: Submission) -> None:
        for job in (self._waiting, self._running):
            if job is not None and submission in job.submissions:
                job.submissions.remove(submission)
                failure = f"waited longer than {self._max_wait_s:g} s for the model"
                self._answer([submission], submission.lattice, submission.sequence, None, failure)

    def _finish(self, job: Job, beam: BeamState | None, failure: str) -> None:
        ended = self._loop.time()
        self._stop_timers(job)
        self._running = None
        open_ones, lattice, sequence = job.submissions, job.lattice, job.sequence
        if self._waiting is not None and self._worker is None:
            late = self._waiting
            self._stop_timers(late)
            self._waiting = Job(late.lattice, late.sequence)  # computed once a worker is free; no put waits for it
            open_ones, lattice, sequence = [*open_ones, *late.submissions], late.lattice, late.sequence
        elif self._waiting is not None:  # the thread works on while this answer goes out
            following, self._waiting = self._waiting, None
            self._start(following)
        self._answer(open_ones, lattice, sequence, beam, failure, ended - job.started)

    def _answer(
        self,
        submissions: list[Submission],
        lattice: Lattice,
        sequence: int,
        beam: BeamState | None,
        failure: str,
        seconds: float = 0.0,
        *,
        paused: bool = False,
    ) -> None:
        self._generation += 1
        answer = Answer(
            self._generation, sequence, lattice, beam, failure, seconds, paused, more=self._running is not None
        )
        self._note(answer)
        if self._on_answer is not None:
            try:
                self._on_answer(answer)
            except Exception as error:  # noqa: BLE001 - becomes the answer's failure
                text = f"outputs were not published: {type(error).__name__}: {error}"
                answer = Answer(answer.generation, sequence, lattice, None, text)
                self._loop.call_exception_handler({"message": text, "exception": error})
                if beam is not None:  # the outputs now show an older state
                    self._answer(submissions, lattice, sequence, None, text)
                    return
        self._resolve(submissions, answer)

    def _note(self, answer: Answer) -> None:
        """Log one line when the model starts to fail, and one when it works again."""
        failing = answer.beam is None and not answer.paused
        if failing and not self._failing:
            log.error("no result for lattice %s: %s", answer.lattice.id, answer.failure)
        elif self._failing and answer.beam is not None:
            log.info("the model works again")
        self._failing = failing or (self._failing and answer.paused)

    @staticmethod
    def _resolve(submissions: list[Submission], answer: Answer) -> None:
        for submission in submissions:
            if not submission.future.done():
                submission.future.set_result(answer)

    @staticmethod
    def _stop_timers(job: Job) -> None:
        holders: list[Job | Submission] = [job, *job.submissions]
        for holder in holders:
            if holder.timer is not None:
                holder.timer.cancel()
                holder.timer = None
