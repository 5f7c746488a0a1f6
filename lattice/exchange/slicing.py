"""Number of slices that a thick magnet needs for the integrator to be as good as an exact map."""

import cmath
import functools
from collections.abc import Mapping
from typing import Any

#: Types of parts that are integrated in slices when they have a length.
SLICED = frozenset({"quadrupole", "sextupole", "octupole", "multipole", "bend"})
#: Numbers of slices to choose from; the first is the integrator's default.
CHOICES = (10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 300, 400)
#: Largest error of the map relative to the magnet's focusing. A ring of natural chromaticity 100 has its tunes to 1e-6.
TOLERANCE = 1e-8

#: Drifts and kicks of Forest and Ruth's integrator, Physica D 43 (1990) 105, in parts of a slice.
_CUBE_ROOT = 2.0 ** (1.0 / 3.0)
KICK = 1.0 / (2.0 - _CUBE_ROOT)
_MIDDLE = (1.0 - _CUBE_ROOT) * KICK / 2.0
STEPS = ((KICK / 2.0, KICK), (_MIDDLE, -_CUBE_ROOT * KICK), (_MIDDLE, KICK))

Matrix = tuple[float, float, float, float]


def choose_slices(part: Mapping[str, Any]) -> int:
    """The slices of a part of a machine document: so many that its linear map is exact to TOLERANCE."""
    length = float(part["length"])
    normal, skew = part.get("b", (0.0, 0.0)), part.get("a", (0.0, 0.0))
    gradient = float(part["k1"]) if "k1" in part else abs(complex(normal[1], skew[1]))
    if "k1" not in part and skew[1] == 0.0:
        gradient = float(normal[1])
    curvature = float(part.get("angle", 0.0)) / length
    strengths = (gradient + curvature**2, -gradient)
    return next((n for n in CHOICES if all(_error(k * length**2, n) <= TOLERANCE for k in strengths)), CHOICES[-1])


@functools.lru_cache(maxsize=10_000)
def _error(strength: float, slices: int) -> float:
    """The largest error of a map over length 1 for x'' = -strength x, relative to the strength."""
    if strength == 0.0:
        return 0.0
    one: Matrix = (1.0, 0.0, 0.0, 1.0)
    for drift, kick in STEPS:
        one = _times((1.0, drift / slices, 0.0, 1.0), one)
        one = _times((1.0, 0.0, -strength * kick / slices, 1.0), one)
    one = _times((1.0, STEPS[0][0] / slices, 0.0, 1.0), one)
    whole: Matrix = (1.0, 0.0, 0.0, 1.0)
    for _ in range(slices):
        whole = _times(one, whole)
    root = cmath.sqrt(strength)
    cosine, sine = cmath.cos(root).real, cmath.sin(root)
    exact = (cosine, (sine / root).real, -(sine * root).real, cosine)
    return max(abs(a - b) for a, b in zip(whole, exact, strict=True)) / abs(strength)


def _times(a: Matrix, b: Matrix) -> Matrix:
    return (a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3])
