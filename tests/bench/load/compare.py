#!/usr/bin/env python3
"""Load-test one EPICS server, or two of them in turn, on loopback, and print one JSON line.

    compare.py --peer c_softioc --count 1000 --clients 5
    compare.py --vs c_softioc --repeat 5 -- python my_server.py --prefix BENCH:

Options that are not listed below go to ca_load or pva_load as they are.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import usage
from loading import medians, run_load
from server import Server, loopback_environment

HERE = Path(__file__).resolve().parent
PEERS = {
    "gnomon_bank": ("ca", "pva"),
    "c_softioc": ("ca", "pva"),
    "python_softioc": ("ca", "pva"),
    "p4p_plain": ("pva",),
    "caproto_plain": ("ca",),
}
RATIOS = ("connect_s", "fan_out_ms.median", "fan_out_ms.p99", "put_ms.median", "updates_per_s", "cpu_s", "rss_mb")


@dataclass(frozen=True)
class Target:
    """A server to measure, and the PVs to use on it."""

    label: str
    command: list[str]
    drive: str
    monitor_file: Path


def measure(target: Target, args: argparse.Namespace) -> dict[str, Any]:
    environment = loopback_environment()
    with Server(target.command, environment, args.ready) as server:
        startup_s = server.await_ready()
        pid = server.process.pid
        rss_mb = usage.rss_mb(pid)
        client = [str(HERE / "build" / f"{args.protocol}_load"), "--monitor-file", str(target.monitor_file)]
        load = run_load([*client, "--drive", target.drive, *args.load_options], environment, lambda: usage.cpu_s(pid))
        loaded_rss_mb = usage.rss_mb(pid)
        exit_status = server.stop()
    return {
        "startup_s": round(startup_s, 3),
        "rss_mb": round(rss_mb, 1),
        "rss_loaded_mb": round(loaded_rss_mb, 1),
        **load,
        "exit_status": exit_status,
    }


def ratios(numerator: dict[str, float], denominator: dict[str, float]) -> dict[str, float]:
    known = [key for key in RATIOS if key in numerator and denominator.get(key)]
    return {key: round(numerator[key] / denominator[key], 3) for key in known}


def compare(first: Target, second: Target, args: argparse.Namespace) -> dict[str, Any]:
    runs = [(measure(first, args), measure(second, args)) for _ in range(args.repeat)]
    ours, theirs = (medians(list(results)) for results in zip(*runs, strict=True))
    return {
        "protocol": args.protocol,
        "runs": args.repeat,
        "servers": [first.label, second.label],
        "medians": [ours, theirs],
        "ratio": ratios(ours, theirs),
    }


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--peer", choices=PEERS, help="measure this server; or give a command after --")
    parser.add_argument(
        "--vs", choices=PEERS, help="measure this server too, in turn with the first, and report the ratio"
    )
    parser.add_argument("--repeat", type=int, default=5, help="with --vs: runs of each (default %(default)s)")
    parser.add_argument("--protocol", choices=("ca", "pva"), default="ca")
    parser.add_argument("--prefix", default="BENCH:", help="of the PVs of the peers (default %(default)s)")
    parser.add_argument("--count", type=int, default=1000, help="number of readings of the peers (default %(default)s)")
    parser.add_argument("--drive", help="setpoint of the given command (default: PREFIX + SET)")
    parser.add_argument("--monitor-file", type=Path, help="readings of the given command (default: those of the peers)")
    parser.add_argument(
        "--ready", default="ready", help="text in the line that says that it serves (default %(default)s)"
    )
    where = argv.index("--") if "--" in argv else len(argv)
    args, args.load_options = parser.parse_known_args(argv[:where])
    args.command = argv[where + 1 :]
    if bool(args.peer) == bool(args.command):
        parser.error("give either --peer or a server command after --")
    for name in filter(None, (args.peer, args.vs)):
        if args.protocol not in PEERS[name]:
            parser.error(f"{name} does not serve {args.protocol}")
    return args


def peer(name: str, args: argparse.Namespace, monitor_file: Path) -> Target:
    command = [sys.executable, str(HERE / "peers" / f"{name}.py"), "--prefix", args.prefix, "--count", str(args.count)]
    if args.protocol == "pva" and "ca" in PEERS[name]:
        command.append("--pva")
    return Target(name, command, f"{args.prefix}SET", monitor_file)


def main() -> None:
    args = parse_arguments(sys.argv[1:])
    with tempfile.NamedTemporaryFile("w", suffix=".pvs") as file:
        file.writelines(f"{args.prefix}{i:05d}\n" for i in range(args.count))
        file.flush()
        names = Path(file.name)
        if args.peer:
            target = peer(args.peer, args, names)
        else:
            drive = args.drive or f"{args.prefix}SET"
            target = Target(Path(args.command[0]).name, args.command, drive, args.monitor_file or names)
        if args.vs:
            result = compare(target, peer(args.vs, args, names), args)
        else:
            result = {"server": target.label, "protocol": args.protocol, **measure(target, args)}
    print(json.dumps(result))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(str(error))
