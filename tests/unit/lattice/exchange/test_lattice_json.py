"""LatticeJSON: all three versions, and what of it is refused by name."""

import json
import math
from pathlib import Path
from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice.exchange import ExchangeError, RefusedLattice
from gnomon.lattice.exchange.slicing import choose_slices
from unit.lattice.exchange.rings import imported, turn_of
from unit.propagator.pyat_oracle import turn_matrix

ELEMENTS: dict[str, Any] = {
    "QF": ["Quadrupole", {"length": 0.3, "k1": 2.1, "info": "focusing"}],
    "QD": ["Quadrupole", {"length": 0.3, "k1": -1.8}],
    "B": ["Dipole", {"length": 1.1, "angle": math.pi / 8, "e1": 0.1, "e2": 0.05}],
    "SF": ["Sextupole", {"length": 0.15, "k2": 4.0}],
    "D": ["Drift", {"length": 0.6}],
    "C": ["Cavity", {"length": 0.0, "voltage": 5e5, "frequency": 5e8}],
}
CELL = ["QF", "D", "B", "SF", "D", "QD", "D", "B", "D"]
TWO: dict[str, Any] = {
    "version": "2.0",
    "title": "small",
    "energy": 1.7,
    "root": "RING",
    "elements": ELEMENTS,
    "lattices": {"CELL": CELL, "RING": [*["CELL"] * 8, "C"]},
}


def read(folder: Path, data: Any, **options: Any) -> Any:
    """The ring of a document."""
    file = folder / "ring.json"
    file.write_text(json.dumps(data))
    return imported(file, "lattice-json", **options)


def test_an_imported_ring_agrees_with_pyat(tmp_path: Path) -> None:
    bend = at.Dipole("B", 1.1, np.pi / 8, EntranceAngle=0.1, ExitAngle=0.05, PassMethod="BndMPoleSymplectic4Pass",
                     NumIntSteps=choose_slices({"length": 1.1, "k1": 0.0, "angle": np.pi / 8}))  # fmt: skip
    qf = at.Quadrupole("QF", 0.3, 2.1, NumIntSteps=choose_slices({"length": 0.3, "k1": 2.1}))
    qd = at.Quadrupole("QD", 0.3, -1.8, NumIntSteps=choose_slices({"length": 0.3, "k1": -1.8}))
    d = at.Drift("D", 0.6)
    expected = at.Lattice([qf, d, bend, at.Sextupole("SF", 0.15, 2.0), d, qd, d, bend, d] * 8, energy=1.7e9)
    ring = read(tmp_path, TWO)
    np.testing.assert_allclose(turn_of(ring)[1], turn_matrix(expected, np.zeros(6)), atol=1e-9)
    assert (ring.energy_ev, ring.harmonic_number) == (1.7e9, round(5e8 * ring.circumference / 299792458.0))


def test_older_versions_are_the_same_ring(tmp_path: Path) -> None:
    one = {"name": "small", "elements": ELEMENTS, "sub_lattices": {"CELL": CELL}, "lattice": [*["CELL"] * 8, "C"]}
    zero = one | {"elements": {name: {"type": kind} | given for name, (kind, given) in ELEMENTS.items()}}
    for old in (one, zero):
        turn = turn_of(read(tmp_path, old, energy_ev=1.7e9))[1]
        np.testing.assert_allclose(turn, turn_of(read(tmp_path, TWO))[1], atol=1e-15)


def test_a_reversed_lattice_exchanges_the_ends_of_its_bends(tmp_path: Path) -> None:
    back = TWO | {"lattices": {"CELL": CELL, "RING": [*["-CELL"] * 8, "C"]}}
    bends = [e for e in read(tmp_path, back).elements if type(e).__name__ == "Bend"]
    assert {(b.entrance_angle, b.exit_angle) for b in bends} == {(0.05, 0.1)}


def test_a_radius_stands_for_an_angle(tmp_path: Path) -> None:
    given = {"length": 1.1, "radius": 1.1 / (math.pi / 8), "e1": 0.1, "e2": 0.05}
    same = TWO | {"elements": ELEMENTS | {"B": ["Dipole", given]}}
    np.testing.assert_allclose(turn_of(read(tmp_path, same))[1], turn_of(read(tmp_path, TWO))[1], atol=1e-14)


@pytest.mark.parametrize(
    ("element", "said"),
    [
        (["Dipole", {"length": 0.15, "tilt": 0.1}], r"Dipole tilt: a bend that is moved or turned.*: SF \(element 4\)"),
        (["Dipole", {"length": 0.15, "h1": 0.1}], "Dipole h1: curved pole faces"),
        (["Dipole", {"length": 0.15, "angle": 0.1, "radius": 7}], "Dipole radius: does not fit"),
        (["Quadrupole", {"length": 0.15, "ds": 0.1}], "Quadrupole ds: "),
        (["Quadrupole", {"length": 0.15, "k2": 0.1}], "Quadrupole k2: is not an attribute"),
        (["Wiggler", {"length": 0.15}], "Wiggler: there is no such element here: SF"),
    ],
)
def test_an_element_without_counterpart_is_refused_by_name(element: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedLattice, match=said):
        read(tmp_path, TWO | {"elements": ELEMENTS | {"SF": element}})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"elements": 1}, "it has no object 'elements'"),
        ({"root": "RUNG"}, "no lattice 'RUNG': give --use; there are: CELL, RING"),
        ({"lattices": {"RING": ["CELL"]}}, "'CELL' is neither an element nor a lattice"),
        ({"lattices": {"RING": ["RING"]}}, "'RING' contains itself"),
        ({"lattices": {"RING": [1]}}, "'RING' is not a list of names"),
        ({"elements": ELEMENTS | {"D": ["Drift"]}}, "'D': it is not .type, attributes."),
        ({"elements": ELEMENTS | {"D": ["Drift", {"length": "long"}]}}, "'D': length: '\"long\"' is not a number"),
        ({"elements": ELEMENTS | {"D": ["Drift", {"length": True}]}}, "'D': length: 'true' is not a number"),
        ({"energy": "much"}, "energy: '\"much\"' is not a number"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_with_the_reason(change: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=said):
        read(tmp_path, TWO | change)
