"""The screen of `gnomon status`: the state of a twin as lines of text."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from gnomon.clients.overview import INVALID, Overview
from gnomon.clients.reading import Reading
from gnomon.db import sources
from gnomon.db.sources import Planes
from gnomon.lattice.text import printable
from gnomon.recorder import Entry
from gnomon.recorder.remote import PROCEDURE

#: Width of the names of lines [characters].
WIDTH = 13
#: Longest text of a person or another program that is shown, and longest note of a command [characters].
MAX_TEXT, MAX_NOTE = 60, 20


def screen_lines(seen: Overview) -> Iterator[str]:
    """Yield the lines about one twin."""
    server = seen.target.server
    yield typer.style(_who(seen), bold=True)
    if server is not None:
        yield _line("address", printable(f"{server.ca_address} (CA), {server.pva_address} (PVA)"))
    if not seen.trouble:
        yield from (_line(*pair) for pair in _figures(seen))
        yield from _commands(seen)
    yield from _attention(seen)


def list_lines(found: Sequence[Overview]) -> Iterator[str]:
    """Yield a line for each twin, and how to choose one."""
    from gnomon.cli.output import aligned_lines

    rows = [["prefix", "machine", "role", "process", "beam", "tunes", "addresses", "attention"]]
    for seen in found:
        server = seen.target.server
        role, tunes = seen.value(sources.MACHINE_ROLE), seen.value(sources.TUNE_FRACTION.x) is not None
        rows.append(
            [
                seen.target.prefix or "''",
                "-" if server is None else server.machine,
                str(role or (server.role if server is not None else "-")),
                "-" if server is None else str(server.pid),
                "-" if seen.trouble else "found" if seen.has_beam else "paused" if seen.is_paused else "no beam",
                f"{_fraction(seen, 'x')} {_fraction(seen, 'y')}" if tunes else "-",
                "-" if server is None else f"{server.ca_address} (CA), {server.pva_address} (PVA)",
                _cut("; ".join(each.what for each in seen.attention())) or "-",
            ]
        )
    yield from aligned_lines([list(map(printable, row)) for row in rows], [False] * len(rows[0]))
    yield "all of one: gnomon status --prefix PREFIX, or --server PROCESS"


def _who(seen: Overview) -> str:
    server = seen.target.server
    role = seen.value(sources.MACHINE_ROLE) or (server.role if server is not None else "")
    machine = server.machine if server is not None else ""
    fork = f"fork {server.fork}" if server is not None and server.fork else ""
    what = ", ".join(filter(None, [machine, str(role), fork]))
    parts = [f"{printable(seen.target.prefix) or 'no prefix'}  {what}".rstrip()]
    version, host = seen.value(sources.VERSION), seen.value(sources.HOST)
    process, uptime = seen.value(sources.PROCESS), seen.value(sources.UPTIME)
    parts += [f"gnomon {version}"] if version else []
    parts += [f"process {process} on {printable(str(host))}"] if process else []
    parts += [f"up {duration_text(uptime)}"] if uptime is not None else []
    return ", ".join(parts)


def _figures(seen: Overview) -> Iterator[tuple[str, str]]:
    yield "beam", _beam(seen)
    tunes = sources.TUNE if seen.reading(sources.TUNE.x) else sources.TUNE_FRACTION
    frequencies = _both(seen, sources.TUNE_FREQUENCY, ".2f")
    both = _both(seen, tunes, ".5f")
    valid = seen.value(tunes.x) is not None
    yield "tunes", both + (f"   ({frequencies})" if frequencies and valid else "")
    yield "chromaticity", _both(seen, sources.CHROMATICITY, ".3f")
    reference = _cut(str(seen.value(sources.REFERENCE_USE) or "zero"), 20)
    yield "rms orbit", f"{_both(seen, sources.ORBIT_DIFFERENCE_RMS, '.5f')}   from reference {reference}"
    if places := [_largest(seen, plane) for plane in (0, 1) if _has_orbit(seen, plane)]:
        yield "  largest", ", ".join(places)
    yield "model", _model(seen)
    count, faults = seen.value(sources.FAULTS_COUNT), seen.value(sources.FAULTS_ACTIVE) or []
    yield "faults", "none" if not count else f"{count}: " + _cut("; ".join(map(str, faults)))
    if seen.value(sources.MACHINE_ROLE) == "shadow":
        yield "machine", _machine(seen)
    forks = [f"{fork['name']} ({fork['prefix']})" for fork in seen.forks]
    yield "forks", _cut(", ".join(forks)) or "none"
    yield "journal", _journal(seen)
    if seen.value(sources.FORWARD_STATE) not in (None, "off"):
        yield "forwarding", _forwarding(seen)
    yield "clients", _clients(seen)


def _beam(seen: Overview) -> str:
    if not seen.has_beam:
        shown = "model paused" if seen.is_paused else "no beam"
        return typer.style(f"{shown}: {printable(seen.reason)}" if seen.reason else shown, fg="red")
    parts = ["found"]
    for name, source in (("current", sources.BEAM_CURRENT), ("lifetime", sources.BEAM_LIFETIME_10S)):
        if (reading := seen.reading(source)) is not None:
            parts.append(f"{name} {_number(reading, '.2f')}")
    return ", ".join(parts)


def _both(seen: Overview, planes: Planes, form: str) -> str:
    """Both planes, the unit once; with the reason if they are INVALID."""
    readings = [(plane, seen.reading(source)) for plane, source in zip("xy", planes, strict=True)]
    known = [(plane, reading) for plane, reading in readings if reading is not None]
    if not known:
        return ""
    if all(reading.severity >= INVALID for _, reading in known):
        return typer.style("INVALID", fg="red") + f" ({_why(seen, known[0][1])})"
    texts = [f"{plane} {_number(reading, form, unit=False)}" for plane, reading in known]
    return f"{'  '.join(texts)} {printable(known[0][1].unit)}".rstrip()


def _has_orbit(seen: Overview, plane: int) -> bool:
    """Tell whether an orbit is as large as the digits that are shown."""
    return bool(abs(seen.value(sources.ORBIT_DIFFERENCE_LARGEST[plane]) or 0.0) >= 5e-6)


def _largest(seen: Overview, plane: int) -> str:
    reading = seen.reading(sources.ORBIT_DIFFERENCE_LARGEST[plane])
    where = seen.value(sources.ORBIT_DIFFERENCE_WHERE[plane])
    assert reading is not None
    return f"{'xy'[plane]} {_number(reading, '.5f')}" + (f" at {printable(str(where))}" if where else "")


def _fraction(seen: Overview, plane: str) -> str:
    reading = seen.reading(getattr(sources.TUNE_FRACTION, plane))
    return "-" if reading is None else _number(reading, ".5f")


def _model(seen: Overview) -> str:
    active, last = seen.reading(sources.ACTIVE), seen.reading(sources.MODEL_TIME)
    parts = [] if active is None else [str(active.value)]
    parts += [] if last is None else [f"last result {_number(last, '.3g')}"]
    for share, source in (("half within", sources.MODEL_P50), ("99 % within", sources.MODEL_P99)):
        if (reading := seen.reading(source)) is not None:
            parts.append(f"{share} {_number(reading, '.3g')}")
    if hung := seen.value(sources.MODEL_HUNG):
        parts.append(f"{hung} computations hang")
    if waiting := seen.value(sources.QUEUE):
        parts.append(f"{waiting} commands wait")
    return ", ".join(parts)


def _machine(seen: Overview) -> str:
    connected, age = seen.reading(sources.MACHINE_CONNECTED), seen.reading(sources.MACHINE_AGE)
    parts = [] if connected is None else [str(connected.value)]
    parts.append(f"{seen.value(sources.MACHINE_PVS) or 0} PVs")
    parts += [] if age is None else [f"newest reading {_number(age, '.1f')} old"]
    residual = _both(seen, sources.RESIDUAL_RMS, ".4f")
    parts += [f"rms residual {residual}"] if residual else []
    parts += [_cut(str(reason))] if (reason := seen.value(sources.MACHINE_REASON)) else []
    return ", ".join(parts)


def _journal(seen: Overview) -> str:
    state, size = seen.reading(sources.RECORDER_STATE), seen.reading(sources.JOURNAL_SIZE)
    parts = [] if state is None else [str(state.value)]
    parts += [] if size is None else [_number(size, ".3g")]
    parts.append(f"{seen.value(sources.JOURNAL_LAST) or 0} commands")
    return ", ".join([*parts, printable(str(seen.value(sources.JOURNAL_PATH) or ""))]).rstrip(", ")


def _forwarding(seen: Overview) -> str:
    waiting, age = seen.value(sources.FORWARD_BACKLOG) or 0, seen.value(sources.FORWARD_AGE) or 0.0
    parts = [str(seen.value(sources.FORWARD_STATE))]
    parts += [f"{waiting} items wait, the oldest for {duration_text(age)}"] if waiting else []
    return ", ".join([*parts, _cut(str(seen.value(sources.FORWARD_REASON) or ""))]).rstrip(", ")


def _clients(seen: Overview) -> str:
    names = (("CA", sources.CA_CLIENTS), ("PVA", sources.PVA_CLIENTS))
    counts = [f"{seen.value(source)} {name}" for name, source in names if seen.value(source) is not None]
    memory = seen.reading(sources.MEMORY)
    return ", ".join([*counts, f"memory of the server {_number(memory, '.0f')}"] if memory is not None else counts)


def _commands(seen: Overview) -> Iterator[str]:
    from gnomon.cli.output import aligned_lines

    if seen.commands is None:
        yield _line("last commands", "the journal cannot be read from here: it is on the server's computer")
        return
    yield _line("last commands", "" if seen.commands else "none")
    if seen.commands:
        rows = [command_cells(entry) for entry in seen.commands]
        yield from (f"  {line}" for line in aligned_lines(rows, [True] + [False] * 4))


def command_cells(entry: Entry) -> list[str]:
    """A command in short: number, time, change, outcome, and by whom."""
    change = entry.changes[0] if entry.changes else None
    what = _cut(entry.note) or "-"  # a command about faults, or a note of what one has done, changes no setpoint
    if change is not None:
        more = f" +{len(entry.changes) - 1}" if len(entry.changes) > 1 else ""
        old, new = ("-" if value is None else f"{value:.7g}" for value in (change.old, change.new))
        # A command that sets devices by `dt:set` names them, not that.
        where = change.device if change.device and change.pv.endswith(PROCEDURE) else change.pv
        note = f"{_cut(entry.note, MAX_NOTE)}: " if entry.note else ""
        what = _cut(f"{note}{where}{more} {old} -> {new} {change.unit}")
    when = time.strftime("%H:%M:%S", time.localtime(entry.wall_ns / 1e9))
    return [str(entry.sequence), when, what, entry.outcome or "unknown", _cut(entry.client.user, 16)]


def _attention(seen: Overview) -> Iterator[str]:
    notices = seen.attention()
    if seen.trouble:
        yield typer.style(f"attention: {printable(str(notices[0]))}", fg="red", bold=True)
    elif notices:  # the lines above have the details
        yield typer.style("attention: " + "; ".join(printable(each.what) for each in notices), fg="red", bold=True)
    else:
        yield typer.style("all is well", fg="green")


def duration_text(seconds: float) -> str:
    """A time span in its two largest units."""
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def _number(reading: Reading, form: str, *, unit: bool = True) -> str:
    """A number with its unit; INVALID stands instead of a value that is not of now."""
    if reading.severity >= INVALID:
        return "INVALID"
    value: Any = reading.value
    text = f"{value:{form}}" if isinstance(value, float | int) else printable(str(value))
    return f"{text} {printable(reading.unit)}".rstrip() if unit else text


def _why(seen: Overview, reading: Reading) -> str:
    """Say in a few words why a value of the beam is INVALID; the line about the beam has the whole reason."""
    if seen.is_paused:
        return "model paused"
    return printable(reading.alarm) if seen.has_beam else "no beam"


def _cut(text: str, length: int = MAX_TEXT) -> str:
    text = printable(text)
    return text if len(text) <= length else text[: length - 3] + "..."


def _line(name: str, text: str) -> str:
    return f"{name.ljust(WIDTH)} {text}".rstrip()
