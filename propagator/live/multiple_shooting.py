"""The closed orbit by multiple shooting.

The unknowns are the coordinates at the body of every nonlinear element. All bodies are linearised about these points at
once; the turn is then a chain of affine maps, whose fixed point gives the new points (Newton's method). A warm start
needs nothing but the last orbit.
"""

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine_maps import CONSTANT, MAP, WIDTH, compose, copy, set_identity, solve_fixed_point
from gnomon.propagator.live.kernel_report import CHANGE, FOUND, ITERATIONS, LOST, NO_FIXED_POINT, NOT_CONVERGED
from gnomon.propagator.live.live_tables import LiveTables
from gnomon.propagator.live.nonlinear_bodies import linearise

#: Distance [m] at which a particle counts as lost.
FAR = 10.0

#: Maximum step [m, rad] of a search without limits, and of a cautious one that must stay in the neighbourhood.
FREE, CAUTIOUS = 1e9, 5e-3

#: Maximum number of steps of Newton's method.
MAX_ITERATIONS = 30

#: The orbit counts as found when a change [m, rad] is below TOLERANCE, or below FLOOR and no longer shrinking.
TOLERANCE, FLOOR = 1e-13, 1e-11

#: The last step is left out when its change [m, rad] is predicted to be below CERTAIN, or when the change before it was
#: below QUICK, which is small enough in any ring.
CERTAIN, QUICK = 1e-15, 1e-9


@compiled
def close_orbit(
    tables: LiveTables, slot: int, state: Floats, reach: float, bodies_valid: bool, exact: bool, report: Floats
) -> int:
    """Find one slot's closed orbit; return one of `kernel_report`'s outcomes.

    The slot's points hold the guess, and at the end the orbit. `state` is working space. No step moves a point by more
    than `reach` [m, rad]. If the slot's bodies are valid near the guess, the first step uses them as they are. If
    `exact`, the final bodies and turn are those about the orbit itself. Else the search ends one step earlier: when the
    last two changes predict that the next one, by quadratic convergence, would be below `CERTAIN`, or when a change is
    below `QUICK`. `report` gets the number of iterations and the last change.
    """
    segments, points, bodies = tables.segments[slot], tables.points[slot], tables.bodies[slot]
    turn, start, arrival_maps = tables.turns[slot], tables.starts[slot], tables.arrival_maps
    count = points.shape[0]
    last = 1e300
    for iteration in range(1, MAX_ITERATIONS + 1):
        if iteration > 1 or not bodies_valid:
            linearise(tables, slot, state)
        work = state[0:MAP]
        set_identity(turn)
        for k in range(count):
            compose(segments[k], turn, arrival_maps[k])
            compose(bodies[k], arrival_maps[k], turn)
        compose(segments[count], turn, work)
        copy(work, turn)
        report[ITERATIONS] = iteration
        if not solve_fixed_point(turn, start):
            for i in range(MAP):
                if not abs(turn[i]) < 1e300:
                    return LOST
            return NO_FIXED_POINT
        change = 0.0
        size = max(max(abs(start[0]), abs(start[1])), max(abs(start[2]), abs(start[3])))
        for k in range(count):
            for row in range(4):
                value = arrival_maps[k, WIDTH * row + CONSTANT]
                for column in range(4):
                    value += arrival_maps[k, WIDTH * row + column] * start[column]
                difference = abs(value - points[k, row])
                if not difference < 1e300:
                    return LOST
                change = max(change, difference)
                size = max(size, abs(value))
                arrival_maps[k, row] = value  # overwrites a row that is no longer needed
        report[CHANGE] = change
        share = 1.0 if change <= reach else reach / change
        for k in range(count):
            for row in range(4):
                points[k, row] += share * (arrival_maps[k, row] - points[k, row])
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
