"""Time until a starting server first answers, taken by a Channel Access client that searches all the time.

Ordinary clients search less and less often: their own back-off would stand in the result. Prints `searching`, and
then the time on the monotonic clock, which all processes share, at which a read brought a value that is not INVALID.
"""

import os
import socket
import struct
import sys
import time

from caproto import CaprotoError
from caproto.sync.client import read

INTERVAL_S = 0.01
LIMIT_S = 120.0
READ_LIMIT_S = 5.0
INVALID = 3

HEADER = struct.Struct(">HHHHII")  # command, payload size, data type, count, two parameters
CA_VERSION, CA_SEARCH, DONT_REPLY, MINOR_VERSION = 0, 6, 5, 13


def search_request(name: str) -> bytes:
    payload = name.encode() + b"\0"
    payload += b"\0" * (-len(payload) % 8)
    version = HEADER.pack(CA_VERSION, 0, 0, MINOR_VERSION, 0, 0)
    return version + HEADER.pack(CA_SEARCH, len(payload), DONT_REPLY, MINOR_VERSION, 1, 1) + payload


def await_found(name: str, port: int, deadline: float) -> None:
    """Search until a server says that it has the PV."""
    request = search_request(name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(INTERVAL_S)
        while time.monotonic() < deadline:
            udp.sendto(request, ("127.0.0.1", port))
            try:
                reply = udp.recv(4096)
            except (TimeoutError, ConnectionError):
                continue
            commands = [HEADER.unpack_from(reply, at)[0] for at in range(0, len(reply) - HEADER.size + 1, 8)]
            if CA_SEARCH in commands:
                return
    sys.exit(f"{name}: not found within {LIMIT_S:g} s")


def main() -> None:
    name, port = sys.argv[1], int(os.environ["EPICS_CA_SERVER_PORT"])
    print("searching", flush=True)
    deadline = time.monotonic() + LIMIT_S
    await_found(name, port, deadline)
    while time.monotonic() < deadline:
        try:
            response = read(name, data_type="time", timeout=READ_LIMIT_S, repeater=False)
        except (CaprotoError, TimeoutError, OSError):
            continue
        if response.metadata.severity < INVALID:
            print(time.monotonic(), float(response.data[0]), flush=True)
            return
        time.sleep(INTERVAL_S)
    sys.exit(f"{name}: still INVALID after {LIMIT_S:g} s")


if __name__ == "__main__":
    main()
