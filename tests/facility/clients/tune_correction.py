"""A tune correction: a response by small steps of two families, then Newton steps until the tunes are there.

It takes the PVs for fractional tunes. Quadrupoles move by at most a small part of their current in one step.
"""

import numpy as np

from facility.clients.ca import get, put_all

TUNES = ("beam:twiss:x:tune", "beam:twiss:y:tune")
#: Relative step of the response, and largest relative step of the correction.
STEP, MAX_STEP = 2e-4, 5e-3


def tunes() -> np.ndarray:
    """The tunes. Raises RuntimeError without a beam."""
    if not get("beam:orbit:found"):
        raise RuntimeError("the beam is lost")
    return np.array([get(name) for name in TUNES])


def correct(families: list[list[str]], target: list[float], tolerance: float) -> dict[str, object]:
    """Move the tunes to the target, and put everything back at the end."""
    start = {name: get(name) for family in families for name in family}

    def scaled(factors: np.ndarray) -> None:
        put_all((n, start[n] * (1.0 + f)) for family, f in zip(families, factors, strict=True) for n in family)

    before = tunes()
    columns = []
    for which in range(len(families)):
        scaled(STEP * np.eye(len(families))[which])
        columns.append((tunes() - before) / STEP)
    scaled(np.zeros(len(families)))
    response = np.column_stack(columns)
    factors, errors, largest = np.zeros(len(families)), [], 0.0
    try:
        for _ in range(30):
            error = np.array(target) - tunes()
            errors.append(error.tolist())
            if np.abs(error).max() < tolerance:
                break
            step = np.linalg.solve(response, error)
            factors = factors + step * min(1.0, MAX_STEP / np.abs(step).max())
            largest = max(largest, float(np.abs(factors).max()))
            scaled(factors)
        return {"before": before.tolist(), "after": tunes().tolist(), "errors": errors, "largest": largest}
    finally:
        scaled(np.zeros(len(families)))
