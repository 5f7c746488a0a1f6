"""Log lines about what clients do: one a second at most, so that nobody outside can fill a disk or forge a line."""

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any, Literal

from gnomon.lattice.text import printable

__all__ = ["JsonFormatter", "OneLine", "SafeFormatter", "SparingLog", "log_to_stderr", "through_one_line"]

#: Shortest time between two lines [s].
PERIOD_S = 1.0
#: Longest line [characters]: what clients send may stand in it.
MAX_LENGTH = 300


class SparingLog:
    """Writes single lines, one each `PERIOD_S` at most, and says how many it left out."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._next = 0.0
        self._left_out = 0

    def warning(self, message: str, *values: object) -> None:
        """Write a line, or count it; formatted only when it is written. Safe to call from any thread."""
        self._write(logging.WARNING, message, values)

    def info(self, message: str, *values: object) -> None:
        """Log in the same way what is not a reason to worry."""
        self._write(logging.INFO, message, values)

    def _write(self, level: int, message: str, values: tuple[object, ...]) -> None:
        now = time.monotonic()
        if now < self._next:
            self._left_out += 1
            return
        text = printable(" ".join((message % values if values else message).split()))[:MAX_LENGTH]
        left_out, self._next, self._left_out = self._left_out, now + PERIOD_S, 0
        self._log.log(level, "%s%s", text, f" ({left_out} more such lines left out)" if left_out else "")


class OneLine(logging.Handler):
    """Passes the warnings and errors of another library on as single lines, without tracebacks."""

    def __init__(self, log: SparingLog, prefix: str, harmless: tuple[str, ...] = ()) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._prefix = prefix
        self._harmless = harmless

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        if isinstance(record.msg, str) and record.msg.startswith(self._harmless):
            return
        error = record.exc_info[1] if record.exc_info else None
        cause = f": {type(error).__name__}: {error}" if error else ""
        self._log.warning("%s: %s%s", self._prefix, record.getMessage(), cause)


def through_one_line(name: str, handler: OneLine) -> None:
    """Have a library's logger write through `handler` alone."""
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.handlers = [handler]


class SafeFormatter(logging.Formatter):
    """Writes each message on one line, with whatever could act on a terminal escaped, in tracebacks, too."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Escape the message of a record and put it into the format."""
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """Escape a traceback line by line."""
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


class JsonFormatter(logging.Formatter):
    """Writes each record as an object (JSON) on one line: time (UTC), level, logger, message, error if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the object of a record."""
        when = datetime.fromtimestamp(record.created, UTC)
        told = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told)  # in ASCII: nothing in it acts on a terminal


def log_to_stderr(form: Literal["text", "json"] = "text") -> None:
    """Write the log of a server to standard error, from the level INFO on, as lines of text or as objects (JSON)."""
    handler = logging.StreamHandler()
    text = SafeFormatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonFormatter() if form == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
