"""Clients of running twins that are kept from one request to the next, for programs that serve many."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import SeveralServersError
from gnomon.clients.server_choice import Target, choose_servers
from gnomon.ioc.base.running_servers import RunningServer

__all__ = ["ClientPool", "choose_one", "server_document"]

#: Key of a client: the process and its start, so that a server which was started again gets a new one.
Key = tuple[str, tuple[tuple[str, str], ...], int, int]


def choose_one(prefix: str | None, server: str | None = None) -> Target:
    """Find the twin of a prefix, of a process, or the only one. Raises SeveralServersError, NoServerError."""
    found = choose_servers(prefix, server=server)
    if len(found) > 1:
        listed = "; ".join(each.describe() for each in found)
        raise SeveralServersError(f"several servers run; choose one by its prefix or process: {listed}")
    return found[0]


def server_document(server: RunningServer) -> dict[str, Any]:
    """Make plain data of a server that runs on this computer."""
    return {
        "prefix": server.prefix,
        "machine": server.machine,
        "role": server.role,
        "process": server.pid,
        "fork": server.fork,
        "ca_address": server.ca_address,
        "pva_address": server.pva_address,
        "version": server.version,
        "started_ns": server.started_ns,
    }


class ClientPool:
    """Clients by twin, at most `max_clients`; that of the twin which was not used for the longest time goes first.

    Methods may be called from several threads. A client that is in use is closed when its last user has done.
    """

    def __init__(
        self, max_clients: int = 16, timeout_s: float = 5.0, make: Callable[[Target, float], EpicsClient] | None = None
    ) -> None:
        self._max_clients = max_clients
        self._timeout_s = timeout_s
        self._make = make or (lambda target, seconds: EpicsClient(target, timeout_s=seconds))
        self._clients: OrderedDict[Key, EpicsClient] = OrderedDict()
        self._users: dict[int, int] = {}
        self._leaving: list[EpicsClient] = []
        self._lock = threading.Lock()

    @contextmanager
    def client(self, target: Target) -> Iterator[EpicsClient]:
        """Give the client of a twin for the length of a `with`."""
        client = self._take(target)
        try:
            yield client
        finally:
            self._give_back(client)

    def close(self) -> None:
        """Close all clients that nobody uses, and the others when they are given back."""
        with self._lock:
            self._leaving += self._clients.values()
            self._clients.clear()
        self._close_unused()

    def _take(self, target: Target) -> EpicsClient:
        key = _key(target)
        with self._lock:
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = self._make(target, self._timeout_s)
            self._clients.move_to_end(key)
            while len(self._clients) > self._max_clients:
                self._leaving.append(self._clients.popitem(last=False)[1])
            self._users[id(client)] = self._users.get(id(client), 0) + 1
        self._close_unused()
        return client

    def _give_back(self, client: EpicsClient) -> None:
        with self._lock:
            self._users[id(client)] -= 1
        self._close_unused()

    def _close_unused(self) -> None:
        with self._lock:
            unused = [each for each in self._leaving if not self._users.get(id(each))]
            self._leaving = [each for each in self._leaving if self._users.get(id(each))]
            for each in unused:
                self._users.pop(id(each), None)
        for each in unused:
            each.close()


def _key(target: Target) -> Key:
    server = target.server
    process, started = (server.pid, server.started_ns) if server is not None else (0, 0)
    return target.prefix, tuple(sorted(target.environment.items())), process, started
