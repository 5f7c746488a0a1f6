"""The change of frame into and out of a displaced and rolled element, for any type of number.

Formulas after doi 10.1016/j.nima.2022.167487, equations (8) to (11), for a reference point at the element's centre. The
frame's path is a straight line, as in pyAT: lengths along it are not divided by 1 + delta, and momenta turn with the
frame as directions do.
"""

from gnomon.propagator.physics.number_types import Number, functions_of
from gnomon.propagator.physics.phase_space import PhaseSpace

Rotation = tuple[tuple[Number, Number, Number], tuple[Number, Number, Number], tuple[Number, Number, Number]]


def into_frame(ray: PhaseSpace, angle: Number, dx: Number, dy: Number, roll: Number) -> PhaseSpace:
    """Enter an element that bends by `angle` [rad], displaced by `dx`, `dy` [m] and rolled by `roll` [rad].

    The roll is about the element's chord, so both ends of the chord stay where they are.
    """
    rotation = _rotation(angle, roll, 1)
    c, s = functions_of(angle).cos(angle / 2), functions_of(angle).sin(angle / 2)
    px, py, pz = c * dx, dy, s * dx
    x, y, ahead = (rotation[0][j] * px + rotation[1][j] * py + rotation[2][j] * pz for j in range(3))
    return _changed(ray, rotation, ahead, -x, -y)


def out_of_frame(ray: PhaseSpace, angle: Number, dx: Number, dy: Number, roll: Number) -> PhaseSpace:
    """Leave the frame of an element that `into_frame` entered."""
    c, s = functions_of(angle).cos(angle / 2), functions_of(angle).sin(angle / 2)
    return _changed(ray, _rotation(angle, roll, -1), s * dx, c * dx, dy)


def _rotation(angle: Number, roll: Number, sense: int) -> Rotation:
    """Return the rotation by `roll` about the chord, at the entrance (`sense` 1) or back again at the exit (-1)."""
    c, s = functions_of(angle).cos(angle / 2), functions_of(angle).sin(angle / 2)
    turn, flip = functions_of(roll).cos(roll), functions_of(roll).sin(roll)
    less = turn - 1
    cross = sense * c * s * less
    return (
        (1 + less * c * c, -sense * c * flip, cross),
        (sense * c * flip, turn, s * flip),
        (cross, -s * flip, 1 + less * s * s),
    )


def _changed(ray: PhaseSpace, rotation: Rotation, ahead: Number, x: Number, y: Number) -> PhaseSpace:
    """Express a ray in a frame turned by `rotation`, its origin `ahead` [m] along the axis and at (`x`, `y`) [m]."""
    (r00, r01, _), (r10, r11, r12), (r20, r21, r22) = rotation
    r02 = rotation[0][2]
    along = ahead / r22
    at_x, at_y = ray.x + along * ray.px, ray.y + along * ray.py
    return PhaseSpace(
        (r11 * at_x - r01 * at_y) / r22 + along * r20 + x,
        r00 * ray.px + r10 * ray.py + r20 * (ray.delta + 1),
        (r00 * at_y - r10 * at_x) / r22 + along * r21 + y,
        r01 * ray.px + r11 * ray.py + r21 * (ray.delta + 1),
        ray.delta,
        ray.ct - (r02 * at_x + r12 * at_y) / r22 + along,
    )
