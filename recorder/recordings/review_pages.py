"""A review as one HTML file with its pictures in it: it loads nothing and runs nothing."""

import base64
import re
from collections.abc import Callable
from html import escape
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from gnomon.lattice.text import printable
from gnomon.propagator.studies import (
    Frame,
    ReviewCurves,
    plot_review_beating,
    plot_review_orbit,
    plot_review_setpoints,
    plot_review_tunes,
)
from gnomon.recorder.recorder_errors import RecordingError
from gnomon.recorder.recordings.recording import RecordingFile
from gnomon.recorder.recordings.review_data import review_curves
from gnomon.recorder.recordings.review_tables import (
    NOT_PROTECTION,
    TextTable,
    beam_of,
    facts_of,
    marks_of,
    steps_of,
    totals_of,
)
from gnomon.recorder.recordings.reviewing import Review

#: Pictures by name, with their titles.
PICTURES: dict[str, tuple[str, Callable[[ReviewCurves, Frame], None]]] = {
    "setpoints": ("Setpoints", plot_review_setpoints),
    "orbit": ("Orbit at the monitors, change since the start", plot_review_orbit),
    "tunes": ("Tunes, with resonances up to the third order", plot_review_tunes),
    "beating": ("Beta beating since the start", plot_review_beating),
}

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2em auto; max-width: 78em;
  padding: 0 1.5em; }
h1 { font-size: 1.5em; margin-bottom: 0; } h2 { font-size: 1.15em; margin: 2em 0 .4em; }
table { border-collapse: collapse; font-size: 13px; } .wide { overflow-x: auto; }
th { text-align: left; border-bottom: 1.5px solid #888; padding: .25em .7em .25em 0; white-space: nowrap; }
td { border-bottom: 1px solid #ddd; padding: .2em .7em .2em 0; vertical-align: top; }
.right { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.marks { background: #fff4dd; border-left: 4px solid #d55e00; padding: .1em 1em .6em; }
.note { color: #555; } img { max-width: 100%; height: auto; display: block; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } img { break-inside: avoid; } }
"""


def picture(found: Review, name: str, kind: str = "svg") -> bytes:
    """Draw a picture of a review as SVG or PNG. Raises RecordingError without matplotlib."""
    if find_spec("matplotlib") is None:
        raise RecordingError("pictures need matplotlib, which is not installed: pip install 'gnomon[study]'")
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.{kind}"
        PICTURES[name][1](review_curves(found), Frame(path, found.end))
        return path.read_bytes()


def review_page(found: Review, file: RecordingFile) -> str:
    """Make the page. Raises RecordingError without matplotlib."""
    recording = found.recording
    parts = [f"<h1>{_text(recording.name)}</h1><p>{_text(recording.purpose)}</p>", _facts(found, file)]
    if found.marks:
        parts.append(f'<div class="marks"><h2>Unusual</h2>{_table(marks_of(found))}</div>')
    else:
        parts.append("<h2>Unusual</h2><p>Nothing was found that is unusual.</p>")
    parts.append(f"<h2>In total</h2>{_table(totals_of(found))}<p></p>{_table(beam_of(found))}")
    for name, (title, _) in PICTURES.items():
        data = base64.b64encode(picture(found, name)).decode()
        parts.append(f'<h2>{title}</h2><img alt="{title}" src="data:image/svg+xml;base64,{data}">')
    note = "Orbit [mm] and tunes after each write, by the model; beating is the largest relative change of beta [%]."
    parts.append(f'<h2>Step by step</h2><p class="note">{note}</p><div class="wide">{_table(steps_of(found))}</div>')
    parts.append(f'<p class="note">Recording {recording.id}. {NOT_PROTECTION.capitalize()}.</p>')
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Review of {_text(recording.name)}</title><style>{_STYLE}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _facts(found: Review, file: RecordingFile) -> str:
    rows = "".join(f"<tr><th>{_text(title)}</th><td>{_text(text)}</td></tr>" for title, text in facts_of(found, file))
    return f"<table>{rows}</table>"


def _table(table: TextTable) -> str:
    classes = ["right" if number in table.right else "" for number in range(len(table.columns))]
    head = "".join(f'<th class="{c}">{_text(t)}</th>' for t, c in zip(table.columns, classes, strict=True))
    rows = (
        "".join(f'<td class="{c}">{_text(t)}</td>' for t, c in zip(row, classes, strict=True)) for row in table.rows
    )
    html = f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
    return re.sub(' class=""', "", html)


def _text(text: str) -> str:
    return escape(printable(text))
