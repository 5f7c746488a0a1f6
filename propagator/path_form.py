"""The path through elements that are affine maps, as a quadratic form of the coordinates at their entrance.

A drift lengthens the path by length (px^2 + py^2) / (2 (1 + delta)^2), a curved kick by length h x: of coordinates that
are affine in those at the entrance, so that the sum over an element is z^T Q z with z = (x, px, y, py, 1). A form is
kept as 25 numbers by rows.
"""

from gnomon.propagator.compiled import Floats, compiled


@compiled
def add_drift(length: float, weight: float, m: Floats, form: Floats) -> None:
    """Add free space that follows the map `m`: `length` [m] is divided by 1 + delta, `weight` is 1 / (1 + delta)."""
    half = 0.5 * length * weight
    for i in range(5):
        px, py = half * m[5 + i], half * m[15 + i]
        for j in range(5):
            form[5 * i + j] += px * m[5 + j] + py * m[15 + j]


@compiled
def add_curved_kick(amount: float, m: Floats, form: Floats) -> None:
    """Add `amount` (length times curvature) of the x after the map `m`."""
    for i in range(5):
        form[5 * i + 4] += 0.5 * amount * m[i]
        form[20 + i] += 0.5 * amount * m[i]


@compiled
def add_after(form: Floats, m: Floats, out: Floats) -> None:
    """Add to `out` the form of what follows the map `m`."""
    for i in range(5):
        last = 1.0 if i == 4 else 0.0
        r0 = m[i] * form[0] + m[5 + i] * form[5] + m[10 + i] * form[10] + m[15 + i] * form[15] + last * form[20]
        r1 = m[i] * form[1] + m[5 + i] * form[6] + m[10 + i] * form[11] + m[15 + i] * form[16] + last * form[21]
        r2 = m[i] * form[2] + m[5 + i] * form[7] + m[10 + i] * form[12] + m[15 + i] * form[17] + last * form[22]
        r3 = m[i] * form[3] + m[5 + i] * form[8] + m[10 + i] * form[13] + m[15 + i] * form[18] + last * form[23]
        r4 = m[i] * form[4] + m[5 + i] * form[9] + m[10 + i] * form[14] + m[15 + i] * form[19] + last * form[24]
        for j in range(5):
            out[5 * i + j] += r0 * m[j] + r1 * m[5 + j] + r2 * m[10 + j] + r3 * m[15 + j]
        out[5 * i + 4] += r4


@compiled
def add_frame(frame: Floats, delta: float, m: Floats, form: Floats) -> None:
    """Add a change of frame (`misalignment.write_frame`) that follows the map `m`."""
    for i in range(5):
        value = frame[24] * m[i] + frame[25] * m[5 + i] + frame[26] * m[10 + i] + frame[27] * m[15 + i]
        form[5 * i + 4] += 0.5 * value
        form[20 + i] += 0.5 * value
    form[24] += frame[28] * delta + frame[29]


@compiled
def write_corrector_form(length: float, kick_x: float, kick_y: float, delta: float, form: Floats) -> None:
    """Write the form of a steerer [rad] whose field is spread over `length` [m]."""
    form[:] = 0.0
    half = 0.5 * length / (1.0 + delta) ** 2
    form[6] = half
    form[18] = half
    form[9] = form[21] = 0.5 * half * kick_x
    form[19] = form[23] = 0.5 * half * kick_y
    form[24] = half * (kick_x * kick_x + kick_y * kick_y) / 3.0


@compiled
def form_value(form: Floats, x: float, px: float, y: float, py: float) -> float:
    """The path [m] that a form gives at the coordinates of an entrance."""
    return float(
        x * (form[0] * x + 2.0 * (form[1] * px + form[2] * y + form[3] * py + form[4]))
        + px * (form[6] * px + 2.0 * (form[7] * y + form[8] * py + form[9]))
        + y * (form[12] * y + 2.0 * (form[13] * py + form[14]))
        + py * (form[18] * py + 2.0 * form[19])
        + form[24]
    )
