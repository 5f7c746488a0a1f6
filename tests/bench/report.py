"""Report of a run, as a table on the terminal, as JSON and as a section of the documentation."""

import importlib.metadata
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import Result, percentile
from rich.table import Table
from rows import RATIOS, ROWS, Row

LIBRARIES = ("gnomon", "caproto", "p4p", "pyepics", "numpy", "numba", "accelerator-toolbox")


class BadSection(Exception):
    """The document has no section to rewrite."""


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run and where it ran."""

    servers: dict[str, Result]
    parts: Result
    missing: dict[str, str]
    where: dict[str, str]

    @classmethod
    def of(
        cls, servers: dict[str, Result], parts: Result, missing: dict[str, str], versions: dict[str, str]
    ) -> "Report":
        return cls(servers, parts, missing, described_machine() | versions)

    def ratios(self) -> dict[str, float]:
        """Ratios of the others' times to ours, by medians of this run."""
        found = {}
        ours, theirs = self.servers.get("gnomon", Result()), self.servers.get("dt4acc", Result())
        for label, (job, name) in RATIOS.items():
            found[f"dt4acc / gnomon, {label}"] = (theirs.times(job, name), ours.times(job, name))
        found["pyAT / gnomon, one quadrupole"] = (
            self.parts.times("propagator", "pyat"),
            self.parts.times("propagator", "gnomon"),
        )
        return {
            label: round(percentile(slow, 50) / percentile(fast, 50), 1)
            for label, (slow, fast) in found.items()
            if slow and fast
        }

    def table(self) -> Table:
        table = Table(title="median (p90, p99)")
        header, *lines = self._cells()
        for i, name in enumerate(header):
            table.add_column(name, justify="right" if i else "left")
        for line in lines:
            table.add_row(*line)
        return table

    def ratio_table(self) -> Table:
        table = Table(title="in process, and ratios of this run", show_header=False)
        table.add_column(justify="left")
        table.add_column(justify="right")
        for label, text in self._extra():
            table.add_row(label, text)
        return table

    def markdown(self) -> str:
        header, *lines = self._cells()
        rule = ["---"] + ["---:"] * (len(header) - 1)
        text = "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *lines))
        extra = "".join(f"- {label}: {cell}\n" for label, cell in self._extra())
        where = "".join(f"- {name}: {value}\n" for name, value in self.where.items())
        failed = self.missing.items()
        missing = "".join(f"- not measured: {name}: {reason.splitlines()[0]}\n" for name, reason in failed)
        heading = "Times are medians, with p90 and p99 in parentheses where there are at least 100 samples."
        return f"{heading}\n\n{text}\n{extra}{missing}\nMeasured on:\n\n{where}"

    def document(self) -> dict[str, Any]:
        gnomon = self.servers.get("gnomon", Result())
        limits = {f"{row.label} < {row.limit_ms:g} ms": row.within_limit(gnomon) for row in ROWS if row.limit_ms}
        return {
            "where": self.where,
            "servers": {name: result.document() for name, result in self.servers.items()},
            "parts": self.parts.document(),
            "ratios": self.ratios(),
            "required": {label: met for label, met in limits.items() if met is not None},
            "missing": self.missing,
        }

    def _cells(self) -> list[list[str]]:
        names = [name for name, result in self.servers.items() if result.samples]
        lines = [["", "unit", *names, "required"]]
        for row in ROWS:
            cells = [row.cell(self.servers[name]) for name in names]
            if any(cell != "-" for cell in cells):
                lines.append([row.label, row.unit, *cells, self._requirement(row)])
        return lines

    def _requirement(self, row: Row) -> str:
        if row.limit_ms is None:
            return ""
        met = row.within_limit(self.servers.get("gnomon", Result()))
        limit = row.limit_ms / (1e3 if row.unit == "s" else 1.0)
        return f"< {limit:g}" + ("" if met is None else ", met" if met else ", MISSED")

    def _extra(self) -> list[tuple[str, str]]:
        lines = []
        for label, job, name in (
            ("one quadrupole changed: gnomon, optics at all elements", "propagator", "gnomon"),
            ("one quadrupole changed: pyAT's linopt6 at the monitors", "propagator", "pyat"),
            ("one command made durable in the journal", "journal", "append"),
        ):
            times = self.parts.times(job, name)
            if times:
                lines.append((label, f"{percentile(times, 50):.3f} ms"))
            elif job in self.parts.failures:
                lines.append((label, "failed"))
        return lines + [(label, f"{ratio:g}") for label, ratio in self.ratios().items()]


def described_machine() -> dict[str, str]:
    versions = []
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} missing")
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{os.cpu_count()} cores, {processor_name()}",
        "load average before": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "libraries": ", ".join(versions),
    }


def processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def write_section(path: Path, text: str, name: str = "bench") -> None:
    """Put `text` between the two marks of a document. Raises BadSection unless they are there, once each, in order."""
    begin_mark, end_mark = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    document = path.read_text() if path.exists() else ""
    before, begin, rest = document.partition(begin_mark)
    old, end, after = rest.partition(end_mark)
    if not begin or not end or begin_mark in old + after or end_mark in after:
        raise BadSection(f"{path.name} needs one line {begin_mark} and, after it, one line {end_mark}")
    path.write_text(f"{before}{begin_mark}\n{text.strip()}\n{end_mark}{after}")
