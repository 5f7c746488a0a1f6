"""The services as a process, and Debian's Chromium on their pages, without a network beyond this computer."""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from debian_programs import debian_program
from playwright.sync_api import Page, expect, sync_playwright

from system.services_process import until_ready
from system.twin_process import GNOMON

#: Time that a page may take to show something, on a machine that has much else to do [s].
WAIT_S = 100.0
FULL, READ = "f" * 20, "r" * 20
DESKTOP, PHONE = (1280, 800), (390, 844)
#: No name is resolved, and no address but this computer's is reached.
OFFLINE = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--proxy-server=direct://")

expect.set_options(timeout=1e3 * WAIT_S)


@contextmanager
def services_process(environment: Mapping[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `gnomon services` with both tokens; gives the URL of the dashboard, and the process."""
    tokens = {"GNOMON_SERVICES_TOKEN": FULL, "GNOMON_SERVICES_READ_TOKEN": READ}
    process = subprocess.Popen(
        [*GNOMON, "services", "--port", "0"],
        env={**os.environ, **environment, **tokens},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        told = until_ready(process)
        yield re.findall(r"dashboard: (\S+)/\n", told)[0], process
    finally:
        process.terminate()
        process.wait(WAIT_S)
        process.stdout.close()


@dataclass
class Visitor:
    """Somebody in front of a browser; `complaints` are errors and warnings of the console, and failed requests."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, token: str = FULL) -> None:
        """Fill in the form."""
        self.page.goto(f"{self.url}/login")
        self.page.fill("#token", token)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#strip", timeout=1e3 * WAIT_S)

    def open(self, path: str, **query: str) -> None:
        """Open a page by its address, and wait until live values are there."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        self.page.goto(f"{self.url}/{path}?{asked}")
        self.page.wait_for_selector(f'[data-page="{path.partition("?")[0]}"]', timeout=1e3 * WAIT_S)

    def ask(self, script: str) -> Any:
        """Evaluate a script in the page."""
        return self.page.evaluate(script)

    def wait_until(self, script: str) -> None:
        """Wait until a script gives true."""
        end = time.monotonic() + WAIT_S
        while not self.page.evaluate(script):  # wait_for_function is for pages that let scripts make scripts
            assert time.monotonic() < end, f"never true: {script}\n{self.page.inner_text('body')}"
            self.page.wait_for_timeout(50)


@contextmanager
def visitor(
    url: str,
    size: tuple[int, int] = DESKTOP,
    scheme: Literal["dark", "light"] = "dark",
) -> Iterator[Visitor]:
    """Open a browser, and fail at its end if it had anything to complain about."""
    program = debian_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(OFFLINE))
        try:
            width, height = size
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, is_mobile=width < 600
            )
            page = context.new_page()
            page.set_default_timeout(1e3 * WAIT_S)
            who = Visitor(page, url)

            def console(message: Any) -> None:
                if message.type in ("error", "warning"):
                    who.complaints.append(f"{message.type}: {message.text}")

            page.on("console", console)
            page.on("pageerror", lambda error: who.complaints.append(f"uncaught: {error}"))
            yield who
            assert who.complaints == []
        finally:
            browser.close()
