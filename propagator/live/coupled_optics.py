"""Coupled optics: of a turn in closed form, and along the ring.

The two normal modes come from the 2 x 2 blocks of the one-turn matrix (D. Edwards and L. Teng, IEEE Trans. Nucl. Sci.
20 (1973) 885). Their eigenvectors E give beta = |E_x|^2, alpha = -Re(E_x conj(E_p)) and the phase arg E_x of mode 1 in
x, and likewise of mode 2 in y (A. Wolski, Phys. Rev. ST Accel. Beams 9 (2006) 024001), as in pyAT's linopt6.
"""

import math
from collections.abc import Callable

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine_maps import (
    AFFINE,
    CONSTANT,
    CORRECTOR,
    DRIFT,
    LENGTH,
    NONLINEAR,
    OF_PX,
    OF_PY,
    OF_X,
    OF_Y,
    ROW_PX,
    ROW_PY,
    ROW_X,
    ROW_Y,
    WIDTH,
    apply_drift,
    compose,
    copy,
    multiply_row,
)
from gnomon.propagator.live.kernel_report import STABLE, UNSTABLE_1, UNSTABLE_2, UNSTABLE_BOTH, UNSTABLE_SUM
from gnomon.propagator.live.live_tables import LiveTables

#: Function that records columns at an index: in an orbit (n+1, 4), and in another array.
Recorder = Callable[[Floats, int, Floats, Floats], None]

#: First column of each mode's eigenvector: its real part, followed by the imaginary part.
MODE_1, MODE_2 = 0, 2


@compiled
def find_traces(turn: Floats, traces: Floats) -> int:
    """Write 2 cos(mu) of both modes and the discriminant; return the verdict on their stability.

    Without coupling, mode 1 is the one in x.
    """
    trace_x = turn[ROW_X + OF_X] + turn[ROW_PX + OF_PX]
    trace_y = turn[ROW_Y + OF_Y] + turn[ROW_PY + OF_PY]
    # H = B + adjoint(C) of the blocks (A B; C D)
    h00 = turn[ROW_X + OF_Y] + turn[ROW_PY + OF_PX]
    h01 = turn[ROW_X + OF_PY] - turn[ROW_Y + OF_PX]
    h10 = turn[ROW_PX + OF_Y] - turn[ROW_PY + OF_X]
    h11 = turn[ROW_PX + OF_PY] + turn[ROW_Y + OF_X]
    half = 0.5 * (trace_x - trace_y)
    discriminant = half * half + h00 * h11 - h01 * h10
    traces[2] = discriminant
    root = math.copysign(math.sqrt(discriminant), half) if discriminant > 0.0 else 0.0
    mean = 0.5 * (trace_x + trace_y)
    traces[0] = mean + root
    traces[1] = mean - root
    if discriminant < 0.0:
        return UNSTABLE_SUM
    good_1 = abs(traces[0]) < 2.0
    good_2 = abs(traces[1]) < 2.0
    if good_1 and good_2:
        return STABLE
    if good_2:
        return UNSTABLE_1
    return UNSTABLE_2 if good_1 else UNSTABLE_BOTH


@compiled
def find_mode(turn: Floats, mode: int, traces: Floats, vectors: Floats) -> float:
    """Write a stable mode's eigenvector to columns `2 * mode` and the next of `vectors` (20); return its mu [rad].

    Real and imaginary parts are normalised to an invariant of 1; mu lies between 0 and 2 pi.
    """
    own, other = traces[mode], traces[1 - mode]
    best, v0, v1, v2, v3 = -1.0, 0.0, 0.0, 0.0, 0.0
    for choice in range(2):
        column = 2 * mode + choice
        if abs(own - other) > 1e-12:
            # a column of T + inverse(T) - other, the projector on this mode; the inverse is -S T^t S
            partner, sign = column ^ 1, 1.0 if column & 1 == 0 else -1.0
            p0 = turn[ROW_X + column] + sign * turn[WIDTH * partner + OF_PX]
            p1 = turn[ROW_PX + column] - sign * turn[WIDTH * partner + OF_X]
            p2 = turn[ROW_Y + column] + sign * turn[WIDTH * partner + OF_PY]
            p3 = turn[ROW_PY + column] - sign * turn[WIDTH * partner + OF_Y]
        else:
            p0, p1, p2, p3 = 0.0, 0.0, 0.0, 0.0
        if column == 0:
            p0 += 1.0 if abs(own - other) <= 1e-12 else -other
        elif column == 1:
            p1 += 1.0 if abs(own - other) <= 1e-12 else -other
        elif column == 2:
            p2 += 1.0 if abs(own - other) <= 1e-12 else -other
        else:
            p3 += 1.0 if abs(own - other) <= 1e-12 else -other
        size = abs(p0) + abs(p1) + abs(p2) + abs(p3)
        if size > best:
            best, v0, v1, v2, v3 = size, p0, p1, p2, p3
    cosine = 0.5 * own
    sine = math.sqrt(1.0 - cosine * cosine)
    at = 2 * mode
    norm = 0.0
    for row in range(4):
        i = WIDTH * row
        v = v0 if row == 0 else v1 if row == 1 else v2 if row == 2 else v3
        vectors[i + at] = multiply_row(turn, i, v0, v1, v2, v3) - cosine * v
        vectors[i + at + 1] = sine * v
    for plane in range(2):
        i = 2 * WIDTH * plane + at
        norm += vectors[i] * vectors[i + WIDTH + 1] - vectors[i + 1] * vectors[i + WIDTH]
    scale = 1.0 / math.sqrt(abs(norm))
    for row in range(4):
        vectors[WIDTH * row + at] *= scale
        vectors[WIDTH * row + at + 1] *= scale if norm > 0.0 else -scale
    return math.acos(cosine) if norm > 0.0 else 2.0 * math.pi - math.acos(cosine)


@compiled
def record_beam(beam: Floats, index: int, orbit: Floats, vectors: Floats) -> None:
    """Write the orbit (n+1, 4) and the eigenvectors (8, n+1) at entry `index`."""
    for row in range(4):
        orbit[index, row] = beam[WIDTH * row + CONSTANT]
    for row in range(2):
        i, j = WIDTH * row, WIDTH * (row + 2)
        vectors[2 * row, index] = beam[i + MODE_1]
        vectors[2 * row + 1, index] = beam[i + MODE_1 + 1]
        vectors[2 * row + 4, index] = beam[j + MODE_2]
        vectors[2 * row + 5, index] = beam[j + MODE_2 + 1]


def walker(record: Recorder) -> Callable[[LiveTables, int, Floats, Floats, Floats, Floats], None]:
    """Make a compiled walk around the ring that calls `record` (compiled) at every entrance and at the end.

    A function that is made with its recorder can be cached; one that takes it as an argument cannot.
    """

    @compiled
    def walk(tables: LiveTables, slot: int, columns: Floats, work: Floats, orbit: Floats, out: Floats) -> None:
        """Carry five columns of coordinates, laid out as a map, around the ring; the last is an orbit."""
        kinds, ordinals, geometry, has_frame = tables.kinds, tables.ordinals, tables.geometry, tables.has_frame
        maps, inlets = tables.maps[slot], tables.inlets[slot]
        bodies, outlets = tables.bodies[slot], tables.outlets[slot]
        delta = tables.deltas[slot]
        for index in range(kinds.size):
            record(columns, index, orbit, out)
            kind = kinds[index]
            if kind == DRIFT:
                apply_drift(geometry[index, LENGTH] / (1.0 + delta), columns)
            elif kind in (AFFINE, CORRECTOR):
                compose(maps[index], columns, work)
                copy(work, columns)
            elif kind == NONLINEAR:
                k = ordinals[index]
                if has_frame[index]:
                    compose(inlets[index], columns, work)
                    copy(work, columns)
                compose(bodies[k], columns, work)
                copy(work, columns)
                if has_frame[index]:
                    compose(outlets[k], columns, work)
                    copy(work, columns)
        record(columns, kinds.size, orbit, out)

    return walk


#: Carry four columns of eigenvectors and the orbit around the ring, and record them.
walk_beam = walker(record_beam)


@compiled
def angle_of(y: float, x: float) -> float:
    """Return the angle of (x, y) in turns, -0.5 to 0.5; without branches, so that loops of it are vectorised.

    Range reduction and rational approximation are those of S. Moshier's Cephes library (atan), accurate to 2e-16.
    """
    ax, ay = abs(x), abs(y)
    steep, middle = ay > 2.414213562373095 * ax, ay > 0.66 * ax
    over = -ax if steep else (ay - ax if middle else ay)
    under = ay if steep else (ay + ax if middle else ax)
    begin = 0.5 * math.pi if steep else (0.25 * math.pi if middle else 0.0)
    t = over / under
    z = t * t
    top = z * (-8.750608600031904122785e-1) - 1.615753718733365076637e1
    top = (top * z - 7.500855792314704667340e1) * z - 1.228866684490136173410e2
    top = top * z - 6.485021904942025371773e1
    low = ((z + 2.485846490142306297962e1) * z + 1.650270098316988542046e2) * z + 4.328810604912902668951e2
    low = (low * z + 4.853903996359136964868e2) * z + 1.945506571482613964425e2
    angle = begin + (t * (z * top / low) + t)
    angle = math.pi - angle if x < 0.0 else angle
    return (-angle if y < 0.0 else angle) * (0.5 / math.pi)


@compiled
def count_turns(phase: Floats) -> None:
    """Make angles [turns] along the ring a continuous phase that starts at 0.

    From one place to the next it advances by less than three quarters of a turn, or, with coupling, goes back a little.
    """
    begin = before = phase[0]
    turns = 0.0
    for place in range(phase.size):
        now = phase[place]
        turns -= math.floor(now - before + 0.25)
        before = now
        phase[place] = now + turns - begin


@compiled
def evaluate_optics(vectors: Floats, beta: Floats, alpha: Floats, phase: Floats) -> None:
    """Compute beta, alpha and phase (2, m) of both modes from their eigenvectors (8, m): x, x', p, p' of each mode.

    The phase [turns] is that of `count_turns`.
    """
    count = vectors.shape[1]
    for mode in range(2):
        i = 4 * mode
        for place in range(count):
            x, x_imag, p, p_imag = (
                vectors[i, place], vectors[i + 1, place], vectors[i + 2, place], vectors[i + 3, place]
            )  # fmt: skip
            beta[mode, place] = x * x + x_imag * x_imag
            alpha[mode, place] = -(x * p + x_imag * p_imag)
            phase[mode, place] = angle_of(x_imag, x)
        count_turns(phase[mode])
