"""A client of the running server for the length of a command."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from gnomon.cli.options import ConfigFile, Machine, Prefix, Protocol, Server, Timeout

if TYPE_CHECKING:
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.clients.server_choice import Target


class _Ending:
    """The way connections end: one by one, or all with the process, which saves up to half a second."""

    with_process = False
    left_open = False


def end_connections_with_process() -> None:
    """Say that the process ends with the command, by `end_process`."""
    _Ending.with_process = True


def end_at_once() -> None:
    """Say that nothing is left to be done: the process need not take its modules and threads apart when it ends."""
    _Ending.left_open = True


def end_process(code: int | str | None) -> NoReturn:
    """End the process; at once if connections were left open, whose threads would keep it for a while."""
    if _Ending.left_open and not isinstance(code, str):
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None:  # the shell's `>&-`
                    stream.flush()
            except BrokenPipeError:  # nobody reads any more
                pass
            except OSError as error:
                code = code or 1
                with suppress(OSError):
                    os.write(2, f"gnomon: cannot write the output: {error}\n".encode(errors="backslashreplace"))
        os._exit(code or 0)
    sys.exit(code)


@dataclass(frozen=True, slots=True)
class Connection:
    """Options for the twin that a command talks to, and for the connection: a group for `with_options`."""

    protocol: Protocol = "pva"
    prefix: Prefix = None
    machine: Machine = None
    config: ConfigFile = None
    server: Server = None
    timeout: Timeout = 5.0

    def target(self, names: Sequence[str] = ()) -> "Target":
        """Find the twin; names of its PVs can decide. Raises NoServerError."""
        from gnomon.clients.server_choice import choose_server

        return choose_server(
            prefix=self.prefix, machine=self.machine, config=self.config, server=self.server, names=names
        )


#: The same, with time for commands that set something and wait for it.
PatientConnection = partial(Connection, timeout=10.0)


@dataclass(frozen=True, slots=True)
class RunningTwin:
    """Options for the twin whose procedure is called: a group for `with_options`."""

    config: ConfigFile = None
    prefix: Prefix = None
    server: Server = None
    timeout: Timeout = 5.0


@contextmanager
def connected(connection: Connection, names: Sequence[str] = ()) -> Iterator["EpicsClient"]:
    """Connect to the twin that the options of the command line mean. Raises NoServerError."""
    with connected_to(connection.target(names), connection.protocol, connection.timeout) as client:
        yield client


@contextmanager
def connected_to(
    target: "Target", protocol: Literal["pva", "ca"] = "pva", timeout_s: float = 5.0
) -> Iterator["EpicsClient"]:
    """Connect to a twin."""
    from gnomon.clients.epics_client import EpicsClient

    client = EpicsClient(target, protocol, timeout_s)
    try:
        yield client
    finally:
        if _Ending.with_process:
            _Ending.left_open = True
        else:
            client.close()


def call_running(procedure: str, arguments: Mapping[str, str], running: RunningTwin) -> Any:
    """Call a procedure of the twin that the options mean; returns its answer. Raises NoServerError, RemoteError."""
    import json

    from gnomon.clients.server_choice import choose_server
    from gnomon.recorder import remote

    target = choose_server(prefix=running.prefix, config=running.config, server=running.server)
    return json.loads(remote.call_procedure(target.prefix + procedure, arguments, running.timeout, target.environment))
