#!/usr/bin/env python3
"""Measure gnomon next to other servers with load clients in C, and print the ratios: see README.md.

python tests/bench/servers.py [--repeat N] [--seconds S] [--only GROUP] [--write-docs]
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import peers
from environments import NotInstalled
from load.loading import medians
from peers import Peer
from report import BadSection, described_machine, write_section
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from server_rows import HEADER, ROWS, Medians
from trials import ROAD, STREAM_HZ, Measure, Numbers, fan, many, stream

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs" / "performance.md"
TABLE_WIDTH = 150
FAILURES = (NotInstalled, RuntimeError, OSError, subprocess.SubprocessError)


@dataclass(frozen=True, slots=True)
class Group:
    """Servers measured in turn, each `repeat` times; a server that can't be had or fails is left out."""

    name: str
    members: tuple[tuple[Callable[[], Peer], Measure], ...]


def groups() -> tuple[Group, ...]:
    ours, c_softioc, python_softioc = peers.gnomon_bank, peers.c_softioc, peers.python_softioc
    bessy2, dt4acc = cache(peers.gnomon_bessy2), cache(peers.dt4acc_bessy2)

    def duel(name: str, protocol: str, clients: int, cycles: int, *options: str) -> Group:
        measure = fan(protocol, "--clients", str(clients), "--cycles", str(cycles))
        return Group(name, ((lambda: ours(1000), measure), (lambda: c_softioc(1000, *options), measure)))

    put = fan("ca", "--put-callback", "--cycles", "2000")
    one = ("--follow", "1")
    return (
        duel("CA, 1 client", "ca", 1, 1500),
        duel("CA, 5 clients", "ca", 5, 400),
        duel("PVA, 1 client", "pva", 1, 120, "--pva"),
        duel("PVA, 5 clients", "pva", 5, 60, "--pva"),
        Group("put", ((lambda: ours(1, *one), put), (lambda: python_softioc(1, *one), put))),
        Group(
            "10 000 PVs",
            (
                (lambda: ours(10_000), many("ca", "pva")),
                (lambda: c_softioc(10_000), many("ca")),
                (lambda: python_softioc(10_000), many("ca")),
            ),
        ),
        Group(
            "whole road",
            (
                (bessy2, fan("ca", *ROAD, "--cycles", "200")),
                (dt4acc, fan("ca", *ROAD, "--cycles", "12")),
            ),
        ),
    )


@dataclass
class Findings:
    """Medians by group and server, and what could not be measured."""

    medians: dict[str, Medians] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    stream: Numbers = field(default_factory=dict)

    def document(self, where: dict[str, str]) -> dict[str, Any]:
        ratios = {f"{row.label}, {row.against}": row.ratio(self.medians) for row in ROWS}
        return {"where": where, "medians": self.medians, "stream": self.stream, "ratios": ratios, **self.failed()}

    def failed(self) -> dict[str, Any]:
        return {"failures": self.failures} if self.failures else {}


def measure_group(group: Group, repeat: int, findings: Findings, say: Callable[[str], None]) -> None:
    results: dict[str, list[Numbers]] = {}
    gone: set[int] = set()
    for run in range(repeat):
        for number, (make, measure) in enumerate(group.members):
            if number in gone:
                continue
            name = f"server {number}"
            try:
                peer = make()
                name = peer.name
                say(f"{group.name}: {name}, run {run + 1} of {repeat}")
                numbers = measure(peer)
                results.setdefault(name, []).append(numbers)
            except FAILURES as error:
                gone.add(number)
                findings.failures[f"{group.name}, {name}"] = str(error)
    findings.medians[group.name] = {name: medians(runs) for name, runs in results.items()}


def measure_stream(seconds: float, findings: Findings) -> None:
    try:
        findings.stream = stream(seconds)(peers.counted(peers.gnomon_bessy2()))
    except FAILURES as error:
        findings.failures["stream, gnomon"] = str(error)


def stream_text(stream: Numbers) -> str:
    """Describe the outcome of a stream of puts."""
    if not stream:
        return "The stream of puts was not measured."
    seconds = stream["puts"] / STREAM_HZ
    last = "every client had every last value" if not stream["stale"] else f"{stream['stale']} last values are old"
    return (
        f"{STREAM_HZ:g} setpoint changes a second for {seconds:g} s, all PVs watched by 2 CA and 1 PVA clients: "
        f"results of {stream['seen']:g} of {stream['puts']:g} puts reached every client, as "
        f"{stream['results'] / seconds:.0f} results a second; put to results at the slowest client: median "
        f"{stream['median_ms']:.1f} ms, p99 {stream['p99_ms']:.1f} ms, longest {stream['max_ms']:.1f} ms; the longest "
        f"time without new results was {stream['longest_gap_ms']:.1f} ms; {last}. The server used "
        f"{100 * stream['cpu_s'] / seconds:.0f} % of one core."
    )


def table(findings: Findings) -> Table:
    shown = Table(title="ratios to other servers, medians of interleaved runs")
    for i, name in enumerate(HEADER):
        shown.add_column(name, justify="right" if i > 1 else "left")
    for row in ROWS:
        shown.add_row(*(cell.replace("**", "") for cell in row.cells(findings.medians)))
    return shown


def markdown(findings: Findings, where: dict[str, str]) -> str:
    lines = [HEADER, ["---"] * 2 + ["---:"] * 5, *(row.cells(findings.medians) for row in ROWS)]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    failed = findings.failures.items()
    missing = "".join(f"- not measured: {name}: {reason.splitlines()[0]}\n" for name, reason in failed)
    measured = "; ".join(f"{name} {value}" for name, value in where.items())
    return f"Measured: {measured}.\n\n{text}{missing}\n{stream_text(findings.stream)}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each server, in turn (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the stream of puts (default %(default)g)")
    parser.add_argument("--only", action="append", metavar="GROUP", help="this group only; may be repeated")
    parser.add_argument(
        "--json", type=Path, default=HERE / "servers.json", help="result file (default: servers.json here)"
    )
    parser.add_argument("--write-docs", action="store_true", help=f"rewrite the marked section of docs/{DOCS.name}")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # an exception, so that servers are stopped too

    console, where, findings = Console(emoji=False), described_machine(), Findings()
    console.width = max(console.width, TABLE_WIDTH)
    begin = time.monotonic()

    def say(what: str) -> None:
        console.print(f"{what} ({time.monotonic() - begin:.0f} s)", highlight=False)

    try:
        peers.built_load_clients()
    except RuntimeError as error:
        console.print(f"[red]nothing was measured:[/] {escape(str(error))}", highlight=False)
        return 1
    for group in groups():
        if not args.only or group.name in args.only:
            measure_group(group, args.repeat, findings, say)
    if not args.only or "stream" in args.only:
        say(f"stream of {STREAM_HZ:g} puts a second for {args.seconds:g} s")
        measure_stream(args.seconds, findings)
    console.print(table(findings))
    console.print(stream_text(findings.stream), highlight=False)
    for name, reason in findings.failures.items():
        console.print(f"[yellow]{name} was not measured:[/] {escape(reason.strip())}", highlight=False)
    args.json.write_text(json.dumps(findings.document(where), indent=1) + "\n")
    if args.write_docs:
        try:
            write_section(DOCS, markdown(findings, where), "servers")
        except BadSection as error:
            console.print(f"[red]{error}", highlight=False)
            return 1
    return 1 if any(name.endswith("gnomon") for name in findings.failures) else 0


if __name__ == "__main__":
    sys.exit(main())
