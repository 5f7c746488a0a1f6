"""Curves around the ring."""

from collections.abc import Callable, Sequence
from functools import partial

from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.db.sources import Planes
from gnomon.ioc.panels.flow import GAP
from gnomon.ioc.panels.served_pvs import ServedPvs
from gnomon.ioc.panels.widgets import CARD_BAR, Box, Trace, Widget, address, card, plot

#: Makes a widget for a place.
Maker = Callable[[Box], Widget]


def stacked(room: Box, makers: Sequence[Maker]) -> list[Widget]:
    """Widgets one below the other, of one height."""
    height = (room.height + GAP) // max(len(makers), 1) - GAP
    return [make(room._replace(y=room.y + i * (height + GAP), height=height)) for i, make in enumerate(makers)]


def orbit_plot(served: ServedPvs, title: str, planes: str) -> Maker | None:
    """The closed orbit around the ring."""
    s = served.one(sources.ELEMENT_POSITIONS)
    orbits = [(plane, spec) for plane, spec in _planes(served, sources.ORBIT) if plane in planes]
    if s is None or not orbits:
        return None
    traces = [Trace(address(s), address(spec), plane) for plane, spec in orbits]
    return partial(_plot_card, title, f"{' and '.join(planes)} [{orbits[0][1].unit}]", traces)


def monitors_plot(served: ServedPvs, title: str, source: Planes) -> Maker | None:
    """One value a monitor in each plane, as dots."""
    s = served.one(sources.MONITOR_S)
    found = _planes(served, source)
    if s is None or not found:
        return None
    traces = [Trace(address(s), address(spec), plane, joined=False) for plane, spec in found]
    return partial(_plot_card, title, f"[{found[0][1].unit or '1'}]", traces)


def band_plot(served: ServedPvs, title: str, plane: int) -> Maker | None:
    """The machine's readings at the monitors, as dots, between the bounds of one plane."""
    s, measured = served.one(sources.MONITOR_S), served.one(sources.BOUND_MEASURED[plane])
    ends = [served.one(ends[plane]) for ends in (sources.BOUND_LOWER, sources.BOUND_UPPER)]
    if s is None or measured is None or None in ends:
        return None
    traces = [
        Trace(address(s), address(spec), name)
        for spec, name in zip(ends, ("lower bound", "upper bound"), strict=True)
        if spec is not None
    ]
    traces.append(Trace(address(s), address(measured), "measured", joined=False))
    return partial(_plot_card, title, f"{sources.BOUND_LOWER._fields[plane]} [{measured.unit}]", traces)


def optics_plot(served: ServedPvs) -> Maker | None:
    """Beta functions, and the dispersion with an axis of its own."""
    s = served.one(sources.ELEMENT_POSITIONS)
    beta = _planes(served, sources.TWISS_BETA)
    dispersion = served.one(sources.DISPERSION.x)
    if s is None or not beta or dispersion is None:
        return None
    traces = [Trace(address(s), address(spec), f"beta {plane}") for plane, spec in beta]
    traces.append(Trace(address(s), address(dispersion), "dispersion x", right=True))
    return partial(_plot_card, "Optics", f"beta [{beta[0][1].unit}]", traces, right=f"dispersion [{dispersion.unit}]")


def _planes(served: ServedPvs, source: Planes) -> list[tuple[str, PvSpec]]:
    """The PVs of both planes that are served, with the plane's letter."""
    both = zip(source._fields, source, strict=True)
    return [(plane, spec) for plane, one in both if (spec := served.one(one)) is not None]


def _plot_card(title: str, y_title: str, traces: Sequence[Trace], box: Box, right: str | None = None) -> Widget:
    inside = Box(2, 2, box.width - 4, box.height - CARD_BAR - 4)
    titles = [y_title, right] if right else [y_title]
    return card(title, box, [plot(title, inside, "s [m]", titles, traces)])
