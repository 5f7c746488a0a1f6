"""True lattices: the same settings with true fields, and a beam that is pyAT's with the same errors."""

from typing import Any

import at
import numpy as np
import pytest

from gnomon.fault_injection.errors import ErrorSizes, MachineErrors, TrueLattices, draw_errors
from gnomon.lattice import Lattice, MachineDocument, Ring
from gnomon.propagator import Propagator
from unit.fault_injection.errors.machines import BESSY, MLS, SIZES, SMALL
from unit.propagator.pyat_oracle import TIGHT, pyat_element

RINGS = pytest.mark.parametrize("document", [BESSY, MLS], ids=["bessy2", "mls"])


def steered(ring: Ring) -> Lattice:
    """Some state that an operator may have set: steerers, a quadrupole, a strength, and an offset."""
    kicks = [magnet for magnet in ring.magnets if magnet.main == "kick"]
    changes = {(m.supply, "current"): 0.05 * (-1) ** n for n, m in enumerate(kicks[::3])}
    first = next(magnet for magnet in ring.magnets if magnet.main == "k1")
    changes[first.supply, "current"] = 1.001 * ring.nominal[first.supply, "current"]
    last = [magnet for magnet in ring.magnets if magnet.main == "k1"][-1]
    changes[last.name, "k1"] = 0.999 * ring.nominal[last.name, "k1"]
    changes[last.name, "dx"] = 2e-5
    return ring.nominal.updated(changes)


def pyat_with_errors(lattice: Lattice, errors: MachineErrors) -> Any:
    """The ideal lattice in pyAT, to whose elements the same errors are given by pyAT's means."""
    ring = lattice.ring
    girder = {b.name: g.name for g in errors.girders for b in g.bodies}
    name_of = {i: b.name for g in errors.girders for b in g.bodies for i in b.elements}
    elements = []
    for i, ideal in enumerate(lattice.element(i) for i in range(len(ring.elements))):
        body = name_of.get(i)
        if body is None:
            elements.append(pyat_element(ideal))
            continue
        dx, dy, roll = ideal.dx, ideal.dy, ideal.roll  # type: ignore[attr-defined]
        made = pyat_element(ring.elements[i])
        made.PolynomA, made.PolynomB = list(ideal.a), list(ideal.b)  # type: ignore[attr-defined]
        for order, kind in enumerate(("quadrupole_gradient", "sextupole_strength", "octupole_strength"), 1):
            made.PolynomA[order] *= 1.0 + errors.get(kind, body)
            made.PolynomB[order] *= 1.0 + errors.get(kind, body)
        if isinstance(made, at.Dipole):
            made.PolynomB[0] += errors.get("dipole_field", body) * made.BendingAngle / made.Length
        kicks = np.zeros(2)
        for number in ring.magnets_on.get(i, ()):
            magnet = ring.magnets[number]
            if magnet.main == "kick":
                roll_of_coil = errors.get("corrector_roll", magnet.name)
                strength = lattice.strength(magnet) * (1.0 + errors.get("corrector_gain", magnet.name))
                across = np.array([np.cos(roll_of_coil), np.sin(roll_of_coil)])
                horizontal = magnet.column == 8  # kick_x
                kicks += strength * (across if horizontal else np.array([-across[1], across[0]]))
        made.KickAngle = kicks
        moved = {
            "dx": dx + errors.get("magnet_x", body) + errors.get("girder_x", girder[body]),
            "dy": dy + errors.get("magnet_y", body) + errors.get("girder_y", girder[body]),
            "tilt": roll + errors.get("magnet_roll", body) + errors.get("girder_roll", girder[body]),
        }
        at.transform_elem(made, **moved)
        elements.append(made)
    return at.Lattice(elements, energy=ring.energy_ev, periodicity=1)


@RINGS
def test_orbit_and_tunes_are_pyat_s_with_the_same_errors(document: MachineDocument) -> None:
    ring = Ring(document)
    errors = draw_errors(document, 3, SIZES)
    true = TrueLattices(ring, errors)
    lattice = steered(ring)
    beam = Propagator(true.ring)(true(lattice))
    assert beam.found
    theirs = pyat_with_errors(lattice, errors)
    start, orbit = theirs.find_orbit4(dp=beam.delta, refpts=range(len(theirs) + 1), **TIGHT)
    assert np.abs(beam.orbit[:, [0, 2]]).max() > 1e-3
    assert np.abs(beam.orbit - orbit[:, :4]).max() < 2e-9
    _, found, _ = at.linopt6(theirs, dp=beam.delta, orbit=start)
    assert np.abs(beam.tune % 1.0 - found.tune).max() < 2e-6


@pytest.mark.parametrize("document", [BESSY, MLS, SMALL], ids=["bessy2", "mls", "small"])
def test_without_errors_each_lattice_is_itself(document: MachineDocument) -> None:
    ring = Ring(document)
    true = TrueLattices(ring, draw_errors(document, 1, ErrorSizes()))
    assert true(ring.nominal).id == ring.nominal.id
    if document is not SMALL:
        assert true(steered(ring)).id == steered(ring).id


@RINGS
def test_fields_are_the_ideal_ones_times_their_factor_whatever_was_set(document: MachineDocument) -> None:
    ring = Ring(document)
    errors = draw_errors(document, 3, SIZES)
    true = TrueLattices(ring, errors)
    magnet = next(m for m in ring.magnets if m.main == "k1")
    factor = 1.0 + errors.get("quadrupole_gradient", magnet.name)
    nominal = ring.nominal
    for change in (
        {(magnet.supply, "current"): 0.99 * nominal[magnet.supply, "current"]},
        {(magnet.name, "k1"): 1.01 * nominal[magnet.name, "k1"]},
        {(magnet.name, "hw2phys"): 1.02 * nominal[magnet.name, "hw2phys"]},
        {("ring", "energy"): 0.98 * nominal["ring", "energy"]},
    ):
        lattice = nominal.updated(change)
        theirs = true(lattice)
        assert theirs[magnet.name, "k1"] == pytest.approx(factor * lattice[magnet.name, "k1"], rel=1e-12)
        assert theirs.rf_frequency == lattice.rf_frequency
