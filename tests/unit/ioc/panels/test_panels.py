"""Panels for Phoebus: every PV in them is served, nothing overlaps or leaves its place, every link leads somewhere."""

import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from gnomon.cli import app
from gnomon.db.machines import pv_document
from gnomon.db.pvs import Kind, PvSpec
from gnomon.db.templates import expand, read_pvs
from gnomon.ioc.base.config import Config, ShadowConfig
from gnomon.ioc.base.machines import find_machine, pvs_of
from gnomon.ioc.panels import make_panels
from gnomon.ioc.panels.flow import Row, Section, pages
from gnomon.ioc.panels.widgets import Box, label, step
from gnomon.lattice import Ring, parse_machine
from gnomon.services.procedure_pv_specs import procedure_specs
from unit.lattice import small_ring

#: Machine, PV document, prefix.
CASES = [("bessy2", None, "TWIN:"), ("mls", None, "TWIN:"), ("bessy2", "bessy2-areas", ""), ("mls", "plain", "X:")]
#: The PV document of the one that has a calibration.
CALIBRATED = "plain"

Panels = Mapping[str, ElementTree.Element]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def made(request: pytest.FixtureRequest) -> tuple[Panels, Mapping[str, PvSpec]]:
    machine, pvs, prefix = request.param
    shadow = ShadowConfig(calibration="newest" if pvs == CALIBRATED else None)
    found = find_machine(Config(machine=machine, pvs=pvs, shadow=shadow))
    specs = pvs_of(found, prefix)
    procedures = ("PROC:", procedure_specs("PROC:")) if machine == "mls" else None
    panels = make_panels(found.ring, specs, prefix, procedures)
    served = {spec.name: spec for spec in (*specs, *(procedures[1] if procedures else ()))}
    return {name: ElementTree.fromstring(text) for name, text in panels.items()}, served


def addresses(display: ElementTree.Element) -> list[str]:
    tags = ("pv_name", "x_pv", "y_pv")
    found = [e.text for tag in tags for e in display.iter(tag) if e.text and e.text != "$(pv_name)"]
    return [name for text in found for name in (re.findall("`([^`]*)`", text) if text.startswith("=") else [text])]


def box(widget: ElementTree.Element) -> Box:
    return Box(*(int(widget.findtext(key, "-1")) for key in Box._fields))


def containers(display: ElementTree.Element) -> Iterator[tuple[list[ElementTree.Element], int, int]]:
    """Every list of widgets that stand side by side, with the width and height that they have."""
    yield display.findall("widget"), int(display.findtext("width", "")), int(display.findtext("height", ""))
    for widget in display.iter("widget"):
        width, height = box(widget)[2:]
        if widget.get("type") == "group":
            yield widget.findall("widget"), width, height
        for children in widget.findall("tabs/tab/children"):
            yield children.findall("widget"), width, height - int(widget.findtext("tab_height", ""))


def test_procedures_have_a_panel_if_their_pvs_are_served(made: tuple[Panels, Mapping[str, PvSpec]]) -> None:
    panels, served = made
    wanted = {name for name, spec in served.items() if spec.source == "procedures"}
    assert ("procedures.bob" in panels) == bool(wanted)
    if wanted:
        shown = {name.partition("://")[2] for name in addresses(panels["procedures.bob"])}
        assert wanted - shown == {"PROC:job", "PROC:result:names", "PROC:result:values"}  # for programs


def test_bounds_have_a_panel_if_there_is_a_calibration(made: tuple[Panels, Mapping[str, PvSpec]]) -> None:
    panels, served = made
    wanted = {name for name in served if ":dt:bound:" in name}
    assert ("bounds.bob" in panels) == bool(wanted)
    if wanted:
        assert wanted <= {name.partition("://")[2] for name in addresses(panels["bounds.bob"])}
        curves = [[t.findtext("name") for t in w.iter("trace")] for w in panels["bounds.bob"].iter("widget")
                  if w.get("type") == "xyplot"]  # fmt: skip
        assert curves == [["lower bound", "upper bound", "measured"]] * 2


def test_every_pv_in_the_panels_is_served(made: tuple[Panels, Mapping[str, PvSpec]]) -> None:
    panels, served = made
    for name, display in panels.items():
        for address in addresses(display):
            protocol, _, pv = address.partition("://")
            assert pv in served, f"{name}: {address}"
            texts = served[pv].kind in (Kind.STRING, Kind.STRINGS, Kind.TABLE)
            assert protocol == ("pva" if texts else "ca"), f"{name}: {address}"


def test_widgets_do_not_overlap_and_stay_within_their_containers(made: tuple[Panels, Mapping[str, PvSpec]]) -> None:
    for name, display in made[0].items():
        for widgets, width, height in containers(display):
            boxes = [(w.findtext("name"), box(w)) for w in widgets]
            for who, b in boxes:
                inside = b.x >= 0 and b.y >= 0 and b.x + b.width <= width and b.y + b.height <= height
                assert inside, f"{name}: {who} at {b} leaves {width} x {height}"
                assert min(b.width, b.height) >= 14, f"{name}: {who} at {b} is too small"
            for (one, a), (other, b) in combinations(boxes, 2):
                apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
                assert apart, f"{name}: {one} at {a} and {other} at {b} overlap"


def test_every_link_leads_to_a_panel_and_every_panel_to_all(made: tuple[Panels, Mapping[str, PvSpec]]) -> None:
    panels, _ = made
    for display in panels.values():
        assert {e.text for e in display.iter("file")} == panels.keys()
        assert (display.tag, display.get("version")) == ("display", "2.0.0")


def test_every_supply_and_monitor_has_a_line(made: tuple[Panels, Mapping[str, PvSpec]]) -> None:
    panels, served = made
    shown = {address.partition("://")[2] for display in panels.values() for address in addresses(display)}
    setpoints = {s.name for s in served.values() if s.source == "set" and s.property == "current"}
    readings = {s.name for s in served.values() if s.source in ("monitor.x", "monitor.y", "multiplexer.select")}
    assert setpoints | readings <= shown


@pytest.mark.parametrize("machine", ["bessy2", "mls"])
def test_the_overview_shows_what_an_operator_looks_for_first(machine: str) -> None:
    found = find_machine(Config(machine=machine))
    specs = pvs_of(found, "")
    overview = ElementTree.fromstring(make_panels(found.ring, specs, "")["overview.bob"])
    sources = {s.source for s in specs if s.name in {a.partition("://")[2] for a in addresses(overview)}}
    wanted = {
        "beam.found",
        "beam.reason",
        "tune.frequency.x",
        "faults.count",
        "model.generation",
        "recorder.state",
        "orbit.x",
        "beam.current",
    }
    assert wanted <= sources
    kinds = {w.get("type") for w in overview.iter("widget")}
    assert {"led", "spinner", "textupdate", "xyplot", "action_button", "label", "group"} <= kinds


def test_every_supply_has_its_readback_beside_it_and_the_difference(made: tuple[Panels, Mapping[str, PvSpec]]) -> None:
    panels, served = made
    formulas = [e.text or "" for display in panels.values() for e in display.iter("pv_name") if e.text]
    readbacks = {(s.device, s.property): s.name for s in served.values() if s.source == "readback"}
    pairs = [
        (s.name, readbacks[s.device, s.property])
        for s in served.values()
        if s.source == "set" and s.property == "current" and (s.device, s.property) in readbacks
    ]
    missing = [pair for pair in pairs if f"=`ca://{pair[1]}` - `ca://{pair[0]}`" not in formulas]
    assert len(pairs) > 60
    assert len(missing) <= 1  # the multiplexer's supply has a panel of its own


def test_the_panel_of_faults_lists_them_and_clears_all(made: tuple[Panels, Mapping[str, PvSpec]]) -> None:
    panels, served = made
    faults = panels["faults.bob"]
    (table,) = (w for w in faults.iter("widget") if w.get("type") == "table")
    (spec,) = (s for s in served.values() if s.source == "faults.table")
    assert table.findtext("pv_name") == f"pva://{spec.name}"
    assert [c.findtext("name") for c in table.iter("column")] == ["Number", "State", "Left", "Fault", "Added by"]
    assert sum(int(c.findtext("width", "")) for c in table.iter("column")) <= box(table).width
    (button,) = (w for w in faults.iter("widget") if w.findtext("text") == "clear")
    assert button.findtext("pv_name", "").endswith("dt:faults:clear")
    assert button.findtext("actions/action/value") == "1"


@pytest.mark.parametrize(
    ("drive", "expected"), [((-10.0, 10.0), 0.02), ((0.0, 400.0), 0.2), ((0.0, 1.0), 0.001), ((-4.0, 5.0), 0.005)]
)
def test_an_arrow_changes_about_a_thousandth_of_the_range(drive: tuple[float, float], expected: float) -> None:
    assert step(drive) == pytest.approx(expected)


def test_a_ring_without_monitors_and_supplies_has_panels_too() -> None:
    bare: dict[str, object] = {"supplies": [], "magnets": [], "monitors": [], "multiplexer": None}
    ring = Ring(parse_machine(small_ring.text(small_ring.document() | bare), "ring.json"))
    made = make_panels(ring, expand(read_pvs("plain", pv_document), ring, ""), "")
    assert made.keys() == {"overview.bob", "orbit.bob", "shadow.bob", "faults.bob", "status.bob"}


def test_many_lines_need_several_pages_and_none_is_lost() -> None:
    def line(number: int) -> Row:
        return lambda box: [label(f"line {number}", box)]

    sections = [Section("long", [line(i) for i in range(500)]), Section("short", [line(i) for i in range(500, 505)])]
    made = pages(sections, Box(10, 10, 800, 600), 3)
    shown = [w.name for page in made for card in page for w in card.children if w.name.startswith("line")]
    assert shown == [f"line {i}" for i in range(505)]
    for page in made:
        for one, other in combinations([card.box for card in page], 2):
            assert one.x + one.width <= other.x or other.x + other.width <= one.x or one.y + one.height <= other.y
        assert all(card.box.y + card.box.height <= 610 and card.box.x + card.box.width <= 810 for card in page)


def test_the_command_writes_the_panels_and_says_which_to_open(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["panels", "--machine", "mls", "--prefix", "SIM:", "--out", str(tmp_path / "mls")])
    assert done.exit_code == 0
    assert "overview.bob" in done.output
    assert "ca://SIM:TUNEZRP:measX" in addresses(ElementTree.parse(tmp_path / "mls" / "overview.bob").getroot())
