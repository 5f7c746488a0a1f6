#!/usr/bin/env python3
"""PV Access in gnomon's process or in one of its own: both at fixed rates of setpoint changes, in turn.

python tests/bench/pva_placement.py [--rates 20 200] [--seconds S] [--repeat N]
"""

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import peers
from load.loading import medians
from load.usage import rss_mb
from peers import Peer
from rich.console import Console
from rich.table import Table
from trials import ALL_CLIENTS, Numbers, running

PROTOTYPE = Path(__file__).resolve().parent / "pva_process.py"


def measure(peer: Peer, rate: float, seconds: float) -> Numbers:
    """Latencies at the slower of two CA clients and at a PVA client, all PVs watched by each."""
    options = ["--rate", str(rate), "--cycles", str(int(rate * seconds)), "--marker", peer.counter]
    with ExitStack() as stack:
        run = running(peer, stack)
        result = run.driven("ca", *ALL_CLIENTS, *options)
        memory = rss_mb(run.server.process.pid)
    *ca, pva = result["by_client"]
    return {
        "CA median [ms]": max(client["latency_ms"]["median"] for client in ca),
        "CA p99 [ms]": max(client["latency_ms"]["p99"] for client in ca),
        "PVA median [ms]": pva["latency_ms"]["median"],
        "PVA p99 [ms]": pva["latency_ms"]["p99"],
        "results/s at CA": min(client["results"] for client in ca) / seconds,
        "results/s at PVA": pva["results"] / seconds,
        "server CPU [%]": 100.0 * result["cpu_s"] / result["elapsed_s"],
        "memory [MB]": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[20.0, 200.0], help="puts a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run (default %(default)g)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each (default %(default)s)")
    args = parser.parse_args()
    peers.built_load_clients()
    thread = peers.counted(peers.gnomon_bessy2())
    _, *arguments = thread.command
    process = replace(thread, name="process", command=[sys.executable, str(PROTOTYPE), *arguments])
    console = Console(emoji=False)
    for rate in args.rates:
        runs: dict[str, list[Numbers]] = {"thread": [], "process": []}
        for _ in range(args.repeat):
            for name, peer in (("thread", thread), ("process", process)):
                runs[name].append(measure(peer, rate, args.seconds))
        found = {name: medians(some) for name, some in runs.items()}
        table = Table("", *found, title=f"{rate:g} puts a second, medians of {args.repeat} runs of {args.seconds:g} s")
        for number in found["thread"]:
            table.add_row(number, *(f"{some[number]:.1f}" for some in found.values()))
        console.print(table)


if __name__ == "__main__":
    main()
