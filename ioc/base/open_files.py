"""Room for as many open connections as the guard allows: systems allow a process 1024 files unless it asks for more."""

import logging

from gnomon.ioc.base.config import GuardConfig

log = logging.getLogger("gnomon")

#: Files, pipes and listening sockets besides connections.
OTHERS = 100


def open_files_wanted(guard: GuardConfig) -> int:
    """Count a file for each connection of both protocols, of which one passes through two sockets, and some others."""
    return 3 * guard.max_connections + OTHERS


def raise_open_file_limit(guard: GuardConfig) -> None:
    """Have the system allow a file for each connection of both protocols, of which one passes through two sockets."""
    try:
        import resource
    except ImportError:  # a system that has no such limit
        return
    wanted = open_files_wanted(guard)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, soft), hard))
    if allowed < wanted:
        log.warning(
            "the system allows %d open files, guard.max_connections needs %d: "
            "raise the limit (ulimit -n) or clients may be kept waiting",
            allowed,
            wanted,
        )
