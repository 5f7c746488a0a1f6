"""Keeps pvxs' own log quiet: it writes a page for every broken message, as often as a client likes to send one.

What a client does wrong ends its connection, and that is one line of the guard's, a second at most.
"""

import os

from p4p._p4p import logger_level_set

#: What pvxs logs about clients.
ABOUT_CLIENTS = ("pvxs.tcp.*", "pvxs.udp.*", "pvxs.remote.*")
SILENT = 1  # below 10, critical


def quieten() -> None:
    """Switch pvxs' lines about clients off, unless the user has asked for them with PVXS_LOG."""
    if not os.environ.get("PVXS_LOG", "").strip():
        for name in ABOUT_CLIENTS:
            logger_level_set(name, SILENT)
