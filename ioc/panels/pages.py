"""The panels of a machine: overview, orbit, monitors, one for each family of supplies, and the server's own state."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.db.sources import Source
from gnomon.ioc.panels.flow import GAP, Row, Section, balanced, pages
from gnomon.ioc.panels.labels import SETTINGS, STATUS, brief
from gnomon.ioc.panels.plots import Maker, band_plot, monitors_plot, optics_plot, orbit_plot, stacked
from gnomon.ioc.panels.procedure_page import procedure_page
from gnomon.ioc.panels.rows import (
    connect_line,
    heads,
    pair_line,
    press_line,
    supply_line,
    table_of,
    value_lines,
)
from gnomon.ioc.panels.served_pvs import Monitor, ServedPvs, Supply
from gnomon.ioc.panels.widgets import (
    BUTTON,
    CARD,
    CARD_BAR,
    GOOD,
    SMALL,
    TAB_HEIGHT,
    TITLE,
    Box,
    Widget,
    area,
    button,
    card,
    display,
    label,
    tabs,
)
from gnomon.lattice import Ring

#: A display that fits a 1920 x 1080 screen with Phoebus' own bars around it.
WIDTH, HEIGHT = 1880, 940
HEADER = 52

#: Least width of the title beside the buttons of the header.
TITLE_ROOM = 340
BODY = Box(GAP, HEADER + GAP, WIDTH - 2 * GAP, HEIGHT - HEADER - 2 * GAP)

#: What is shown of a tune and its bounds.
TUNE_ENDS = ("lower", "upper", "measured")

#: Sections of the overview, and the sources that they show where they are served. Those that have no room, from the
#: last on, are found on the other panels.
OVERVIEW: Mapping[str, tuple[Source | str, ...]] = {
    "Beam": (sources.BEAM_FOUND, sources.BEAM_REASON, "beam.*", "topup.*"),
    "Model, faults and journal": (sources.ACTIVE, sources.MODEL_GENERATION, "faults.*", sources.RECORDER_STATE),
    "Tunes and chromaticity": (
        "tune.frequency.?",
        "tune.?",
        "tune.fraction.?",
        sources.SYNCHROTRON_FREQUENCY,
        "chromaticity.?",
    ),
    "Orbit": ("orbit.difference.rms.?", "orbit.difference.largest.?", sources.REFERENCE_USE),
    "Shadow": (sources.MACHINE_ROLE, sources.MODE, sources.MACHINE_CONNECTED, sources.MACHINE_REASON, "residual.rms.?"),
}


def make_panels(
    ring: Ring, specs: Sequence[PvSpec], prefix: str, procedures: tuple[str, Sequence[PvSpec]] | None = None
) -> Mapping[str, bytes]:
    """All panels of a machine as files, by name; `overview.bob` leads to the others.

    `procedures` has the prefix and the PVs with which procedures are started, if they are served.
    """
    served = ServedPvs(ring, specs)
    supplies = served.supplies()
    monitors = served.monitors()
    files = {"Overview": "overview.bob", "Orbit": "orbit.bob"}
    if monitors:
        files["Monitors"] = "monitors.bob"
    if served.each(sources.RESIDUAL.x):
        files["Shadow"] = "shadow.bob"
    if served.each(sources.BOUND_LOWER.x):
        files["Bounds"] = "bounds.bob"
    files |= {family: f"{family.lower().replace(' ', '_')}.bob" for family in supplies}
    if served.each(sources.MULTIPLEXER_SELECT):
        files["Multiplexer"] = "multiplexer.bob"
    if served.each(sources.FAULTS_TABLE):
        files["Faults"] = "faults.bob"
    if procedures is not None:
        files["Procedures"] = "procedures.bob"
    files["Status"] = "status.bob"
    makers: dict[str, Callable[[], list[Widget]]] = {
        "Overview": lambda: _overview(served),
        "Orbit": lambda: _orbit(served),
        "Shadow": lambda: _shadow(served),
        "Bounds": lambda: _bounds(served),
        "Monitors": lambda: _listed("monitors", _monitors(monitors), 5),
        "Multiplexer": lambda: _listed("multiplexer", _multiplexer(served), 6),
        "Faults": lambda: _faults(served),
        "Status": lambda: _listed("status", _status(served), 4),
    }
    if procedures is not None:
        of, started = procedures
        makers["Procedures"] = lambda: procedure_page(started, of, BODY)
    made = {}
    for title, file in files.items():
        body = makers[title]() if title in makers else _listed(title, _family(title, supplies[title]), 4)
        header = _header(ring.document.title, prefix, title, files)
        made[file] = display(f"{ring.document.title} {title}", WIDTH, HEIGHT, [header, *body])
    return made


def _header(text: str, prefix: str, here: str, files: Mapping[str, str]) -> Widget:
    """The bar on top: what this is, under which prefix, and buttons to all panels."""
    height = 32
    width = min(146, (WIDTH - TITLE_ROOM) // len(files) - 6)
    left = WIDTH - GAP - len(files) * (width + 6) + 6
    children = [
        label(text, Box(GAP, 4, left - 2 * GAP, 28), TITLE, CARD),
        label(f"PVs {prefix}..." if prefix else "PVs without prefix", Box(GAP, 32, left - 2 * GAP, 16), SMALL, BUTTON),
    ]
    for number, (title, file) in enumerate(files.items()):
        box = Box(left + number * (width + 6), (HEADER - height) // 2, width, height)
        children.append(button(title, file, box, GOOD, CARD) if title == here else button(title, file, box))
    return area("header", Box(0, 0, WIDTH, HEADER), children)


def _overview(served: ServedPvs) -> list[Widget]:
    """Page that is looked at first; settings are those that belong to no supply, magnet or other element."""
    taken: set[str] = set()
    sections = []
    for title, patterns in OVERVIEW.items():
        specs = [s for s in served.some(*patterns) if s.source not in taken]
        taken |= {s.source for s in specs}
        if specs:
            sections.append(Section(title, value_lines(specs)))
    ring = served.ring
    part = {s.name for s in ring.document.supplies} | {m.name for m in ring.magnets} | ring.index.keys()
    if settings := _settings(served, lambda device: device not in part):
        sections.insert(2, Section("Machine settings", settings))
    left = BODY._replace(width=860)
    right = Box(left.x + left.width + GAP, BODY.y, BODY.width - left.width - GAP, BODY.height)
    plots = [orbit_plot(served, "Closed orbit", "xy"), optics_plot(served)]
    return [*balanced(sections, left, 2), *stacked(right, [make for make in plots if make is not None])]


def _orbit(served: ServedPvs) -> list[Widget]:
    """Both planes of the closed orbit, the differences to the reference orbit, and what operators choose and read."""
    cards = {
        "Orbit": served.some(sources.BEAM_FOUND, "orbit.*"),
        "Reference orbit": served.some("control.reference.*", "reference.*"),
    }
    difference = "Monitors, difference to the reference orbit"
    found = [orbit_plot(served, "Horizontal orbit", "x"), orbit_plot(served, "Vertical orbit", "y")]
    return _beside(cards, [*found, monitors_plot(served, difference, sources.ORBIT_DIFFERENCE)])


def _shadow(served: ServedPvs) -> list[Widget]:
    """Readings of the machine less those predicted, and how the machine is reached."""
    cards = {
        "Shadow": served.some("machine.*", sources.MODE, sources.BEAM_FOUND),
        "Residuals": served.some("residual.*"),
    }
    noise = "Residuals in standard deviations of each monitor's noise"
    plots = [monitors_plot(served, "Residuals: machine less prediction", sources.RESIDUAL)]
    return _beside(cards, [*plots, monitors_plot(served, noise, sources.RESIDUAL_Z)])


def _bounds(served: ServedPvs) -> list[Widget]:
    """The machine's readings between the bounds of a calibration, and what the band is worth."""
    cards = {
        "Band": served.some(
            sources.BOUND_OUTSIDE, sources.BOUND_KIND, sources.BOUND_COVERAGE, sources.BOUND_CALIBRATION,
            sources.BOUND_REASON,
        ),
        "Tunes": [spec for x in "xy" for spec in served.some(*(f"bound.tune.{end}.{x}" for end in TUNE_ENDS))],
        "Shadow": served.some("machine.*", sources.MODE, sources.BEAM_FOUND),
    }  # fmt: skip
    titles = ("Horizontal orbit between its bounds", "Vertical orbit between its bounds")
    return _beside(cards, [band_plot(served, title, plane) for plane, title in enumerate(titles)])


def _faults(served: ServedPvs) -> list[Widget]:
    """The injected faults one by one, a button that clears all, and what shows their effects."""
    cleared = [press_line("All faults", "clear", spec) for spec in served.each(sources.FAULTS_CLEAR)]
    cards = {
        "Faults": [*value_lines(served.some(sources.FAULTS_COUNT)), *cleared],
        "Model": value_lines(served.some(sources.BEAM_FOUND, sources.BEAM_REASON, "model.*", sources.MODEL_HUNG)),
        "Journal": value_lines(served.some(sources.RECORDER_STATE, sources.JOURNAL_LAST, sources.QUEUE)),
    }
    side = BODY._replace(width=440)
    room = Box(BODY.x + side.width + GAP, BODY.y, BODY.width - side.width - GAP, BODY.height)
    sections = [Section(title, rows) for title, rows in cards.items() if rows]
    listed = [partial(_faults_table, spec) for spec in served.each(sources.FAULTS_TABLE)]
    return [*pages(sections, side, 1)[0], *stacked(room, listed)]


def _faults_table(spec: PvSpec, box: Box) -> Widget:
    inside = Box(2, 2, box.width - 4, box.height - CARD_BAR - 4)
    return card("Injected faults", box, [table_of(spec, (0.07, 0.08, 0.07, 0.6, 0.18))(inside)])


def _beside(cards: Mapping[str, Sequence[PvSpec]], plots: Sequence[Maker | None]) -> list[Widget]:
    """Cards on the left, plots on the right."""
    side = BODY._replace(width=440)
    sections = [Section(title, value_lines(specs)) for title, specs in cards.items() if specs]
    room = Box(BODY.x + side.width + GAP, BODY.y, BODY.width - side.width - GAP, BODY.height)
    return [*pages(sections, side, 1)[0], *stacked(room, [make for make in plots if make is not None])]


def _listed(name: str, sections: Sequence[Section], columns: int) -> list[Widget]:
    """Sections over the whole panel; in tabs when they need more than one page."""
    whole = pages(sections, BODY, columns)
    if len(whole) == 1:
        return whole[0]
    inside = Box(GAP, GAP, BODY.width - 2 * GAP, BODY.height - TAB_HEIGHT - 2 * GAP)
    whole = pages(sections, inside, columns)
    ends = [[page[i].name.split()[0] for i in (0, -1)] for page in whole]
    return [tabs(name, BODY, [(" to ".join(dict.fromkeys(end)), page) for end, page in zip(ends, whole, strict=True)])]


def _family(title: str, supplies: Sequence[Supply]) -> list[Section]:
    """One section for each kind of magnet that the supplies of a family feed."""
    unit = supplies[0].setpoint.unit
    by_magnet: dict[str, list[Row]] = {}
    for supply in supplies:
        by_magnet.setdefault(supply.family, []).append(supply_line(supply.name, supply.setpoint, supply.readback))
    head = heads("supply", f"setpoint [{unit}]", f"readback [{unit}]", "difference")
    return [Section(f"{magnet} {title.lower()}", rows, head) for magnet, rows in sorted(by_magnet.items())]


def _monitors(monitors: Sequence[Monitor]) -> list[Section]:
    rows = [pair_line(m.name, m.x, m.y) for m in monitors]
    unit = monitors[0].x.unit
    return [Section("Monitors", rows, heads("monitor", f"x [{unit}]", f"y [{unit}]"))]


def _multiplexer(served: ServedPvs) -> list[Section]:
    """Its supply, and a button for every magnet that it can be connected to."""
    mux = served.ring.multiplexer
    settings = _settings(served, lambda device: mux is not None and device == mux.supply)
    supply = value_lines(served.some(sources.MULTIPLEXER_NAME, sources.MULTIPLEXER_HEALTHY))
    off = [connect_line("None", spec, "disconnect") for spec in served.each(sources.MULTIPLEXER_OFF)]
    rows = [connect_line(spec.device, spec, "connect") for spec in served.each(sources.MULTIPLEXER_SELECT)]
    return [Section("Multiplexer", [*supply, *settings, *off]), Section("Connect to", rows)]


def _status(served: ServedPvs) -> list[Section]:
    """Everything about gnomon and its model that a line can show, by the first word of its source."""
    sections: dict[str, list[Row]] = {word: [] for word in STATUS}
    for spec in served.some("*"):
        sections.setdefault(spec.source.partition(".")[0], []).extend(value_lines([spec]))
    return [Section(STATUS.get(word, word.capitalize()), rows) for word, rows in sections.items() if rows]


def _settings(served: ServedPvs, wanted: Callable[[str], bool]) -> list[Row]:
    """Setpoints of the wanted devices, with their readbacks."""
    rows: list[Row] = []
    for spec in served.each(sources.SET):
        if wanted(spec.device):
            name = SETTINGS.get((spec.device, spec.property), brief(spec, 22))
            unit = f" [{spec.unit}]" if spec.unit else ""
            rows.append(pair_line(name + unit, spec, served.readback(spec)))
    return rows
