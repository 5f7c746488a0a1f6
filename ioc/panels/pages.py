"""The panels of a machine: overview, orbit, monitors, one for each family of supplies, and the server's own state."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gnomon.db.pvs import PvSpec
from gnomon.ioc.panels.flow import GAP, ROW, Row, Section, balanced, pages
from gnomon.ioc.panels.found import Monitor, Served, Supply
from gnomon.ioc.panels.widgets import (
    BUTTON,
    CARD,
    CARD_BAR,
    FAINT,
    GOOD,
    SMALL,
    TAB_HEIGHT,
    TITLE,
    Box,
    Trace,
    Widget,
    address,
    area,
    button,
    card,
    display,
    entry,
    label,
    lamp,
    plot,
    reading,
    tabs,
)
from gnomon.lattice import Ring

#: A display that fits a 1920 x 1080 screen with Phoebus' own bars around it.
WIDTH, HEIGHT = 1880, 940
HEADER = 52
BODY = Box(GAP, HEADER + GAP, WIDTH - 2 * GAP, HEIGHT - HEADER - 2 * GAP)

#: Short names of what everybody knows; all else is called by its description, or by its PV where that is long.
SHORT = {
    "beam.found": "Stable beam",
    "beam.reason": "Reason",
    "tune.x": "Horizontal tune",
    "tune.y": "Vertical tune",
    "tune.fraction.x": "Horizontal, fraction",
    "tune.fraction.y": "Vertical, fraction",
    "tune.frequency.x": "Horizontal frequency",
    "tune.frequency.y": "Vertical frequency",
    "chromaticity.x": "Horizontal chromaticity",
    "chromaticity.y": "Vertical chromaticity",
    "orbit.difference.rms.x": "Rms difference x",
    "orbit.difference.rms.y": "Rms difference y",
    "orbit.difference.largest.x": "Largest difference x",
    "orbit.difference.largest.y": "Largest difference y",
    "orbit.difference.where.x": "  at monitor",
    "orbit.difference.where.y": "  at monitor",
    "control.reference.save": "Save present orbit as",
    "control.reference.use": "Compare with",
    "reference.saved": "Saved",
    "model.generation": "Generation",
    "model.command": "Last command shown",
    "model.time": "Time of last result",
    "model.computing": "Result under way",
    "lattice.id": "Lattice",
    "faults.count": "Faults injected",
    "faults.active": "  which",
    "reference.names": "There are",
    "recorder.state": "Journal",
    "control.active": "Model",
    "status.heartbeat": "Heartbeat",
    "status.uptime": "Up time",
    "status.started": "Started",
    "status.version": "Version",
    "status.host": "Computer",
    "status.process": "Process",
    "status.memory": "Memory",
    "status.queue": "Commands waiting",
    "status.put.p50": "Put, half within",
    "status.put.p99": "Put, 99 % within",
    "status.model.p50": "Model, half within",
    "status.model.p99": "Model, 99 % within",
    "status.model.hung": "Computations hung",
    "status.ca.clients": "CA clients",
    "status.pva.channels": "PVA channels",
    "status.journal.path": "Journal file",
    "status.journal.size": "Journal size",
    "status.journal.last": "Last command in journal",
}

#: The same for settings of the machine as a whole, by device and property.
SETTINGS = {
    ("rf", "frequency"): "RF frequency",
    ("rf", "voltage"): "Cavity voltage",
    ("ring", "energy"): "Beam energy",
    ("ring", "optics"): "Optics",
}

#: Titles of the status panel's cards, by the first word of a source.
STATUS = {"status": "Server", "control": "Switches", "model": "Model", "faults": "Faults", "recorder": "Journal"}

#: Sections of the overview, and the sources that they show where they are served.
OVERVIEW: Mapping[str, tuple[str, ...]] = {
    "Beam": ("beam.found", "beam.reason", "beam.*"),
    "Tunes and chromaticity": ("tune.frequency.?", "tune.?", "tune.*", "chromaticity.?", "momentum.*", "revolution.*"),
    "Orbit": ("orbit.*", "control.reference.use"),
    "Shadow": ("control.mode", "shadow.*", "residual.*"),
    "Model": ("control.active", "model.*", "lattice.id"),
    "Faults and journal": ("faults.*", "recorder.state", "status.journal.last"),
}

#: What is right when it is 0, and what when it is 1: shown with a lamp.
LAMPS = {"beam.found": 1, "recorder.state": 0}

LABEL_SHARE = 0.46


def make_panels(ring: Ring, specs: Sequence[PvSpec], prefix: str) -> Mapping[str, bytes]:
    """All panels of a machine as files, by name; `overview.bob` leads to the others."""
    served = Served(ring, specs)
    supplies = served.supplies()
    files = {"Overview": "overview.bob", "Orbit": "orbit.bob", "Monitors": "monitors.bob"}
    files |= {family: f"{family.lower().replace(' ', '_')}.bob" for family in supplies}
    files["Status"] = "status.bob"
    makers: dict[str, Callable[[], list[Widget]]] = {
        "Overview": lambda: _overview(served),
        "Orbit": lambda: _orbit(served),
        "Monitors": lambda: _listed("monitors", _monitors(served.monitors()), 5),
        "Status": lambda: _listed("status", _status(served), 4),
    }
    made = {}
    for title, file in files.items():
        body = makers[title]() if title in makers else _listed(title, _family(title, supplies[title]), 4)
        header = _header(ring.document.title, prefix, title, files)
        made[file] = display(f"{ring.document.title} {title}", WIDTH, HEIGHT, [header, *body])
    return made


def _header(text: str, prefix: str, here: str, files: Mapping[str, str]) -> Widget:
    """The bar on top: what this is, under which prefix, and buttons to all panels."""
    width, height = 146, 32
    left = WIDTH - GAP - len(files) * (width + 6) + 6
    children = [
        label(text, Box(GAP, 4, left - 2 * GAP, 28), TITLE, CARD),
        label(f"PVs {prefix}..." if prefix else "PVs without prefix", Box(GAP, 32, left - 2 * GAP, 16), SMALL, BUTTON),
    ]
    for number, (title, file) in enumerate(files.items()):
        box = Box(left + number * (width + 6), (HEADER - height) // 2, width, height)
        children.append(button(title, file, box, GOOD, CARD) if title == here else button(title, file, box))
    return area("header", Box(0, 0, WIDTH, HEADER), children)


def _overview(served: Served) -> list[Widget]:
    taken: set[str] = set()
    sections = []
    for title, patterns in OVERVIEW.items():
        specs = [s for s in served.some(*patterns) if s.source not in taken]
        taken |= {s.source for s in specs}
        if specs:
            sections.append(Section(title, [_row(s) for s in specs]))
    if settings := _settings(served):
        sections.insert(1, Section("Machine settings", settings))
    left = BODY._replace(width=860)
    right = Box(left.x + left.width + GAP, BODY.y, BODY.width - left.width - GAP, BODY.height)
    plots = [_orbit_plot(served, "Closed orbit", "xy"), _optics_plot(served)]
    return [*balanced(sections, left, 2), *_stacked(right, [make for make in plots if make is not None])]


def _orbit(served: Served) -> list[Widget]:
    """Both planes of the closed orbit, the differences to the reference orbit, and what operators choose and read."""
    side = Box(BODY.x, BODY.y, 440, BODY.height)
    orbit = served.some("beam.found", "orbit.*", "residual.orbit*")
    reference = served.some("control.reference.*", "reference.*")
    sections = [("Orbit", orbit), ("Reference orbit", reference)]
    cards = pages([Section(title, [_row(s) for s in specs]) for title, specs in sections if specs], side, 1)[0]
    room = Box(BODY.x + side.width + GAP, BODY.y, BODY.width - side.width - GAP, BODY.height)
    found = [_orbit_plot(served, "Horizontal orbit", "x"), _orbit_plot(served, "Vertical orbit", "y")]
    found.append(_difference_plot(served))
    return [*cards, *_stacked(room, [make for make in found if make is not None])]


#: Makes a widget for a place.
Maker = Callable[[Box], Widget]


def _stacked(room: Box, makers: Sequence[Maker]) -> list[Widget]:
    """Widgets one below the other, of one height."""
    height = (room.height + GAP) // max(len(makers), 1) - GAP
    return [make(room._replace(y=room.y + i * (height + GAP), height=height)) for i, make in enumerate(makers)]


def _orbit_plot(served: Served, title: str, planes: str) -> Maker | None:
    """The closed orbit around the ring."""
    s = served.one("element.positions")
    orbits = [(plane, spec) for plane in planes if (spec := served.one(f"orbit.{plane}")) is not None]
    if s is None or not orbits:
        return None
    traces = [Trace(address(s), address(spec), plane) for plane, spec in orbits]
    return partial(_plot_card, title, f"{' and '.join(planes)} [{orbits[0][1].unit}]", traces)


def _difference_plot(served: Served) -> Maker | None:
    """What the monitors read less the reference orbit."""
    s = served.one("monitor.s")
    found = [(plane, spec) for plane in "xy" if (spec := served.one(f"orbit.difference.{plane}")) is not None]
    if s is None or not found:
        return None
    traces = [Trace(address(s), address(spec), f"{plane} - reference", joined=False) for plane, spec in found]
    return partial(_plot_card, "Monitors, difference to the reference orbit", f"[{found[0][1].unit}]", traces)


def _optics_plot(served: Served) -> Maker | None:
    """Beta functions, and the dispersion with an axis of its own."""
    s = served.one("element.positions")
    beta = [(plane, spec) for plane in "xy" if (spec := served.one(f"twiss.beta.{plane}")) is not None]
    dispersion = served.one("dispersion.x")
    if s is None or not beta or dispersion is None:
        return None
    traces = [Trace(address(s), address(spec), f"beta {plane}") for plane, spec in beta]
    traces.append(Trace(address(s), address(dispersion), "dispersion x", right=True))
    return partial(_plot_card, "Optics", "beta [m]", traces, right="dispersion [m]")


def _plot_card(title: str, y_title: str, traces: Sequence[Trace], box: Box, right: str | None = None) -> Widget:
    inside = Box(2, 2, box.width - 4, box.height - CARD_BAR - 4)
    titles = [y_title, right] if right else [y_title]
    return card(title, box, [plot(title, inside, "s [m]", titles, traces)])


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
        by_magnet.setdefault(supply.family, []).append(_pair(supply.name, supply.setpoint, supply.readback))
    head = _heads("supply", f"setpoint [{unit}]", f"readback [{unit}]")
    return [Section(f"{magnet} {title.lower()}", rows, head) for magnet, rows in sorted(by_magnet.items())]


def _monitors(monitors: Sequence[Monitor]) -> list[Section]:
    rows = [_pair(m.name, m.x, m.y) for m in monitors]
    unit = monitors[0].x.unit if monitors else ""
    return [Section("Monitors", rows, _heads("monitor", f"x [{unit}]", f"y [{unit}]"))]


def _status(served: Served) -> list[Section]:
    """Everything about gnomon and its model that a line can show, by the first word of its source."""
    sections: dict[str, list[Row]] = {word: [] for word in STATUS}
    for spec in served.some("*"):
        sections.setdefault(spec.source.partition(".")[0], []).append(_row(spec))
    return [Section(STATUS.get(word, word.capitalize()), rows) for word, rows in sections.items() if rows]


def _settings(served: Served) -> list[Row]:
    """Setpoints of the machine as a whole, with their readbacks: all that belong to no supply, magnet or monitor."""
    ring = served.ring
    part = {s.name for s in ring.document.supplies} | {m.name for m in ring.magnets} | ring.index.keys()
    rows: list[Row] = []
    for spec in served.specs:
        if spec.source == "set" and spec.device not in part:
            back = [s for s in served.setting(spec.device, spec.property) if s.source == "readback"]
            name = SETTINGS.get((spec.device, spec.property), brief(spec, 22))
            rows.append(_pair(name, spec, back[0] if back else None, units=True))
    return rows


def _row(spec: PvSpec) -> Row:
    """A line with a name and a value, which can be set where clients may, and a lamp where it is good or bad."""

    def row(box: Box) -> list[Widget]:
        name, value = _split(box)
        if spec.source in LAMPS:
            square = Box(value.x, value.y + 3, 20, 20)
            beside = value._replace(x=value.x + 28, width=value.width - 28)
            shown = [lamp(spec, square, good=LAMPS[spec.source]), reading(spec, beside)]
        else:
            shown = [entry(spec, value) if spec.writable else reading(spec, value)]
        return [label(brief(spec), name), *shown]

    return row


def _pair(name: str, first: PvSpec, second: PvSpec | None, *, units: bool = False) -> Row:
    """A line with a name and two values, of which the first may be set."""

    def row(box: Box) -> list[Widget]:
        left, middle, right = _thirds(box)
        shown = [label(name, left)]
        shown.append(entry(first, middle, units=units) if first.writable else reading(first, middle, units=units))
        return [*shown, reading(second, right, units=units)] if second is not None else shown

    return row


def _heads(*titles: str) -> Row:
    def row(box: Box) -> list[Widget]:
        return [
            label(t, b, SMALL, FAINT, align=0 if i == 0 else 1)
            for i, (t, b) in enumerate(zip(titles, _thirds(box), strict=True))
        ]

    return row


def _split(box: Box) -> tuple[Box, Box]:
    width = int(box.width * LABEL_SHARE)
    height = ROW - 4
    return Box(box.x, box.y, width - 8, height), Box(box.x + width, box.y, box.width - width, height)


def _thirds(box: Box) -> tuple[Box, Box, Box]:
    name = int(box.width * 0.4)
    value = (box.width - name - 8) // 2
    height = ROW - 4
    return (
        Box(box.x, box.y, name - 6, height),
        Box(box.x + name, box.y, value, height),
        Box(box.x + name + value + 8, box.y, value, height),
    )


def brief(spec: PvSpec, longest: int = 24) -> str:
    """What a PV is called on a panel: a short name, its description where that is short, or the end of its name."""
    if spec.source in SHORT:
        return SHORT[spec.source]
    text = re.split(r"[;,:(]", spec.description)[0].strip()
    if len(text) <= longest:
        return text[:1].upper() + text[1:]
    return ":".join(spec.name.split(":")[-2:])[-longest:]
