"""caproto's log as an operator can bear it: one line a second at most, and no tracebacks of other people's mistakes."""

import logging

from gnomon.ioc.logs import SparingLog

log = SparingLog(logging.getLogger("gnomon.ca"))

#: Beacons to a repeater that does not run are refused by the system; clients find the server all the same.
HARMLESS = ("Failed to send beacon",)


class OneLine(logging.Handler):
    """Passes warnings and errors on as single lines."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        if isinstance(record.msg, str) and record.msg.startswith(HARMLESS):
            return
        error = record.exc_info[1] if record.exc_info else None
        cause = f": {type(error).__name__}: {error}" if error else ""
        log.warning("Channel Access: %s%s", record.getMessage(), cause)


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
