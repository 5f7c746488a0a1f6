"""Procedures as process variables, for panels: choose, start, cancel, watch, and the main numbers of the last result.

What is put goes through the same runner of jobs as requests over HTTP; what is shown is the newest job, whoever started
it.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
from pydantic import ValidationError

from gnomon.db.pvs import Kind
from gnomon.ioc.servers.own_pvs import OwnPvs, PutFuture, PutReply
from gnomon.lattice import Client, GnomonError
from gnomon.lattice.text import printable
from gnomon.procedures.documents import Run
from gnomon.procedures.registry import PROCEDURES
from gnomon.procedures.results import Results
from gnomon.procedures.runnable import RUNNABLE, checked_options
from gnomon.services.job_documents import Job, JobRequest
from gnomon.services.job_runner import JobRunner
from gnomon.services.problems import ProblemError
from gnomon.services.procedure_pv_specs import MAX_VALUES, PVS, STATES, procedure_specs
from gnomon.services.script_routes import ScriptRoutes
from gnomon.services.service_settings import ServiceSettings

log = logging.getLogger("gnomon.services")

#: The plot of a result that cannot be read: that of the one before must not stay.
NO_ARRAYS: Mapping[str, Any] = {
    "result:labels": [], "result:x": np.zeros(0), "result:y1": np.zeros(0), "result:y2": np.zeros(0)
}  # fmt: skip


class ProcedurePvs:
    """The PVs of a runner of jobs, under a prefix; all methods are for the event loop of the services."""

    def __init__(self, prefix: str, settings: ServiceSettings, runner: JobRunner, scripts: ScriptRoutes) -> None:
        self._settings, self._runner, self._scripts = settings, runner, scripts
        self._pvs = OwnPvs(procedure_specs(prefix), prefix, settings.config, self._take)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._result = ""

    async def start(self, stack: AsyncExitStack) -> tuple[str, str]:
        """Serve until the stack is closed; return the addresses of both protocols. Raises GnomonError."""
        nothing: dict[Kind, Any] = {Kind.STRINGS: [], Kind.FLOATS: np.zeros(0), Kind.STRING: ""}
        empty = {name: nothing.get(kind, 0) for name, kind, *_ in PVS}
        self._pvs.publish(empty | {"procedure": next(iter(RUNNABLE)), "procedures": list(RUNNABLE)})
        addresses = await self._pvs.start(stack)
        self._runner.listeners.append(self._show)
        stack.callback(self._runner.listeners.remove, self._show)
        if jobs := self._runner.jobs():
            self._show(jobs[0])
        self._spawn(self._list_procedures())
        return addresses

    def _take(self, name: str, value: Any, client: Client, future: PutFuture) -> None:
        """Take a put, in whichever thread."""
        self._loop.call_soon_threadsafe(lambda: self._spawn(self._put(name, value, client, future)))

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _put(self, name: str, value: Any, client: Client, future: PutFuture) -> None:
        try:
            if name == "start":
                await (self._start(client) if value else self._nothing())
            elif name == "cancel":
                await (self._cancel() if value else self._nothing())
            else:
                self._pvs.publish({name: value})
                if name == "procedure":  # scripts may have come and gone
                    self._spawn(self._list_procedures())
        except GnomonError as error:
            self._pvs.publish({"refusal": printable(str(error))})
            future.set_result(PutReply(False, str(error)))
        except Exception as error:  # of gnomon itself: the client has its answer, and the log the reason
            log.exception("put to %s", name)
            text = f"an error of gnomon itself: {type(error).__name__}"
            self._pvs.publish({"refusal": text})
            future.set_result(PutReply(False, text))
        else:
            self._pvs.publish({"refusal": ""})
            future.set_result(PutReply(True))

    async def _nothing(self) -> None:
        """Take the 0 of a button that is let go."""

    async def _start(self, client: Client) -> None:
        name, text = str(self._pvs.value("procedure")), str(self._pvs.value("options")).strip()
        try:
            options = json.loads(text) if text else {}
        except (ValueError, RecursionError) as error:
            raise ProblemError(422, f"options are not JSON: {error}") from error
        if not isinstance(options, dict):
            raise ProblemError(422, 'options are not an object of JSON such as {"devices": ["HS*"]}')
        options.setdefault("note", f"by {client.user}@{client.host} over {client.protocol}")
        try:
            asked = JobRequest(prefix=str(self._pvs.value("target")) or None)
        except ValidationError as error:
            raise ProblemError(422, f"target is not a prefix: {error.errors()[0]['msg']}") from error
        if name in RUNNABLE:
            runnable = RUNNABLE[name]
            if runnable.kind == "correction":
                options.setdefault("apply", bool(self._pvs.value("apply")))
            checked_options(runnable, options)
            await self._runner.start(name, runnable.title, asked.model_copy(update={"options": options}))
        else:
            script = await self._scripts.find(name)
            asked = asked.model_copy(update={"options": options})
            await self._runner.start(name, script.title, asked, None, script.file)

    async def _cancel(self) -> None:
        job = str(self._pvs.value("job"))
        if not job:
            raise ProblemError(404, "there is no job to cancel")
        await self._runner.cancel(job)

    def _show(self, job: Job) -> None:
        """Show a job, if it is the newest one."""
        newest = self._runner.jobs()[0]
        if job.id != newest.id:
            return
        self._pvs.publish(
            {
                "job": job.id, "job:procedure": job.procedure, "job:target": job.prefix,
                "state": STATES.index(job.state), "phase": job.phase, "message": job.message,
                "progress": job.progress, "rows": job.rows, "rows:expected": job.rows_expected,
            }
        )  # fmt: skip
        if job.results and job.results[-1] != self._result:
            self._result = job.results[-1]
            self._spawn(self._show_result(job))

    async def _show_result(self, job: Job) -> None:
        names = [line.name for line in job.summary]
        values = [f"{line.value} {line.unit}".rstrip() for line in job.summary]
        width = max(map(len, names), default=0)
        shown: dict[str, Any] = {
            **NO_ARRAYS,
            "result": job.results[-1],
            "result:names": names,
            "result:values": values,
            "result:text": "\n".join(f"{name:{width}}  {value}" for name, value in zip(names, values, strict=True)),
        }
        try:
            run = await asyncio.to_thread(Results(self._settings.results).read, job.results[-1])
            shown |= main_arrays(run)
        except GnomonError as error:
            log.error("result %s: %s", job.results[-1], error)
        if self._result == job.results[-1]:  # a later one may have been read in the meantime
            self._pvs.publish(shown)

    async def _list_procedures(self) -> None:
        names = [each.name for each in await self._scripts.all() if not each.reason]
        self._pvs.publish({"procedures": [*RUNNABLE, *names]})


def main_arrays(run: Run) -> dict[str, Any]:
    """Return the arrays of a run's plot as PVs: abscissa, one or two arrays, and labels with units.

    Matrices are flattened, the last index fastest. Of a user's script, they are the first arrays of its outcome.
    """
    procedure = PROCEDURES.get(run.procedure)
    part, signals, abscissa = procedure.plot if procedure is not None else ("outcome", (), "")
    document: Mapping[str, Any] = (run.data if part == "data" else run.outcome) or {}
    if run.status != "done":
        document = {}
    arrays = {name: values for name, given in document.items() if (values := _floats(given)).ndim}
    names = [name for name in signals or list(arrays)[:2] if name in arrays][:2]
    y = [arrays[name].ravel()[:MAX_VALUES] for name in names] + [np.zeros(0)] * (2 - len(names))
    x = arrays[abscissa].ravel() if abscissa in arrays else np.arange(1.0, len(y[0]) + 1.0)
    fields = {} if procedure is None else (procedure.data if part == "data" else procedure.outcome).model_fields
    labels = [abscissa if abscissa in arrays else "number", *names]
    return {"result:labels": [_label(name, fields, document) for name in labels], "result:x": x[:MAX_VALUES],
            "result:y1": y[0], "result:y2": y[1]}  # fmt: skip


def _floats(given: Any) -> "np.typing.NDArray[np.float64]":
    try:
        return np.array(given, dtype=float) if isinstance(given, list | np.ndarray) else np.array(0.0)
    except (TypeError, ValueError):
        return np.array(0.0)


def _label(name: str, fields: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    extra = fields[name].json_schema_extra if name in fields else None
    unit = str(extra.get("unit", "")) if isinstance(extra, Mapping) else ""
    facts = {key: value for key, value in document.items() if isinstance(value, str)}
    return f"{name} [{unit.format(**facts)}]" if unit else name
