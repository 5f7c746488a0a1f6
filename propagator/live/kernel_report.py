"""Layout of a kernel's report, and its outcomes."""

#: Places in a report: outcome, steps of the search, its last change [m, rad], 2 cos(mu) of both modes, their
#: discriminant, path of the turn less the ring's length [m], largest orbit [m], the path's momentum derivative [m],
#: and the momentum deviation.
STATUS, ITERATIONS, CHANGE, TRACE_1, TRACE_2, DISCRIMINANT, LENGTHENING, WORST, PATH_SLOPE, MOMENTUM = range(10)
REPORT = 10

#: Outcomes of the search for an orbit. MOVED: the maps must be rebuilt at another momentum deviation.
FOUND, NOT_CONVERGED, LOST, NO_FIXED_POINT, MOVED = range(5)

#: Verdicts on the modes; a status of UNSTABLE plus a verdict means an orbit without a stable beam.
STABLE, UNSTABLE_1, UNSTABLE_2, UNSTABLE_BOTH, UNSTABLE_SUM = range(5)
UNSTABLE = 10
