"""The servers that run on this computer for this user: how a server makes itself known, and how clients find it.

Each twin has a small file (JSON) that says what it serves and the environment in which EPICS clients reach it. Its
server holds a lock on the file as long as it runs, however it ends; a file without a lock is stale, and whoever finds
one removes it.
"""

import fcntl
import json
import logging
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

__all__ = ["RunningServer", "announced", "folders", "running_servers"]

#: Largest file that is read [bytes].
MAX_BYTES = 2**16

_log = logging.getLogger("gnomon.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """A twin that is served: the server's own, or a fork. `environment` has the variables of EPICS clients."""

    pid: int
    prefix: str
    machine: str
    role: str
    ca_address: str
    pva_address: str
    environment: Mapping[str, str] = field(default_factory=dict)
    config: str = ""  # path of the configuration file; empty for the shipped one
    journal: str = ""
    store: str = ""
    imperfections: str = ""  # section `imperfections` of its configuration as JSON, of role machine alone
    fork: str = ""  # name of the fork; empty for the server's own twin
    version: str = ""
    host: str = field(default_factory=socket.gethostname)
    started_ns: int = 0

    def describe(self) -> str:
        """Describe the twin in one line, for a person who has to choose between several."""
        what = f"fork {self.fork}" if self.fork else f"{self.machine}, {self.role}"
        return f"prefix {self.prefix!r}: {what}, process {self.pid}, {self.ca_address} (CA), {self.pva_address} (PVA)"


def folders(environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """List the folders where servers make themselves known; a server uses the first one that it can write to.

    The user's runtime folder is one, but not every service and not every remote shell has it: so the state folder, too.
    """
    environ = os.environ if environ is None else environ
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    found = []
    with suppress(OSError):  # another user's, as after `sudo -u`
        found += [runtime / "gnomon"] if runtime.is_dir() else []
    with suppress(RuntimeError):  # a user without a home
        state = Path(environ["XDG_STATE_HOME"]) if environ.get("XDG_STATE_HOME") else Path.home() / ".local/state"
        found.append(state / "gnomon" / "running")
    return tuple(found)


@contextmanager
def announced(server: RunningServer) -> Iterator[None]:
    """Make a server known while the context lasts. A folder that cannot be written is logged and no error."""
    made = _announce(server)
    try:
        yield
    finally:
        if made is not None:
            path, descriptor = made
            path.unlink(missing_ok=True)
            os.close(descriptor)


def running_servers(environ: Mapping[str, str] | None = None) -> tuple[RunningServer, ...]:
    """Find the twins that are served on this computer for this user, the oldest first; removes stale files."""
    found = []
    for folder in folders(environ):
        with suppress(OSError):
            _check_owner(folder)
            found += [server for path in folder.glob("*.json") if (server := _read(path)) is not None]
    return tuple(sorted(found, key=lambda server: (server.started_ns, server.pid, server.prefix)))


def _announce(server: RunningServer) -> tuple[Path, int] | None:
    name = f"{server.pid}-{server.started_ns}-{os.urandom(4).hex()}.json"
    reason: OSError | None = None
    for folder in folders():
        new = folder / f".{name}.new"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owner(folder)
            descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            reason = error
            continue
        try:
            # The lock goes with the file, not with its name: nobody ever sees the name without the lock.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, json.dumps(asdict(server), indent=1).encode())
            new.rename(folder / name)
        except OSError as error:
            reason = error
            os.close(descriptor)
            new.unlink(missing_ok=True)
            continue
        return folder / name, descriptor
    _log.warning("cannot make this server known to clients of this computer: %s; they need --prefix or EPICS_*", reason)
    return None


def _check_owner(folder: Path) -> None:
    """Raise OSError for a folder, or a link to one, that another user made: where several users share the parent."""
    if folder.lstat().st_uid != os.getuid():
        raise PermissionError(1, "belongs to another user", str(folder))


def _read(path: Path) -> RunningServer | None:
    """Read a server's file; None if it is stale, not ours, of another computer, or not such a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        about = os.fstat(descriptor)
        if about.st_uid != os.getuid() or not stat.S_ISREG(about.st_mode) or about.st_size > MAX_BYTES:
            return None
        server = _parse(os.read(descriptor, MAX_BYTES))
        if server is None or server.host != socket.gethostname():
            return None
        return server if _locked(descriptor, path) else None
    finally:
        os.close(descriptor)


def _locked(descriptor: int, path: Path) -> bool:
    """Tell whether the server that made the file still holds its lock; removes the file if not."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return True
    with suppress(OSError):
        path.unlink()
    return False


def _parse(text: bytes) -> RunningServer | None:
    """Read the description of a server; keys of later versions are passed over."""
    try:
        data: Mapping[str, Any] = json.loads(text)
        told = {each.name: data[each.name] for each in fields(RunningServer) if each.name in data}
        server = RunningServer(**told)
    except (ValueError, TypeError, KeyError):
        return None
    kinds: dict[str, type] = {"pid": int, "started_ns": int, "environment": dict}
    if not all(isinstance(value, kinds.get(name, str)) for name, value in told.items()):
        return None
    pairs = server.environment.items()
    return server if all(isinstance(text, str) for pair in pairs for text in pair) else None
