"""One procedure at a time at a prefix, from whatever face it is started: a lock in the user's state folder.

The lock is an advisory one on a file that names who holds it, and ends with the process. It is of one user on one
computer: two users, or two computers, do not see each other.
"""

import fcntl
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any

from gnomon.clients.server_choice import Target
from gnomon.ioc.base.running_servers import folders
from gnomon.lattice.text import printable
from gnomon.procedures.documents import now
from gnomon.procedures.errors import ProcedureError

__all__ = ["BusyError", "holder_of", "only_one"]

log = logging.getLogger("gnomon.procedures")

#: Variables of EPICS that say which server has the prefix.
PLACES = re.compile(r"EPICS_(CA|PVA)_(ADDR_LIST|NAME_SERVERS|SERVER_PORT|BROADCAST_PORT)")
#: Time for which the lock is tried: a look at who holds it takes it for a moment [s].
TRY_S, PAUSE_S = 0.5, 0.02
MAX_BYTES = 2000


class BusyError(ProcedureError):
    """Another procedure runs at the prefix; the text says which."""


@contextmanager
def only_one(target: Target, what: str) -> Iterator[None]:
    """Hold the lock of a target's prefix for a procedure. Raises BusyError that names who has it.

    Without a folder for the lock, there is none: that is logged.
    """
    file = _opened(target, os.environ)
    if file is None:
        yield
        return
    try:
        end = time.monotonic() + TRY_S
        while not _taken(file, fcntl.LOCK_EX):
            if time.monotonic() > end:
                raise BusyError(f"prefix {target.prefix!r}: {_holder(file)} runs there; wait for it, or end it")
            time.sleep(PAUSE_S)
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps({"what": what, "pid": os.getpid(), "since": now()}).encode(), 0)
        yield
    finally:
        os.close(file)


def holder_of(target: Target) -> str:
    """Say who holds the lock of a target's prefix; empty if nobody does."""
    file = _opened(target, os.environ)
    if file is None:
        return ""
    try:
        return "" if _taken(file, fcntl.LOCK_SH) else _holder(file)
    finally:
        os.close(file)


def _taken(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(target: Target, environ: Mapping[str, str]) -> int | None:
    """Open the file of a target's lock, which is left behind: removing it could remove another one's lock."""
    places = {name: value for name, value in target.environment.items() if PLACES.fullmatch(name)}
    digest = sha256(json.dumps([target.prefix, sorted(places.items())]).encode()).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", target.prefix).strip("-")[:40] or "no-prefix"
    known = folders(environ)
    if not known:  # a user without a home
        return None
    folder = known[-1].parent / "procedures"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(folder / f"{readable}-{digest}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        log.warning("procedures at prefix %r are not locked: %s", target.prefix, error)
        return None


def _holder(file: int) -> str:
    told: Any = None
    with suppress(ValueError):
        told = json.loads(os.pread(file, MAX_BYTES, 0))
    if not isinstance(told, dict) or not told:
        return "another procedure"
    since = str(told.get("since", ""))[11:19]
    return printable(f"{told.get('what')} (process {told.get('pid')}, since {since} UTC)")
