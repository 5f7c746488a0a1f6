"""The dashboard as an application that the services mount: form, live stream, and Dash's pages behind a guard."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs

from a2wsgi import WSGIMiddleware
from dash import Dash, Input, Output
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gnomon.services.dashboard import BASE
from gnomon.services.dashboard.job_desk import JobDesk
from gnomon.services.dashboard.live_hub import MAX_PREFIXES, LiveHub, TooManyPagesError
from gnomon.services.dashboard.login_form import MAX_FORM_BYTES, form
from gnomon.services.dashboard.page_list import PAGES, SHARED
from gnomon.services.dashboard.page_parts import DashboardParts, Page
from gnomon.services.dashboard.page_shell import page_content, shell
from gnomon.services.dashboard.prefix_feed import Wanted
from gnomon.services.dashboard.sign_in import VALID_S, Guard, SignIn
from gnomon.services.job_runner import JobRunner
from gnomon.services.script_routes import ScriptRoutes
from gnomon.services.service_settings import ServiceSettings

__all__ = ["make_dashboard"]

ASSETS = Path(__file__).parent / "assets"
Answer = Callable[[Request], Awaitable[Response]]
#: Threads that run Dash's callbacks.
THREADS = 4

_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{%title%}</title>
<link rel="icon" href="/dashboard/assets/gnomon.svg">
<script src="/dashboard/assets/early_theme.js"></script>
{%css%}
</head>
<body>
{%app_entry%}
<footer>
{%config%}
{%scripts%}
{%renderer%}
</footer>
</body>
</html>
"""


def make_dashboard(settings: ServiceSettings, hub: LiveHub, jobs: JobRunner, scripts: ScriptRoutes) -> ASGIApp:
    """Make the application that is mounted at `BASE`, in the event loop of the runner of jobs."""
    parts = DashboardParts(settings, hub, JobDesk(jobs, scripts))
    sign_in = SignIn(settings.tokens)
    pages = _dash(parts)
    routes = [
        Route("/login", _form, methods=["GET"]),
        Route("/login", _signing_in(sign_in), methods=["POST"]),
        Route("/logout", _signing_out(sign_in), methods=["POST"]),
        Route("/live", _live(parts.hub), methods=["GET"]),
        Mount("/", app=cast(ASGIApp, WSGIMiddleware(pages.server, workers=THREADS))),
    ]
    guarded = Guard(Starlette(routes=routes), sign_in, pages.csp_hashes())

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        parts.desk.take_loop()
        await guarded(scope, receive, send)

    return answer


def _dash(parts: DashboardParts) -> Dash:
    app = Dash(
        "gnomon.services.dashboard",
        server=Flask("gnomon.services.dashboard"),  # type: ignore[arg-type]
        assets_folder=str(ASSETS),
        # Loaded by the first lines of a page, before anything is drawn.
        assets_ignore="early_theme.js",
        requests_pathname_prefix=f"{BASE}/",
        routes_pathname_prefix="/",
        serve_locally=True,
        suppress_callback_exceptions=True,
        update_title=None,  # type: ignore[arg-type]
        title="gnomon",
        index_string=_INDEX,
        add_log_handler=False,
    )
    app.layout = lambda: shell(PAGES)

    @app.callback(Output("page", "children"), Input("address", "pathname"))
    def show(pathname: str | None) -> object:
        return page_content(PAGES, (pathname or "").removeprefix(BASE).strip("/"))

    for page in PAGES:
        page.callbacks(app, parts)
    return app


async def _form(request: Request) -> Response:
    return HTMLResponse(form(BASE))


def _signing_in(sign_in: SignIn) -> Answer:
    async def take(request: Request) -> Response:
        body = (await request.body())[:MAX_FORM_BYTES].decode(errors="replace")
        token = parse_qs(body).get("token", [""])[0].strip()
        cookie = sign_in.make(token)
        if cookie is None:
            return HTMLResponse(form(BASE, "This token is not valid."), status_code=401)
        answer = RedirectResponse(f"{BASE}/", status_code=303)
        answer.set_cookie(
            sign_in.cookie,
            cookie,
            max_age=VALID_S,
            path=BASE,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    return take


def _signing_out(sign_in: SignIn) -> Answer:
    async def leave(_: Request) -> Response:
        answer = RedirectResponse(f"{BASE}/login", status_code=303)
        answer.delete_cookie(sign_in.cookie, path=BASE)
        return answer

    return leave


def _live(hub: LiveHub) -> Answer:
    wanted = {page.path: _wanted(page) for page in PAGES}

    async def stream(request: Request) -> Response:
        """Push live values to one page: `page` is its path, `prefix` the chosen one, and one beside it."""
        page = request.query_params.get("page", "")
        prefixes = list(dict.fromkeys(request.query_params.getlist("prefix")))[:MAX_PREFIXES]
        if page not in wanted:
            return Response("there is no such page", status_code=404)
        events = _events(hub.frames(wanted[page], prefixes))
        return StreamingResponse(
            events, media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"}
        )

    return stream


async def _events(frames: AsyncIterator[str]) -> AsyncIterator[str]:
    try:
        async for frame in frames:
            yield f"data: {frame}\n\n"
    except TooManyPagesError as error:
        yield f"event: refused\ndata: {json.dumps(str(error))}\n\n"


def _wanted(page: Page) -> Wanted:
    names = {source.name for source in (*SHARED, *page.sources)}
    return Wanted(frozenset(names), frozenset(source.name for source in page.every), frozenset(page.properties))
