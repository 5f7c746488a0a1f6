"""The parts of the screen as text, of any size: orbit, magnets, tunes, supply, commands, faults."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from gnomon.cli.status_text import command_cells
from gnomon.cli.watch.braille import draw_bars, scale_for
from gnomon.cli.watch.magnets import RingMap, draw_magnets
from gnomon.cli.watch.tune_diagram import draw_tunes
from gnomon.clients.overview import INVALID, Overview
from gnomon.clients.reading import Reading
from gnomon.db import sources
from gnomon.lattice import nearest_line
from gnomon.lattice.text import printable

#: Width of the scale at the left of the orbits [characters].
AXIS = 7
PLANE_STYLES = ("cyan", "magenta")


@dataclass(frozen=True, slots=True)
class Supply:
    """The chosen supply on the screen."""

    name: str = ""
    reading: Reading | None = None
    size: float = 0.0
    steps: int = 0
    busy: bool = False


def head(seen: Overview, width: int) -> Text:
    """One line: who, beam, what needs attention; the time last."""
    server = seen.target.server
    who = f" {printable(seen.target.prefix) or 'no prefix'}" + (f" {server.machine}" if server else "")
    role = seen.value(sources.MACHINE_ROLE)
    text = Text(f"{who} {role or ''}".rstrip() + "  ", style="bold")
    notices = seen.attention()
    if seen.starting:
        text.append(printable(seen.starting), "yellow")
    elif seen.trouble:
        text.append(f" LOST: {printable(seen.trouble)} ", "bold white on red")
    elif notices:
        text.append("; ".join(printable(each.what) for each in notices), "bold red")
    else:
        current = seen.reading(sources.BEAM_CURRENT)
        text.append("beam found" + ("" if current is None else f", {_value(current, '.1f')}"), "green")
    clock = f" {time.strftime('%H:%M:%S')} "
    text.truncate(max(0, width - len(clock)), overflow="ellipsis", pad=True)
    return text.append(clock, "dim")


def orbit(
    seen: Overview, plane: int, window_m: tuple[float, float], size: tuple[int, int], scale: float
) -> tuple[Text, float]:
    """One plane's orbit as bars over s, its title above; returns the scale that was used, too."""
    width, height = size
    reading, where = seen.reading(sources.ORBIT_DIFFERENCE[plane]), seen.reading(sources.MONITOR_S)
    name, style = "xy"[plane], PLANE_STYLES[plane]
    rms, reference = seen.reading(sources.ORBIT_DIFFERENCE_RMS[plane]), seen.value(sources.REFERENCE_USE)
    title = Text(f"{name} ", style=f"bold {style}")
    if reading is None or where is None or reading.severity >= INVALID:
        title.append_text(_nothing(seen, reading))
        return _pad(title, [" " * width] * height, width), scale
    values = [float(each) for each in reading.value]
    scale = scale_for(values, scale)
    first, last = window_m
    places = [(float(s) - first) / max(last - first, 1e-9) for s in where.value]
    against = "" if reference in (None, "zero") else f" from {printable(str(reference))}"
    title.append(f"{reading.unit}{against}, rms {_value(rms, '.4f') if rms else '-'}")
    rows = draw_bars(values, places[: len(values)], scale, max(1, width - AXIS), height)
    text = Text()
    text.append_text(title)
    for number, row in enumerate(rows):
        end = scale_text(scale, AXIS - 2)
        label = f"+{end}" if number == 0 else f"-{end}" if number == height - 1 else ""
        text.append(f"\n{label.rjust(AXIS - 1)} ", "dim").append(row, style)
    return text, scale


def scale_text(scale: float, width: int) -> str:
    """Format the end of an axis, 1, 2 or 5 times a power of ten, in so many characters: `0.2`, `1e-4`."""
    text = f"{scale:g}"
    if len(text) <= width:
        return text
    digits, _, power = f"{scale:.0e}".partition("e")
    return f"{digits}e{int(power)}"


def magnets(shown: RingMap | None, window_m: tuple[float, float], width: int, device: str) -> Text:
    """Draw the row of magnets with the window's ends, or say that it is not known."""
    room = max(1, width - AXIS)
    low, high = f"{window_m[0]:.0f}", f"{window_m[1]:.0f} m"
    axis = low + " " * max(1, room - len(low) - len(high)) + high
    row = "magnets of this machine are not known here" if shown is None else draw_magnets(shown, window_m, room, device)
    return Text(" " * AXIS).append(row[:room], "yellow").append("\n" + " " * AXIS + axis, "dim")


def tunes(seen: Overview, width: int, height: int) -> Text:
    """Draw the tunes in their resonance diagram, with numbers above."""
    readings = [seen.reading(source) for source in sources.TUNE]
    if None in readings:
        readings = [seen.reading(source) for source in sources.TUNE_FRACTION]
    x, y = (None if r is None or r.severity >= INVALID else float(r.value) for r in readings)
    if x is None or y is None:
        return Text("tunes ", "bold").append_text(_nothing(seen, readings[0]))
    text = Text(f"Qx {x:.5f}  Qy {y:.5f}", "bold")
    if height < 5 or width < 12:
        return text
    line = nearest_line(x, y)
    rows, (column, row) = draw_tunes(x, y, width, height - 2)
    for number, cells in enumerate(rows):
        text.append("\n")
        if number == row:
            text.append(cells[:column], "dim").append("●", "bold red").append(cells[column + 1 :], "dim")
        else:
            text.append(cells, "dim")
    return text.append(f"\n{line}: {line.distance(x, y):.4f} away")


def supply(shown: Supply, width: int) -> Text:
    """Describe the chosen supply, its limits as a bar, and the step."""
    if not shown.name:
        return Text("no supply chosen: press ").append("/", "bold").append(" to search")
    text = Text(printable(shown.name), "bold")
    reading = shown.reading
    if reading is None:
        return text.append("  no value", "red")
    text.append(f"  {_value(reading, '.9g')}", "bold reverse" if shown.busy else "bold green")
    text.append("  working" if shown.busy else "", "yellow")
    if reading.limits is not None and isinstance(reading.value, float | int):
        low, high = reading.limits
        room = max(5, min(24, width - 24))
        place = int((min(max(reading.value, low), high) - low) / (high - low) * (room - 1))
        text.append(f"\n{low:g} [" + "-" * place + "|" + "-" * (room - 1 - place) + f"] {high:g} {reading.unit}")
    return text.append(f"\nstep {shown.size:g} {reading.unit}   {shown.steps} to undo")


def commands(seen: Overview, width: int, height: int) -> Text:
    """List the active faults, and below them the last commands."""
    if seen.starting:
        return Text("faults and commands: not known yet", "dim")
    if seen.trouble:
        return Text("faults and commands: the server is lost", "red")
    count, which = seen.value(sources.FAULTS_COUNT), seen.value(sources.FAULTS_ACTIVE) or []
    faults = [f"{'faults' if number == 0 else ''}".ljust(7) + printable(str(each)) for number, each in enumerate(which)]
    faults = faults[: max(1, height // 2)] if count else ["faults none"]
    rows: list[str] = []
    if seen.commands is None:
        rows = ["last commands: the journal is not on this computer"]
    else:
        room = max(1, height - len(faults) - 1)
        prefix = seen.target.prefix
        rows = ["last commands" if seen.commands else "no commands yet"]
        rows += [" ".join(_short(command_cells(entry), prefix)) for entry in seen.commands[::-1][:room]]
    text = Text("\n".join(_cut(line, width) for line in faults), "red" if count else "dim")
    text.append("\n" + _cut(rows[0], width), "bold")
    for row in rows[1:]:
        text.append("\n" + _cut(row, width), "none")
    return text


def _short(cells: Sequence[str], prefix: str) -> list[str]:
    number, when, what, outcome, user = cells
    return [number, when[:5], what.removeprefix(prefix), "" if outcome == "applied" else outcome, user]


def _nothing(seen: Overview, reading: Reading | None) -> Text:
    """Say why there is no value that is of now."""
    if seen.starting:
        return Text("no values yet", "dim")
    if seen.trouble:
        return Text("no values: the server is lost", "red")
    if reading is None:
        return Text("no such PV", "red")
    why = "the model is paused" if seen.is_paused else printable(seen.reason or reading.alarm)
    return Text(f"INVALID: {why}", "red")


def _value(reading: Reading, form: str) -> str:
    if reading.severity >= INVALID:
        return "INVALID"
    value = reading.value
    text = f"{value:{form}}" if isinstance(value, float | int) else printable(str(value))
    return f"{text} {reading.unit}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def _pad(title: Text, rows: Sequence[str], width: int) -> Text:
    title.truncate(width, overflow="ellipsis")
    return title.append("\n" + "\n".join(rows))
