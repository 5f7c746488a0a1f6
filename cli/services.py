"""`gnomon services`: lattices, beam, optics, responses and results over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.connection import end_at_once
from gnomon.cli.options import ConfigFile, LogFormat, configure
from gnomon.cli.results_folder import ResultsFolder


def services(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Listen on this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port (TCP); 0 takes a free one.")] = 8290,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the token.", show_default="GNOMON_SERVICES_TOKEN, else a file beside the document store"
        ),
    ] = None,
    read_token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with a second token, which can only read.", show_default="GNOMON_SERVICES_READ_TOKEN, else none"
        ),
    ] = None,
    prefix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PREFIX",
            help="Let procedures run at the server with this prefix, found by the EPICS variables, and offer it in the "
            "dashboard; can be repeated. The servers on this computer are there anyway.",
        ),
    ] = None,
    pvs: Annotated[
        str | None,
        typer.Option(
            metavar="PREFIX",
            help="Serve procedures as process variables under this prefix, over both protocols, at the configuration's "
            "addresses and ports.",
            show_default="none",
        ),
    ] = None,
    results: ResultsFolder = None,
    max_lattices: Annotated[int, typer.Option(min=1, max=100_000, help="Number of lattices that are kept.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Time of one calculation [s].")] = 30.0,
    log_format: LogFormat = None,
    config: ConfigFile = None,
) -> None:
    """Serve lattices, beam, optics, responses, procedures and results over HTTP (REST) until Ctrl-C.

    For example `gnomon services --port 8290`. Only programs on this computer can connect, unless --host says otherwise.
    Each request needs the token; /openapi.json describes all of them.
    """
    from rich.console import Console

    from gnomon.cli.compile_kernels import compile_all_with_progress
    from gnomon.ioc.base.log_limits import log_to_stderr
    from gnomon.services import dashboard
    from gnomon.services.access_tokens import find_tokens
    from gnomon.services.service_settings import ServiceLimits, ServiceSettings
    from gnomon.services.tls_files import find_tls
    from gnomon.services.web_server import check_installed, is_loopback, serve_services, warm_up

    check_installed()
    configuration = configure(config)
    if (log_format or configuration.log.format) == "json":
        log_to_stderr("json")
    tokens = find_tokens(configuration.services_token(), token_file, read_token_file)
    tls = find_tls(configuration.services.certificate, configuration.services.key)
    settings = ServiceSettings(
        tokens=tokens,
        config=configuration,
        results=configuration.results_folder() if results is None else results.expanduser(),
        store=configuration.store_place().to_text(),
        scripts=configuration.services.scripts,
        pvs=pvs,
        tls=tls,
        host=host,
        port=port,
        prefixes=tuple(prefix or ()),
        limits=ServiceLimits(lattices=max_lattices, calculation_s=max_seconds),
    )
    console = Console(emoji=False, highlight=False, soft_wrap=True)
    compile_all_with_progress(console)
    warm_up()

    def ready(url: str, addresses: tuple[str, str] | None) -> None:
        console.print(f"gnomon services at {url}, described in {url}/openapi.json", markup=False)
        pages = f"{url}{dashboard.BASE}/" if dashboard.is_installed() else dashboard.MISSING
        console.print(f"dashboard: {pages}", markup=False)
        if addresses is not None:
            ca, pva = addresses
            console.print(f"procedures as {pvs!r}...: Channel Access {ca}, PV Access {pva}", markup=False)
        console.print(f"token: {tokens.source}; read-only token: {tokens.read_source}", markup=False)
        if not is_loopback(host) and tls is None:
            console.print(
                "warning: tokens and data are not encrypted; give services.certificate, or a proxy with TLS in front",
                markup=False,
            )
        console.print("ready", markup=False)

    serve_services(settings, ready)
    end_at_once()
