"""Generated modules are what the generator writes, and each pass does what its description does."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gnomon.propagator
from gnomon.propagator.codegen.codegen_error import CodegenError
from gnomon.propagator.codegen.generated_modules import MODULES
from gnomon.propagator.codegen.lane_recipes import PASSES, LanePass, straight
from gnomon.propagator.ensembles import lane_passes
from gnomon.propagator.ensembles.lanes import LANES, ROWS
from gnomon.propagator.live import affine_maps
from gnomon.propagator.physics.integrators import YOSHIDA
from gnomon.propagator.physics.phase_space import PhaseSpace

FRACTIONS = {n: getattr(affine_maps, n) for n in ("DRIFT_OUTER", "DRIFT_INNER", "KICK_OUTER", "KICK_INNER")}
#: Values of the passes' arguments.
VALUES = {
    "length": 0.4, "slices": 3, "b1": 2e-3, "a1": -1e-3, "b2": 1.7, "a2": -0.2, "b3": 11.0, "a3": -3.0, "b4": 150.0,
    "a4": 80.0, "curvature": 0.23, "angle": 0.11, "gap": 0.05, "fint": 0.6, "kick_x": 2e-3, "kick_y": -1e-3,
    "voltage": 1e-3, "wave": 10.5, "late": 0.02,
}  # fmt: skip
FIELDS = [VALUES[name] for name in ("b1", "b2", "b3", "b4", "a1", "a2", "a3", "a4")]


def block() -> np.ndarray:
    """A block of particles with amplitudes of millimetres."""
    spread = np.array([3e-3, 5e-4, 3e-3, 5e-4, 2e-2, 1e-2])[:, None]
    rows = np.random.default_rng(4).normal(size=(6, LANES)) * spread
    return np.concatenate([rows.ravel(), 1.0 / (1.0 + rows[4])])


def arguments(one: LanePass) -> list[Any]:
    return [np.array(FIELDS) if name == "f" else VALUES[name] for name in one.arguments]


def described(one: LanePass, before: np.ndarray) -> np.ndarray:
    """The block after the description, particle by particle; a near edge is a soft one."""
    physics = next(p for p in PASSES if p.name == "soft_edge").physics if one.name == "near_edge" else one.physics
    inputs = {name: VALUES[name] for name in (*one.arguments, *one.sources) if name in VALUES} | FRACTIONS
    ends = [physics(PhaseSpace(*ray), inputs) for ray in before.reshape(ROWS, LANES)[:6].T.tolist()]
    rows: np.ndarray = np.array(ends).T
    return np.concatenate([rows.ravel(), 1.0 / (1.0 + rows[4])])


@pytest.mark.parametrize("name", MODULES)
def test_a_generated_module_has_not_drifted(name: str) -> None:
    kept = Path(gnomon.propagator.__path__[0], name).read_text(encoding="utf-8")
    assert kept == MODULES[name](), "python -m gnomon.propagator.codegen"


@pytest.mark.parametrize("one", PASSES, ids=lambda one: one.name)
def test_a_pass_is_its_description(one: LanePass) -> None:
    """As Python; compiled, all of them are compared with pyAT in test_tracking."""
    state = block()
    expected = described(one, state)
    getattr(lane_passes, one.name).py_func(*arguments(one), state)
    assert np.abs(state - expected).max() < 1e-17 + 2e-16 * np.abs(expected).max()
    assert not np.array_equal(state, block())


@pytest.mark.parametrize("one", [p for p in PASSES if p.name != "near_edge"], ids=lambda one: one.name)
def test_a_pass_that_is_not_regrouped_is_its_description_to_the_last_bit(one: LanePass) -> None:
    names = {name: LANES * row for row, name in enumerate(("X", "PX", "Y", "PY", "DELTA", "CT", "WEIGHT"))}
    scope: dict[str, Any] = {"math": math, "LANES": LANES, "Floats": np.ndarray, **names, **FRACTIONS}
    exec(PASSES[0].source(regroup=False), scope)  # drift, which passes of several slices begin with
    exec(one.source(regroup=False), scope)
    before = block()
    state = before.tolist()
    scope[one.name](*arguments(one), state)
    assert state == described(one, before).tolist()


def test_the_fractions_of_a_slice_are_those_of_the_description() -> None:
    outer, inner, strong, weak = FRACTIONS.values()
    assert YOSHIDA.drifts == pytest.approx((outer, inner, inner, outer), rel=1e-15)
    assert YOSHIDA.kicks == pytest.approx((strong, weak, strong), rel=1e-15)


def test_passes_of_slices_begin_with_the_pass_drift_if_that_is_what_they_do() -> None:
    arguments = {"length": "float", "slices": "int", "b2": "float"}
    assert "    drift(c_2, s)" in LanePass("plain", "Pass.", arguments, straight).source().splitlines()

    def shifted(ray: PhaseSpace, v: Any) -> PhaseSpace:
        return straight(ray._replace(px=ray.px + v["b2"]), v)

    source = LanePass("shifted", "Pass, after a kick.", arguments, shifted).source()
    assert "drift(" not in source
    assert source.count("for i in range(LANES):") == 2


def test_new_physics_in_a_slice_is_a_new_pass() -> None:
    """Whoever describes a kick has its pass; 1 / (1 + delta) is taken from the block."""

    def curious(ray: PhaseSpace, v: Any) -> PhaseSpace:
        return ray._replace(px=ray.px - v["strength"] * ray.x * ray.x * (1 / (1 + ray.delta)))

    one = LanePass("curious", "Apply a curious kick.", {"strength": "float"}, curious)
    assert one.source().splitlines()[2:] == [
        "    for i in range(LANES):",
        "        px = s[PX + i]",
        "        w = s[WEIGHT + i]",
        "        x = s[i]",
        "        s[PX + i] = px - strength * (w * x * x)",
    ]


def test_physics_that_changes_delta_within_slices_is_refused() -> None:
    def radiating(ray: PhaseSpace, v: Any) -> PhaseSpace:
        return straight(ray._replace(delta=ray.delta - ray.x), v)

    one = LanePass("radiating", "Lose momentum.", {"length": "float", "slices": "int"}, radiating)
    with pytest.raises(CodegenError, match="delta changes in or before a repeated stage"):
        one.source()
