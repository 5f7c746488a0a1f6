"""Every element does to an ensemble what pyAT's does, ct included."""

from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice.elements import Bend, Cavity, Drift, Element, Multipole, Octupole, Quadrupole, Sextupole
from gnomon.propagator.generic import PhaseSpace, Program, TpsSpace, propagate
from unit.propagator.pyat_oracle import pyat_element

MOVED: dict[str, Any] = {"dx": 3e-4, "dy": -2e-4, "roll": 5e-3}
BEND: dict[str, Any] = {
    "length": 1.0, "angle": 0.39, "entrance_angle": 0.1, "exit_angle": 0.25, "gap": 0.05, "fint_entrance": 0.5,
    "fint_exit": 0.4, "b": (1e-4, -0.2, 1.5, 3.0), "a": (2e-4, 0.01, 0.7, 0.0), "kick_y": 1e-4,
}  # fmt: skip
ELEMENTS: list[Element] = [
    Drift(name="drift", length=0.7),
    Quadrupole(name="quadrupole", length=0.3, b=(0.0, 1.9, 0.0, 0.0)),
    Quadrupole(name="moved quadrupole", length=0.3, b=(0.0, 1.9, 0.0, 0.0), a=(0.0, 0.01, 0.0, 0.0), **MOVED),
    Sextupole(name="sextupole", length=0.15, b=(0.0, 0.0, 30.0, 0.0), slices=7, kick_x=2e-4, kick_y=-1e-4),
    Octupole(name="moved octupole", length=0.1, b=(0.0, 0.0, 0.0, 5e3), **MOVED),
    Multipole(name="thin", a=(1e-5, 0.01, 0.2, 3.0), b=(2e-5, -0.01, 0.5, 5.0), kick_x=3e-5, kick_y=-4e-5),
    Bend(name="bend", **BEND),
    Bend(name="moved bend", **(BEND | MOVED)),
]


def ensemble(count: int = 50) -> np.ndarray:
    sizes = np.array([2e-3, 3e-4, 2e-3, 3e-4, 1e-2, 1e-2])
    return np.asfortranarray(sizes[:, None] * np.random.default_rng(3).normal(size=(6, count)))


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda e: e.name)
def test_an_ensemble_goes_through_an_element_as_in_pyat(element: Element) -> None:
    start = ensemble()
    ours = propagate(Program.of_elements([element]), PhaseSpace(*start))
    theirs = at.Lattice([pyat_element(element)], energy=1e9).track(start.copy(order="F"))[0].reshape(6, -1)
    assert np.abs(np.array(ours) - theirs).max() < 2e-16 + 1e-14 * np.abs(theirs).max()


def test_a_cavity_changes_the_momentum_as_in_pyat() -> None:
    start = ensemble()
    cavity = Cavity(name="cavity", length=0.3, voltage=1.5e6, frequency=5e8, harmonic_number=400)
    ours = propagate(Program.of_elements([cavity], energy_ev=1.7e9), PhaseSpace(*start))
    theirs = at.Lattice([at.RFCavity("cavity", 0.3, 1.5e6, 5e8, 400, 1.7e9)], energy=1.7e9, periodicity=1)
    theirs.enable_6d()
    out = theirs.track(start.copy(order="F"))[0].reshape(6, -1)
    assert np.abs(out[4] - start[4]).max() > 1e-5
    assert np.abs(np.array(ours) - out).max() < 1e-15
    off = propagate(Program.of_elements([cavity]), PhaseSpace(*start))
    assert np.array_equal(off.delta, start[4])


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda e: e.name)
def test_floats_arrays_and_series_agree_and_the_series_has_the_slopes(element: Element) -> None:
    program = Program.of_elements([element])
    point = ensemble(1)[:, 0]
    single = propagate(program, PhaseSpace(*point.tolist()))
    many = propagate(program, PhaseSpace(*np.repeat(point[:, None], 3, axis=1)))
    names = ("x", "px", "y", "py", "delta", "ct")
    space = TpsSpace(4, names)
    series = propagate(program, PhaseSpace(*(space.variable(n, v) for n, v in zip(names, point.tolist(), strict=True))))
    small = 1e-4 * np.array([1.0, -0.5, 0.7, 0.3, 2.0, 1.0])
    near = propagate(program, PhaseSpace(*(point + small).tolist()))
    assert np.abs(np.array(many) - np.array(single)[:, None]).max() < 1e-15
    assert np.abs([s.constant - v for s, v in zip(series, single, strict=True)]).max() < 1e-15
    # what the fourth order leaves out
    assert np.abs([s(small) - v for s, v in zip(series, near, strict=True)]).max() < 1e-13
