"""Lines of cards: a name, and what can be read or set."""

from collections.abc import Callable, Iterable, Sequence

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
    address,
    computed,
    computed_lamp,
    digits,
    entry,
    label,
    lamp,
    press,
    reading,
    step,
    table,
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


def supply_line(name: str, setpoint: PvSpec, readback: PvSpec | None) -> Row:
    """A line of a supply: setpoint, readback, and their difference, with a lamp that is lit while that is large."""
    if readback is None or readback.unit != setpoint.unit or setpoint.drive is None:
        return pair_line(name, setpoint, readback)
    difference, tolerance = f"`{address(readback)}` - `{address(setpoint)}`", step(setpoint.drive)

    def row(box: Box) -> list[Widget]:
        left, set_box, read_box, difference_box, light = _supply(box)
        what = f"{readback.name} less {setpoint.name}; lit beyond {tolerance:g} {setpoint.unit}"
        return [
            label(name, left),
            entry(setpoint, set_box, units=False),
            reading(readback, read_box, units=False),
            computed(f"{name} difference", f"={difference}", what, difference_box, digits(tolerance) + 1),
            computed_lamp(f"{name} moves", f"=abs({difference}) > {tolerance:g} ? 1 : 0", what, light),
        ]

    return row


def table_of(spec: PvSpec, shares: Sequence[float]) -> Callable[[Box], Widget]:
    """A table whose columns have these shares of its width."""
    return lambda box: table(spec, box, [int(share * (box.width - 20)) for share in shares])


def press_line(name: str, verb: str, spec: PvSpec) -> Row:
    """A line with a button that puts 1."""

    def row(box: Box) -> list[Widget]:
        place, value = _split(box)
        return [label(name, place), press(verb, spec, 1, value)]

    return row


def heads(*titles: str) -> Row:
    """The line above pairs, or lines of supplies, that says what stands where."""

    def row(box: Box) -> list[Widget]:
        places = _thirds(box) if len(titles) == 3 else _supply(box)[: len(titles)]
        return [
            label(t, b, SMALL, FAINT, align=0 if i == 0 else 1)
            for i, (t, b) in enumerate(zip(titles, places, strict=True))
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


def _supply(box: Box) -> tuple[Box, Box, Box, Box, Box]:
    """Places of name, setpoint, readback, difference and lamp."""
    name, value, lamp_width, gap = int(box.width * 0.29), int(box.width * 0.25), 20, 4
    height = ROW - 4
    places = [Box(box.x, box.y, name - 4, height)]
    at = box.x + name
    for width in (value, value, box.width - name - 2 * value - lamp_width - 3 * gap):
        places.append(Box(at, box.y, width, height))
        at += width + gap
    first, second, third, fourth = places
    return first, second, third, fourth, Box(at, box.y + 2, lamp_width, lamp_width)


def connect_line(name: str, spec: PvSpec, verb: str) -> Row:
    """A line with a name, a lamp that is lit while it is so, and a button that makes it so."""

    def row(box: Box) -> list[Widget]:
        place, value = _split(box)
        button = value._replace(x=value.x + 32, width=value.width - 32)
        light = lamp(spec, Box(value.x, value.y + 2, 20, 20), off=DARK, on=GOOD)
        return [label(name, place), light, press(verb, spec, 1, button)]

    return row
