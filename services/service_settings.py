"""Settings of the services: address, tokens, folder of results, limits."""

from dataclasses import dataclass, field
from pathlib import Path

from gnomon.ioc.base.config import Config
from gnomon.services.access_tokens import Tokens
from gnomon.services.tls_files import TlsFiles

__all__ = ["ServiceLimits", "ServiceSettings"]


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Limits that protect the process from its clients.

    `body_bytes` is the largest request, `body_s` and `send_s` the time that a client may take to send one and to take
    a piece of an answer [s], `streams` the number of open streams of events. `asking_s` is the time of a request to a
    running server [s], `servers` the number of those to which connections are kept. `lattices` and `rings` are the
    numbers that are kept, `calculation_s` the time of one calculation [s], `together` the number that run at the same
    time, `waiting` that of those that wait, and `hung` that of abandoned ones that still run.
    """

    body_bytes: int = 8 * 2**20
    body_s: float = 30.0
    send_s: float = 30.0
    streams: int = 32
    asking_s: float = 15.0
    servers: int = 16
    lattices: int = 200
    rings: int = 16
    calculation_s: float = 30.0
    together: int = 2
    waiting: int = 64
    hung: int = 4
    jobs: int = 4
    jobs_kept: int = 200
    job_s: float = 7200.0
    stop_s: float = 75.0


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Settings of the services.

    `config` is the configuration of machines and their PVs, `results` the folder of stored runs, `store` the place
    of the document store, `scripts` the folder of user scripts. `prefixes` are those at which procedures may run, and
    which the dashboard offers, besides the servers that run on this computer. `pvs` is the prefix of the process
    variables of procedures; None: there are none. With `tls`, the services answer over HTTPS alone.
    """

    tokens: Tokens
    results: Path
    config: Config = field(default_factory=Config)
    store: Path | str | None = None
    scripts: Path | None = None
    prefixes: tuple[str, ...] = ()
    pvs: str | None = None
    tls: TlsFiles | None = None
    host: str = "127.0.0.1"
    port: int = 8290
    limits: ServiceLimits = field(default_factory=ServiceLimits)

    @property
    def jobs(self) -> Path:
        """The folder of the table of jobs, beside the results."""
        return self.results.parent / "jobs"
