"""The row of magnets below a picture over s: bends, quadrupoles by sign, sextupoles, steerers and monitors."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gnomon.lattice import Lattice
from gnomon.lattice.elements import Bend, Corrector, Element, Monitor, Octupole, Quadrupole, Sextupole
from gnomon.propagator.studies.pictures.style import Frame, Palette

#: Height of the row of magnets [inch].
ROW = 0.45
#: Size of the names [points]; their minimum distance and the width of a letter, relative to it.
SIZE, DISTANCE, LETTER = 6.5, 1.25, 0.68


@dataclass(frozen=True, slots=True)
class Block:
    """A magnet in the drawing: from `low` to `high` on a scale of -1 to 1, between positions [m]."""

    name: str
    first_m: float
    last_m: float
    low: float
    high: float
    colour: str
    rank: int


def blocks_of(lattice: Lattice, window: tuple[float, float], palette: Palette) -> list[Block]:
    """List the magnets and monitors in a part of the ring [m], in beam order; names of a low rank matter most."""
    ring, found = lattice.ring, []
    for index, element in enumerate(ring.elements):
        first, last = float(ring.s[index]), float(ring.s[index + 1])
        shape = _shape(element, lattice, index, palette)
        if shape is not None and last >= window[0] and first <= window[1]:
            found.append(Block(element.name, first, last, *shape))
    return found


def row_height(frame: Frame, width_inch: float) -> float:
    """Compute the height [inch] of the row with its names, as far as they fit into a width [inch]."""
    blocks = blocks_of(frame.lattice, frame.window, frame.palette)
    return ROW + _names_height(_named(blocks, frame.window, width_inch))


def _names_height(named: list[tuple[float, Block]]) -> float:
    """Compute the height [inch] of names below the row."""
    return max((LETTER * SIZE / 72.0 * len(block.name) + 0.05 for _, block in named), default=0.0)


def draw_synoptic(axis: Any, frame: Frame, width_inch: float) -> None:
    """Draw the row of magnets, with names as far as they do not overlap; `width_inch` is the width of the axis."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    palette, window = frame.palette, frame.window
    blocks = blocks_of(frame.lattice, window, palette)
    axis.axhline(0.0, color=palette.ink, lw=0.7, zorder=0)
    ticks = []
    for block in blocks:
        corner, size = (block.first_m, block.low), (block.last_m - block.first_m, block.high - block.low)
        if size[0] > 0.0:
            axis.add_patch(Rectangle(corner, *size, facecolor=block.colour, edgecolor="none"))
        else:
            ticks.append(([(block.first_m, block.low), (block.first_m, block.high)], block.colour))
    axis.add_collection(LineCollection([line for line, _ in ticks], colors=[c for _, c in ticks], linewidths=0.9))
    named = _named(blocks, window, width_inch)
    axis.set_ylim(-1.1 - 2.2 * _names_height(named) / ROW, 1.1)
    for place, block in named:
        axis.annotate(
            block.name, (place, -1.15), rotation=90, ha="center", va="top", fontsize=SIZE, color=palette.ink,
            annotation_clip=True,
        )  # fmt: skip
    axis.set_yticks([])
    axis.grid(False)
    for side in ("left", "right", "top", "bottom"):
        axis.spines[side].set_visible(False)


def _named(blocks: list[Block], window: tuple[float, float], width_inch: float) -> list[tuple[float, Block]]:
    """Choose the names to draw, with their positions [m]: whole ranks only, the most important first."""
    per_metre = width_inch * 72.0 / max(window[1] - window[0], 1e-9)
    gap = DISTANCE * SIZE / per_metre
    shown: list[tuple[float, Block]] = []
    for rank in sorted({block.rank for block in blocks}):
        tried = [(0.5 * (b.first_m + b.last_m), b) for b in blocks if b.rank <= rank]
        tried = [(place, b) for place, b in tried if window[0] <= place <= window[1]]
        tried.sort(key=lambda pair: pair[0])
        near = [b[0] - a[0] for a, b in pairwise(tried)]
        if near and min(near) < gap:
            break
        shown = tried
    return shown


def _shape(element: Element, lattice: Lattice, index: int, palette: Palette) -> tuple[float, float, str, int] | None:
    match element:
        case Bend():
            return -0.45, 0.45, palette.bend, 1
        case Quadrupole():
            k1 = float(lattice.parameters([index])[0, 5])
            return (0.0, 1.0, palette.quadrupole, 0) if k1 >= 0.0 else (-1.0, 0.0, palette.quadrupole, 0)
        case Sextupole() | Octupole():
            return -0.65, 0.65, palette.sextupole, 2
        case Corrector():
            return -0.8, 0.8, palette.steerer, 3
        case Monitor():
            return -0.2, 0.2, palette.ink, 4
        case _:
            return None
