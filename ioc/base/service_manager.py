"""Tell systemd that a server is ready, alive, or stops: the protocol of sd_notify(3), for units of `Type=notify`."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

from gnomon.lattice.text import NotANumberError, parse_number

__all__ = ["keep_watchdog", "notify_service_manager", "watchdog_period_s"]


def notify_service_manager(state: str, environ: Mapping[str, str] | None = None) -> bool:
    """Send a state ("READY=1", "STOPPING=1"); False where no service manager waits for it, or it cannot be reached.

    The socket's address comes from NOTIFY_SOCKET; one that begins with @ is abstract.
    """
    address = (os.environ if environ is None else environ).get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0)) as sock:
            sock.connect("\0" + address[1:] if address.startswith("@") else address)
            sock.sendall(state.encode())
    except OSError:
        return False
    return True


def watchdog_period_s(environ: Mapping[str, str] | None = None) -> float | None:
    """Return the time between two signs of life that the unit asks for (`WatchdogSec=`), halved; None for none."""
    given = os.environ if environ is None else environ
    if given.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        period_s = parse_number(given.get("WATCHDOG_USEC", "")) / 2e6
    except NotANumberError:
        return None
    return period_s if period_s > 0.0 else None


async def keep_watchdog(period_s: float, healthy: Callable[[], bool]) -> None:
    """Give signs of life until cancelled, as long as the event loop turns and the server is healthy.

    Without them systemd restarts the server, by `WatchdogSec=` and `Restart=on-failure`.
    """
    while True:
        if healthy():
            notify_service_manager("WATCHDOG=1")
        await asyncio.sleep(period_s)
