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
            written = os.write(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            raise self._failure(error) from error
        if written < len(line):
            raise self._failure("only a part of a line was written")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _failure(self, error: object) -> ReplayError:
        return ReplayError(f"{self.path}: the record of the replay cannot be written: {error}; no further step is sent")
