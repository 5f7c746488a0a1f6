"""A propagator without optics finds the same orbit, from a warm start as from a cold one."""

import numpy as np

from gnomon.lattice import Ring
from gnomon.propagator import Propagator
from unit.propagator.errors import with_errors


def test_orbit_alone_is_the_orbit_of_the_full_answer(bessy2: Ring) -> None:
    full, alone = Propagator(bessy2, chromatic=False), Propagator(bessy2, optics=False)
    corrector = next(m.name for m in bessy2.magnets if m.main == "kick")
    lattice = with_errors(bessy2.nominal)
    for step in (0.0, 1e-6, 1e-5, 1e-4, -3e-4):
        changed = lattice.updated({(corrector, "kick"): lattice[corrector, "kick"] + step})
        ours, theirs = alone(changed), full(changed)
        assert ours.found
        assert np.abs(ours.orbit - theirs.orbit).max() < 1e-13
        assert np.isnan(ours.tune).all()


def test_no_orbit_has_the_same_reason(bessy2: Ring) -> None:
    broken = bessy2.nominal.updated({("Q1M1D1R", "k1"): 3.6})
    ours, theirs = Propagator(bessy2, optics=False)(broken), Propagator(bessy2)(broken)
    assert not ours.found
    assert ours.reason == theirs.reason
