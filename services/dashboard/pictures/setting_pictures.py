"""Pictures of proposed settings: their changes, and how much of the way to their limits they use. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnomon.services.dashboard.pictures.figure_parts import BAD, INK, Panel, Picture, X, marked, stacked, stems
from gnomon.services.dashboard.pictures.ring_places import RingPlaces

__all__ = ["limit_use", "setting_picture"]

Floats = NDArray[np.float64]

#: From this part of the way to a limit, a setting is drawn as near it.
NEAR = 0.9
#: Up to this number of settings each has its name at the axis.
FEW = 40


def limit_use(values: Floats, low: Floats, high: Floats) -> Floats:
    """Return the part of the way from the middle of its limits to the nearer limit that each value uses: -1 to 1."""
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    with np.errstate(divide="ignore", invalid="ignore"):
        used: Floats = np.where(half > 0.0, (values - middle) / half, np.nan)
    return used


def setting_picture(
    title: str,
    names: Sequence[str],
    unit: str,
    before: Floats,
    after: Floats,
    low: Floats,
    high: Floats,
    places: RingPlaces,
    errors: Floats | None,
) -> Picture:
    """Draw the changes of settings, and before and after within their limits, by place or by name if they are few."""
    at: Floats | list[str]
    if len(names) <= FEW:
        at, label, axis = list(names), "power supply", {"type": "category", "tickangle": -60, "tickfont": {"size": 10}}
    else:
        at, label = places.along(names)
        axis = dict(places.axis(label))
    used = [100.0 * limit_use(each, low, high) for each in (before, after)]
    near = np.abs(used[1]) >= 100.0 * NEAR
    limits = [f"limits {a:.4g} to {b:.4g} {unit}" for a, b in zip(low, high, strict=True)]
    steps = marked(at, after - before, X, labels=names, unit=unit, errors=errors, size=5)
    steps["showlegend"] = False
    traces = [
        marked(at, used[0], INK, name="before", labels=names, notes=limits, unit="%", symbol="circle-open", size=5),
        marked(at, used[1], X, name="after", labels=names, notes=limits, unit="%", size=5),
    ]
    if near.any():
        kept = np.flatnonzero(near).tolist()
        where = [at[k] for k in kept]
        traces.append(
            marked(where, used[1][kept], BAD, name="near a limit", labels=[names[k] for k in kept], unit="%",
                   symbol="diamond", size=9)
        )  # fmt: skip
    line = {"color": BAD, "width": 1, "dash": "dash"}
    shapes = tuple(
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line} for y in (-100.0, 100.0)
    )
    whole = {"range": [-115.0, 115.0], "dtick": 50}
    panels = [
        Panel(f"change [{unit}]", (stems(at, after - before, X), steps), zero=True),
        Panel("use of limits [%]", tuple(traces), zero=True, axis=whole, shapes=shapes),
    ]
    text = f"{int(near.sum())} of {len(names)} use {100.0 * NEAR:.0f} % or more of their limit"
    return Picture(title, stacked(panels, label, x_axis=axis), text, wide=True)
