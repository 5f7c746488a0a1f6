"""Common parts of the peers: the command line, the names of the PVs, and waiting to be stopped."""

import argparse
import signal
import sys
from dataclasses import dataclass

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Settings:
    """PVs to serve: one setpoint and `count` readings, of which the first `follow` take the value of the setpoint."""

    setpoint: str
    readings: list[str]
    follow: int
    pva: bool

    @property
    def followers(self) -> list[str]:
        return self.readings[: self.follow]


def parse_settings(description: str, *, pva_option: bool) -> Settings:
    """Read the command line of a peer; `pva_option` if it can serve PV Access besides Channel Access."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--prefix", default="BENCH:", help="of all PVs: PREFIX + SET, PREFIX + 00000 ... (default %(default)s)"
    )
    parser.add_argument("--count", type=int, default=1000, help="number of readings (default %(default)s)")
    parser.add_argument("--follow", type=int, help="number of readings that follow the setpoint (default: all)")
    if pva_option:
        parser.add_argument("--pva", action="store_true", help="serve PV Access too")
    args = parser.parse_args()
    return Settings(
        setpoint=f"{args.prefix}SET",
        readings=[f"{args.prefix}{i:05d}" for i in range(args.count)],
        follow=args.count if args.follow is None else args.follow,
        pva=pva_option and args.pva,
    )


def announce_ready() -> None:
    print("ready", flush=True)


def serve_until_stopped() -> None:
    """Say that the server is ready and sleep until SIGINT or SIGTERM, then end the program."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    announce_ready()
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        sys.exit(0)
