"""An EPICS server as a child process, alone on loopback ports of its own."""

import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

PORTS_NEEDED = 4
PORT_RANGE = range(20000, 30000, PORTS_NEEDED)
START_LIMIT_S = 120.0
STOP_LIMIT_S = 10.0
LOG_LINES = 20


def is_free(port: int) -> bool:
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def free_ports() -> range:
    for first in random.sample(PORT_RANGE, len(PORT_RANGE)):
        ports = range(first, first + PORTS_NEEDED)
        if all(map(is_free, ports)):
            return ports
    raise RuntimeError("no free ports")


def loopback_environment() -> dict[str, str]:
    """This environment, but for EPICS on loopback only and on ports that nobody else uses."""
    ca, repeater, pva, broadcast = map(str, free_ports())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EPICS_")}
    for kind in ("CA", "PVA"):
        environment[f"EPICS_{kind}_ADDR_LIST"] = "127.0.0.1"
        environment[f"EPICS_{kind}_AUTO_ADDR_LIST"] = "NO"
        environment[f"EPICS_{kind}S_INTF_ADDR_LIST"] = "127.0.0.1"
        environment[f"EPICS_{kind}S_AUTO_BEACON_ADDR_LIST"] = "NO"
    environment["EPICS_CA_REPEATER_PORT"] = repeater
    for kind in ("CA", "CAS"):
        environment[f"EPICS_{kind}_SERVER_PORT"] = ca
    for kind in ("PVA", "PVAS"):
        environment[f"EPICS_{kind}_SERVER_PORT"] = pva
        environment[f"EPICS_{kind}_BROADCAST_PORT"] = broadcast
    return environment


class Server:
    """A server process from its start until it is stopped; `with` stops it in any case.

    Its standard input is a pipe that stays open: some servers are consoles, which end when their input ends.
    """

    def __init__(
        self,
        command: list[str],
        environment: Mapping[str, str],
        ready_text: str,
        folder: Path | None = None,
        log_lines: int = LOG_LINES,
    ) -> None:
        self.command = command
        self.last_lines: deque[str] = deque(maxlen=log_lines)
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            text=True,
            errors="replace",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._ready_text = ready_text
        self._ready_at: float | None = None
        self._ready_or_gone = threading.Event()
        threading.Thread(target=self._read_output, daemon=True).start()

    def await_ready(self, limit_s: float = START_LIMIT_S) -> float:
        """Seconds from the start until the server printed a line with its ready text; RuntimeError if it never does."""
        self._ready_or_gone.wait(limit_s)
        if self._ready_at is None:
            raise RuntimeError(f"{' '.join(self.command)} did not start; its last lines:\n{''.join(self.last_lines)}")
        return self._ready_at - self.started_at

    def stop(self) -> int | None:
        """Exit status of the server after SIGTERM, or None if it had to be killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.last_lines.append(line)
            if self._ready_at is None and self._ready_text in line:
                self._ready_at = time.monotonic()
                self._ready_or_gone.set()
        self._ready_or_gone.set()

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
