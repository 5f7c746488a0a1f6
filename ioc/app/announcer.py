"""Announcement of a server's twins to clients of the same user on the same computer."""

import os
import time
from contextlib import AbstractContextManager
from pathlib import Path

from gnomon._version import __version__
from gnomon.ioc.app.servers import Servers
from gnomon.ioc.app.twin import Twin
from gnomon.ioc.base.running_servers import RunningServer, announced


class Announcer:
    """Makes twins known while they are served. `config_file` is the configuration that the server was started with."""

    def __init__(self, config_file: Path | None = None) -> None:
        self._config_file = "" if config_file is None else str(config_file.resolve())

    def announced(self, servers: Servers, twin: Twin, fork: str = "") -> AbstractContextManager[None]:
        """Make a twin known while the context lasts."""
        config, ca, pva = twin.config, servers.ca, servers.pva_endpoint
        return announced(
            RunningServer(
                pid=os.getpid(),
                prefix=twin.prefix,
                machine=twin.machine.ring.name,
                role=config.role,
                ca_address=f"{_reachable(ca.where.interfaces)}:{ca.port}",
                pva_address=f"{_reachable(pva.interfaces)}:{pva.port}",
                environment={**ca.client_variables, **pva.client_variables},
                config=self._config_file,
                journal=str(Path(twin.journal.path).absolute()),
                store=config.store_place().to_text(),
                imperfections=config.imperfections.model_dump_json() if config.role == "machine" else "",
                fork=fork,
                version=__version__,
                started_ns=time.time_ns(),
            )
        )


def _reachable(interfaces: tuple[str, ...] | list[str]) -> str:
    return next((each for each in interfaces if each not in ("0.0.0.0", "::", "")), "127.0.0.1")
