"""Pictures of the evidence: coverage by bin, the ROC of decisions, and the ablation."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bench.gate_coverage import COVERAGES

from gnomon.propagator.studies.pictures.style import LIGHT

if TYPE_CHECKING:
    from bench.gate_report import Evidence

BLUE, ORANGE, GREEN = LIGHT.x, LIGHT.y, LIGHT.more[2]


def draw_pictures(evidence: "Evidence", folder: Path) -> dict[str, tuple[str, str]]:
    """Draw all pictures into a folder; returns alternative text and file name of each."""
    found = {
        "coverage": (
            "Realised coverage of each machine's bins next to nominal",
            "safety_coverage.svg",
            _coverage,
            (9, 4),
        ),
        "roc": (
            "Unsafe steps accepted against safe steps refused, as the margin moves",
            "safety_roc.svg",
            _roc,
            (9, 3.6),
        ),
        "ablation": ("Coverage, false accepts and refusals of four rules", "safety_ablation.svg", _ablation, (9, 3)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for _, name, draw, size in found.values():
        _picture(folder / name, size, draw, evidence)
    return {key: (alt, name) for key, (alt, name, _, _) in found.items()}


def _picture(path: Path, size: tuple[float, float], draw: Any, evidence: "Evidence") -> None:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style = {"svg.hashsalt": "gnomon", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
             "svg.fonttype": "none"}  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=size, layout="constrained", facecolor=LIGHT.paper)
        FigureCanvasSVG(figure)
        draw(figure, evidence)
        figure.savefig(path, metadata={"Date": None})


def _coverage(figure: Any, evidence: "Evidence") -> None:
    for number, coverage in enumerate(COVERAGES):
        axes = figure.add_subplot(1, 2, number + 1)
        bins = evidence.bins(coverage)
        keys = sorted({(family, size) for _, family, size in bins})
        for place, key in enumerate(keys):
            mine = [each for (_, family, size), each in bins.items() if (family, size) == key]
            spread = np.linspace(-0.25, 0.25, len(mine)) if len(mine) > 1 else [0.0]
            values = [100.0 * each.realised for each in mine]
            axes.plot(place + np.array(spread), values, ".", color=BLUE, markersize=4, alpha=0.7)
            low, high = mine[0].interval(len(bins))
            axes.plot([place - 0.35, place + 0.35, np.nan, place - 0.35, place + 0.35],
                      [100 * low, 100 * low, np.nan, 100 * high, 100 * high], color=ORANGE, linewidth=1)  # fmt: skip
        axes.axhline(100.0 * coverage, color=LIGHT.ink, linewidth=0.8)
        axes.set_xticks(range(len(keys)), [f"{family} {size + 1}" for family, size in keys], rotation=90)
        axes.set_title(f"nominal {100 * coverage:g} %")
        axes.set_ylabel("inside the band [%]" if not number else "")
    figure.supxlabel("dots: machines; lines: interval for all bins together, 99 %", fontsize=9)


def _roc(figure: Any, evidence: "Evidence") -> None:
    safe = np.array([m for r in evidence.results for m in r.decisions.margins[0]])
    unsafe = np.array([m for r in evidence.results for m in r.decisions.margins[1]])
    safe, unsafe = np.nan_to_num(safe, nan=-np.inf), np.nan_to_num(unsafe, nan=-np.inf)
    axes = figure.add_subplot(1, 2, 1)
    thresholds = np.concatenate([np.linspace(-20.0, 1.0, 2001)])
    refused = np.array([(safe < t).mean() for t in thresholds]) if safe.size else thresholds * np.nan
    accepted = np.array([(unsafe >= t).mean() for t in thresholds]) if unsafe.size else thresholds * np.nan
    axes.plot(100 * accepted, 100 * refused, color=BLUE)
    at = int(np.argmin(np.abs(thresholds)))
    axes.plot(100 * accepted[at], 100 * refused[at], "o", color=ORANGE, label="the gate: margin 0")
    axes.set_xlabel("unsafe steps accepted [%]")
    axes.set_ylabel("safe steps refused [%]")
    axes.legend(frameon=False)
    both = figure.add_subplot(1, 2, 2)
    edges = np.linspace(-4.0, 1.0, 51)
    for values, colour, label in ((safe, GREEN, "safe"), (unsafe, ORANGE, "unsafe")):
        if values.size:
            both.hist(
                np.clip(values, edges[0], edges[-1]), bins=edges, color=colour, alpha=0.7, label=label, density=True
            )
    both.axvline(0.0, color=LIGHT.ink, linewidth=0.8)
    both.set_xlabel("margin of the verdict [limits]; all below -4 at the left")
    both.set_ylabel("density")
    both.legend(frameon=False)


def _ablation(figure: Any, evidence: "Evidence") -> None:
    from bench.gate_report import RULES, pooled, total

    decisions = [r.decisions for r in evidence.results]
    unsafe, safe = max(sum(d.unsafe for d in decisions), 1), max(sum(d.safe for d in decisions), 1)
    accepted, refused = total(d.unsafe_accepted for d in decisions), total(d.safe_rejected for d in decisions)
    gauss = [g for r in evidence.results for g in r.coverage.gaussian.values()]
    inside = {"none": 0.0, "limits": 0.0, "gaussian": sum(g[0] for g in gauss) / max(sum(g[1] for g in gauss), 1),
              "gate": pooled(list(evidence.bins(0.99).values()))[0]}  # fmt: skip
    parts = (
        ("commands inside the band [%]", inside),
        ("unsafe steps accepted [%]", {rule: accepted.get(rule, 0) / unsafe for rule in RULES}),
        ("safe steps refused [%]", {rule: refused.get(rule, 0) / safe for rule in RULES}),
    )
    for number, (title, values) in enumerate(parts):
        axes = figure.add_subplot(1, 3, number + 1)
        places = np.arange(len(RULES))
        heights = [100.0 * values[rule] for rule in RULES]
        axes.barh(places, heights, color=[BLUE if rule == "gate" else LIGHT.faint for rule in RULES])
        for place, height in zip(places, heights, strict=True):
            text = "no band" if not number and place < 2 else f"{height:.3g}"
            axes.text(height, place, f" {text}", va="center")
        axes.set_yticks(places, list(RULES.values()) if not number else [""] * len(RULES))
        axes.invert_yaxis()
        axes.set_xlim(0.0, max(*heights, 1.0) * 1.25)
        axes.set_xlabel(title)
        if not number:
            axes.set_ylabel("rule")
