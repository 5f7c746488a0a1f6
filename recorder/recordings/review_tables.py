"""A review as tables: rows of texts, for a terminal and for a page."""

import math
from dataclasses import dataclass

from rich.table import Table

from gnomon.recorder.recordings.approvals import NO_IDENTITY
from gnomon.recorder.recordings.recording import RecordingFile
from gnomon.recorder.recordings.recording_tables import approval_texts
from gnomon.recorder.recordings.review_data import orbit_change, totals
from gnomon.recorder.recordings.reviewing import Floats, Review, Strength
from gnomon.recorder.recordings.unusual import listed
from gnomon.recorder.rendering import clean, difference_texts, local_time, make_table

#: Every page about the gate says so.
NOT_PROTECTION = "a review is by the model, and is not machine protection"
#: Strengths of one step that are shown.
MAX_STRENGTHS = 3


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table: titles of columns, rows of texts, and the columns that are right-aligned."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()

    def rich(self) -> Table:
        """Make a table for a terminal."""
        table = make_table(*self.columns, right=self.right)
        for row in self.rows:
            table.add_row(*map(clean, row))
        return table


def facts_of(found: Review, file: RecordingFile) -> tuple[tuple[str, str], ...]:
    """List the facts of a recording: title and text."""
    recording, start = found.recording, found.recording.start
    tunes = "no beam" if start.tunes is None else f"tunes {start.tunes[0]:.4f}, {start.tunes[1]:.4f}"
    optics = f"optics {start.optics}, " if start.optics else ""
    approvals = approval_texts(file) or ["none yet; gnomon review approve NAME makes one"]
    return (
        ("recording", f"{recording.name}, {recording.id[:12]}"),
        ("purpose", recording.purpose),
        ("author", f"{recording.author}, {recording.made}"),
        *((("edited from", recording.parent[:12]),) if recording.parent else ()),
        ("machine", f"{recording.machine} (document {recording.digest[:12]}), recorded under {recording.prefix!r}"),
        ("start", f"{optics}lattice {start.lattice_id[:12]}, {len(start.settings)} settings not nominal, {tunes}"),
        ("calibration", recording.calibration_id or "none"),
        *(("approval", text) for text in approvals),
        *((("", NO_IDENTITY),) if file.approvals else ()),
    )


def steps_of(found: Review) -> TextTable:
    """Make the table of the steps: values, physics, and the beam that they make by the model."""
    marked: dict[int, list[str]] = {}
    for mark in found.marks:
        for number in mark.steps:
            marked.setdefault(number, []).append(str(mark.code))
    rows, last = [], 0
    for k, step in enumerate(found.plan.steps):
        before, after = found.states[k], found.states[k + 1]
        largest, rms = orbit_change(before, after)
        first = step.sequence != last
        last = step.sequence
        rows.append(
            (
                str(step.sequence) if first else "",
                local_time(step.wall_ns)[11:19] if first else "",
                step.pv.removeprefix(found.recording.prefix),
                *difference_texts(step.start, step.target),
                step.unit,
                strengths_text(found.strengths[k]),
                *_texts(largest, ".3f"),
                *_texts(rms, ".3f"),
                *_texts(after.tune, ".4f"),
                *_texts(100.0 * after.beating_max.max(keepdims=True), ".2f"),
                ", ".join(dict.fromkeys(marked.get(step.sequence, ()))) if first else "",
            )
        )
    titles = ("step", "time", "PV", "from", "to", "unit", "drives", "max x", "max y", "rms x", "rms y")
    return TextTable((*titles, "Qx", "Qy", "beating", "marks"), tuple(rows), (0, 3, 4, 7, 8, 9, 10, 11, 12, 13))


def totals_of(found: Review) -> TextTable:
    """Make the table of the setpoints at the start and at the end."""
    rows = [
        (
            row["pv"].removeprefix(found.recording.prefix),
            *difference_texts(row["from"], row["to"]),
            f"{row['to'] - row['from']:+.6g}",
            row["unit"],
            str(row["writes"]),
        )
        for row in totals(found)
    ]
    return TextTable(("PV", "start", "end", "change", "unit", "writes"), tuple(rows), (1, 2, 3, 5))


def beam_of(found: Review) -> TextTable:
    """Make the table of the beam in total: changes from the start to the end."""
    largest, rms = orbit_change(found.first, found.last)
    first, last = found.first, found.last
    worst = found.states[found.worst_state]
    rows = (
        ("orbit at the monitors, largest change", *_texts(largest, ".4f"), "mm"),
        ("orbit at the monitors, rms change", *_texts(rms, ".4f"), "mm"),
        ("tune at the start", *_texts(first.tune, ".5f"), ""),
        ("tune at the end", *_texts(last.tune, ".5f"), ""),
        ("change of the tune", *_texts(last.tune - first.tune, "+.5f"), ""),
        ("beta beating at the end, rms", *_texts(100.0 * last.beating_rms, ".3f"), "%"),
        ("beta beating at the end, largest", *_texts(100.0 * last.beating_max, ".3f"), "%"),
        ("beta beating on the way, largest", *_texts(100.0 * worst.beating_max, ".3f"), "%"),
    )
    return TextTable(("quantity", "x", "y", "unit"), rows, (1, 2))


def marks_of(found: Review) -> TextTable:
    """Make the table of what is unusual."""
    rows = tuple((listed(mark.steps), str(mark.code), mark.text) for mark in found.marks)
    return TextTable(("steps", "mark", "what is unusual"), rows)


def strengths_text(strengths: tuple[Strength, ...]) -> str:
    """Format what a step drives in physics units."""
    shown = []
    for s in strengths[:MAX_STRENGTHS]:
        old, new = difference_texts(float(f"{s.old:.7g}"), float(f"{s.new:.7g}"))
        more = f" and {s.count - 1} more" if s.count > 1 else ""
        shown.append(f"{s.name}{more} {old} -> {new} {s.unit}")
    rest = len(strengths) - MAX_STRENGTHS
    return ", ".join(shown) + (f", and {rest} others" if rest > 0 else "")


def _texts(values: Floats, form: str) -> tuple[str, ...]:
    """Format numbers; `-` without a beam."""
    return tuple(format(float(v), form) if math.isfinite(v) else "-" for v in values)
