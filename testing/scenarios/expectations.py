"""Expectations, decided from what was seen: pure functions that answer whether it holds, and what was found."""

import math
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from gnomon.clients.reading import Reading
from gnomon.lattice.text import shorten
from gnomon.recorder import BY_FAULT, Entry
from gnomon.testing.scenarios.step_texts import describe_value
from gnomon.testing.scenarios.steps import ExpectApplication, ExpectJournal, ExpectPv

#: Note of a scenario's own commands, which the journal does not count as those of an application.
OWN_NOTE = "scenario "


class Judgement(NamedTuple):
    """Answer of an expectation: if it holds, and what was found."""

    holds: bool
    found: str


def judge_pv(asked: ExpectPv, reading: Reading | None, before: Reading | None) -> Judgement:
    """Judge a reading; None where no server answered. `before` is that before the scenario."""
    if reading is None:
        return Judgement(False, "no server answered")
    found = f"{asked.pv} is {describe_value(reading.value)} {reading.unit}".rstrip()
    found += f" {reading.severity_name}" if reading.severity else ""
    right = [asked.severity in (None, reading.severity_name)]
    if asked.unchanged:
        if before is None:
            return Judgement(False, f"{found}; before the scenario, no server answered")
        found += f", before it was {describe_value(before.value)}"
        right.append(_same(reading, before.value, asked.tolerance))
    if asked.value is not None:
        right.append(_same(reading, asked.value, asked.tolerance))
    number = _number(reading)
    right += [number > asked.above] if asked.above is not None else []
    right += [number < asked.below] if asked.below is not None else []
    return Judgement(all(right), found)


def _number(reading: Reading) -> float:
    """Return the number that a PV shows, of a state its own; NaN for a text."""
    value = reading.value if reading.index is None else reading.index
    return math.nan if isinstance(value, str) else float(value)


def _same(reading: Reading, value: float | str, tolerance: float) -> bool:
    if isinstance(value, str):
        return str(reading.value) == value
    return abs(_number(reading) - float(value)) <= tolerance


def judge_journal(asked: ExpectJournal, entries: Iterable[Entry]) -> Judgement:
    """Judge the commands of others; those that set nothing, the scenario's own and a fault's do not count."""
    found = [entry for entry in entries if is_of_others(entry) and _is_meant(entry, asked)]
    number = len(found)
    right = [
        asked.count in (None, number),
        asked.at_least is None or number >= asked.at_least,
        asked.at_most is None or number <= asked.at_most,
    ]
    said = f"{number or 'no'} command{'' if number == 1 else 's'}"
    if asked.max_step is not None:
        largest, pv = max(((size, pv) for entry in found for size, pv in _sizes(entry)), default=(0.0, ""))
        right.append(largest <= asked.max_step)
        said += f", the largest step {largest:.6g} ({pv})" if pv else ""
    if asked.max_per_s is not None:
        most = _most_in_a_second([entry.monotonic_ns for entry in found])
        right.append(most <= asked.max_per_s)
        said += f", at most {most} in a second"
    if asked.order is not None:
        reached = _reached(asked.order, found)
        right.append(reached == len(asked.order))
        said += "" if reached == len(asked.order) else f"; {asked.order[reached]} did not come in its turn"
    if not all(right) and found:
        said += f"; the last is {found[-1].sequence}, to {', '.join(shorten(c.pv) for c in found[-1].changes[:3])}"
    return Judgement(all(right), said)


def is_of_others(entry: Entry) -> bool:
    """Return whether a command is an application's, not the scenario's own or a fault's."""
    ours = entry.note.startswith(OWN_NOTE) or entry.client.protocol == BY_FAULT
    return bool(entry.changes) and not ours


def _is_meant(entry: Entry, asked: ExpectJournal) -> bool:
    who = f"{entry.client.user}@{entry.client.host}"
    if asked.outcome is not None and entry.outcome is not asked.outcome:
        return False
    return fnmatchcase(who, asked.client) and _touches(entry, asked.commands)


def _touches(entry: Entry, pattern: str) -> bool:
    """Return whether a command is to a PV, with or without prefix, or to a device of a pattern."""
    names = (name for c in entry.changes for name in (c.pv, c.device, *_tails(c.pv)))
    return any(fnmatchcase(name, pattern) for name in names)


def _tails(pv: str) -> Iterable[str]:
    """Return what may be a PV's name without prefix: all that begins behind a colon."""
    return (pv[at + 1 :] for at, letter in enumerate(pv) if letter == ":")


def _sizes(entry: Entry) -> Iterable[tuple[float, str]]:
    return ((abs(c.new - c.old), c.pv) for c in entry.changes if c.new is not None and c.old is not None)


def _most_in_a_second(times_ns: Sequence[int]) -> int:
    times, first, most = sorted(times_ns), 0, 0
    for last, time_ns in enumerate(times):
        while time_ns - times[first] > 1_000_000_000:
            first += 1
        most = max(most, last - first + 1)
    return most


def _reached(order: Sequence[str], entries: Sequence[Entry]) -> int:
    """Count how many of the patterns came one after the other; others may come between them."""
    reached = 0
    for entry in entries:
        if reached < len(order) and _touches(entry, order[reached]):
            reached += 1
    return reached


def judge_application(asked: ExpectApplication, code: int | None, output: str, took_s: float) -> Judgement:
    """Judge an application; `code` is None while it runs."""
    lines = [line for line in output.splitlines() if line.strip()]
    said = "it still runs" if code is None else f"exit code {code} after {took_s:.1f} s"
    said += f", its last line is {shorten(lines[-1], 160)}" if lines else ", it printed nothing"
    right = [
        asked.exit_code in (None, code),
        not asked.fails or bool(code),
        asked.printed is None or re.search(asked.printed, output, re.IGNORECASE) is not None,
        asked.not_printed is None or re.search(asked.not_printed, output, re.IGNORECASE) is None,
        asked.running is None or asked.running == (code is None),
        asked.took_less_than_s is None or (code is not None and took_s < asked.took_less_than_s),
    ]
    return Judgement(all(right), said)


__all__ = ["OWN_NOTE", "Judgement", "is_of_others", "judge_application", "judge_journal", "judge_pv"]
