"""A server that is started for a scenario: free ports, a journal and a store of its own, and nothing left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO

import yaml

from gnomon.clients.server_choice import Target, choose_server
from gnomon.ioc.base.config import changed, read_config
from gnomon.lattice import GnomonError
from gnomon.testing.ports import reserve, without_epics
from gnomon.testing.scenarios.application import end_group

#: Time for a server to start, kernels to be compiled included [s].
START_S = 300.0
#: Time for it to end [s].
END_S = 10.0
LOG = "log.txt"


class StartError(GnomonError):
    """A server that did not start; the text has what it printed."""


class OwnServer:
    """A running server; use as a context manager, which gives the twin to talk to."""

    def __init__(self, machine: str, role: str = "twin", seed: int = 1, prefix: str = "SCENARIO:") -> None:
        self._machine = machine
        self._role = role
        self._seed = seed
        self._prefix = prefix
        self._folder = tempfile.TemporaryDirectory(prefix="gnomon-scenario-")
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Target:
        try:
            return self._start()
        except BaseException:
            self._stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> Target:
        folder = Path(self._folder.name)
        config = folder / "ioc_config.yaml"
        (ports,) = reserve(1)
        settings = changed(
            read_config(),
            {
                "machine": self._machine,
                "role": self._role,
                "prefix": self._prefix,
                "network": ports.network,
                "recorder": {"journal": str(folder / "journal.sqlite")},
                "store": {"path": str(folder / "documents.sqlite")},
                "faults": {"seed": self._seed},
                "imperfections": {"seed": self._seed},
            },
        )
        config.write_text(yaml.safe_dump(settings.model_dump(mode="json")), encoding="utf-8")
        self._log = (folder / LOG).open("wb")
        # Made known in its own folder: other programs of this user do not find it by chance.
        own = {"XDG_STATE_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from gnomon.cli import main; main()", "serve", "--config", str(config)],
            env=without_epics(os.environ) | own | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait()
        return choose_server(server=str(self._process.pid), environ=own)

    def _wait(self) -> None:
        assert self._process is not None
        end, said = time.monotonic() + START_S, ""
        while time.monotonic() < end:
            ended = self._process.poll() is not None
            said = (Path(self._folder.name) / LOG).read_text(encoding="utf-8", errors="replace")
            if any(line.startswith("ready") for line in said.splitlines()):
                return
            if ended:
                break
            time.sleep(0.05)
        raise StartError(f"the server for the scenario did not start:\n{said.strip()}")

    def _stop(self) -> None:
        if self._process is not None:
            end_group(self._process, signal.SIGTERM, END_S)
        if self._log is not None:
            self._log.close()
        self._folder.cleanup()
