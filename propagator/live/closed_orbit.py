"""The closed orbit by multiple shooting.

The unknowns are the coordinates at the body of every nonlinear element. All of them are linearised about their points
at once; the turn is then a chain of affine maps, whose fixed point gives the new points (Newton's method). Starting
from the last orbit is all that a warm start needs.
"""

from gnomon.propagator.compiled import Floats, Integers, compiled
from gnomon.propagator.live.affine import compose, copy, set_identity, solve_fixed_point
from gnomon.propagator.live.nonlinear import linearise
from gnomon.propagator.live.report import FOUND, LOST, NO_FIXED_POINT, NOT_CONVERGED

#: No particle survives this far out [m].
FAR = 10.0

#: Reach of a step that is as long as it wants, and of one that must not leave the neighbourhood [m, rad].
FREE, CAUTIOUS = 1e9, 5e-3

#: Steps of Newton's method before it is given up.
ITERATIONS = 30

#: Largest change [m, rad] at which the orbit counts as found, and below which a change that no longer shrinks does.
TOLERANCE, FLOOR = 1e-13, 1e-11

#: Change [m, rad] that is foreseen for the step that is left out, and a change that no ring's next one leaves larger.
CERTAIN, QUICK = 1e-15, 1e-9


@compiled
def close_orbit(
    coefficients: Floats,
    group_slices: Integers,
    lanes: Integers,
    segments: Floats,
    delta: float,
    points: Floats,
    bodies: Floats,
    reached: Floats,
    turn: Floats,
    start: Floats,
    state: Floats,
    reach: float,
    touching: bool,
    exact: bool,
    report: Floats,
) -> int:
    """Find the closed orbit; returns one of `report`'s outcomes.

    `segments` (k+1, 20) are the maps between the k nonlinear elements. `points` (k, 4) holds the guess and then the
    orbit, `bodies` (k, 20) the linearised elements, `turn` (20) the map of the turn from the ring's start, `start` (4)
    the orbit there. `reached` (k, 20) and `state` are room to work. No step moves a point by more than `reach`
    [m, rad]. When `bodies` are still `touching` the elements near the guess, the first step does without new ones.
    When `exact`, the bodies and the turn are those about the orbit itself; else the search ends, one step earlier, when
    the last two changes say that the next, which shrinks with the square, would be below `CERTAIN`, or one is `QUICK`.
    `report` gets iterations and the last change.
    """
    count = points.shape[0]
    last = 1e300
    for iteration in range(1, ITERATIONS + 1):
        if iteration > 1 or not touching:
            linearise(coefficients, group_slices, lanes, delta, points, state, bodies)
        work = state[0:20]
        set_identity(turn)
        for k in range(count):
            compose(segments[k], turn, reached[k])
            compose(bodies[k], reached[k], turn)
        compose(segments[count], turn, work)
        copy(work, turn)
        report[0] = iteration
        if not solve_fixed_point(turn, start):
            for i in range(20):
                if not abs(turn[i]) < 1e300:
                    return LOST
            return NO_FIXED_POINT
        change = 0.0
        size = max(max(abs(start[0]), abs(start[1])), max(abs(start[2]), abs(start[3])))
        for k in range(count):
            for row in range(4):
                value = reached[k, 5 * row + 4]
                for column in range(4):
                    value += reached[k, 5 * row + column] * start[column]
                difference = abs(value - points[k, row])
                if not difference < 1e300:
                    return LOST
                change = max(change, difference)
                size = max(size, abs(value))
                reached[k, row] = value  # over a row of the map that has been used
        report[1] = change
        share = 1.0 if change <= reach else reach / change
        for k in range(count):
            for row in range(4):
                points[k, row] += share * (reached[k, row] - points[k, row])
        if not size < FAR and reach > FAR:
            return LOST
        if change < TOLERANCE or (change < FLOOR and change > 0.5 * last):
            return FOUND
        if not exact and change < QUICK:
            return FOUND
        if not exact and change < 0.1 * last < reach and change * change * change < CERTAIN * last * last:
            return FOUND
        last = change
    return NOT_CONVERGED
