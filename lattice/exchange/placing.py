"""From the accelerator toolbox's changes of frame (T1, R1 before, R2, T2 after) to a displacement and a roll."""

import math

import numpy as np

from gnomon.lattice.exchange.foreign import ForeignElement

#: Attribute of a ForeignElement whose reader knows displacement and roll: a mapping with any of `dx`, `dy`, `roll`.
PLACED = "Placed"

#: Agreement asked of every number of the four arrays [m, rad].
TOLERANCE = 1e-9


def find_placing(element: ForeignElement, angle: float) -> dict[str, float] | None:
    """`dx`, `dy` [m] and `roll` [rad] of an element that bends by `angle`, or None when it is not exactly so placed.

    What is found is put through the toolbox's own formulas (doi 10.1016/j.nima.2022.167487) and must give the arrays
    that the element has.
    """
    placed = element.attributes.get(PLACED)
    if placed is not None:
        return {name: float(placed.get(name, 0.0)) for name in ("dx", "dy", "roll")}
    given = {name: element.attributes[name] for name in ("T1", "T2", "R1", "R2") if name in element.attributes}
    if not given:
        return {"dx": 0.0, "dy": 0.0, "roll": 0.0}
    arrays = {name: np.asarray(value, dtype=float) for name, value in given.items()}
    still = {"T1": np.zeros(6), "T2": np.zeros(6), "R1": np.eye(6), "R2": np.eye(6)}
    whole = still | arrays
    if any(whole[name].shape != still[name].shape for name in still):
        return None
    if all(np.array_equal(whole[name], still[name]) for name in still):
        return {"dx": 0.0, "dy": 0.0, "roll": 0.0}
    roll = math.atan2(whole["R1"][1, 3] / math.cos(0.5 * angle), whole["R1"][3, 3])
    dx, dy = -whole["T1"][0] / math.cos(0.5 * angle), -whole["T1"][2]
    placing = {"dx": float(dx), "dy": float(dy), "roll": roll}
    made = _frames(element.length, angle, placing)
    for _ in range(4):  # the toolbox's T1 is not quite linear in what it stands for
        missing_x, missing_y = float(whole["T1"][0] - made["T1"][0]), float(whole["T1"][2] - made["T1"][2])
        if not missing_x and not missing_y:
            break
        placing["dx"] -= missing_x / math.cos(0.5 * angle)
        placing["dy"] -= missing_y
        made = _frames(element.length, angle, placing)
    if any(np.max(np.abs(made[name] - whole[name])) > TOLERANCE for name in still):
        return None
    return placing


def _frames(length: float, angle: float, placing: dict[str, float]) -> dict[str, np.ndarray]:
    import at

    if angle == 0.0:
        probe = at.Multipole("probe", length, [], []) if length > 0.0 else at.ThinMultipole("probe", [], [])
    else:
        probe = at.Dipole("probe", length, angle)
    at.transform_elem(probe, dx=placing["dx"], dy=placing["dy"], tilt=placing["roll"])
    still = {"T1": np.zeros(6), "T2": np.zeros(6), "R1": np.eye(6), "R2": np.eye(6)}
    return {name: np.asarray(getattr(probe, name, default)) for name, default in still.items()}
