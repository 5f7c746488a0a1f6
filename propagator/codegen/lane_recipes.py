"""The passes of tracking: which physics each runs, and which of its parameters are numbers and which are zero."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate

from gnomon.propagator.codegen.lane_emitter import PassWriter
from gnomon.propagator.codegen.lane_recording import LaneRecording
from gnomon.propagator.codegen.recorded_numbers import Level, Recorded, Value
from gnomon.propagator.physics.element_physics import Parameters, accelerate, body, drift, edge, steer
from gnomon.propagator.physics.integrators import Integrator
from gnomon.propagator.physics.phase_space import PhaseSpace

#: Recorded inputs by name.
Inputs = Mapping[str, Recorded]


@dataclass(frozen=True)
class LanePass:
    """A pass: its arguments besides the block `s`, with their types, and its physics.

    `sources` are the inputs that an argument holds, with the expressions that take them out. A pass is `split` into a
    loop for each kick if it has so many fields that their numbers do not stay in registers for three.
    """

    name: str
    meaning: str
    arguments: Mapping[str, str]
    physics: Callable[[PhaseSpace, Inputs], PhaseSpace]
    sources: Mapping[str, str] = field(default_factory=dict)
    split: bool = False

    def source(self, regroup: bool = True) -> str:
        """Return the pass as a Python function."""
        recording = LaneRecording(self.split)
        names = (*self.arguments, *self.sources, *CONSTANTS)
        inputs = {name: recording.tape.input(name) for name in names}
        parts = recording.parts(lambda ray: self.physics(ray, inputs), regroup)
        arguments = ", ".join(f"{name}: {kind}" for name, kind in self.arguments.items())
        lines = [f'"""{self.meaning}"""', *PassWriter(parts, self.sources).body()]
        return "\n".join([f"def {self.name}({arguments}, s: Floats) -> None:", *(f"    {line}" for line in lines)])


#: Fractions of a slice, which the source names.
CONSTANTS = ("DRIFT_OUTER", "DRIFT_INNER", "KICK_OUTER", "KICK_INNER")

#: Coefficients of z^3, z^5, z^7 and z^9 in tan(z).
TANGENT_SERIES = (1.0 / 3.0, 2.0 / 15.0, 17.0 / 315.0, 62.0 / 2835.0)

#: A multipole's fields as the array `f`.
FIELDS = {name: f"f[{place}]" for place, name in enumerate(("b1", "b2", "b3", "b4", "a1", "a2", "a3", "a4"))}


def magnet(v: Inputs, length: Value) -> Parameters:
    """Return the parameters of a magnet; b1 and a1 include the coils, fields that are not among the inputs are 0."""
    b, a = (tuple(v.get(f"{kind}{order}", 0.0) for order in range(1, 5)) for kind in "ba")
    outer, inner = v["DRIFT_OUTER"], v["DRIFT_INNER"]
    integrator = Integrator((outer, inner, inner, outer), (v["KICK_OUTER"], v["KICK_INNER"], v["KICK_OUTER"]))
    return Parameters(length=length, slices=v.get("slices"), b=b, a=a, kick_x=0.0, kick_y=0.0, integrator=integrator)


def straight(ray: PhaseSpace, v: Inputs) -> PhaseSpace:
    """Pass a straight magnet."""
    return body(ray, magnet(v, v["length"]))


def sextupole(ray: PhaseSpace, v: Inputs) -> PhaseSpace:
    """Pass a sextupole whose dipole terms are written relative to b3, so that they cost no operation of their own."""
    square, product = v["b1"] / v["b3"], 0.5 * (v["a1"] / v["b3"])
    relative = {"b1": v["b3"] * square, "a1": v["b3"] * (2.0 * product)}
    return straight(ray, {**v, **relative})


def bent(ray: PhaseSpace, v: Inputs) -> PhaseSpace:
    """Pass a bend without its edges."""
    return body(ray, magnet(v, v["length"]), v["curvature"])


def soft_edge(ray: PhaseSpace, v: Inputs) -> PhaseSpace:
    """Pass a bend's edge with a gap."""
    return edge(ray, v["curvature"], v["angle"], v["gap"], v["fint"])


def near_edge(ray: PhaseSpace, v: Inputs) -> PhaseSpace:
    """Pass a bend's edge with a gap whose correction is small: its tangent needs no function."""
    ray.x.tape.functions["tan"] = near_tangent
    return soft_edge(ray, v)


def near_tangent(angle: Recorded) -> Value:
    """Return the tangent of u - psi w, psi w small and u and psi the same for all particles, from t = tan(psi w).

    t comes from its series, whose coefficients are those of all particles.
    """
    tape = angle.tape
    if angle.level < Level.PARTICLE:
        return tape.record("tan", angle)
    u, z = angle.operands
    psi, w = z.operands
    tangent, q, square = tape.record("tan", u), psi * psi, w * w
    powers = accumulate([q] * len(TANGENT_SERIES), lambda a, b: a * b)
    series = [power * coefficient for power, coefficient in zip(powers, TANGENT_SERIES, strict=True)]
    t = psi * w * (1.0 + square * reduce(lambda higher, lower: lower + square * higher, reversed(series)))
    return (tangent - t) / (1.0 + tangent * t)


MAGNET = {"length": "float", "slices": "int"}
EDGE = dict.fromkeys(("curvature", "angle", "gap", "fint"), "float")


def numbers(*names: str) -> dict[str, str]:
    """Return arguments that are floats."""
    return dict.fromkeys(names, "float")


PASSES = (
    LanePass("drift", "Drift by a length [m].", numbers("length"), lambda ray, v: drift(ray, v["length"])),
    LanePass("quadrupole", "Pass a quadrupole: only b2 [1/m^2].", MAGNET | numbers("b2"), straight),
    LanePass("coupled", "Pass a quadrupole with a skew term: b2, a2 [1/m^2].", MAGNET | numbers("b2", "a2"), straight),
    LanePass(
        "sextupole",
        "Pass a sextupole: b3 [1/m^3], and dipole terms [1/m] that are not far above it.",
        MAGNET | numbers("b1", "a1", "b3"),
        sextupole,
    ),
    LanePass(
        "linear",
        "Pass a straight or bent magnet with dipole [1/m] and quadrupole terms [1/m^2].",
        MAGNET | numbers("b1", "a1", "b2", "a2", "curvature"),
        bent,
    ),
    LanePass(
        "general",
        "Pass a straight or bent magnet with any terms `f`: b1 to b4 and a1 to a4.",
        MAGNET | numbers("curvature") | {"f": "Floats"},
        bent,
        FIELDS,
        split=True,
    ),
    LanePass("thin", "Pass a thin magnet; `f` are b1 to b4 and a1 to a4, integrated.", {"f": "Floats"},
             lambda ray, v: body(ray, magnet(v, 0.0)), FIELDS),
    LanePass("hard_edge", "Pass a bend's edge without a gap.", numbers("curvature", "angle"),
             lambda ray, v: edge(ray, v["curvature"], v["angle"], 0.0, 0.0)),
    LanePass("soft_edge", "Pass a bend's edge.", EDGE, soft_edge),
    LanePass("near_edge", "Pass a bend's edge with a gap that turns it by a small angle.", EDGE, near_edge),
    LanePass(
        "corrector",
        "Pass a steerer [rad] whose field is spread over its length [m].",
        numbers("length", "kick_x", "kick_y"),
        lambda ray, v: steer(ray, Parameters(**v)),
    ),
    LanePass(
        "accelerate",
        "Apply a cavity's kick: voltage over the beam's energy, wave number [1/m] and delay [m] of its wave.",
        numbers("voltage", "wave", "late"),
        lambda ray, v: accelerate(ray, v["voltage"], v["wave"], v["late"]),
    ),
)  # fmt: skip
