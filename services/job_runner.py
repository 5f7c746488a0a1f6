"""The runner of jobs: each procedure in a process of its own, one at a time for each prefix, all within limits."""

import asyncio
import json
import logging
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from gnomon.clients.errors import NoServerError
from gnomon.clients.server_choice import Target, choose_server
from gnomon.db import shipped_machine, shipped_machines
from gnomon.db.machine_files import find_document
from gnomon.ioc.base.running_servers import running_servers
from gnomon.lattice import GnomonError, Ring
from gnomon.lattice.text import printable, shorten
from gnomon.procedures.device_choice import check_names
from gnomon.procedures.documents import now
from gnomon.procedures.one_at_a_time import holder_of
from gnomon.services.event_stream import Event
from gnomon.services.job_documents import Job, JobRequest, State, SummaryLine
from gnomon.services.job_events import JobEvents
from gnomon.services.job_table import JobRecord, JobTable, process_start
from gnomon.services.problems import ProblemError
from gnomon.services.service_settings import ServiceSettings

log = logging.getLogger("gnomon.services")

#: The process of a job.
COMMAND = (sys.executable, "-m", "gnomon.services.job_process")
#: Longest line that a job's process may write [bytes].
MAX_LINE = 4 * 2**20
#: Jobs whose events are kept after their end.
KEPT_EVENTS = 20
#: Time in which a process ends after it told its end [s].
LINGER_S = 5.0


@dataclass
class Running:
    """A job whose process runs."""

    record: JobRecord
    process: asyncio.subprocess.Process
    watch: "asyncio.Task[None] | None" = None
    cancelled: bool = False
    reason: str = ""
    end: tuple[State, str] | None = None
    checked: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: str = ""


class JobRunner:
    """Starts, watches, cancels and remembers jobs. Used in one event loop; `open` first, `close` at the end.

    `listeners` are called with each new state of a job.
    """

    def __init__(self, settings: ServiceSettings, command: Sequence[str] = COMMAND) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._command = command
        self._table = JobTable(settings.jobs, settings.limits.jobs_kept)
        self._records: dict[str, JobRecord] = {}
        self._events: dict[str, JobEvents] = {}
        self._running: dict[str, Running] = {}
        self._leftover: set[asyncio.Task[None]] = set()
        self._closing = False
        self._opened = False
        self.listeners: list[Callable[[Job], None]] = []

    def open(self) -> None:
        """Read the table; jobs that ran when the services ended are lost, and their processes are ended."""
        self._closing = False
        if self._opened:
            return
        self._opened = True
        for record in self._table.load():
            self._records[record.job.id] = record
            if record.job.is_ended:
                record.pid = 0
            else:
                self._lose(record)

    def _lose(self, record: JobRecord) -> None:
        lives = record.pid > 0 and record.process_start != "" and process_start(record.pid) == record.process_start
        text = "the services ended while it ran"
        self._change(record, state="lost", ended=now(), message=f"{text}; its process puts the machine back" if lives
                     else f"{text}; look whether the machine was put back (gnomon log)")  # fmt: skip
        self._save(record)
        if not lives:
            record.pid = 0
        else:
            task = asyncio.get_running_loop().create_task(self._end_leftover(record))
            self._leftover.add(task)
            task.add_done_callback(self._leftover.discard)

    async def _end_leftover(self, record: JobRecord) -> None:
        """Wait for the process of a lost job, which the end of its input has told to end; kill it if it does not."""
        end = asyncio.get_running_loop().time() + self._limits.stop_s
        while process_start(record.pid) == record.process_start:
            if asyncio.get_running_loop().time() > end:
                with suppress(ProcessLookupError):
                    os.kill(record.pid, signal.SIGKILL)
                self._change(record, message="its process did not end and was killed; the machine may not be put back")
                break
            await asyncio.sleep(0.2)
        else:
            self._change(record, message="the services ended while it ran; its process has ended since")
        self._save(record)
        record.pid = 0

    def jobs(self) -> list[Job]:
        """List all jobs, the newest first."""
        return [record.job for record in reversed(self._records.values())]

    def get(self, job: str) -> Job:
        """Find a job. Raises ProblemError."""
        return self._record(job).job

    def _record(self, job: str) -> JobRecord:
        try:
            return self._records[job]
        except KeyError:
            raise ProblemError(
                404, f"there is no job {shorten(job)}", field="job", action="GET /v1/jobs lists all that are kept"
            ) from None

    async def start(
        self, procedure: str, title: str, asked: JobRequest, key: str | None = None, script: Path | None = None
    ) -> tuple[Job, bool]:
        """Start a procedure whose options were checked; False: the key's job was started before.

        Options of a user's `script` are checked in its process, which is waited for. Raises ProblemError: 409 with
        another job at the prefix, 422 for a prefix that may not be used, options that a script refuses or a key of
        another request, 503 with too many jobs.
        """
        digest = sha256(json.dumps([procedure, asked.model_dump()], sort_keys=True).encode()).hexdigest()
        if key is not None and (known := self._of_key(key, digest)) is not None:
            return known, False
        if self._closing:
            raise ProblemError(503, "the services are ending", action="start the job again later")
        target = self._target(asked)
        machine = asked.machine or (target.server.machine if target.server is not None else "")
        if not machine:
            raise ProblemError(
                422, f"prefix {target.prefix!r}: the machine is not known", field="machine", action="name the machine"
            )
        if script is None:
            await asyncio.to_thread(_check_devices, machine, asked.options)
            if key is not None and (known := self._of_key(key, digest)) is not None:
                return known, False
        self._check_free(target)
        if (count := sum(not record.job.is_ended for record in self._records.values())) >= self._limits.jobs:
            raise ProblemError(
                503, f"{count} jobs run already", limit=f"{self._limits.jobs} jobs",
                action="wait for one to end, or cancel one", headers={"Retry-After": "10"},
            )  # fmt: skip
        job = Job(
            id=_new_id(procedure), procedure=procedure, title=title, prefix=target.prefix, machine=machine,
            options=asked.options, started=now(),
        )  # fmt: skip
        record = JobRecord(job=job, key=key or "", request=digest)
        self._records[job.id] = record
        try:
            running = await self._launch(record, asked.machine or "", script)
        except (OSError, asyncio.CancelledError) as error:
            if job.id not in self._running:
                self._drop([record])
            if isinstance(error, asyncio.CancelledError):
                raise
            raise ProblemError(
                503, f"the job cannot be started: {error}", action="see the log of the services"
            ) from error
        self._forget_old()
        if script is not None:
            await running.checked.wait()
            if running.refusal:
                assert running.watch is not None
                await asyncio.shield(running.watch)
                self._drop([record])
                raise ProblemError(422, running.refusal, field="options", action="GET /v1/procedures has their schema")
        return record.job, True

    def _of_key(self, key: str, digest: str) -> Job | None:
        for record in self._records.values():
            if record.key == key:
                if record.request != digest:
                    raise ProblemError(
                        422, f"this key was used for another request, job {record.job.id}",
                        field="header Idempotency-Key", action="use a new key for each new request",
                    )  # fmt: skip
                return record.job
        return None

    def _target(self, asked: JobRequest) -> Target:
        known = [each.prefix for each in running_servers()]
        try:
            target = choose_server(prefix=asked.prefix, machine=asked.machine)
        except NoServerError as error:
            raise ProblemError(422, str(error), field="prefix", action="give the prefix of a running server") from error
        allowed = list(dict.fromkeys((*known, *self._settings.prefixes)))
        if target.prefix not in allowed:
            raise ProblemError(
                422, f"prefix {shorten(target.prefix)} may not be used: no server of this computer has it",
                field="prefix", value=printable(target.prefix),
                limit=", ".join(map(repr, allowed)) or "no server runs on this computer",
                action="use one of these, or start the services with --prefix",
            )  # fmt: skip
        return target

    def _check_free(self, target: Target) -> None:
        prefix = target.prefix
        for record in self._records.values():
            job = record.job
            # From the moment it is asked for: its process takes time to start.
            busy = not job.is_ended or (job.state == "lost" and record.pid > 0)
            if job.prefix == prefix and busy:
                raise ProblemError(
                    409, f"job {job.id} runs at prefix {prefix!r}", title="Another job runs", field="prefix",
                    value=prefix, limit="one job at a time for each prefix",
                    action=f"wait for it, or POST /v1/jobs/{job.id}/cancel",
                )  # fmt: skip
        if holder := holder_of(target):
            raise ProblemError(
                409, f"{holder} runs at prefix {prefix!r}, started elsewhere on this computer",
                title="Another procedure runs", field="prefix", value=prefix, limit="one job at a time for each prefix",
                action="wait for it, or end it where it was started",
            )  # fmt: skip

    async def _launch(self, record: JobRecord, machine: str, script: Path | None) -> Running:
        """Start the process of a job, and give it the job. Raises OSError."""
        job, settings = record.job, self._settings
        self._table.save(record)
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=MAX_LINE,
            start_new_session=True,  # Ctrl-C in the terminal of the services is theirs
        )  # fmt: skip
        assert process.stdin is not None
        record.pid, record.process_start = process.pid, process_start(process.pid)
        running = Running(record, process)
        self._running[job.id] = running
        self._events[job.id] = JobEvents()
        self._save(record)
        line = {
            "procedure": job.procedure, "prefix": job.prefix, "machine": machine, "options": job.options,
            "results": str(settings.results), "store": str(settings.store) if settings.store else "",
            "script": str(script) if script else "", "catalogue": settings.config.results.tiled,
        }  # fmt: skip
        running.watch = asyncio.get_running_loop().create_task(self._watch(running))
        self._change(record)  # which tells the listeners of the new job
        with suppress(ConnectionError):
            process.stdin.write(json.dumps(line).encode() + b"\n")
            await process.stdin.drain()
        return running

    async def _watch(self, running: Running) -> None:
        """Take the events of a job until its process has ended, within the time limit."""
        limit = self._limits.job_s
        try:
            async with asyncio.timeout(limit):
                await self._take_events(running)
        except TimeoutError:
            running.reason = f"stopped after {limit:g} s, the time limit of a job"
            await self._stop(running)
        await self._end(running)

    async def _take_events(self, running: Running) -> None:
        stdout = running.process.stdout
        assert stdout is not None
        while True:
            try:
                line = await stdout.readline()
            except ValueError:  # longer than the limit
                log.warning("job %s: a line that is too long was dropped", running.record.job.id)
                continue
            if not line:
                return
            with suppress(ValueError, KeyError, TypeError):
                self._take(running, json.loads(line))

    def _take(self, running: Running, told: Mapping[str, Any]) -> None:
        """Take one event into the job's document, and pass it on."""
        record, content = running.record, {key: value for key, value in told.items() if key != "event"}
        job = record.job
        match told["event"]:
            case "phase":
                state: State = "cancelling" if running.cancelled else "running"
                self._change(record, state=state, phase=str(told["phase"]), message=str(told["text"])[:2000])
            case "row":
                rows, total = int(told["row"]), int(told["rows"])
                self._change(record, rows=rows, rows_expected=total, progress=min(1.0, rows / max(total, 1)))
            case "stored":
                summary = [SummaryLine.model_validate(line) for line in told["summary"]]
                self._change(record, results=[*job.results, str(told["result"])], summary=summary)
                self._save(record)
            case "end":
                ends: dict[str, State] = {"done": "done", "stopped": "stopped"}
                running.end = ends.get(told["state"], "failed"), running.reason or str(told["message"])
                return  # shown once the process has ended, and another job can be started
            case "accepted" | "refused":
                running.refusal = str(told.get("message", ""))
                running.checked.set()
                return
        self._events[job.id].add(str(told["event"]), content | {"time": now()})

    async def _end(self, running: Running) -> None:
        """Wait for the process, and tell the end of the job."""
        record, process = running.record, running.process
        try:
            async with asyncio.timeout(LINGER_S):
                status = await process.wait()
        except TimeoutError:
            process.kill()
            status = await process.wait()
        told = f"signal {-status}" if status < 0 else f"exit code {status}"
        silent = f"its process ended without a word ({told}); the machine may not be put back: see gnomon log"
        state, message = running.end or ("failed", silent)
        progress = 1.0 if state == "done" else record.job.progress
        record.pid = 0
        del self._running[record.job.id]
        self._change(record, state=state, message=message, ended=now(), phase="", progress=progress)
        self._save(record)
        running.checked.set()
        events = self._events[record.job.id]
        events.add("end", record.job.model_dump(mode="json", exclude={"options"}), last=True)

    async def cancel(self, job: str) -> Job:
        """Ask a job to put the machine back and end; an ended one stays as it is. Returns at once."""
        record = self._record(job)
        running = self._running.get(job)
        if running is not None:
            self._ask_once(running)
        return record.job

    def _ask_once(self, running: Running) -> None:
        """Ask a job to end, which is killed after a time; does nothing if it was asked before."""
        if not running.cancelled:
            self._ask_to_stop(running)
            task = asyncio.get_running_loop().create_task(self._kill_late(running))
            self._leftover.add(task)
            task.add_done_callback(self._leftover.discard)

    def _ask_to_stop(self, running: Running) -> None:
        running.cancelled = True
        if running.end is None:
            self._change(running.record, state="cancelling")
            job = running.record.job
            self._events[job.id].add("phase", {"phase": "cancelling", "text": "", "time": now()})
        stdin = running.process.stdin
        assert stdin is not None
        with suppress(ConnectionError, RuntimeError):
            stdin.write(b"cancel\n")

    async def _kill_late(self, running: Running) -> None:
        try:
            async with asyncio.timeout(self._limits.stop_s):
                await running.process.wait()
        except TimeoutError:
            running.end = (
                "failed", f"killed {self._limits.stop_s:g} s after it was to end; the machine may not be put back"
            )  # fmt: skip
            log.error("job %s was killed; the machine may not be put back", running.record.job.id)
            with suppress(ProcessLookupError):
                running.process.kill()

    async def _stop(self, running: Running) -> None:
        """Cancel a job and take its events until it has ended; kill it after the bound."""
        self._ask_to_stop(running)
        killing = asyncio.get_running_loop().create_task(self._kill_late(running))
        await self._take_events(running)
        await killing

    async def events(self, job: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events of a job, those of the past first. Raises ProblemError before the first one."""
        record = self._record(job)
        events = self._events.get(job)
        if events is None:  # of an earlier run of the services, or long ended
            events = JobEvents()
            events.add("end", record.job.model_dump(mode="json", exclude={"options"}), last=True)
            after = 0
        async for event in events.follow(after):
            yield event

    def begin_end(self) -> None:
        """Start no jobs any more, and ask those that run to end: the services end. Who follows one sees its end."""
        self._closing = True
        for running in self._running.values():
            self._ask_once(running)

    async def close(self) -> None:
        """Cancel all jobs, and wait until the machines are put back, at most for the time bound."""
        self.begin_end()
        for events in self._events.values():
            events.close()
        waiting = []
        for running in list(self._running.values()):
            if running.watch is not None:
                waiting.append(running.watch)
        if waiting:
            await asyncio.wait(waiting)
        for task in self._leftover:
            task.cancel()

    def _change(self, record: JobRecord, **changes: Any) -> None:
        record.job = record.job.model_copy(update=changes)
        for listener in self.listeners:
            listener(record.job)

    def _save(self, record: JobRecord) -> None:
        try:
            self._table.save(record)
        except OSError as error:
            log.error("job %s: its record cannot be kept: %s", record.job.id, error)

    def _forget_old(self) -> None:
        """Drop the oldest jobs that have ended, and the events of older ones."""
        ended = [record for record in self._records.values() if record.job.is_ended and not record.pid]
        dropped = ended[: max(0, len(self._records) - self._limits.jobs_kept)]
        self._drop(dropped)
        silent = [job for job in self._events if job not in self._running]
        for job in silent[: max(0, len(silent) - KEPT_EVENTS)]:
            del self._events[job]

    def _drop(self, records: Sequence[JobRecord]) -> None:
        self._table.drop(records)
        for record in records:
            self._records.pop(record.job.id, None)
            self._events.pop(record.job.id, None)


def _check_devices(machine: str, options: Mapping[str, Any]) -> None:
    """Raise ProblemError for an option that names a device which the machine does not have."""
    try:
        ring = shipped_machine(machine) if machine in shipped_machines() else Ring(find_document(machine))
    except (GnomonError, OSError):  # its job says it
        return
    if (found := check_names(ring, options)) is not None:
        option, error = found
        raise ProblemError(422, f"{error}", field=f"options.{option}", action="use names or patterns of this machine")


def _new_id(procedure: str) -> str:
    return f"{procedure}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
