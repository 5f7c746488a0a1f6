#!/usr/bin/env python3
"""Forwarding: time from the journal to a subscriber of MQTT, and latency of puts with downstreams on and dead.

python tests/bench/forward.py [--write-docs] [--hour]: MLS, a real mosquitto, a logbook in this process, a database that
is a substitute where it is installed. Blocks of puts with and without forwarding alternate; the process is stopped and
continued by signals. With --hour, the delivery of an hour at 100 commands a second is timed, too.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from report import described_machine, write_section

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import EpicsPorts, free_port  # noqa: E402
from mongo_servers import substitute_server  # noqa: E402

from gnomon.clients.epics_client import EpicsClient  # noqa: E402
from gnomon.clients.server_choice import Target  # noqa: E402
from gnomon.ioc.base.forward_status import read_forward_status  # noqa: E402
from gnomon.recorder import Journal  # noqa: E402
from gnomon.services.forward import Source, move_cursor  # noqa: E402
from system.mqtt_broker import Broker, Listener, listening  # noqa: E402
from system.services_process import until_ready  # noqa: E402
from system.twin_process import GNOMON, TwinProcess, homes  # noqa: E402
from unit.recorder.records import applied, begin, write  # noqa: E402

DOCS = ROOT / "docs" / "performance.md"
STEERER = "TWIN:VS3P2K1RP:setCur"
#: Commands a second, and the number of them, for the latency; pairs of blocks, and puts in a block, for puts.
RATE, COMMANDS, PAIRS = 100, 1500, 8
PACED, BACK_TO_BACK = 40, 150
#: Time after which the process has begun [s].
WARM_S = 6.0
#: What is required.
LATENCY_MS, PACED_RATIO, BACK_TO_BACK_RATIO = 20.0, 1.05, 1.15
HOUR = 3600 * RATE


class Logbook(BaseHTTPRequestHandler):
    """Takes every entry."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def forwarding(folder: Path, journal: Path, environment: dict[str, str], **forward: Any) -> Iterator[int]:
    """Run `gnomon forward run`; gives the number of its process."""
    (folder / "forward.yaml").write_text(json.dumps({"forward": forward}))
    command = [*GNOMON, "forward", "run", "--config", str(folder / "forward.yaml"), "--journal", str(journal)]
    with (folder / "forward.log").open("a") as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        until_ready(process)
        yield process.pid
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def latency(folder: Path) -> tuple[float, float, float]:
    """Times from the end of a commit to a subscriber [ms]: median, 90 and 99 of 100."""
    journal = folder / "latency.journal"
    committed: dict[int, int] = {}
    listener = Listener()
    with Journal(journal) as writer, Broker(folder, free_port()) as broker:
        begin(writer)
        mqtt = {"host": "127.0.0.1", "port": broker.port, "state_s": 3600.0}
        with forwarding(folder, journal, homes(folder), mqtt=mqtt):
            async with listening(listener, broker.port):
                while listener.newest.get("gnomon/TWIN:/online", (b"",))[0] != b"online":
                    await asyncio.sleep(0.05)
                await asyncio.sleep(WARM_S)  # it still imports what asks the server
                began = time.monotonic()
                for number in range(1, COMMANDS + 1):
                    asked, done = applied(number, "Q1", number - 1.0, float(number))
                    await asyncio.to_thread(writer.append, [asked], [done])
                    committed[number] = time.time_ns()
                    await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
                while len(listener.documents) < 2 * COMMANDS:
                    await asyncio.sleep(0.05)
    came = zip(listener.documents, listener.times_ns, strict=True)
    times = sorted(
        (at - committed[each["command"]["sequence"]]) / 1e6 for each, at in came if each["kind"] == "command"
    )[1:]
    return statistics.median(times), times[len(times) * 9 // 10], times[len(times) * 99 // 100]


def block(client: EpicsClient, puts: int, pause_s: float) -> float:
    """Median time of a put with its completion [ms]."""
    times = []
    for number in range(puts):
        began = time.perf_counter()
        client._pvs.put(STEERER, 0.01 * (number % 7), 60.0)
        times.append(1e3 * (time.perf_counter() - began))
        if pause_s:
            time.sleep(max(0.0, pause_s - (time.perf_counter() - began)))
    return statistics.median(times)


def ratios(client: EpicsClient, process: int, journal: Path, puts: int, pause_s: float, drained: bool) -> list[float]:
    """Medians with forwarding over those without, of blocks side by side; first one, then the other begins."""
    found = []
    for pair in range(PAIRS):
        medians: dict[bool, float] = {}
        for on in (True, False) if pair % 2 else (False, True):
            os.kill(process, signal.SIGCONT if on else signal.SIGSTOP)
            if on and drained:
                _wait_until_drained(journal)
            else:
                time.sleep(1.0)
            medians[on] = block(client, puts, pause_s)
        found.append(medians[True] / medians[False])
    os.kill(process, signal.SIGCONT)
    return found


def _wait_until_drained(journal: Path) -> None:
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        time.sleep(0.3)
        found = read_forward_status(journal)
        if found is not None and found.age_s < 1.5 and all(each.backlog == 0 for each in found.downstreams):
            return


def puts(folder: Path) -> Iterator[tuple[str, list[float], float]]:
    """Yield for each case its name, the ratios of all pairs, and the limit."""
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with ExitStack() as stack:
        twin = stack.enter_context(TwinProcess(ports.environment, folder, "--machine", "mls"))
        environment = {name: text for name, text in twin.environment.items() if name.startswith(("EPICS_", "XDG_"))}
        client = stack.enter_context(EpicsClient(Target("TWIN:", environment), timeout_s=60.0))
        block(client, 50, 0.0)
        broker = stack.enter_context(Broker(folder, free_port()))
        book = free_port()
        logbook = subprocess.Popen([sys.executable, __file__, "--logbook", str(book)])
        stack.callback(logbook.wait)
        stack.callback(logbook.kill)
        database = stack.enter_context(substitute_server(folder, free_port()))
        what = ["commands", "outcomes", "faults", "results"]
        alive = {
            "mqtt": {"host": "127.0.0.1", "port": broker.port},
            "mongodb": {"uri": f"mongodb://{database.hosts}"},
            "logbook": {"url": f"http://127.0.0.1:{book}/", "what": what},
        }
        dead = {
            "mqtt": {"host": "127.0.0.1", "port": free_port()},
            "mongodb": {"uri": f"mongodb://127.0.0.1:{free_port()}"},
            "logbook": {"url": f"http://127.0.0.1:{free_port()}/", "what": what},
        }
        for name, downstreams in (("all on", alive), ("all dead", dead)):
            with forwarding(folder, twin.journal, twin.environment, **downstreams) as process:
                time.sleep(3.0)
                for rate, count, pause_s, limit in (
                    ("20 puts a second", PACED, 0.05, PACED_RATIO),
                    ("back to back", BACK_TO_BACK, 0.0, BACK_TO_BACK_RATIO),
                ):
                    found = ratios(client, process, twin.journal, count, pause_s, name == "all on")
                    yield f"{name}, {rate}", found, limit


async def hour(folder: Path) -> float:
    """Time in which an hour of commands and outcomes that waited is delivered to a subscriber [s]."""
    journal, listener = folder / "hour.journal", Listener()
    with Journal(journal) as writer:
        begin(writer)
        for first in range(1, HOUR + 1, 2000):
            write(writer, *(applied(n, "Q1", n - 1.0, float(n)) for n in range(first, first + 2000)))
    (folder / "hour.journal.forward").mkdir()
    move_cursor(Source(journal, folder / "results"), "mqtt", "oldest")
    with Broker(folder, free_port()) as broker:
        async with listening(listener, broker.port):
            began = time.monotonic()
            mqtt = {"host": "127.0.0.1", "port": broker.port}
            with forwarding(folder, journal, homes(folder), mqtt=mqtt):
                while len(listener.documents) < 2 * HOUR:
                    await asyncio.sleep(0.1)
            took = time.monotonic() - began
    assert listener.numbers("command") == listener.numbers("outcome") == list(range(1, HOUR + 1))
    return took


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the table if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write-docs", action="store_true", help="rewrite the section of docs/performance.md")
    parser.add_argument("--hour", action="store_true", help="deliver an hour at 100 commands a second, too")
    parser.add_argument("--logbook", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.logbook:  # in a process of its own, as at a facility
        ThreadingHTTPServer(("127.0.0.1", options.logbook), Logbook).serve_forever()
    where, failed = described_machine(), False
    lines = ["| forwarding | measured | limit |", "|---|---:|---:|"]

    def add(what: str, value: str, limit: str, good: bool) -> None:
        nonlocal failed
        lines.append(f"| {what} | {value} | {limit} |")
        print(lines[-1], flush=True)
        failed |= not good

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        median, p90, p99 = asyncio.run(latency(folder))
        what = f"journal to a subscriber of MQTT, {RATE} commands a second: median (90 %, 99 %)"
        add(what, f"{median:.1f} ({p90:.1f}, {p99:.1f}) ms", f"{LATENCY_MS:g} ms", median < LATENCY_MS)
        for case, found, limit in puts(folder):
            ratio = statistics.median(found)
            spread = f"{min(found):.2f} to {max(found):.2f}"
            what = f"latency of a put over that without forwarding, {case}: median of {len(found)} pairs (all)"
            add(what, f"{ratio:.3f} ({spread})", f"{limit:g}", ratio <= limit)
        if options.hour:
            took = asyncio.run(hour(folder))
            add(f"an hour of {HOUR} commands that waited: delivered, each once, in order", f"{took:.0f} s", "", True)
    if options.write_docs:
        about = f"{where['date']}, {where['processor']}, {where['system']}"
        text = "\n".join([*lines, "", f"{about}; load average before: {where['load average before']}."])
        write_section(DOCS, text, "forward")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
