"""The modules that are generated, by their place in the propagator."""

from collections.abc import Callable

from gnomon.propagator.codegen.lane_recipes import CONSTANTS, PASSES

HEADER = '''"""Passes of elements over a block of particles (`lanes`). Generated from `propagator.physics`: do not edit.

`python -m gnomon.propagator.codegen` writes this file. A number named c is the same for all particles, v for a slice.
"""
'''


def lane_passes() -> str:
    """Return the source of `ensembles/lane_passes.py`."""
    return "\n".join(
        [
            HEADER,
            "import math\n",
            "from gnomon.propagator.compiled import Floats, compiled",
            "from gnomon.propagator.ensembles.lanes import CT, DELTA, LANES, PX, PY, WEIGHT, Y",
            f"from gnomon.propagator.live.affine_maps import {', '.join(sorted(CONSTANTS))}\n\n",
            "\n\n".join(f"@compiled\n{one.source()}\n" for one in PASSES),
        ]
    )


MODULES: dict[str, Callable[[], str]] = {"ensembles/lane_passes.py": lane_passes}
