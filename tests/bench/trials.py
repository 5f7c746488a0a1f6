"""Measurements of one server with the load clients: fan-out, many PVs, a stream of puts."""

import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peers
from load.loading import run_load
from load.server import Server, loopback_environment
from load.usage import cpu_s, rss_mb
from peers import LOAD, Peer

STREAM_HZ = 200.0
SETTLE_S = 1.0

Numbers = dict[str, Any]
Measure = Callable[[Peer], Numbers]

#: Two clients over CA, which drives, and one over PVA.
ALL_CLIENTS = ["--clients", "2", "--guests", "1", "--guest-program", str(LOAD / "build" / "pva_load")]
#: A shadow that computes in a thread may send a late update of the put before: only what is newer than the put counts.
ROAD = [*ALL_CLIENTS, "--by-time", "--timeout", "5", "--warmup", "2"]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready, and the folder and environment for its clients."""

    peer: Peer
    server: Server
    folder: Path
    environment: dict[str, str]
    startup_s: float

    def client(self, protocol: str, *options: str) -> list[str]:
        monitored = peers.write_names(self.folder / "monitored.txt", self.peer.monitored)
        watched = peers.write_names(self.folder / "watched.txt", self.peer.watched)
        files = ["--monitor-file", str(monitored), "--watch-file", str(watched)]
        return [str(LOAD / "build" / f"{protocol}_load"), *files, *options]

    def driven(self, protocol: str, *options: str) -> Numbers:
        drive = ["--drive", self.peer.drive, "--drive-step", str(self.peer.step)]
        pid = self.server.process.pid
        return run_load(self.client(protocol, *drive, *options), self.environment, lambda: cpu_s(pid))


def running(peer: Peer, stack: ExitStack) -> Running:
    """Start a server; `stack` stops it. Raises RuntimeError."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    environment = loopback_environment()
    server = stack.enter_context(Server(peer.command, environment | peer.environment, peer.ready_text, folder))
    return Running(peer, server, folder, environment, server.await_ready())


def fan(protocol: str, *options: str) -> Measure:
    """Puts in a closed loop, each followed by an update of every monitored PV at every client."""

    def measure(peer: Peer) -> Numbers:
        with ExitStack() as stack:
            result = running(peer, stack).driven(protocol, *options)
        if result["missed"]:
            raise RuntimeError(f"{result['missed']} updates did not come, of {result['updates_received']}")
        return {**result, "cpu_s_per_100k": result["cpu_s"] / result["updates_received"] * 1e5}

    return measure


def many(*protocols: str) -> Measure:
    """Start, connect all PVs once with each protocol, and ask for the memory while all are connected."""

    def measure(peer: Peer) -> Numbers:
        with ExitStack() as stack:
            run = running(peer, stack)
            reports = []
            for protocol in protocols:
                client = subprocess.Popen(
                    run.client(protocol, "--connect-only", "--hold", "1000"),
                    env=run.environment,
                    text=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                stack.callback(_ended, client)
                reports.append(_connect_s(client))
            time.sleep(SETTLE_S)
            memory = rss_mb(run.server.process.pid)
        return {"startup_s": run.startup_s, "connect_s": reports[0], "rss_connected_mb": memory}

    return measure


def _connect_s(client: "subprocess.Popen[str]") -> float:
    assert client.stderr is not None
    words = next((line.split() for line in client.stderr if line.startswith("connected ")), None)
    if words is None:
        raise RuntimeError("not all PVs connected")
    return float(words[1])


def _ended(client: "subprocess.Popen[str]") -> None:
    client.terminate()
    client.communicate()


def stream(seconds: float) -> Measure:
    """Puts at a fixed rate, followed by two clients over CA and one over PVA; each put's way to each client."""

    def measure(peer: Peer) -> Numbers:
        options = ["--rate", str(STREAM_HZ), "--cycles", str(int(seconds * STREAM_HZ)), "--marker", peer.counter]
        with ExitStack() as stack:
            result = running(peer, stack).driven("ca", *ALL_CLIENTS, *options, "--check-last")
        clients = result["by_client"]
        return {
            "puts": result["cycles"],
            "seen": min(client["seen"] for client in clients),
            "results": min(client["results"] for client in clients),
            "longest_gap_ms": max(client["longest_gap_ms"] for client in clients),
            "median_ms": max(client["latency_ms"]["median"] for client in clients),
            "p99_ms": max(client["latency_ms"]["p99"] for client in clients),
            "max_ms": max(client["latency_ms"]["max"] for client in clients),
            "stale": result["stale"],
            "cpu_s": result["cpu_s"],
        }

    return measure
