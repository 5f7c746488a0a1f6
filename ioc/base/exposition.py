"""Figures in the text format of Prometheus (exposition format 0.0.4)."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["CONTENT_TYPE", "Family", "exposition", "metric_name"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Suffix by unit, as Prometheus wants it: base units.
_SUFFIX = {"s": "_seconds", "B": "_bytes", "Hz": "_hertz", "m": "_meters", "A": "_amperes", "V": "_volts"}


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, its meaning, and its samples: labels and value."""

    name: str
    meaning: str
    samples: Sequence[tuple[Mapping[str, str], float]]
    type: Literal["gauge", "counter"] = "gauge"


def metric_name(source: str, unit: str = "") -> str:
    """Make the name of a metric from that of a source: `status.memory` in B is `gnomon_status_memory_bytes`."""
    return "gnomon_" + re.sub(r"[^a-zA-Z0-9]+", "_", source) + _SUFFIX.get(unit, "")


def exposition(families: Iterable[Family]) -> str:
    """Write metrics; one without a sample is left out."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines += [f"# HELP {family.name} {_escaped(family.meaning)}", f"# TYPE {family.name} {family.type}"]
            lines += [f"{family.name}{_labels(labels)} {_number(value)}" for labels, value in family.samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    inner = ",".join('{}="{}"'.format(name, _escaped(text).replace('"', '\\"')) for name, text in labels.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
