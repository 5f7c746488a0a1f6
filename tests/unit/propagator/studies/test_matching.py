"""Matched settings are those that pyAT finds, bumps are closed in pyAT too, and limits hold."""

import at
import numpy as np
import pytest

from gnomon.lattice import Lattice, Ring
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import fed_by
from gnomon.propagator.studies import Bump, StudyError, Target, chosen_supplies, match, settings_of, study_match
from unit.propagator.errors import with_errors
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice


def silent(*_: object) -> None:
    pass


def elements_of(lattice: Lattice, supply: str) -> list[int]:
    return [m.element for m, _ in fed_by(lattice, supply)]


def test_tunes_are_matched_as_pyat_matches_them(bessy2: Ring) -> None:
    lattice, supplies = bessy2.nominal, ("Q1PDR", "Q2PDR")
    found = match(lattice, Target(tunes=(0.01, -0.005)), supplies, silent)
    assert found.reached
    assert found.after.tune - found.before.tune == pytest.approx([0.01, -0.005], abs=1e-6)
    ring = pyat_lattice(lattice)
    families = [np.array(elements_of(lattice, name)) for name in supplies]
    wanted = found.before.tune % 1.0 + np.array([0.01, -0.005])
    before = [ring[family[0]].PolynomB[1] for family in families]
    at.fit_tune(ring, *families, wanted, dp=None, niter=6)
    for move, family, strength in zip(found.moves, families, before, strict=True):
        slope = fed_by(lattice, move.supply)[0][1]
        theirs = (ring[family[0]].PolynomB[1] - strength) / slope
        assert move.after - move.before == pytest.approx(theirs, rel=1e-4)


def test_chromaticities_are_matched_as_pyat_matches_them(mls: Ring) -> None:
    lattice, supplies = mls.nominal, ("S1P1RP", "S2P1RP")
    found = match(lattice, Target(chromaticities=(0.2, 0.3)), supplies, silent)
    assert found.reached
    ring = pyat_lattice(found.lattice)
    there = at.linopt6(ring, get_chrom=True, **TIGHT)[1].chromaticity[:2]
    before = at.linopt6(pyat_lattice(lattice), get_chrom=True, **TIGHT)[1].chromaticity[:2]
    assert there - before == pytest.approx([0.2, 0.3], abs=5e-3)


def test_tunes_move_while_chromaticities_stay(mls: Ring) -> None:
    supplies = chosen_supplies(mls.nominal, ["Q1*", "Q3*", "S*"], Target(tunes=(0.0, 0.0)))
    found = match(mls.nominal, Target(tunes=(0.005, 0.0), chromaticities=(0.0, 0.0)), supplies, silent)
    assert found.reached
    assert found.after.tune - found.before.tune == pytest.approx([0.005, 0.0], abs=1e-6)
    assert found.after.chromaticity == pytest.approx(found.before.chromaticity, abs=1e-3)
    assert set(settings_of(found)) <= {(name, "current") for name in supplies}


@pytest.mark.parametrize(("x", "y"), [(1e-3, 0.0), (0.0, -0.5e-3), (0.5e-3, 0.5e-3)])
def test_a_bump_has_its_height_and_is_closed_in_pyat(bessy2: Ring, x: float, y: float) -> None:
    lattice = with_errors(bessy2.nominal)
    bpm = bessy2.bpms[40]
    target = Target(bump=Bump(bpm.name, x, y))
    supplies = chosen_supplies(lattice, [], target)
    assert len(supplies) == 8
    found = match(lattice, target, supplies, silent)
    assert found.reached
    delta = found.after.delta - found.before.delta
    orbits = []
    for each, beam in ((lattice, found.before), (found.lattice, found.after)):
        orbits.append(
            at.find_orbit4(pyat_lattice(each), dp=beam.delta, refpts=np.arange(len(bessy2.elements)), **TIGHT)[1]
        )
    change = (orbits[1] - orbits[0])[:, [0, 2]] - delta * found.before.dispersion[:-1, ::2]
    assert change[bpm.element] == pytest.approx([x, y], abs=2e-6)
    magnets = sorted(element for name in supplies for element in elements_of(lattice, name))
    assert magnets[0] < bpm.element < magnets[-1]
    outside = np.concatenate([change[: magnets[0]], change[magnets[-1] + 1 :]])
    assert np.abs(outside).max() < 2e-7


def test_a_bump_is_what_the_monitor_shows(mls: Ring) -> None:
    bpm = mls.bpms[3]
    lattice = mls.nominal.updated({(bpm.name, "gain_x"): 0.8})
    target = Target(bump=Bump(bpm.name, 1e-3, 0.0))
    found = match(lattice, target, chosen_supplies(lattice, [], target), silent)
    moved = found.after.orbit[bpm.element, 0] - found.before.orbit[bpm.element, 0]
    assert moved == pytest.approx(1e-3 / 0.8, rel=1e-4)


def test_supplies_stop_at_their_limits_and_the_residual_is_reported(mls: Ring) -> None:
    found = match(mls.nominal, Target(tunes=(0.45, 0.0)), ("Q1P1K1RP",), silent)
    assert not found.reached
    (move,) = found.moves
    assert move.low <= move.after <= move.high
    tunes = {row.name: row for row in found.rows}
    assert tunes["tune x"].found == pytest.approx(found.after.tune[0] - found.before.tune[0])
    assert Propagator(mls)(found.lattice).found


def test_a_match_shows_the_settings_before_and_after(mls: Ring) -> None:
    result = study_match(mls.nominal, "optics nominal", silent, Target(tunes=(0.002, 0.001)), ["Q1*", "Q2*"])
    assert bool(result.quantities["reached"].data)
    assert np.diff(result.quantities["tune"].data, axis=0)[0] == pytest.approx([0.002, 0.001], abs=1e-6)
    assert {f"{name} current" for name in result.names["supply"]} == set(result.names["setting"])


@pytest.mark.parametrize(
    ("patterns", "target", "words"),
    [
        (["Q9*"], Target(tunes=(0.0, 0.0)), r"no supply that feeds a magnet matches 'Q9\*'"),
        ([], Target(tunes=(0.0, 0.0)), "give the supplies to change with --with"),
        ([], Target(bump=Bump("BPM", 1e-3, 0.0)), "there is no monitor 'BPM'"),
    ],
)
def test_targets_and_supplies_that_cannot_be_matched_are_refused(
    mls: Ring, patterns: list[str], target: Target, words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        match(mls.nominal, target, chosen_supplies(mls.nominal, patterns, target), silent)
