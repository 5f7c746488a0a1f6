"""What a replay does, on disk before it does it: after a crash the file says what to put back."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from gnomon.recorder.errors import ReplayError


class Audit(Protocol):
    """Keeps what happened. `event` is begin, write, verified, failed, restore, waiting, restored, left or end."""

    def note(self, event: str, facts: Mapping[str, object]) -> None:
        """Keep one event; it is durable when this returns. Raises ReplayError."""
        ...


class AuditFile:
    """Events as JSON lines at the end of a file, each synced; the file is only ever added to."""

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
            raise self._failure("only a part could be written")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _failure(self, error: object) -> ReplayError:
        return ReplayError(f"{self.path}: the replay's record cannot be written: {error}; without it nothing is sent")
