"""Pages of the dashboard in a real browser: results, supplies, journal with undo, faults, procedures."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import EpicsPorts, free_port
from playwright.sync_api import expect

import gnomon
from gnomon.clients.remote_ring import RemoteRing
from gnomon.procedures.registry import typed
from gnomon.procedures.results import Results
from system.dashboard_browser import PHONE, READ, Visitor, services_process, visitor
from system.twin_process import TwinProcess
from unit.services.dashboard import sample_runs

pytestmark = pytest.mark.network

MARKUP = '<b id="planted">bold</b><script>window.planted = 1</script><img src=x onerror="window.planted = 1">'


@dataclass
class Stage:
    """A twin, the services that show it, a client, and the folder of results."""

    url: str
    client: RemoteRing
    results: Results


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("pages")
    ports = EpicsPorts(free_port(), free_port(), free_port())
    twin = TwinProcess(ports.environment, folder, "--machine", "bessy2")
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
                patch.setenv(name, twin.environment[name])
            with services_process(twin.environment) as (url, _), gnomon.connect(prefix="TWIN:") as client:
                found = list(Path(twin.environment["XDG_DATA_HOME"]).rglob("services.token"))
                assert found == []  # the token comes from the environment
                yield Stage(url, client, Results(results_folder(twin.environment)))
    finally:
        twin.stop()


def results_folder(environment: dict[str, str]) -> Path:
    from gnomon.ioc.base.config import Config

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return Config().store_path().parent / "results"


@pytest.fixture(scope="module")
def runs(stage: Stage) -> tuple[str, str, str]:
    """An old and a new alignment, and an orbit response with markup in its note."""
    made = [
        sample_runs.bba(at="20261126T101502.123"),
        sample_runs.bba(shift_mm=0.02),
        sample_runs.orm().model_copy(update={"note": MARKUP}),
    ]
    for run in made:
        stage.results.save(run)
    return made[0].name, made[1].name, made[2].name


def graph(who: Visitor, number: int) -> str:
    return f"document.querySelectorAll('.picture .js-plotly-plot')[{number}]"


def trace_of(who: Visitor, title: str, name: str) -> list[float | None]:
    """The ordinates that a picture with this title draws for a trace."""
    script = f"""(() => {{
      const cards = [...document.querySelectorAll('.picture')];
      const card = cards.find(each => each.querySelector('h2').textContent === {json.dumps(title)});
      const plot = card && card.querySelector('.js-plotly-plot');
      const trace = plot && (plot.data || []).find(each => each.name === {json.dumps(name)});
      return trace ? Array.from(trace.y, value => value ?? null) : null;
    }})()"""
    who.wait_until(f"{script} !== null")
    found: list[float | None] = who.ask(script)
    return found


def test_results_are_listed_drawn_and_compared_and_markup_stays_text(stage: Stage, runs: tuple[str, str, str]) -> None:
    old, new, noted = runs
    with visitor(stage.url) as who:
        who.sign_in(READ)
        who.open("results")
        expect(who.page.locator("#results-list")).to_contain_text(MARKUP)
        assert who.ask("document.getElementById('planted') === null && window.planted === undefined")
        who.page.fill("#results-text", new)
        expect(who.page.locator("#results-list tbody tr")).to_have_count(1)
        who.page.click(f"text={new}")
        expect(who.page.locator("#results-head")).to_contain_text("Beam based alignment")
        who.open("results", **{"show": new, "with": old})
        for name, at in ((old, 300.0), ("this run", 320.0)):
            assert trace_of(who, "Offsets of monitors", name)[0] == pytest.approx(at)
        expect(who.page.locator("#results-differences")).to_contain_text("offset_x_mm")
        who.wait_until("document.querySelector('#results-lines .js-plotly-plot')?.data?.length > 0")
        colour = "document.querySelector('.picture .js-plotly-plot').layout.font.color"
        before = who.ask(colour)
        assert before == who.ask("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()")
        who.page.click("#theme")
        who.wait_until(f"{colour} !== {json.dumps(before)}")
    with visitor(stage.url, size=PHONE) as who:
        who.sign_in(READ)
        who.open("results", show=noted)
        expect(who.page.locator("#results-head")).to_contain_text(MARKUP)
        assert who.ask("document.getElementById('planted') === null && window.planted === undefined")
        outcome = typed(stage.results.read(noted))[2]
        assert isinstance(outcome, sample_runs.orbit_response.OrbitResponseOutcome)
        who.wait_until(f"{graph(who, 0)}?.data?.[0]?.z?.length === {len(outcome.monitors)}")
        drawn = np.array(who.ask(f"Array.from({graph(who, 0)}.data[0].z, row => Array.from(row))"))
        columns = [who.ask(f"{graph(who, 0)}.data[0].x").index(name) for name in outcome.steerers]
        np.testing.assert_allclose(drawn[:, columns], outcome.x, rtol=1e-5)
        assert who.ask("document.documentElement.scrollWidth <= innerWidth")


def test_supplies_show_setpoints_and_readbacks_and_mark_what_is_near_a_limit(stage: Stage) -> None:
    stage.client.set({"HS4P1D1R": 0.123})
    before = stage.client["VS3P1T1R"]
    with visitor(stage.url) as who:
        who.sign_in(READ)
        who.open("supplies", prefix="TWIN:")
        rows = who.page.locator("#supplies-rows tr:not(.space)")
        expect(rows.first).to_be_visible()
        assert who.ask("document.querySelectorAll('#supplies-rows tr').length") < 60  # of many more
        who.page.fill("#supplies-text", "hs4p1d1r")
        expect(rows).to_have_count(1)
        expect(rows.locator(".c-set .value")).to_have_text("0.1230\u202fA")
        expect(rows.locator(".c-readback .value")).to_have_text("0.1230\u202fA")
        stage.client.set({"HS4P1D1R": -0.25})
        expect(rows.locator(".c-readback .value")).to_have_text("−0.2500\u202fA")
        who.page.fill("#supplies-text", "")
        limits = stage.client.client.get("VS3P1T1R:set")[0].limits
        assert limits is not None
        stage.client.set({"VS3P1T1R": 0.95 * limits[1]})
        try:
            expect(who.page.locator("#supplies-count")).to_contain_text("marked: 1")
            who.page.click("#supplies-only input")
            expect(rows).to_have_count(1)
            expect(rows.locator(".c-name")).to_have_text("VS3P1T1R")
            expect(rows.locator(".c-use .part")).to_have_text("95\u202f%")
            expect(rows.locator(".c-state")).to_contain_text("near its limit")
        finally:
            stage.client.set({"VS3P1T1R": before})


def test_an_undo_asks_first_and_a_read_only_visitor_has_none(stage: Stage) -> None:
    stage.client.set({"HS4P1D1R": 0.05})
    made = stage.client.client.set({"HS4P1D1R:set": 0.07}, note=MARKUP)
    number = int(made["sequence"])
    with visitor(stage.url) as who:
        who.sign_in()
        who.open("journal", prefix="TWIN:")
        row = who.page.locator(f'tr:has(button[data-value="{number}"])')
        expect(row).to_contain_text("0.05 → 0.07 A")
        expect(row).to_contain_text(MARKUP)
        assert who.ask("document.getElementById('planted') === null && window.planted === undefined")
        row.get_by_role("button").click()
        question = who.page.locator("#journal-question")
        expect(question).to_contain_text(f"Undo command {number}")
        expect(question.get_by_text("Keep as it is")).to_be_focused()
        who.page.keyboard.press("Escape")
        expect(question).to_be_hidden()
        assert stage.client["HS4P1D1R"] == 0.07
        row.get_by_role("button").click()
        expect(question).to_be_visible()
        stage.client.set({"HS4P1D1R": 0.09})
        question.locator("button.main").click()
        expect(who.page.locator("#journal-told")).to_contain_text("not undone")
        assert stage.client["HS4P1D1R"] == 0.09
        stage.client.set({"HS4P1D1R": 0.07})
        row.get_by_role("button").click()
        question.locator("button.main").click()
        expect(who.page.locator("#journal-told")).to_contain_text(f"undo {number}: done by command")
        assert stage.client["HS4P1D1R"] == 0.05
        expect(who.page.locator("#journal-list tbody tr").first).to_contain_text(f"undo {number}")  # it grows by itself
    with visitor(stage.url) as who:
        who.sign_in(READ)
        who.open("journal", prefix="TWIN:")
        expect(who.page.locator("#journal-list tbody tr").first).to_be_visible()
        expect(who.page.locator("#journal-list button").first).to_be_hidden()
        click = {"data": {"value": str(number), "count": 1}}
        who.ask(f"window.dash_clientside.set_props('journal-click', {json.dumps(click)})")
        expect(who.page.locator("#journal-told")).to_contain_text("read-only token")
        assert stage.client["HS4P1D1R"] == 0.05


def test_faults_come_and_are_cleared(stage: Stage) -> None:
    call = stage.client.client.call
    with visitor(stage.url) as who:
        who.sign_in()
        who.open("faults", prefix="TWIN:")
        expect(who.page.locator("#faults-list")).to_have_text("No fault is injected.")
        for device in ("HS4P1D1R", "VS3P1T1R", "Q1PDR"):
            call("dt:fault", {"do": "add", "kind": "delay", "device": device, "delay_s": "0.1"})
        rows = who.page.locator("#faults-list tbody tr")
        expect(rows).to_have_count(3)
        who.page.locator("#faults-list tbody tr", has_text="VS3P1T1R").get_by_role("button").click()
        expect(rows).to_have_count(2)
        assert {str(fault["device"]) for fault in call("dt:fault", {"do": "list"})} == {"HS4P1D1R", "Q1PDR"}
        who.page.click("text=Clear all")
        expect(who.page.locator("#faults-list")).to_have_text("No fault is injected.")
        assert call("dt:fault", {"do": "list"}) == []


def test_a_procedure_is_started_watched_and_leads_to_its_result_and_another_is_cancelled(stage: Stage) -> None:
    before = stage.client["HS4P1D1R"]
    with visitor(stage.url) as who:
        who.sign_in()
        who.open("procedures", prefix="TWIN:")
        device = who.page.locator(".option input").first
        device.fill("HS4P1D1R")
        who.page.click("#procedure-start")
        expect(who.page.locator("#procedure-told")).to_contain_text("was started at 'TWIN:'")
        card = who.page.locator(".job").first
        expect(card).to_contain_text("done")
        name = card.locator("a").inner_text()
        run = stage.results.read(name)
        assert (run.status, run.data["steerers"]) == ("done", ["HS4P1D1R"])
        assert stage.client["HS4P1D1R"] == before
        device.fill("*")
        who.page.click("#procedure-start")
        second = who.page.locator(".job", has_text="running").first
        second.get_by_role("button").click()
        expect(who.page.locator(".job").first).to_contain_text("stopped")
        assert stage.client["HS4P1D1R"] == before
        who.page.click(f"text={name}")
        expect(who.page.locator("#results-head")).to_contain_text(name)
