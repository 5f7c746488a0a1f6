"""Serving the application with uvicorn until a signal."""

import asyncio
import gc
import ipaddress
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from types import FrameType
from typing import Any

from gnomon.ioc.base.service_manager import keep_watchdog, notify_service_manager, watchdog_period_s
from gnomon.lattice import GnomonError
from gnomon.services.service_settings import ServiceSettings
from gnomon.services.tls_files import TlsFiles

__all__ = ["MissingServicesError", "check_installed", "is_loopback", "serve_app", "serve_services", "warm_up"]

#: Libraries of the extra.
LIBRARIES = ("fastapi", "uvicorn", "h5py")
#: The ring with which kernels are loaded.
SMALL_RING = "mls"
#: Time that requests have to end after a signal [s].
GRACE_S = 1


class MissingServicesError(GnomonError):
    """A library of the extra `services` is not installed; the text says which."""


def is_loopback(host: str) -> bool:
    """Return True if only programs on this computer can reach an address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_installed() -> None:
    """Raise MissingServicesError unless the libraries of the extra `services` are installed."""
    for name in LIBRARIES:
        if find_spec(name) is None:
            raise MissingServicesError(
                f"gnomon services needs {name}, which is in an extra: pip install 'gnomon[services,dashboard]', or "
                "'gnomon[services]' without the pages of the dashboard"
            )


def warm_up() -> None:
    """Load the kernels of beam, response and tracking into the process, so that no request waits for them."""
    from gnomon.db import shipped_machine
    from gnomon.propagator.facade import RingModel
    from gnomon.services import beam_answers
    from gnomon.services.service_documents import Particle, PropagateRequest

    model = RingModel(shipped_machine(SMALL_RING).nominal)
    beam_answers.propagate(model, PropagateRequest(phase_space=[Particle()]), 60.0)
    beam_answers.response(model, "supply", "frequency")


def serve_services(settings: ServiceSettings, ready: Callable[[str, tuple[str, str] | None], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called when the port is open.

    It gets the URL, and the addresses of Channel Access and PV Access if there are process variables. Port 0 takes a
    free one. Raises OSError if the address cannot be listened on, GnomonError if the PVs cannot be served.
    """
    from gnomon.services.dashboard.live_hub import LiveHub
    from gnomon.services.job_runner import JobRunner
    from gnomon.services.script_routes import ScriptRoutes
    from gnomon.services.web_app import make_app

    jobs, scripts = JobRunner(settings), ScriptRoutes(settings.scripts)
    hub = LiveHub(settings.prefixes)
    app = make_app(settings, jobs, hub, scripts)
    addresses: tuple[str, str] | None = None

    async def begin(stack: AsyncExitStack) -> None:
        nonlocal addresses
        jobs.open()
        if settings.pvs is not None:
            from gnomon.services.procedure_pvs import ProcedurePvs

            addresses = await ProcedurePvs(settings.pvs, settings, jobs, scripts).start(stack)

    def ending() -> None:
        jobs.begin_end()
        app.state.streams.end()
        hub.close()

    serve_app(app, settings.host, settings.port, lambda url: ready(url, addresses), ending, begin, settings.tls)


def serve_app(
    app: Any,
    host: str,
    port: int,
    ready: Callable[[str], None],
    ending: Callable[[], None] | None = None,
    begin: Callable[[AsyncExitStack], Awaitable[None]] | None = None,
    tls: TlsFiles | None = None,
) -> None:
    """Serve an application as `serve_services` does; `begin` comes first, and `ending` is called at the signal.

    `ending` lets go of clients that follow something: they would be waited for. What `begin` gives to the stack is
    closed last. With `tls`, over HTTPS.
    """
    import uvicorn
    from uvicorn.config import LOGGING_CONFIG

    class Server(uvicorn.Server):
        """Calls `ending` in the loop."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if ending is not None:
                asyncio.get_running_loop().call_soon_threadsafe(ending)
            super().handle_exit(sig, frame)

    own_log = bool(logging.getLogger().handlers)  # a log that is set up takes uvicorn's lines, too
    config = uvicorn.Config(
        app,
        log_config=None if own_log else LOGGING_CONFIG,
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=200,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = Server(config)
    gc.freeze()  # all that was imported and made; walking through it takes most of a second at the end
    listening = _listen(host, port)

    async def serve(url: str) -> None:
        async with AsyncExitStack() as stack:
            if begin is not None:
                await begin(stack)
            ready(url)
            notify_service_manager("READY=1")
            if (period_s := watchdog_period_s()) is not None:
                watchdog = asyncio.create_task(keep_watchdog(period_s, lambda: True), name="watchdog")
                stack.callback(watchdog.cancel)
            await server.serve(sockets=[listening])
            notify_service_manager("STOPPING=1")

    # uvicorn raises the signal again when everything is closed; the process is to end with exit code 0 then.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        host, port = listening.getsockname()[:2]
        scheme = "http" if tls is None else "https"
        asyncio.run(serve(f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"))
    finally:
        listening.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            opened.listen(128)
        except BaseException:
            opened.close()
            raise
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error}; use another --host or --port") from error
    return opened
