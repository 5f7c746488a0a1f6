"""The audit file of a replay, written before each step: after a crash, it holds the values to put back."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from gnomon.recorder.recorder_errors import ReplayError


class Audit(Protocol):
    """A record of events: begin, write, verified, failed, restore, waiting, restored, left or end."""

    def note(self, event: str, facts: Mapping[str, object]) -> None:
        """Record one event; it is durable when this returns. Raises ReplayError."""
        ...


def append_line(file: int, line: bytes) -> None:
    """Append a line to a file, which is on disk when this returns. Raises OSError, also if only a part was written."""
    written = os.write(file, line)
    os.fsync(file)
    if written < len(line):
        raise OSError("only a part of a line was written")


class AuditFile:
    """Events as JSON lines at the end of a file, each synced; lines are only ever added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._failure(error) from error

    def note(self, event: str, facts: Mapping[str, object]) -> None:
        """See `Audit`."""
        line = json.dumps({"event": event, "wall_ns": time.time_ns(), **facts}).encode() + b"\n"
        try:
            append_line(self._file, line)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _failure(self, error: OSError) -> ReplayError:
        return ReplayError(f"{self.path}: the record of the replay cannot be written: {error}; no further step is sent")
