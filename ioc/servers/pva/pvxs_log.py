"""Keep the logs of pvxs and p4p quiet: they write a page for what a client does wrong, as often as it likes to.

What a client does wrong ends its connection, or is answered with an error, and that is one line of ours, a second at
most.
"""

import logging
import os
import sys
from types import TracebackType

from p4p._p4p import logger_level_set

from gnomon.ioc.base.log_limits import OneLine, SparingLog, through_one_line

log = SparingLog(logging.getLogger("gnomon.pva"))

#: All that pvxs has to say; it writes to standard error by itself. What stops a server from starting is raised.
PVXS = "pvxs.*"
SILENT = 1  # below 10, critical


def quieten() -> None:
    """Switch pvxs' lines off, unless the user has asked for them with PVXS_LOG, and have p4p write single lines."""
    if not os.environ.get("PVXS_LOG", "").strip():
        logger_level_set(PVXS, SILENT)
    through_one_line("p4p", OneLine(log, "PV Access"))
    if sys.excepthook is not _one_line:
        sys.excepthook = _one_line


def _one_line(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Write what p4p's own code has to complain of, as that no channel has a name; it has no traceback."""
    if where is None and not issubclass(kind, KeyboardInterrupt):
        log.warning("PV Access: %s: %s", kind.__name__, error)
    else:
        sys.__excepthook__(kind, error, where)
