"""The process `caRepeater`, which libca starts and which stays: kept apart from our streams.

Started by libca, it inherits standard output, and the reader of a pipe (`gnomon measure orm --protocol ca | tail`)
would wait for an end that does not come. libca starts none where one holds the port.
"""

import os
import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from functools import cache

from gnomon.lattice.text import is_port

__all__ = ["start_repeater", "start_repeater_once"]

PROGRAM, VARIABLE, PORT = "caRepeater", "EPICS_CA_REPEATER_PORT", "5065"
#: Time in which a repeater takes its port, on a busy computer, too; after it, libca starts its own [s].
START_S = 30.0


@cache
def start_repeater_once() -> None:
    """Start a repeater, as `start_repeater`, on the first call."""
    start_repeater(os.environ)


def start_repeater(environ: Mapping[str, str]) -> None:
    """Start EPICS's repeater in a session of its own, without our streams, and wait until it has its port.

    Nothing is done where one runs, or where libca would find no program of that name in the PATH either.
    """
    program = shutil.which(PROGRAM, path=environ.get("PATH"))
    told = environ.get(VARIABLE, "")
    port = int(told if is_port(told) else PORT)
    if program is None or _is_taken(port):
        return
    streams = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    process = os.posix_spawn(program, [PROGRAM], environ, file_actions=streams, setsid=True)
    end = time.monotonic() + START_S
    while not _is_taken(port) and time.monotonic() < end and not _has_ended(process):
        time.sleep(0.02)


def _has_ended(process: int) -> bool:
    """Tell whether a child has ended, and let go of it."""
    ended, _ = os.waitpid(process, os.WNOHANG)
    return ended == process


def _is_taken(port: int) -> bool:
    """Tell whether somebody holds a UDP port of this computer, asked as libca does."""
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as tried:
        try:
            tried.bind(("", port))
        except OSError:
            return True
    return False
