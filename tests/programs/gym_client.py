"""An agent that acts on a running server."""

from typing import Any

import numpy as np

from gnomon import connect
from gnomon.clients.gym import EpicsPlant, RingEnvironment

STEPS = 3


def same_on_both() -> dict[str, Any]:
    """Act alike on the model and on the server: largest difference of what is seen, and settings before and after."""
    with connect() as ring:
        before = ring.get("HS*:set")
        environments = [
            RingEnvironment("orbit", momentum="frequency", chromatic=True),
            RingEnvironment("orbit", plant=lambda supplies: EpicsPlant(ring, supplies)),
        ]
        differences = []
        seen = [each.reset(seed=4)[0] for each in environments]
        for step in range(STEPS):
            differences.append(float(np.abs(seen[0] - seen[1]).max()))
            action = np.full(len(environments[0].plant.supplies), 0.3 * (-1) ** step, dtype=np.float32)
            seen = [each.step(action)[0] for each in environments]
        moved = ring.get("HS*:set") != before
        environments[1].close()
        return {"differences": differences, "moved": moved, "back": ring.get("HS*:set") == before}
