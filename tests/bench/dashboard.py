#!/usr/bin/env python3
"""Processor time of the services with two pages of the dashboard open in Chromium, while the beam changes all the time.

python tests/bench/dashboard.py [--write-docs]: the part of a core that the process takes, browsers not counted, and the
pushes that each page got, for BESSY II with a new orbit and new optics more often than pages are pushed.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright
from report import described_machine, write_section

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import EpicsPorts, free_port  # noqa: E402
from debian_programs import debian_program  # noqa: E402

from gnomon.clients.epics_client import EpicsClient  # noqa: E402
from gnomon.clients.remote_ring import RemoteRing  # noqa: E402
from gnomon.clients.server_choice import Target  # noqa: E402
from system.dashboard_browser import DESKTOP, FULL, OFFLINE, services_process  # noqa: E402
from system.twin_process import TwinProcess  # noqa: E402

DOCS = ROOT / "docs" / "performance.md"
#: Time for pages to load, and the time that is measured [s].
LOAD_S, MEASURED_S = 8.0, 15.0
#: Part of a core that two pages may take.
LIMIT = 0.10
#: Puts a second that change all that the pages show.
PUTS_HZ = 10.0
CASES = {
    "orbit and optics": "orbit?prefix=TWIN:",
    "orbit and optics, a fork beside": "orbit?prefix=TWIN:&beside=WHATIF:",
    "tunes": "tunes?prefix=TWIN:",
    "status": "status?prefix=TWIN:",
}


@contextmanager
def changing(ring: RemoteRing, fork: RemoteRing) -> Iterator[None]:
    """Step a family of quadrupoles of both twins, again and again."""
    ended = threading.Event()
    at = ring["Q1PDR"]

    def step() -> None:
        count = 0
        while not ended.wait(1.0 / PUTS_HZ):
            count += 1
            for each in (ring, fork):
                each.client.put("Q1PDR:set", at + 0.01 * (count % 7), wait=False)

    thread = threading.Thread(target=step)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def measure(url: str, process: int) -> Iterator[tuple[str, float, float, float]]:
    """Yield for each case the part of a core, and the fewest and most pushes a second that a page got."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=debian_program("chromium"), args=list(OFFLINE))
        context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        page = context.new_page()
        page.goto(f"{url}/login")
        page.fill("#token", FULL)
        page.keyboard.press("Enter")
        page.wait_for_selector("#strip")
        pages = [page, context.new_page()]
        server = psutil.Process(process)
        for case, address in CASES.items():
            for each in pages:
                each.goto(f"{url}/{address}")
            time.sleep(LOAD_S)
            seen = [each.evaluate("gnomon.live.frames") for each in pages]
            used, began = sum(server.cpu_times()[:2]), time.monotonic()
            time.sleep(MEASURED_S)
            part = (sum(server.cpu_times()[:2]) - used) / (time.monotonic() - began)
            pushes = [
                (each.evaluate("gnomon.live.frames") - before) / (time.monotonic() - began)
                for each, before in zip(pages, seen, strict=True)
            ]
            assert all(each.evaluate("gnomon.live.state().fresh") for each in pages)
            yield case, part, min(pushes), max(pushes)
        browser.close()


def main() -> int:
    """Measure, print, and keep the table if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write-docs", action="store_true", help="rewrite the section of docs/performance.md")
    options = parser.parse_args()
    where = described_machine()
    ports = EpicsPorts(free_port(), free_port(), free_port())
    lines = ["| two pages that show | part of a core | pushes a second to each |", "|---|---:|---:|"]
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        twin = TwinProcess(ports.environment, Path(folder), "--machine", "bessy2")
        try:
            environment = {name: text for name, text in twin.environment.items() if name.startswith(("EPICS_", "XDG_"))}
            with (
                RemoteRing(EpicsClient(Target("TWIN:", environment))) as ring,
                services_process(twin.environment) as (url, services),
            ):
                ring.client.call("dt:fork", {"do": "add", "name": "WHATIF"})
                with RemoteRing(EpicsClient(Target("WHATIF:", environment))) as fork, changing(ring, fork):
                    for case, part, low, high in measure(url, services.pid):
                        lines.append(f"| {case} | {100.0 * part:.1f} % | {low:.1f} to {high:.1f} |")
                        print(lines[-1], flush=True)
                        slow |= part >= LIMIT
        finally:
            twin.stop()
    if options.write_docs:
        write_section(
            DOCS,
            "\n".join(
                [
                    *lines,
                    "",
                    f"{where['date']}, {where['processor']}, {where['system']}; "
                    f"load average before: {where['load average before']}.",
                ]
            ),
            "dashboard",
        )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
