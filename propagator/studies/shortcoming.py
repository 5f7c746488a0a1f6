"""The reason why supplies cannot meet the conditions of a match, as their responses tell."""

from collections.abc import Sequence

import numpy as np

from gnomon.propagator.compiled import Floats

__all__ = ["shortcoming"]

#: Responses that differ by a smaller part than this have one direction; smaller ones than this part are none.
SAME_DIRECTION = 1e-4


def shortcoming(names: Sequence[str], slopes: Floats) -> str:
    """Say why supplies cannot meet all conditions, whatever their currents; empty where their responses do not tell.

    `names` are those of the conditions, `slopes` (conditions, supplies) how far each goes over a supply's whole range.
    """
    rows = np.abs(slopes).max(axis=1, initial=0.0)
    if not (rows > 0.0).all():
        return (
            f"none of these supplies changes {', '.join(n for n, row in zip(names, rows, strict=True) if row == 0.0)}"
        )
    strengths = np.linalg.svd(slopes / rows[:, None], compute_uv=False)
    rank = int((strengths > SAME_DIRECTION * strengths[0]).sum())
    if rank < len(names):
        return (
            f"these supplies can change only {rank} of the {len(names)} conditions independently of each other; add "
            "supplies that act in another way"
        )
    for what in ("tune", "chromaticity"):
        pair = [k for k, name in enumerate(names) if name in (f"{what} x", f"{what} y")]
        if len(pair) == 2 and (way := _one_kind(*slopes[pair])):
            return (
                f"these supplies are all of one kind: each moves {what} x and {what} y in {way}; add supplies of the "
                "other kind"
            )
    return ""


def _one_kind(x: Floats, y: Floats) -> str:
    """Name the direction in which all supplies move both planes, the same plane more; empty where they differ."""
    moving = np.hypot(x, y) > SAME_DIRECTION * np.hypot(x, y).max()
    product = (x * y)[moving]
    if len({*np.sign(np.abs(x) - np.abs(y))[moving].tolist()}) != 1:
        return ""
    if (product < 0.0).all():
        return "opposite directions"
    return "the same direction" if (product > 0.0).all() else ""
