"""pvxs' own log: it writes what broken clients do to standard error, line by line, and nobody could stop them."""

from p4p._p4p import logger_level_set

#: What pvxs logs about clients.
ABOUT_CLIENTS = ("pvxs.tcp.*", "pvxs.udp.*")
SILENT = 0


def quieten() -> None:
    """Have pvxs say nothing about clients that break the protocol; it disconnects them all the same."""
    for name in ABOUT_CLIENTS:
        logger_level_set(name, SILENT)
