"""The two servers of a soak as one client sees each of them, by names without prefix."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from conftest import EpicsPorts
from p4p.client.thread import Context
from p4p.nt import NTURI
from patience import PATIENCE_S

from fault.soak.oracle import Seen
from system.twin_process import TwinProcess

#: Time within which a procedure answers, whatever is wrong with the rest [s].
ANSWER_S = PATIENCE_S
_TYPES = {str: "s", list: "as", tuple: "ad"}


@dataclass(frozen=True)
class Usage:
    """Use of a process: memory [MB], open files, threads."""

    memory_mb: float
    files: int
    threads: int


class Server:
    """A running server and a client of it."""

    def __init__(self, name: str, twin: TwinProcess, where: EpicsPorts, prefix: str) -> None:
        self.name = name
        self.twin = twin
        self.prefix = prefix
        self._process = psutil.Process(twin.process.pid)
        addresses = {"EPICS_PVA_ADDR_LIST": f"127.0.0.1:{where.pva_udp}", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
        self._client = Context("pva", conf=addresses, useenv=False)
        self._procedures = Context("pva", conf=addresses, useenv=False, nt=False)

    def close(self) -> None:
        """Disconnect the client."""
        self._client.close()
        self._procedures.close()

    def usage(self) -> Usage:
        """Look at the process."""
        return Usage(self._process.memory_info().rss / 1e6, self._process.num_fds(), self._process.num_threads())

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def call(self, procedure: str, **arguments: str | list[str] | tuple[float, ...]) -> Any:
        """Call a procedure; its answer as a structure. Raises RemoteError when it refuses, TimeoutError."""
        types = [(key, _TYPES[type(value)]) for key, value in arguments.items()]
        uri = NTURI(types).wrap(self.prefix + procedure, kws=arguments, scheme="pva")
        return self._procedures.rpc(self.prefix + procedure, uri, timeout=ANSWER_S)

    def put(self, name: str, value: Any, timeout_s: float = ANSWER_S) -> None:
        """Put and wait. Raises RemoteError, TimeoutError, Disconnected."""
        self._client.put(self.prefix + name, value, timeout=timeout_s)

    def value(self, name: str) -> Any:
        """The value of a PV. Raises TimeoutError."""
        return self._client.get(self.prefix + name, timeout=ANSWER_S)

    def look(self, names: Iterable[str], timeout_s: float = 1.0) -> dict[str, Seen]:
        """Read PVs together; those that do not answer are left out."""
        wanted = list(names)
        found = self._client.get([self.prefix + name for name in wanted], timeout=timeout_s, throw=False)
        return {name: seen(value) for name, value in zip(wanted, found, strict=True) if hasattr(value, "severity")}


def seen(value: Any) -> Seen:
    """Make an observation of what p4p has read; of an array the first value, of a text its length."""
    if isinstance(value, str):
        number = float(len(value))
    else:
        numbers = np.asarray(value, dtype=float).ravel()
        number = float(numbers[0]) if len(numbers) else 0.0
    return Seen(number, int(value.severity), float(value.timestamp))
