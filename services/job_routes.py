"""Routes of procedures and of their jobs: list, start, state, events, cancel, result."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Response
from fastapi.responses import StreamingResponse
from pydantic import create_model

from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import Results
from gnomon.procedures.runnable import RUNNABLE, Runnable
from gnomon.services.calculations import Calculations
from gnomon.services.event_stream import EVENT_STREAM, EventStreams
from gnomon.services.job_documents import BrokenScript, Job, JobRequest, Jobs, ProcedureInfo, Procedures
from gnomon.services.job_runner import JobRunner
from gnomon.services.problems import ProblemError
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.script_routes import ScriptRoutes, script_info
from gnomon.services.service_settings import ServiceSettings

JobId = Annotated[str, Path(max_length=200, description="id of a job")]
ProcedureName = Annotated[str, Path(max_length=200, description="name of a procedure")]
AGAIN = "It was started with this key before"
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern="^[!-~]+$",
        description="unique text: the same request with the same key starts nothing again, and gets the same job",
    ),
]
LastEvent = Annotated[
    int, Header(alias="Last-Event-ID", ge=0, le=2**53, description="number of the last event that was received")
]


def job_router(
    settings: ServiceSettings,
    runner: JobRunner,
    scripts: ScriptRoutes,
    streams: EventStreams,
    calculations: Calculations,
) -> APIRouter:
    """Make the routes of procedures and jobs."""
    read = [Depends(needs(settings.tokens, "read"))]
    router = APIRouter(prefix="/v1", tags=["procedures"], responses=problems(*ALWAYS))

    @router.get("/procedures", dependencies=read)
    async def list_procedures() -> Procedures:
        """List all procedures that can be started, user scripts included, with the schemas of their options."""
        found = await scripts.all()
        broken = [BrokenScript(script=str(each.file), reason=each.reason) for each in found if each.reason]
        usable = [script_info(each) for each in found if not each.reason]
        return Procedures(procedures=[*map(_info, RUNNABLE.values()), *usable], broken=broken)

    for each in RUNNABLE.values():
        _add_start(router, settings, runner, each)

    @router.post(
        "/procedures/{name}",
        status_code=202,
        dependencies=[Depends(needs(settings.tokens, "full"))],
        responses={200: {"model": Job, "description": AGAIN}, **problems(403, 404, 409)},
    )
    async def start_script(name: ProcedureName, asked: JobRequest, response: Response, key: Key = None) -> Job:
        """Start a user script in a process of its own, and return its job; the options are checked there before."""
        script = await scripts.find(name)
        job, is_new = await runner.start(script.name, script.title, asked, key, script.file)
        return _started(job, is_new, response)

    @router.get("/jobs", dependencies=read)
    async def list_jobs() -> Jobs:
        """List jobs that run or have run, the newest first."""
        return Jobs(jobs=runner.jobs(), max_jobs=settings.limits.jobs_kept)

    @router.get("/jobs/{job}", dependencies=read, responses=problems(404))
    async def read_job(job: JobId) -> Job:
        """Return the state of a job."""
        return runner.get(job)

    @router.get(
        "/jobs/{job}/events",
        dependencies=read,
        response_class=StreamingResponse,
        responses={200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}, **problems(404)},
    )
    async def follow_job(job: JobId, last: LastEvent = 0) -> StreamingResponse:
        """Follow a job by server-sent events: those of the past first, then new ones, until `end`.

        Events are `phase`, `row` (each measured row, with the number of rows that are expected), `proposal`, `applied`,
        `stored` and `end`; `closing` if the services end before the job has. A client that comes back says in
        `Last-Event-ID` which one it received last.
        """
        runner.get(job)
        return streams.answer(runner.events(job, last))

    @router.post(
        "/jobs/{job}/cancel",
        status_code=202,
        dependencies=[Depends(needs(settings.tokens, "full"))],
        responses=problems(403, 404),
    )
    async def cancel_job(job: JobId) -> Job:
        """End a job as Ctrl-C does: the machine is put back, and what was measured is kept. One that ended stays so."""
        return await runner.cancel(job)

    @router.get("/jobs/{job}/result", dependencies=read, responses=problems(404, 409))
    async def read_job_result(job: JobId) -> dict[str, Any]:
        """Return the last run that a job stored (schema gnomon.procedure/1); 409 while there is none."""
        found = runner.get(job)
        if not found.results:
            raise ProblemError(
                409, f"job {found.id} is {found.state}: it has not stored a result", title="No result",
                field="job", action=f"follow /v1/jobs/{found.id}/events" if not found.is_ended else "start it again",
            )  # fmt: skip
        return await calculations.run("reading a result", lambda: _run_of(settings, found.results[-1]))

    return router


def _add_start(router: APIRouter, settings: ServiceSettings, runner: JobRunner, each: Runnable) -> None:
    """Add the route that starts a procedure, with a body of its own."""
    body = _body(each)
    router.add_api_route(
        f"/procedures/{each.name}",
        _start(runner, each, body),
        methods=["POST"],
        status_code=202,
        response_model=Job,
        name=f"start_{each.name.replace('-', '_')}",
        summary=f"Start: {each.title}",
        description="Start it in a process of its own, and return its job at once. One job at a time for each prefix.",
        dependencies=[Depends(needs(settings.tokens, "full"))],
        responses={200: {"model": Job, "description": AGAIN}, **problems(403, 409)},
    )


@cache
def _body(each: Runnable) -> Any:
    """Make the model of a request that starts a procedure."""
    needed = any(field.is_required() for field in each.options.model_fields.values())
    title = "".join(part.title() for part in each.name.split("-"))
    options: Any = (each.options, ...) if needed else (each.options, each.options())
    body: Any = create_model(f"{title}Request", __base__=JobRequest, options=options)
    body.__doc__ = f"Start: {each.title}."
    return body


def _start(runner: JobRunner, each: Runnable, body: Any) -> Callable[..., Any]:
    async def start(asked: body, response: Response, key: Key = None) -> Job:
        plain = JobRequest(
            prefix=asked.prefix,
            machine=asked.machine,
            options=asked.options.model_dump(mode="json", exclude_unset=True),
        )
        job, is_new = await runner.start(each.name, each.title, plain, key)
        return _started(job, is_new, response)

    return start


def _started(job: Job, is_new: bool, response: Response) -> Job:
    response.status_code = 202 if is_new else 200
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


def _info(each: Runnable) -> ProcedureInfo:
    return ProcedureInfo(name=each.name, title=each.title, kind=each.kind, options=each.options.model_json_schema())


def _run_of(settings: ServiceSettings, name: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = Results(settings.results).read(name).model_dump(mode="json", by_alias=True)
    except ProcedureError as error:
        raise ProblemError(
            404, f"the result {name} is gone: {error}", field="job", action="start the job again"
        ) from error
    return document
