"""Programs of Debian that tests need: found, or the test is skipped, and in `.ci/run` fails."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Set by `.ci/run`, where a skipped test would be a hole that nobody sees.
MAY_NOT_SKIP = "TESTS_MAY_NOT_SKIP"

#: Names that a program has, by Debian's package.
PROGRAMS = {
    "redis-server": ("redis-server",),
    "mosquitto": ("mosquitto",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "default-jre-headless": ("java",),
}
START_S = 60.0


def debian_program(package: str) -> Path:
    """Find the program of a package. Without it the test is skipped, or fails where no test may be skipped."""
    found = next((path for name in PROGRAMS[package] if (path := shutil.which(name))), None)
    if found is None:
        reason = f"{PROGRAMS[package][0]} is not installed: sudo apt-get install {package}"
        if os.environ.get(MAY_NOT_SKIP):
            pytest.fail(f"{reason} (.ci/debian_packages.sh does)")
        pytest.skip(reason)
    return Path(found)


@contextmanager
def running_redis(folder: Path, port: int) -> Iterator[str]:
    """Run redis on a port of 127.0.0.1, with its files in `folder`; gives its address, HOST:PORT."""
    program = debian_program("redis-server")
    log = folder / "redis.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            _await(process, port, log)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(START_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until redis answers."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(64).startswith(b"+PONG"):
                    return
        except OSError:
            pass
        time.sleep(0.02)
    pytest.fail(f"redis did not start on port {port}: {log.read_text(errors='replace')[-2000:]}")
