"""The report of a replay: JSON for programs, and one self-contained HTML page with pictures for people."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.recorder.recorder_errors import ReplayError
from gnomon.recorder.replay_execution import Result
from gnomon.recorder.replaying.replay_state import ReplayState
from gnomon.recorder.replaying.report_pictures import band_picture, margins_picture, setpoints_picture
from gnomon.recorder.replaying.step_record import Plane, StepRecord

__all__ = ["ReplayReport", "write_document", "write_report"]

NOT_PROTECTION = "The gate is not machine protection and must not be counted as such."


@dataclass(frozen=True, slots=True, eq=False)
class ReplayReport:
    """All that a report has. `records` are the writes of this process; the audit log has those of all."""

    state: ReplayState
    result: Result
    records: tuple[StepRecord, ...]
    remarks: tuple[str, ...]
    limits_digest: str
    audit: str

    @property
    def outcome(self) -> str:
        """The result in words."""
        if self.result.frozen:
            return f"FROZEN, call the operator: {self.result.frozen}\nit had stopped because: {self.result.failure}"
        if self.result.left:
            return f"stopped, and NOT all is back: {self.result.failure}"
        if self.result.failure and not (self.result.restored or self.state.written):
            return f"stopped before anything was written: {self.result.failure}"
        if self.result.failure:
            return f"stopped and rolled back: {self.result.failure}"
        return f"done: {self.result.done} steps written, verified, and as predicted"


def write_report(report: ReplayReport, folder: Path) -> tuple[Path, Path]:
    """Write both files, `ID.report.json` and `ID.report.html`. Raises ReplayError."""
    paths = folder / f"{report.state.id}.report.json", folder / f"{report.state.id}.report.html"
    try:
        paths[0].write_text(json.dumps(_document(report), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        paths[1].write_text(_page(report), encoding="utf-8")
    except OSError as error:
        raise ReplayError(f"{folder}: the report cannot be written: {error}") from error
    return paths


def _document(report: ReplayReport) -> dict[str, Any]:
    state, result = report.state, report.result
    return {
        "schema": "gnomon.replay_report/1",
        **_facts(report),
        "status": state.status.value,
        "done": result.done,
        "failure": result.failure,
        "restored": list(result.restored),
        "left": list(result.left),
        "frozen": result.frozen,
        "remarks": list(report.remarks),
        "writes": [write_document(record) for record in report.records],
    }


def _facts(report: ReplayReport) -> dict[str, Any]:
    state = report.state
    return {
        "replay": state.id,
        "name": state.name,
        "recording": state.recording,
        "machine": state.machine,
        "prefix": state.prefix,
        "author": state.author,
        "reviewer": state.reviewer,
        "calibration": state.calibration_id,
        "limits": report.limits_digest,
        "audit": report.audit,
        "written": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def write_document(record: StepRecord) -> dict[str, Any]:
    """Describe one write as JSON values; null for what is not finite."""
    return {
        "step": record.number + 1,
        "sequence": record.sequence,
        "pv": record.pv,
        "unit": record.unit,
        "from": record.start,
        "to": record.target,
        "verdict": record.verdict,
        "reasons": list(record.reasons),
        "not_checked": list(record.not_checked),
        "margin": _number(record.margin),
        "share": _number(record.share),
        "tier": record.tier,
        "coverage": _number(record.coverage),
        "current_ma": _number(record.current_ma),
        "lifetime_h": _number(record.lifetime_h),
        "time_ns": record.time_ns,
        "observables": {plane.name: _plane(plane) for plane in record.planes},
    }


def _plane(plane: Plane) -> Mapping[str, Any]:
    arrays = {name: getattr(plane, name) for name in ("before", "expected", "lower", "upper", "after")}
    return {"unit": plane.unit} | {
        name: None if values is None else [_number(float(value)) for value in values] for name, values in arrays.items()
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--back:#fff;--soft:#8a929c;--band:#4a90d955;--line:#2463a8;--dot:#c2410c}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--back:#14171a;--soft:#7d8690;--line:#7db4f0;--dot:#fb923c}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:60rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem} h2{font-size:1.1rem;margin-top:2rem} table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #8884;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums} .wide{overflow-x:auto}
.good{color:#15803d}.bad{color:#dc2626;font-weight:600} svg{width:100%;height:auto;margin:.4rem 0}
.title{font-size:12px;fill:var(--ink)} .mark{font-size:10px;fill:var(--soft)} .grid{stroke:#8883}
.band{fill:var(--band);stroke:none} .expected{fill:none;stroke:var(--line);stroke-width:1.3}
.measured{fill:var(--dot)} .limit{stroke:var(--soft);stroke-dasharray:4 3} .way{fill:none;stroke-width:1.5}
.c0{stroke:#2463a8}.c1{stroke:#c2410c}.c2{stroke:#15803d}.c3{stroke:#7c3aed}.c4{stroke:#b45309}.c5{stroke:#0e7490}
"""


def _page(report: ReplayReport) -> str:
    good = not report.result.failure
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(v))}</td></tr>" for name, v in _facts(report).items())
    parts = [
        f"<h1>Replay of {escape(report.state.name)}</h1>",
        f'<p class="{"good" if good else "bad"}">{escape(report.outcome)}</p>',
        *(f"<p class='bad'>{escape(line)}</p>" for line in report.result.left),
        *(f"<p>{escape(line)}</p>" for line in report.remarks),
        f"<div class='wide'><table>{rows}</table></div>",
        f"<p><em>{NOT_PROTECTION}</em></p>",
    ]
    if report.records:
        parts += ["<h2>All writes</h2>", margins_picture(report.records), setpoints_picture(report.records)]
        parts += [_table(report.records), "<h2>Orbit after a write, as a change, in its band</h2>"]
        for title, record in _shown(report.records):
            parts.append(f"<h3>{escape(title)}: {escape(record.pv)}, write {report.records.index(record) + 1}</h3>")
            parts += [band_picture(p, f"{p.name}, change") for p in record.planes if p.unit == "mm"]
        not_checked = dict.fromkeys(name for record in report.records for name in record.not_checked)
        if not_checked:
            parts.append(f"<p>Not checked, as the limits file says: {escape(', '.join(not_checked))}.</p>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Replay {escape(report.state.id)}</title><style>{_STYLE}</style></head><body>"
        f"{''.join(parts)}</body></html>\n"
    )


def _shown(records: Sequence[StepRecord]) -> list[tuple[str, StepRecord]]:
    """Choose the writes whose orbits are drawn: that of the largest effect, of the largest deviation, the last one."""
    banded = [record for record in records if record.planes]
    if not banded:
        return []
    effect = max(banded, key=lambda record: max(plane.change for plane in record.planes if plane.unit == "mm"))
    measured = [record for record in banded if record.measured]
    miss = max(measured, key=lambda record: record.share, default=effect)
    found = {"Largest effect": effect, "Largest deviation": miss, "Last write": banded[-1]}
    unique: list[tuple[str, StepRecord]] = []
    for title, record in found.items():
        if all(record is not other for _, other in unique):
            unique.append((title, record))
    return unique


def _table(records: Sequence[StepRecord]) -> str:
    heads = ("write", "step", "PV", "from", "to", "unit", "dx [mm]", "dy [mm]", "deviation", "margin", "verdict")
    lines = []
    for number, record in enumerate(records, 1):
        planes = {plane.name: plane for plane in record.planes}
        changes = [f"{planes[p].change:.4f}" if p in planes else "" for p in "xy"]
        numbers = [f"{record.start:.6g}", f"{record.target:.6g}"]
        ends = ["" if np.isnan(v) else f"{v:.2f}" for v in (record.share, record.margin)]
        bad = ' class="bad"' if record.reasons else ""
        texts = "; ".join((record.verdict, *record.reasons))
        cells = [f"<td class='n'>{number}</td><td class='n'>{record.number + 1}</td><td>{escape(record.pv)}</td>"]
        cells += [f"<td class='n'>{value}</td>" for value in numbers] + [f"<td>{escape(record.unit)}</td>"]
        cells += [f"<td class='n'>{value}</td>" for value in (*changes, *ends)]
        lines.append(f"<tr>{''.join(cells)}<td{bad}>{escape(texts)}</td></tr>")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<div class='wide'><table><tr>{head}</tr>{''.join(lines)}</table></div>"
