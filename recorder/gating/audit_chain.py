"""An audit log whose lines are chained by hashes: a line that is changed, taken out or put in shows.

Each line is a JSON object that ends with `prev`, the hash of the line before, and `hash`, the SHA-256 of the line
without it. The hash of the last line, the head, stands for the whole log: noted elsewhere (on paper, in another log),
it also shows that the end was cut off or everything was written once more, which the file alone cannot show.

A crash may leave the last line unfinished. It stays in the file; the next line, `recovered`, has its hash.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.recorder.audit import append_line
from gnomon.recorder.recorder_errors import AuditChainError

__all__ = ["AuditChain", "AuditCheck", "verify_audit"]

#: The hash that the first line follows.
START = "0" * 64

#: Longest line [bytes].
MAX_LINE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """The result of a check. `broken` is the number of the first wrong line, 0 if there is none.

    `events` counts good lines, `head` is the hash of the last one. `unfinished` is the length of a last line that a
    crash has cut short [bytes]; `recovered` the number of such lines earlier in the file.
    """

    events: int
    head: str
    broken: int = 0
    reason: str = ""
    unfinished: int = 0
    recovered: int = 0

    @property
    def intact(self) -> bool:
        """True if no line is wrong; the last one may be unfinished."""
        return not self.broken


class AuditChain:
    """The log of one session: events at the end of a file, each durable before `note` returns; one process at a time.

    An `Audit` (`gnomon.recorder.audit`).
    """

    def __init__(self, path: Path) -> None:
        """Open a log, and check it if there is one. Raises AuditChainError if it is broken or in use."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._failure(error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise self._failure("another process writes it") from error
        try:
            check = verify_audit(path)
            if not check.intact:
                raise self._failure(f"line {check.broken}: {check.reason}; begin another file, and keep this one")
            self._head, self._before = check.head, b""
            if check.unfinished:
                self._recover(check.unfinished)
            elif (size := os.fstat(self._file).st_size) and os.pread(self._file, 1, size - 1) != b"\n":
                self._before = b"\n"  # a crash has left out nothing but the end of the line
        except AuditChainError:
            os.close(self._file)
            raise

    @property
    def head(self) -> str:
        """The hash of the last line, which stands for the whole log."""
        return self._head

    def note(self, event: str, facts: Mapping[str, object]) -> None:
        """Record one event; it is durable when this returns. Raises AuditChainError."""
        self._append({"event": event, "wall_ns": time.time_ns(), **facts})

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _recover(self, unfinished: int) -> None:
        size = os.fstat(self._file).st_size
        fragment = os.pread(self._file, unfinished, size - unfinished)
        facts = {"event": "recovered", "wall_ns": time.time_ns(), "unfinished": hashlib.sha256(fragment).hexdigest()}
        self._before = b"\n"
        self._append(facts)

    def _append(self, facts: Mapping[str, object]) -> None:
        content = _content(facts, self._head)
        head = hashlib.sha256(content).hexdigest()
        line = self._before + content[:-1] + f',"hash":"{head}"}}\n'.encode()
        try:
            append_line(self._file, line)
        except OSError as error:
            raise self._failure(error) from error
        self._head, self._before = head, b""

    def _failure(self, error: object) -> AuditChainError:
        return AuditChainError(f"{self.path}: the audit log cannot be written: {error}; no further step is sent")


def verify_audit(path: Path) -> AuditCheck:
    """Check a log, and name the first line that is wrong. Raises AuditChainError if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return _verified(file)
    except OSError as error:
        raise AuditChainError(f"{path}: the audit log cannot be read: {error}") from error


def events_of(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the events of a log that is intact, the oldest first. Raises AuditChainError."""
    check = verify_audit(path)
    if not check.intact:
        raise AuditChainError(f"{path}: line {check.broken}: {check.reason}")
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE):
                if (event := _parsed(line)) is not None:
                    yield event
    except OSError as error:
        raise AuditChainError(f"{path}: the audit log cannot be read: {error}") from error


def _verified(lines: Any) -> AuditCheck:
    head, events, recovered, number = START, 0, 0, 0
    fragment: bytes | None = None
    while line := lines.readline(MAX_LINE):
        number += 1
        data = _parsed(line)
        if not line.endswith(b"\n") and (data is None or data.get("prev") != head):
            if fragment is not None:
                return AuditCheck(events, head, number - 1, _NO_LINE, recovered=recovered)
            return AuditCheck(events, head, unfinished=len(line), recovered=recovered)
        if data is None:
            if fragment is not None:
                return AuditCheck(events, head, number - 1, _NO_LINE, recovered=recovered)
            fragment = line[:-1]  # the next line must know of it
            continue
        if fragment is not None:
            if data.get("event") != "recovered" or data.get("unfinished") != hashlib.sha256(fragment).hexdigest():
                return AuditCheck(events, head, number - 1, _NO_LINE, recovered=recovered)
            fragment, recovered = None, recovered + 1
        elif data.get("event") == "recovered":
            return AuditCheck(
                events, head, number, "the unfinished line that it is about is missing", recovered=recovered
            )
        if data.get("prev") != head:
            return AuditCheck(
                events, head, number, "it does not follow the line before: lines were taken out, put in or moved",
                recovered=recovered,
            )  # fmt: skip
        head, events = str(data["hash"]), events + 1
    if fragment is not None:
        return AuditCheck(events, head, number, _NO_LINE, recovered=recovered)
    return AuditCheck(events, head, recovered=recovered)


_NO_LINE = "its content does not have its hash: it was changed"


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Read a line that has its own hash; None for every other."""
    content, comma, rest = line.rstrip(b"\n").rpartition(b',"hash":"')
    if not comma or len(rest) != 66 or not rest.endswith(b'"}'):
        return None
    if hashlib.sha256(content + b"}").hexdigest().encode() != rest[:64]:
        return None
    try:
        data = json.loads(line)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _content(facts: Mapping[str, object], head: str) -> bytes:
    """Write the line without its hash."""
    taken = {"prev", "hash"} & set(facts)
    if taken:
        raise AuditChainError(f"an event has a fact {taken.pop()!r}, which is a name of the chain")
    text = json.dumps({**facts, "prev": head}, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii")
