#!/usr/bin/env python3
"""Time of `gnomon get` of one PV next to the bare import of its client library, as a ratio.

Starts a server on ports of its own. Runs are interleaved, so that both meet the same load; the shortest of each counts.

python tests/bench/client_start.py [--runs N]
"""

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

GNOMON = [sys.executable, "-c", "from gnomon.cli import main; main()"]
#: Longest time of a get over PV Access, the default, in imports.
LIMIT = 1.5
READY_S = 120.0


@dataclass(frozen=True, slots=True)
class Times:
    """Processor time and wall time [s]."""

    processor_s: float
    wall_s: float


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def timed(command: list[str], environment: dict[str, str]) -> Times:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Times(used, wall_s)


def shortest(times: list[Times]) -> Times:
    return Times(min(each.processor_s for each in times), min(each.wall_s for each in times))


def measure(runs: int, environment: dict[str, str]) -> float:
    """Print a line for each protocol; the ratio of PV Access in processor time."""
    jobs = {
        "pva": ([sys.executable, "-c", "import p4p.client.thread"], [*GNOMON, "get", "TUNEZR:rdH"]),
        "ca": ([sys.executable, "-c", "import caproto.threading.client"],
               [*GNOMON, "get", "TUNEZR:rdH", "--protocol", "ca"]),
    }  # fmt: skip
    found: dict[str, tuple[list[Times], list[Times]]] = {name: ([], []) for name in jobs}
    for _ in range(runs):
        for name, commands in jobs.items():
            for command, times in zip(commands, found[name], strict=True):
                times.append(timed(command, environment))
    ratios = {}
    for name, (imports, gets) in found.items():
        bare, get = shortest(imports), shortest(gets)
        ratios[name] = get.processor_s / bare.processor_s
        print(
            f"{name:4} import {bare.processor_s:.3f} s, get {get.processor_s:.3f} s of processor time: "
            f"{ratios[name]:.2f}; wall {bare.wall_s:.3f} s, {get.wall_s:.3f} s: {get.wall_s / bare.wall_s:.2f}"
        )
    return ratios["pva"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs: int = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        places = dict.fromkeys(("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME"), folder)
        ports = {"EPICS_CAS_SERVER_PORT": free_port(), "EPICS_PVAS_SERVER_PORT": free_port(),
                 "EPICS_PVAS_BROADCAST_PORT": free_port()}  # fmt: skip
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("EPICS_", "GNOMON_"))}
        environment = plain | places | {"OMP_NUM_THREADS": "1"}
        command = [*GNOMON, "serve"]
        told = environment | {name: str(port) for name, port in ports.items()}
        with subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL) as server:
            try:
                end = time.monotonic() + READY_S
                while not list(Path(folder, "gnomon").glob("*.json")):
                    if server.poll() is not None or time.monotonic() > end:
                        print("the server did not start", file=sys.stderr)
                        return 2
                    time.sleep(0.1)
                ratio = measure(runs, environment)
            finally:
                server.terminate()
    print(f"limit for PV Access, the default: {LIMIT}")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
