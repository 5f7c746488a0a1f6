"""caproto's log as an operator can bear it: one line a second at most, and no tracebacks of other people's mistakes."""

import logging

from gnomon.ioc.base.log_limits import OneLine, SparingLog, through_one_line

log = SparingLog(logging.getLogger("gnomon.ca"))

#: Beacons to a repeater that does not run are refused by the system; clients find the server all the same.
HARMLESS = ("Failed to send beacon",)


def quieten() -> None:
    """Have caproto's loggers write single lines."""
    through_one_line("caproto", OneLine(log, "Channel Access", HARMLESS))
    for name in ("caproto.circ", "caproto.ch", "caproto.ctx", "caproto.bcast"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
