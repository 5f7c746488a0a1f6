"""The dashboard in a real browser without internet: it shows what the server says, or marks it as not of now."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from conftest import EpicsPorts, free_port
from debian_programs import debian_program
from playwright.sync_api import expect

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.remote_ring import RemoteRing
from gnomon.clients.server_choice import Target
from gnomon.services.dashboard.page_list import PAGES
from system.dashboard_browser import DESKTOP, FULL, PHONE, READ, services_process, visitor
from system.twin_process import TwinProcess

pytestmark = [pytest.mark.network, pytest.mark.slow(5)]  # a server, the services, and a browser for each test

#: Figures that show values of now, or are marked.
NOT_FRESH = "document.querySelector('.figure-{}')?.dataset.fresh === 'false'"
FRESH = "document.querySelector('.figure-{}')?.dataset.fresh === 'true'"


class Ring:
    """A twin, and a client of it; the fixture adds the services that show it."""

    url: str
    services: subprocess.Popen[str]

    def __init__(self, folder: Path) -> None:
        self._ports = EpicsPorts(free_port(), free_port(), free_port())
        self._folder = folder
        self.restart()

    def restart(self) -> None:
        self.twin = TwinProcess(self._ports.environment, self._folder, "--machine", "bessy2")
        environment = {name: self.twin.environment[name] for name in self._ports.environment}
        self.client = RemoteRing(EpicsClient(Target("TWIN:", environment)))

    def fork(self, name: str) -> RemoteRing:
        self.client.client.call("dt:fork", {"do": "add", "name": name})
        return RemoteRing(EpicsClient(Target(f"{name}:", self.client.client.target.environment)))


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    debian_program("chromium")
    made = Ring(tmp_path_factory.mktemp("dashboard"))
    try:
        with services_process(made.twin.environment) as (made.url, made.services):
            yield made
    finally:
        made.client.close()
        made.twin.stop()


def drawn(name: str, trace: int = 0) -> str:
    return f"Array.from(document.querySelector('#figure-{name} .js-plotly-plot')?.data?.[{trace}]?.y ?? [])"


def test_orbit_optics_and_tunes_are_those_of_the_server(ring: Ring) -> None:
    ring.client.set({"HS4P1D1R": 0.05, "VS3P1T1R": 0.05})
    with visitor(ring.url) as who:
        who.sign_in()
        who.open("orbit", prefix="TWIN:")
        who.wait_until(FRESH.format("beta"))
        for current in (0.1, 0.02):
            ring.client.set({"HS4P1D1R": current})
            orbit, optics = ring.client.orbit, ring.client.optics
            for figure, trace, values in (
                ("orbit-x", 0, orbit.x),
                ("orbit-y", 0, orbit.y),
                ("beta", 0, optics.beta_x),
                ("beta", 1, optics.beta_y),
                ("dispersion", 0, optics.dispersion_x),
            ):
                scale = float(np.max(np.abs(values)))
                wanted = f"Math.abs({drawn(figure, trace)}[7] - {values[7]}) < {1e-6 * scale}"
                who.wait_until(wanted)
                np.testing.assert_allclose(who.ask(drawn(figure, trace)), values, rtol=1e-6, atol=1e-7 * scale)
        tunes = ring.client.tunes
        expect(who.page.locator("#strip-tune-x")).to_have_text(f"{tunes.x:.5f}")
        expect(who.page.locator("#strip-tune-y")).to_have_text(f"{tunes.y:.5f}")


def test_a_fork_stands_beside_with_its_residuals_and_is_marked_when_it_is_gone(ring: Ring) -> None:
    with visitor(ring.url, scheme="light") as who:
        with ring.fork("WHATIF") as fork:
            fork.set({"HS4P1D1R": -0.05})
            who.sign_in()
            who.open("orbit", prefix="TWIN:", beside="WHATIF:")
            who.wait_until(f"{drawn('orbit-x', 2)}.length > 0")
            residual = fork.orbit.x - ring.client.orbit.x
            np.testing.assert_allclose(who.ask(drawn("orbit-x", 2)), residual, atol=1e-6)
            assert np.max(np.abs(residual)) > 0.1
        ring.client.client.call("dt:fork", {"do": "drop", "name": "WHATIF"})
        who.wait_until(NOT_FRESH.format("orbit-x"))
        assert "WHATIF:" in who.ask("document.querySelector('.figure-orbit-x').textContent")
        expect(who.page.locator("#rms-x-beside")).to_have_text("no link")
        expect(who.page.locator("#rms-x-base")).not_to_have_text("no link")


def test_a_beam_that_is_lost_is_shown_as_invalid_and_never_by_its_old_numbers(ring: Ring) -> None:
    before = ring.client["Q2PDR"]
    with visitor(ring.url) as who:
        who.sign_in()
        who.open("orbit", prefix="TWIN:")
        who.wait_until(FRESH.format("orbit-x"))
        ring.client.set({"Q2PDR": before * 1.3})
        assert not ring.client.has_beam
        try:
            expect(who.page.locator("#strip-beam")).to_have_text("no beam")
            expect(who.page.locator("#attention")).to_contain_text("no stable beam")
            for place in ("#strip-tune-x", "#strip-tune-y", "#rms-x-base", "#rms-y-base"):
                expect(who.page.locator(place)).to_have_text("INVALID")
            for figure in ("orbit-x", "orbit-y", "beta", "dispersion"):
                who.wait_until(NOT_FRESH.format(figure))
                assert "INVALID" in who.ask(f"document.querySelector('.figure-{figure}').textContent")
            who.page.click("text=Tunes")
            who.wait_until(NOT_FRESH.format("tune-diagram"))
            expect(who.page.locator("#tune-nearest")).to_have_text("–")
        finally:
            ring.client.set({"Q2PDR": before})
        who.wait_until(FRESH.format("tune-diagram"))
        expect(who.page.locator("#strip-beam")).to_have_text("found")
        expect(who.page.locator("#attention")).to_have_text("")
        expect(who.page.locator("#tune-nearest")).to_contain_text("Q")


def test_status_tells_the_same_as_the_server_and_lists_its_commands(ring: Ring) -> None:
    with visitor(ring.url) as who:
        who.sign_in()
        who.open("status", prefix="TWIN:")
        expect(who.page.locator('[data-live="lattice.id"]')).to_have_text(ring.client.id)
        for note in ("first note", "second note"):
            sequence = ring.client.set({"HS4P1D1R": 0.01 if note[0] == "f" else 0.03}, note=note).sequence
            row = who.page.locator("#status-journal tbody tr").first
            expect(row).to_contain_text(note)
            expect(row).to_contain_text(str(sequence))
        expect(who.page.locator("#status-servers")).to_contain_text("TWIN: bessy2, twin")


@pytest.mark.parametrize(("scheme", "size"), [("dark", DESKTOP), ("light", PHONE)])
def test_every_page_fits_the_screen_in_both_themes(
    ring: Ring, scheme: Literal["dark", "light"], size: tuple[int, int]
) -> None:
    with visitor(ring.url, size, scheme) as who:
        who.sign_in()
        who.open(PAGES[0].path, prefix="TWIN:")
        for page in PAGES:
            who.page.locator(f'.nav-link[href="/dashboard/{page.path}"]').click()
            who.page.wait_for_selector(f'[data-page="{page.path}"]')
            expect(who.page.locator("#link-text")).to_have_text("live, twin")
            assert who.ask("document.documentElement.scrollWidth") <= size[0], page.path
        if size == DESKTOP:
            assert who.ask("(each => each.scrollWidth <= each.clientWidth)(document.querySelector('.nav'))")
        ground = who.ask("getComputedStyle(document.body).backgroundColor")
        light = sum(int(part) for part in ground.removeprefix("rgb(").removesuffix(")").split(",")) > 3 * 128
        assert light == (scheme == "light")
        who.page.click("#theme")  # as the system, then light, then dark
        for _ in range(scheme == "light"):
            who.page.click("#theme")
        assert who.ask("getComputedStyle(document.body).backgroundColor") != ground


def test_the_read_only_role_sees_nothing_that_changes_something(ring: Ring) -> None:
    with visitor(ring.url) as who:
        for token, shown in ((FULL, "block"), (READ, "none")):
            who.sign_in(token)
            for page in PAGES if token == READ else PAGES[:1]:
                who.open(page.path, prefix="TWIN:")
                expect(who.page.locator("#link-text")).to_have_text("live, twin")
                made = "Object.assign(document.createElement('div'), {className: 'changes', id: 'probe'})"
                who.ask(f"document.querySelector('#page > *').append({made})")
                assert who.ask("getComputedStyle(document.getElementById('probe')).display") == shown
                visible = "[...document.querySelectorAll('.changes')].filter(each => each.checkVisibility()).length"
                assert token == FULL or who.ask(visible) == 0
            who.page.click("text=Sign out")
            who.page.wait_for_selector("#token")
            who.page.context.clear_cookies()


def test_a_shadow_has_its_machine_beside_it_where_the_readings_are_fresh(ring: Ring) -> None:
    values = {
        "machine.role": {"v": "shadow"}, "monitor.names": {"v": ["A", "B", "C"]}, "monitor.s": {"v": [1, 2, 3]},
        "orbit.difference.x": {"v": [0.5, 0.25, -1.0], "u": "mm"}, "residual.x": {"v": [0.25, 9.0, -0.5], "u": "mm"},
        "residual.fresh": {"v": [1, 0, 1]},
    }  # fmt: skip
    told = {"t": 1, "p": {"TWIN:": {"state": "live", "why": "", "new": 1, "v": values}}, "servers": [["TWIN:", "T"]]}
    with visitor(ring.url) as who:
        who.sign_in()
        answer = f"data: {json.dumps(told)}\n\n"
        who.page.route("**/live?*", lambda route: route.fulfill(body=answer, content_type="text/event-stream"))
        who.open("orbit", prefix="TWIN:")
        who.wait_until(f"[{drawn('orbit-x', 1)}, {drawn('orbit-x', 2)}].join() === '0.75,NaN,-1.5,0.25,NaN,-0.5'")


# The last test: it ends the twin and the services of all of them.
def test_a_server_that_is_gone_or_comes_back_is_shown_so_and_lost_services_too(ring: Ring) -> None:
    with visitor(ring.url) as who:
        who.sign_in()
        who.open("orbit", prefix="TWIN:")
        who.wait_until(FRESH.format("orbit-x"))
        ring.twin.stop()
        expect(who.page.locator("#link")).to_have_attribute("data-state", "lost")
        who.wait_until(NOT_FRESH.format("orbit-x"))
        expect(who.page.locator("#strip-tune-x")).to_have_text("no link")
        ring.client.close()
        ring.restart()
        try:
            who.wait_until(FRESH.format("orbit-x"))
        finally:
            ring.twin.stop()  # a process of this test
        ring.services.kill()
        expect(who.page.locator("#link-text")).to_have_text("no connection")
        who.wait_until(NOT_FRESH.format("orbit-x"))
        expect(who.page.locator("#strip-tune-x")).to_have_text("no link")
        who.complaints = [each for each in who.complaints if "ERR_" not in each]  # of the services that are gone
