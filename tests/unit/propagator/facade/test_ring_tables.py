"""Tables of a ring: what they list, in which units, and that their responses are those of pyAT, on the MLS."""

from collections.abc import Callable
from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice import Lattice, Ring
from gnomon.lattice.tables import UnknownNameError
from gnomon.propagator import Propagator
from gnomon.propagator.facade.ring_tables import (
    changes_table,
    chromaticity_table,
    devices_table,
    optics_table,
    orbit_table,
    orm_table,
    rf_response_table,
    settings_table,
    tune_table,
)
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice


@pytest.fixture(scope="module")
def steerer(mls: Ring) -> tuple[str, str, float]:
    """A horizontal steerer alone on its supply: supply, magnet, kick by current [rad/A]."""
    fed = [m.supply for m in mls.magnets]
    magnet = next(m for m in mls.magnets if m.main == "kick" and fed.count(m.supply) == 1 and m.name.startswith("H"))
    rings = [pyat_lattice(mls.nominal.updated({(magnet.supply, "current"): current})) for current in (0.0, 1.0)]
    kicks = [float(ring[magnet.element].KickAngle[0]) for ring in rings]
    return magnet.supply, magnet.name, kicks[1] - kicks[0]


def difference(
    lattice: Lattice, change: Callable[[Any, float], None], measure: Callable[[Any], Any], step: float
) -> Any:
    """The derivative of what pyAT measures, by a step in both directions."""
    found = []
    for sign in (1.0, -1.0):
        ring = pyat_lattice(lattice)
        change(ring, sign * step)
        found.append(np.asarray(measure(ring)))
    return (found[0] - found[1]) / (2.0 * step)


def orbit_at_monitors(ring: Ring) -> Callable[[Any], Any]:
    at_monitors = [bpm.element for bpm in ring.bpms]
    return lambda other: at.find_orbit4(other, dp=0.0, refpts=at_monitors, **TIGHT)[1][:, [0, 2]]


def test_settings_are_listed_with_limits_and_errors_only_where_there_are_some(mls: Ring) -> None:
    quiet = settings_table(mls.nominal)
    assert not [name for name in quiet if name.endswith((".dx", ".roll", ".gain_x", ".k1_trim"))]
    supply = next(s for s in mls.document.supplies if s.name == "Q1P1K1RP")
    row = quiet[supply.name]
    spec = mls.property_spec(supply.name, "current")
    assert (row.value, row.nominal, row.unit) == (pytest.approx(51.92001482), pytest.approx(51.92001482), "A")
    assert (row.low, row.high) == (spec.low, spec.high)
    moved = settings_table(mls.nominal.updated({("Q1M1K1RP", "dx"): 1e-4, (supply.name, "current"): 52.0}))
    assert set(moved) - set(quiet) == {"Q1M1K1RP.dx"}
    assert (moved["Q1M1K1RP.dx"].value, moved["Q1M1K1RP.dx"].unit) == (1e-4, "m")
    assert (moved[supply.name].value, moved[supply.name].nominal) == (52.0, row.nominal)


def test_changes_have_both_values_and_a_changed_strength_shows_as_its_trim(mls: Ring) -> None:
    before = mls.nominal
    after = before.updated({("Q1P1K1RP", "current"): 52.0, ("Q1M2K1RP", "k1"): before["Q1M2K1RP", "k1"] + 0.5})
    table = changes_table(before, after)
    assert table.title == "mls: 2 changed settings"
    assert (table["Q1P1K1RP"].before, table["Q1P1K1RP"].now) == (before["Q1P1K1RP", "current"], 52.0)
    # The new current moves the strength, too: the trim is the rest.
    strength = before.updated({("Q1P1K1RP", "current"): 52.0})["Q1M2K1RP", "k1"]
    assert table["Q1M2K1RP.k1_trim"].now == pytest.approx(before["Q1M2K1RP", "k1"] + 0.5 - strength, abs=1e-12)
    assert table["Q1M2K1RP.k1_trim"].unit == "1/m^2"
    assert len(changes_table(before, before)) == 0


def test_devices_say_what_they_are_where_they_stand_and_what_feeds_them(mls: Ring) -> None:
    found = devices_table(mls.nominal, ("Q1P1K1RP", "Q1M?K1RP", mls.bpms[0].name))
    magnet, supply, monitor = found["Q1M1K1RP"], found["Q1P1K1RP"], found[mls.bpms[0].name]
    assert (magnet.kind, supply.kind, monitor.kind) == ("quadrupole", "supply", "monitor")
    assert magnet.linked == "Q1P1K1RP"
    assert "Q1M1K1RP" in supply.linked
    assert magnet.s == pytest.approx(sum(e.length for e in mls.elements[: mls.index["Q1M1K1RP"]]))
    assert (magnet.property, magnet.unit, magnet.value) == ("k1", "1/m^2", mls.nominal["Q1M1K1RP", "k1"])
    assert (supply.property, supply.unit, supply.value) == ("current", "A", pytest.approx(51.92001482))
    assert np.isnan(supply.s)
    assert found.units == {"s": "m"}
    with pytest.raises(UnknownNameError, match="near names: Q1P1K1RP"):
        devices_table(mls.nominal, ("Q1P1K1RQ",))


def test_a_supply_of_many_magnets_names_two_and_counts_the_others(mls: Ring) -> None:
    fed = [m.supply for m in mls.magnets]
    supply = max(set(fed), key=fed.count)
    names = [m.name for m in mls.magnets if m.supply == supply]
    assert len(names) > 3
    (row,) = devices_table(mls.nominal, (supply,)).values()
    assert row.linked == f"{names[0]}, {names[1]} and {len(names) - 2} more"


def test_the_orbit_is_what_a_monitor_with_errors_shows_in_millimetres(mls: Ring) -> None:
    bpm = mls.bpms[2]
    errors = {"offset_x": 2e-4, "offset_y": -1e-4, "gain_x": 0.9, "gain_y": 1.1}
    lattice = mls.nominal.updated({(bpm.name, name): value for name, value in errors.items()})
    beam = Propagator(mls)(lattice)
    table = orbit_table(lattice, beam)
    assert table[bpm.name].x == pytest.approx(-0.9 * 0.2, abs=1e-9)
    assert table[bpm.name].y == pytest.approx(1.1 * 0.1, abs=1e-9)
    assert table.units == {"s": "m", "x": "mm", "y": "mm"}
    assert [row.s for row in table.values()] == [mls.s[each.element] for each in mls.bpms]


def test_optics_are_those_of_pyat_and_close_at_the_end_of_the_ring(mls: Ring, steerer: tuple[str, str, float]) -> None:
    lattice = mls.nominal.updated({(steerer[0], "current"): 0.5})
    beam = Propagator(mls)(lattice)
    table = optics_table(mls, beam)
    other = pyat_lattice(lattice)
    refpts = range(len(other) + 1)
    orbit = at.find_orbit4(other, dp=beam.delta, refpts=refpts, **TIGHT)[1]
    _, whole, optics = at.linopt6(other, refpts=refpts, dp=beam.delta)
    for plane, name in enumerate("xy"):
        assert np.allclose(table.columns[f"beta_{name}"], optics.beta[:, plane], rtol=1e-4)
        assert np.allclose(table.columns[f"alpha_{name}"], optics.alpha[:, plane], rtol=1e-4, atol=1e-4)
        assert np.allclose(table.columns[f"phase_{name}"], optics.mu[:, plane] / (2.0 * np.pi), atol=1e-5)
        assert table.columns[f"phase_{name}"][-1] % 1.0 == pytest.approx(whole.tune[plane], abs=1e-6)
    assert np.allclose(table.dispersion_x, optics.dispersion[:, 0], atol=1e-4)
    assert np.allclose(table.dispersion_px, optics.dispersion[:, 1], atol=1e-4)
    for k, name in enumerate(("x", "px", "y", "py")):
        assert np.allclose(table.columns[name], 1e3 * orbit[:, k], atol=1e-6)
    assert np.abs(table.x).max() > 0.1
    assert table.s[-1] == pytest.approx(mls.circumference)
    assert table["end"].beta_x == pytest.approx(table.beta_x[0])
    assert (table.units["beta_x"], table.units["x"], table.units["px"], table.units["phase_y"]) == (
        "m", "mm", "mrad", "turn",
    )  # fmt: skip
    assert "alpha_x" not in table.units


def test_the_response_to_a_steerer_is_that_of_pyat_by_kick_and_by_current(
    mls: Ring, steerer: tuple[str, str, float]
) -> None:
    supply, name, slope = steerer
    element = next(m.element for m in mls.magnets if m.name == name)

    def kick(ring: Any, step: float) -> None:
        ring[element].KickAngle = np.add(ring[element].KickAngle, [step, 0.0])

    expected = difference(mls.nominal, kick, orbit_at_monitors(mls), 1e-6)  # m/rad, which is mm/mrad
    by_kick = orm_table(mls.nominal, "magnet", "momentum").by(name)
    assert by_kick.units["x"] == "mm/mrad"
    assert np.abs(by_kick.x - expected[:, 0]).max() < 1e-4 * np.abs(expected).max()
    by_current = orm_table(mls.nominal, "supply", "momentum")
    assert by_current.unit == "mm/A"
    assert (
        np.abs(by_current.by(supply).x - 1e3 * slope * expected[:, 0]).max()
        < 1e-4 * 1e3 * abs(slope) * np.abs(expected).max()
    )
    held = orm_table(mls.nominal, "supply", "frequency").by(supply)
    assert np.abs(held.x - by_current.by(supply).x).max() > 1e-3 * np.abs(held.x).max()


def test_the_gain_of_a_monitor_is_in_its_responses(mls: Ring, steerer: tuple[str, str, float]) -> None:
    bpm = mls.bpms[1].name
    scaled = mls.nominal.updated({(bpm, "gain_x"): 0.5})
    for table in (
        lambda lattice: orm_table(lattice, "supply", "frequency").by(steerer[0]),
        lambda lattice: orm_table(lattice, "magnet", "momentum").by(steerer[1]),
        rf_response_table,
    ):
        with_gain, without = table(scaled)[bpm], table(mls.nominal)[bpm]
        assert with_gain.x == pytest.approx(0.5 * without.x, rel=1e-9)


def test_the_response_to_the_rf_frequency_is_that_of_pyat_in_millimetres_by_kilohertz(mls: Ring) -> None:
    lattice, at_monitors = mls.nominal, [bpm.element for bpm in mls.bpms]
    other, orbits = pyat_lattice(lattice), []
    for step_hz in (100.0, -100.0):
        path = (
            mls.harmonic_number * 299_792_458.0 * (1.0 / (lattice.rf_frequency + step_hz) - 1.0 / lattice.rf_frequency)
        )
        orbits.append(at.find_orbit4(other, dct=path, refpts=at_monitors, **TIGHT)[1][:, 0])
    expected = 1e3 * (orbits[0] - orbits[1]) / 0.2
    table = rf_response_table(lattice)
    assert table.units["x"] == "mm/kHz"
    assert np.abs(table.x - expected).max() < 1e-3 * np.abs(expected).max()


def test_responses_of_the_tunes_and_chromaticities_are_those_of_pyat(mls: Ring) -> None:
    def strengthen(element: int, order: int) -> Callable[[Any, float], None]:
        def change(ring: Any, step: float) -> None:
            ring[element].PolynomB[order] += step

        return change

    def tune(ring: Any) -> Any:
        return at.linopt6(ring, dp=0.0)[1].tune[:2]

    def chromaticity(ring: Any) -> Any:
        return at.linopt6(ring, dp=0.0, get_chrom=True)[1].chromaticity[:2]

    quadrupole = tune_table(mls.nominal, "magnet")["Q1M1K1RP"]
    expected = difference(mls.nominal, strengthen(mls.index["Q1M1K1RP"], 1), tune, 1e-4)
    assert (quadrupole.tune_x, quadrupole.tune_y) == pytest.approx(tuple(expected), rel=1e-3)
    assert quadrupole.units["tune_x"] == "m^2"
    sextupole, row = next(iter(chromaticity_table(mls.nominal).items()))
    expected = difference(mls.nominal, strengthen(mls.index[sextupole], 2), chromaticity, 1e-1)
    assert (row.chromaticity_x, row.chromaticity_y) == pytest.approx(tuple(expected), rel=1e-2)
    assert row.units["chromaticity_x"] == "m^3"
    assert abs(row.chromaticity_x) > 1e-3
    by_supply = tune_table(mls.nominal, "supply")["Q1P1K1RP"]
    assert (by_supply.tune_x, by_supply.tune_y) == pytest.approx(tuple(by_current(mls, "Q1P1K1RP")), rel=1e-3)
    assert by_supply.units["tune_x"] == "1/A"


def by_current(ring: Ring, supply: str) -> Any:
    """The change of pyAT's tunes by a current, in lattices of that current; the path length, here zero, is held."""
    step, found = 1e-3, []
    for sign in (1.0, -1.0):
        current = ring.nominal[supply, "current"] + sign * step
        other = pyat_lattice(ring.nominal.updated({(supply, "current"): current}))
        found.append(np.asarray(at.linopt6(other, dp=0.0)[1].tune[:2]))
    return (found[0] - found[1]) / (2.0 * step)
