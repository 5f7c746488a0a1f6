"""The asynchronous service: the newest lattice wins, nothing waits for ever, every submission gets an answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from gnomon.lattice import Lattice
from gnomon.propagator.beam import BeamState
from gnomon.propagator.worker import Worker

Compute = Callable[[Lattice], BeamState]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service has to say about a lattice and all commands up to `sequence`.

    `generation` counts answers from 1. `beam` is None when there is no result, and `failure` then says why (timed out,
    raised, waited too long); a lattice without a stable beam is a result. `seconds` is how long the model took.
    """

    generation: int
    sequence: int
    lattice: Lattice
    beam: BeamState | None
    failure: str = ""
    seconds: float = 0.0

    @property
    def lattice_id(self) -> str:
        """Id of the lattice that was asked for."""
        return self.lattice.id


@dataclass(slots=True, eq=False)
class Submission:
    """One call of `submit`, with the timer that bounds its wait."""

    lattice: Lattice
    sequence: int
    future: asyncio.Future[Answer]
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class Job:
    """A state to compute and the submissions that it contains."""

    lattice: Lattice
    sequence: int
    submissions: list[Submission] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    started: float = 0.0


class PropagatorService:
    """Computes beams one at a time in a thread; all methods are for the event loop that runs at its making.

    While a state is computed, the newest waiting one replaces older waiting ones, whose futures get the newer one's
    answer. `on_answer` is called for every answer in the order of generations, before the futures resolve; when it
    raises, the futures get its failure instead. A computation that takes longer than `timeout_s` is left behind with
    its thread and answered as failed; as it may still be at work on what `compute` holds, `renew` makes another compute
    (without it, `compute` must bear being called by two threads). A submission that waits longer than `max_wait_s` for
    its turn is answered as failed, and its state is still computed, so that outputs recover by themselves. Compile the
    kernels (`compile_kernels`) before the first submission, else it pays for the compilation.
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
        self._compute = compute
        self._renew = renew
        self._max_wait_s = max_wait_s
        self._timeout_s = timeout_s
        self._on_answer = on_answer
        self._generation = 0
        self._running: Job | None = None
        self._waiting: Job | None = None
        self._closed = False
        self._worker = self._make_worker()

    @property
    def generation(self) -> int:
        """Generation of the last answer, 0 before the first."""
        return self._generation

    def submit(self, lattice: Lattice, sequence: int) -> asyncio.Future[Answer]:
        """Ask for the beam of `lattice`, which contains all commands up to `sequence`.

        Sequences must not fall from call to call. Raises RuntimeError after `close`.
        """
        if self._closed:
            raise RuntimeError("the propagator service is closed; submit before close()")
        submission = Submission(lattice, sequence, self._loop.create_future())
        if self._running is None:
            self._start(Job(lattice, sequence, [submission]))
            return submission.future
        if self._waiting is None:
            self._waiting = Job(lattice, sequence)
        self._waiting.lattice, self._waiting.sequence = lattice, sequence
        self._waiting.submissions.append(submission)
        submission.timer = self._loop.call_later(self._max_wait_s, self._waited_too_long, submission)
        return submission.future

    def close(self) -> None:
        """Answer all that is open as failed and let the thread end; what it still computes is dropped."""
        if self._closed:
            return
        self._closed = True
        self._worker.leave()
        jobs = [job for job in (self._running, self._waiting) if job is not None]
        self._running = self._waiting = None
        for job in jobs:
            self._stop_timers(job)
            self._generation += 1
            answer = Answer(self._generation, job.sequence, job.lattice, None, "the propagator service was closed")
            self._resolve(job.submissions, answer)

    def _make_worker(self) -> Worker[Lattice, BeamState]:
        return Worker(self._compute, self._loop, "gnomon propagator")

    def _start(self, job: Job) -> None:
        self._stop_timers(job)
        self._running = job
        job.started = self._loop.time()
        job.timer = self._loop.call_later(self._timeout_s, self._timed_out, job)
        self._worker.start(job.lattice, partial(self._computed, job))

    def _computed(self, job: Job, beam: BeamState | None, error: BaseException | None) -> None:
        if job is not self._running:
            return
        if error is None and beam is None:
            self._finish(job, None, "the model returned nothing")
        else:
            self._finish(job, beam, "" if error is None else f"the model failed: {type(error).__name__}: {error}")

    def _timed_out(self, job: Job) -> None:
        if job is not self._running:
            return
        self._worker.leave()
        failure = f"the model took longer than {self._timeout_s:g} s; its thread was left behind"
        if self._renew is not None:
            try:
                self._compute = self._renew()
            except Exception as error:  # noqa: BLE001 - the answer says so; the next states use what there is
                failure += f"; making a new one failed: {type(error).__name__}: {error}"
        self._worker = self._make_worker()
        self._finish(job, None, failure)

    def _waited_too_long(self, submission: Submission) -> None:
        job = self._waiting
        if job is None or submission not in job.submissions:
            return
        job.submissions.remove(submission)
        failure = f"waited longer than {self._max_wait_s:g} s for the model"
        self._answer([submission], submission.lattice, submission.sequence, None, failure)

    def _finish(self, job: Job, beam: BeamState | None, failure: str) -> None:
        ended = self._loop.time()
        self._stop_timers(job)
        self._running = None
        if self._waiting is not None:  # the thread works on while this answer goes out
            following, self._waiting = self._waiting, None
            self._start(following)
        self._answer(job.submissions, job.lattice, job.sequence, beam, failure, ended - job.started)

    def _answer(
        self,
        submissions: list[Submission],
        lattice: Lattice,
        sequence: int,
        beam: BeamState | None,
        failure: str,
        seconds: float = 0.0,
    ) -> None:
        self._generation += 1
        answer = Answer(self._generation, sequence, lattice, beam, failure, seconds)
        if self._on_answer is not None:
            try:
                self._on_answer(answer)
            except Exception as error:  # noqa: BLE001 - becomes the answer's failure
                text = f"outputs were not published: {type(error).__name__}: {error}"
                answer = Answer(answer.generation, sequence, lattice, None, text)
                self._loop.call_exception_handler({"message": text, "exception": error})
        self._resolve(submissions, answer)

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
