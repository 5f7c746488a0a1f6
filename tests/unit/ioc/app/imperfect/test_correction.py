"""Correction of a true lattice by settings of the ideal one: orbit, tunes, limits of the steerers."""

from collections.abc import Callable

import numpy as np
import pytest

from gnomon.db import shipped_document
from gnomon.ioc.app.imperfect.correction import ORBIT_RMS_M, SHARE, TUNE, Corrector
from gnomon.lattice import Lattice, Ring
from gnomon.propagator import Propagator

MLS = Ring(shipped_document("mls"))
NOMINAL = Propagator(MLS)(MLS.nominal).tune


def kicked(size: float) -> Callable[[Lattice], Lattice]:
    """A machine that is off by offsets of its quadrupoles, and by the strength of one."""
    quadrupoles = [m.name for m in MLS.magnets if m.main == "k1"]

    def true(lattice: Lattice) -> Lattice:
        offsets = {(name, "dx"): size * (-1) ** (n // 3) for n, name in enumerate(quadrupoles)}
        offsets |= {(name, "dy"): 0.5 * size * (-1) ** (n // 2) for n, name in enumerate(quadrupoles)}
        return lattice.updated({**offsets, (quadrupoles[3], "k1"): 1.003 * lattice[quadrupoles[3], "k1"]})

    return true


def corrector(size: float) -> Corrector:
    return Corrector(kicked(size), Propagator(MLS), MLS.nominal, NOMINAL)


def test_orbit_and_tunes_are_corrected_and_stand_in_the_setpoints() -> None:
    one = corrector(1e-4)
    found = one.correct(MLS.nominal)
    beam = Propagator(MLS)(kicked(1e-4)(found.lattice))
    at = list(MLS.monitors)
    rms = [float(np.sqrt(np.mean(beam.orbit[at, column] ** 2))) for column in (0, 2)]
    assert found.reached
    assert found.rms_m == pytest.approx(rms, rel=1e-6)
    assert 0.1 * ORBIT_RMS_M < max(rms) <= ORBIT_RMS_M
    assert np.abs(beam.tune - NOMINAL).max() <= TUNE
    keys = [(supply.name, "current") for supply in MLS.document.supplies]
    changed = {key[0] for key in keys if found.lattice[key] != MLS.nominal[key]}
    assert changed <= {*one.steerers, *one.quadrupoles}
    assert len(one.steerers) == 28


def test_a_machine_that_is_right_already_stays_as_it_is() -> None:
    ideal = Corrector(lambda lattice: lattice, Propagator(MLS), MLS.nominal, NOMINAL)
    found = ideal.correct(MLS.nominal)
    assert found.lattice.id == MLS.nominal.id
    assert found.steps == 0


def test_steerers_stay_within_their_part_of_the_drive_limits() -> None:
    one = corrector(9e-4)
    found = one.correct(MLS.nominal)
    for name in one.steerers:
        spec = MLS.property_spec(name, "current")
        assert SHARE * spec.low <= found.lattice[name, "current"] <= SHARE * spec.high


def test_without_a_beam_nothing_is_changed_and_nothing_reached() -> None:
    def none(lattice: Lattice) -> Lattice:
        supplies = {m.supply for m in MLS.magnets if m.main == "k1"}
        return lattice.updated({(name, "current"): 0.0 for name in supplies})

    found = Corrector(none, Propagator(MLS), MLS.nominal, NOMINAL).correct(MLS.nominal)
    assert found.lattice.id == MLS.nominal.id
    assert not found.stored
    assert not found.reached
    assert not found.good_enough
