"""caproto's log as an operator can bear it: one line a second at most, and no tracebacks of other people's mistakes."""

import logging
import time

log = logging.getLogger("gnomon.ca")

#: Shortest time between two lines [s].
PERIOD_S = 1.0

#: Beacons to a repeater that does not run are refused by the system; clients find the server all the same.
HARMLESS = ("Failed to send beacon",)


class OneLine(logging.Handler):
    """Passes warnings and errors on as single lines, and says how many it left out."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._next = 0.0
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        if isinstance(record.msg, str) and record.msg.startswith(HARMLESS):
            return
        now = time.monotonic()
        if now < self._next:
            self._left_out += 1
            return
        error = record.exc_info[1] if record.exc_info else None
        text = " ".join(record.getMessage().split())[:300]
        cause = f": {type(error).__name__}: {error}" if error else ""
        more = f" ({self._left_out} more such lines left out)" if self._left_out else ""
        log.warning("Channel Access: %s%s%s", text, cause, more)
        self._next, self._left_out = now + PERIOD_S, 0


def quieten() -> None:
    """Have caproto's loggers write through `OneLine` alone."""
    for name in ("caproto", "caproto.circ", "caproto.ch", "caproto.ctx", "caproto.bcast"):
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.handlers = [handler for handler in logger.handlers if isinstance(handler, OneLine)]
        if name == "caproto" and not logger.handlers:
            logger.addHandler(OneLine())
        elif name != "caproto":
            logger.propagate = True
