"""Lines of cards: a name, and what can be read or set."""

from collections.abc import Iterable

from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.ioc.panels.flow import ROW, Row
from gnomon.ioc.panels.labels import brief
from gnomon.ioc.panels.widgets import (
    BAD,
    DARK,
    FAINT,
    GOOD,
    SMALL,
    Box,
    Widget,
    entry,
    label,
    lamp,
    press,
    reading,
)

#: What is shown with a lamp: its colours in the states 0 and 1.
LAMPS = {
    sources.BEAM_FOUND.name: (BAD, GOOD),
    sources.RECORDER_STATE.name: (GOOD, BAD),
    sources.MULTIPLEXER_HEALTHY.name: (BAD, GOOD),
}

#: Texts that need two lines.
LONG = {sources.BEAM_REASON.name, sources.MACHINE_REASON.name}

#: Part of a line that its name has.
LABEL_SHARE = 0.46


def value_lines(specs: Iterable[PvSpec]) -> list[Row]:
    """A line for each PV, and an empty one after those that need two."""
    return [row for spec in specs for row in ([_value(spec), _nothing] if spec.source in LONG else [_value(spec)])]


def _nothing(_: Box) -> list[Widget]:
    return []


def _value(spec: PvSpec) -> Row:
    """A line with a name and a value, which can be set where clients may, and a lamp where it is good or bad."""

    def row(box: Box) -> list[Widget]:
        name, value = _split(box)
        if spec.source in LONG:
            shown = [reading(spec, value._replace(height=value.height + ROW))]
        elif spec.source in LAMPS:
            square = Box(value.x, value.y + 2, 20, 20)
            beside = value._replace(x=value.x + 28, width=value.width - 28)
            shown = [lamp(spec, square, off=LAMPS[spec.source][0], on=LAMPS[spec.source][1]), reading(spec, beside)]
        else:
            shown = [entry(spec, value) if spec.writable else reading(spec, value)]
        return [label(brief(spec), name), *shown]

    return row


def pair_line(name: str, first: PvSpec, second: PvSpec | None) -> Row:
    """A line with a name and two values without their units, of which the first may be set."""

    def row(box: Box) -> list[Widget]:
        left, middle, right = _thirds(box)
        shown = [label(name, left)]
        shown.append(entry(first, middle, units=False) if first.writable else reading(first, middle, units=False))
        return [*shown, reading(second, right, units=False)] if second is not None else shown

    return row


def heads(*titles: str) -> Row:
    """The line above pairs that says what stands where."""

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


def connect_line(name: str, spec: PvSpec, verb: str) -> Row:
    """A line with a name, a lamp that is lit while it is so, and a button that makes it so."""

    def row(box: Box) -> list[Widget]:
        place, value = _split(box)
        button = value._replace(x=value.x + 32, width=value.width - 32)
        light = lamp(spec, Box(value.x, value.y + 2, 20, 20), off=DARK, on=GOOD)
        return [label(name, place), light, press(verb, spec, 1, button)]

    return row
