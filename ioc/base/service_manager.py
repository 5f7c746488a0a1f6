"""Tell systemd that the server is ready, or stops: the protocol of sd_notify(3), for units of `Type=notify`."""

import os
import socket
from collections.abc import Mapping


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
