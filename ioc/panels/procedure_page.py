"""The panel that starts procedures, follows them, and shows the main numbers and the plot of the last result."""

from collections.abc import Mapping, Sequence
from functools import partial

from gnomon.db.pvs import PvSpec
from gnomon.ioc.panels.flow import GAP, ROW, Row, Section, pages
from gnomon.ioc.panels.plots import stacked
from gnomon.ioc.panels.rows import press_line, value_lines
from gnomon.ioc.panels.widgets import CARD_BAR, Box, Trace, Widget, address, card, plot, progress, reading

#: Cards on the left, with the PVs of each by the end of their names; a verb makes a button of one.
CARDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Start": (
        ("procedure", ""), ("procedures", ""), ("target", ""), ("options", ""), ("apply", ""), ("start", "start"),
        ("refusal", ""),
    ),
    "Progress": (
        ("state", ""), ("job:procedure", ""), ("job:target", ""), ("phase", ""), ("message", ""), ("rows", ""),
        ("rows:expected", ""), ("cancel", "cancel"),
    ),
    "Last result": (("result", ""), ("result:labels", "")),
}  # fmt: skip
#: Width of the cards.
SIDE = 620


def procedure_page(specs: Sequence[PvSpec], prefix: str, body: Box) -> list[Widget]:
    """Make the page from the PVs of procedures under a prefix (`gnomon.services.procedure_pv_specs`)."""
    by_end = {spec.name.removeprefix(prefix): spec for spec in specs}
    sections = [Section(title, [_line(by_end[end], verb) for end, verb in ends]) for title, ends in CARDS.items()]
    side = body._replace(width=SIDE)
    room = Box(body.x + SIDE + GAP, body.y, body.width - SIDE - GAP, body.height)
    bar = Box(room.x, room.y, room.width, CARD_BAR + ROW + 2 * GAP)
    rest = Box(room.x, bar.y + bar.height + GAP, room.width, room.height - bar.height - GAP)
    makers = [partial(_plot, by_end), partial(_numbers, by_end["result:text"])]
    return [*pages(sections, side, 1)[0], _progress(by_end["progress"], bar), *stacked(rest, makers)]


def _line(spec: PvSpec, verb: str) -> Row:
    return press_line("", verb, spec) if verb else value_lines([spec])[0]


def _progress(spec: PvSpec, box: Box) -> Widget:
    return card("Measured part of all rows", box, [progress(spec, Box(GAP, GAP, box.width - 2 * GAP, ROW))])


def _plot(specs: Mapping[str, PvSpec], box: Box) -> Widget:
    inside = Box(2, 2, box.width - 4, box.height - CARD_BAR - 4)
    x = address(specs["result:x"])
    traces = [Trace(x, address(specs[f"result:{name}"]), text) for name, text in (("y1", "first"), ("y2", "second"))]
    titles = "see the labels under Last result"
    return card("Plot of the last result", box, [plot("result", inside, titles, [titles], traces)])


def _numbers(spec: PvSpec, box: Box) -> Widget:
    inside = Box(GAP, GAP, box.width - 2 * GAP, box.height - CARD_BAR - 2 * GAP)
    return card("Main numbers of the last result", box, [reading(spec, inside)])
