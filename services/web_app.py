"""The application: routes, tokens, limits, and every error as a problem document."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from gnomon import __version__
from gnomon.ioc.base.exposition import CONTENT_TYPE, exposition
from gnomon.lattice import GnomonError
from gnomon.services import dashboard
from gnomon.services.access_tokens import Tokens
from gnomon.services.answer_guard import AnswerGuard
from gnomon.services.body_limit import BodyLimit, answer_of
from gnomon.services.calculations import Calculations
from gnomon.services.dashboard.live_hub import LiveHub
from gnomon.services.data_routes import data_router
from gnomon.services.event_stream import EventStreams
from gnomon.services.fault_routes import fault_router
from gnomon.services.job_routes import job_router
from gnomon.services.job_runner import JobRunner
from gnomon.services.lattice_routes import lattice_router
from gnomon.services.lattice_store import LatticeStore
from gnomon.services.openapi_document import describe, operation_name
from gnomon.services.problems import TITLES, ProblemError, of_error, of_validation
from gnomon.services.recording_routes import recording_router
from gnomon.services.result_routes import result_router
from gnomon.services.review_routes import review_router
from gnomon.services.route_parts import needs, problems
from gnomon.services.running_routes import running_router
from gnomon.services.script_routes import ScriptRoutes
from gnomon.services.service_documents import Ready
from gnomon.services.service_figures import service_figures
from gnomon.services.service_settings import ServiceSettings
from gnomon.services.snapshot_routes import snapshot_router
from gnomon.services.twin_access import TwinAccess

DESCRIPTION = """Lattices, beam, optics, responses, procedures and their results, of gnomon.

A lattice never changes: an update makes a new one, whose id is a hash of its content. Send the token as
`Authorization: Bearer TOKEN`. Errors are problem documents (RFC 9457)."""


def make_app(
    settings: ServiceSettings,
    runner: JobRunner | None = None,
    hub: LiveHub | None = None,
    scripts: ScriptRoutes | None = None,
) -> FastAPI:
    """Make the application; `runner` is that of its jobs, `hub` has the live values of its pages.

    `scripts` are those of users.

    Its pages of interactive documentation are left out: they would load from the internet.
    """
    jobs = JobRunner(settings) if runner is None else runner
    live = LiveHub(settings.prefixes) if hub is None else hub
    scripts = ScriptRoutes(settings.scripts) if scripts is None else scripts

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        jobs.open()
        described = asyncio.create_task(scripts.all())
        yield
        described.cancel()
        live.close()
        await jobs.close()

    app = FastAPI(
        title="gnomon",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_name,
        lifespan=running,
    )
    store = LatticeStore(settings.limits.lattices, settings.limits.rings)
    calculations = Calculations(settings.limits)
    twins, streams = TwinAccess(settings.limits), EventStreams(settings.limits.streams)
    app.state.streams = streams
    describe(app)
    _answer_errors(app)

    @app.get("/healthz", tags=["state"])
    async def is_alive() -> Ready:
        """Say that the process answers. Needs no token."""
        return Ready(version=__version__, lattices=len(store))

    @app.get("/readyz", tags=["state"], responses=problems(503))
    async def is_ready() -> Ready:
        """Say that calculations are made: not too many hang. Kernels are compiled before the port is open. No token."""
        if calculations.stuck:
            raise ProblemError(503, f"{calculations.hung} calculations hang", action="wait, or restart the services")
        return Ready(version=__version__, lattices=len(store))

    @app.get("/metrics", include_in_schema=False, dependencies=[Depends(needs(settings.tokens, "read"))])
    async def metrics() -> Response:
        figures = service_figures(store, jobs, streams, calculations)
        return PlainTextResponse(exposition(figures), media_type=CONTENT_TYPE)

    app.include_router(lattice_router(settings, store, calculations, twins))
    app.include_router(result_router(settings, calculations))
    app.include_router(data_router(settings, calculations))
    app.include_router(running_router(settings, twins))
    app.include_router(recording_router(settings, twins, streams))
    app.include_router(review_router(settings, calculations))
    app.include_router(snapshot_router(settings, twins))
    app.include_router(fault_router(settings, twins))
    app.include_router(job_router(settings, jobs, scripts, streams, calculations))
    _describe(app, scripts, settings.tokens)
    _mount_dashboard(app, settings, live, jobs, scripts)
    app.add_middleware(BodyLimit, max_bytes=settings.limits.body_bytes, max_s=settings.limits.body_s)
    app.add_middleware(AnswerGuard, max_s=settings.limits.send_s)
    return app


def _mount_dashboard(
    app: FastAPI, settings: ServiceSettings, live: LiveHub, jobs: JobRunner, scripts: ScriptRoutes
) -> None:
    """Add the pages, or say which extra they need."""

    @app.get("/", include_in_schema=False)
    @app.get(dashboard.BASE, include_in_schema=False)
    async def to_dashboard() -> Response:
        return RedirectResponse(f"{dashboard.BASE}/")

    if dashboard.is_installed():
        from gnomon.services.dashboard.page_server import make_dashboard

        app.mount(dashboard.BASE, make_dashboard(settings, live, jobs, scripts))
        return

    @app.get(f"{dashboard.BASE}/", include_in_schema=False)
    async def missing() -> Response:
        return PlainTextResponse(dashboard.MISSING, status_code=404)


def _describe(app: FastAPI, scripts: ScriptRoutes, tokens: Tokens) -> None:
    """Serve the OpenAPI document, with the user scripts that there are when it is asked for."""
    without = app.openapi

    def openapi() -> dict[str, Any]:
        document = deepcopy(without())
        scripts.add_to(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/openapi.json", include_in_schema=False)
    async def describe(request: Request) -> Response:
        # New scripts are executed for whoever may ask for procedures alone; to others it has those that are known.
        if tokens.role(request.headers.get("authorization")) is not None:
            await scripts.all()
        return JSONResponse(openapi())


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(GnomonError)
    async def refused(_: Request, error: GnomonError) -> Response:
        return answer_of(of_error(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return answer_of(of_validation(error.errors()))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        detail, headers = TITLES.get(error.status_code, str(error.detail)), dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _methods(app, request.url.path)
        return answer_of(ProblemError(error.status_code, detail, headers=headers))


def _methods(app: FastAPI, path: str) -> str:
    """List the methods of a path: several routes may have it, each with a method of its own."""
    described = app.openapi()["paths"]
    patterns = {route: re.sub(r"{\w+}", "[^/]+", route) for route in described}
    fitting = (
        [described[path]]
        if path in described
        else [methods for route, methods in described.items() if re.fullmatch(patterns[route], path)]
    )
    return ", ".join(sorted(method.upper() for methods in fitting for method in methods))
