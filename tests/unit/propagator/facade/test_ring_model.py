"""`gnomon.ring`: its numbers are pyAT's and the propagator's, a ring never changes, and no beam says why."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import at
import matplotlib.image
import numpy as np
import pytest

import gnomon
from gnomon.lattice import LatticeError, RefusedValue, Ring
from gnomon.lattice.tables import UnknownNameError
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import orbit_response, supply_response
from gnomon.propagator.facade import NoBeamError, RingModel
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice

CHANGED = {"Q1PDR": 218.8, "HS4P1D1R": 0.1, "VS3P2D1R": -0.05, "Q4M2D1R.dy": 5e-5, "rf_frequency": 499_636.5}


@pytest.fixture(scope="module")
def nominal(bessy2: Ring) -> RingModel:
    return RingModel(bessy2.nominal)


@pytest.fixture(scope="module")
def changed(nominal: RingModel) -> RingModel:
    return nominal.set(CHANGED)


def test_importing_gnomon_loads_no_library() -> None:
    code = "import gnomon, sys; print({'numpy', 'numba', 'pydantic', 'asyncio'} & set(sys.modules), gnomon.ring)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("set() <function ring")


def test_a_changed_ring_agrees_with_pyat(changed: RingModel, bessy2: Ring) -> None:
    lattice = changed.lattice
    oracle = pyat_lattice(lattice)
    path = bessy2.harmonic_number * 299_792_458.0 / lattice.rf_frequency - bessy2.circumference
    start, orbit = at.find_orbit4(oracle, dct=path, refpts=range(len(oracle) + 1), **TIGHT)
    at_monitors = [bessy2.index[name] for name in changed.orbit]
    assert np.abs(changed.orbit.x - 1e3 * orbit[at_monitors, 0]).max() < 1e-7
    assert np.abs(changed.orbit.y - 1e3 * orbit[at_monitors, 2]).max() < 1e-7
    assert np.abs(changed.orbit.x).max() > 0.5
    assert changed.momentum_deviation == pytest.approx(start[4], abs=1e-10)
    _, whole, optics = at.linopt6(oracle, refpts=range(len(oracle) + 1), dp=start[4], orbit=start, get_chrom=True)
    assert np.abs(np.array(changed.tunes) % 1.0 - whole.tune[:2]).max() < 1e-6
    assert np.abs(np.array(changed.chromaticities) - whole.chromaticity[:2]).max() < 1e-2
    assert np.abs(changed.optics.beta_x / optics.beta[:, 0] - 1.0).max() < 1e-4
    assert np.abs(changed.optics.dispersion_x - optics.dispersion[:, 0]).max() < 1e-4


def test_numbers_are_the_propagators_to_the_last_bit(changed: RingModel, bessy2: Ring) -> None:
    beam = Propagator(bessy2)(changed.lattice)
    monitors = list(bessy2.monitors)
    assert np.array_equal(changed.orbit.x, 1e3 * beam.orbit[monitors, 0])
    assert np.array_equal(changed.orbit.y, 1e3 * beam.orbit[monitors, 2])
    assert np.array_equal(changed.optics.beta_y, beam.beta[:, 1])
    assert changed.tunes == tuple(beam.tune)
    assert changed.chromaticities == tuple(beam.chromaticity)


def test_results_do_not_depend_on_what_was_asked_before(nominal: RingModel) -> None:
    direct = nominal.set(CHANGED)
    around = nominal.set(Q1PDR=219.5, VS3P2D1R=0.2)
    assert around.has_beam
    again = around.set(CHANGED)
    assert again == direct
    assert np.array_equal(again.beam.orbit, direct.beam.orbit)


def test_a_ring_never_changes_and_remembers_what_was_set(nominal: RingModel, changed: RingModel) -> None:
    before = nominal.id
    other = nominal.set(HS4P1D1R=0.2)
    assert (nominal.id, nominal["HS4P1D1R"], len(nominal.changes)) == (before, 0.0, 0)
    assert other["HS4P1D1R"] == 0.2
    assert set(changed.changes) == set(CHANGED)
    assert changed.changes["Q1PDR"].now == 218.8
    assert changed.changes["Q1PDR"].unit == "A"
    assert other.set(HS4P1D1R=0.0) == nominal
    assert len({nominal, other, nominal.set(HS4P1D1R=0.2)}) == 2


def test_settings_show_value_unit_limits_and_only_errors_that_there_are(changed: RingModel) -> None:
    row = changed.settings["Q1PDR"]
    assert (row.value, row.unit, row.low) == (218.8, "A", 0.0)
    assert row.high > row.nominal
    assert "Q4M2D1R.dy" in changed.settings
    assert "Q4M2D1R.dx" not in changed.settings
    assert changed.settings["rf_frequency"].value == 499_636.5


def test_monitors_show_their_errors(nominal: RingModel) -> None:
    bumped = nominal.set(HS4P1D1R=0.1)
    wrong = bumped.set({"BPMZ6D1R.gain_x": 1.25, "BPMZ7D1R.offset_x": 1e-4})
    assert wrong.orbit["BPMZ6D1R"].x == pytest.approx(1.25 * bumped.orbit["BPMZ6D1R"].x, rel=1e-12)
    assert wrong.orbit["BPMZ7D1R"].x == pytest.approx(bumped.orbit["BPMZ7D1R"].x - 0.1, rel=1e-12)


def test_a_refused_setting_leaves_no_ring(nominal: RingModel) -> None:
    with pytest.raises(RefusedValue, match="outside the limits"):
        nominal.set(HS4P1D1R=0.1, Q1PDR=1e6)
    with pytest.raises(UnknownNameError, match="near names: Q1PDR"):
        nominal.set(Q1PDX=1.0)
    with pytest.raises(LatticeError, match="given twice"):
        nominal.set({"Q1PDR": 1.0}, Q1PDR=2.0)


def test_without_a_beam_every_result_says_why(nominal: RingModel) -> None:
    dark = nominal.set(Q1PDR=10.0)
    assert not dark.has_beam
    assert "no stable beam" in dark.reason
    for ask in (
        lambda: dark.orbit, lambda: dark.optics, lambda: dark.tunes, lambda: dark.chromaticities, dark.orm,
        dark.tune_response, lambda: dark.rf_response, lambda: dark.radiation, dark.plot,
    ):  # fmt: skip
        with pytest.raises(NoBeamError, match="bessy2: no beam: no stable beam: modes 1"):
            ask()
    assert "no stable beam" in repr(dark)
    assert "no stable beam" in dark._repr_html_()


def test_devices_are_found_with_what_they_are_and_what_they_are_linked_to(nominal: RingModel) -> None:
    found = nominal.find("HS4*1D1R", "Q1M1D1R", "BPMZ6D1R")
    assert {name: row.kind for name, row in found.items()} == {
        "HS4P1D1R": "supply", "HS4M1D1R": "steerer", "Q1M1D1R": "quadrupole", "BPMZ6D1R": "monitor"
    }  # fmt: skip
    assert (found["HS4M1D1R"].linked, found["HS4P1D1R"].linked) == ("HS4P1D1R", "HS4M1D1R")
    assert (found["Q1M1D1R"].property, found["Q1M1D1R"].unit) == ("k1", "1/m^2")
    with pytest.raises(UnknownNameError, match="near names: BPMZ6D1R"):
        nominal.find("BPMZ66D1R")


def test_the_orm_by_supply_predicts_small_steps_in_millimetres(nominal: RingModel) -> None:
    base, step = nominal.set(HS4P1D1R=0.05), 1e-4
    moved = base.set(HS4P1D1R=0.05 + step)
    predicted = base.orm().by("HS4P1D1R")
    assert predicted.units["x"] == "mm/A"
    assert np.abs((moved.orbit.x - base.orbit.x) / step - predicted.x).max() < 1e-3 * np.abs(predicted.x).max()
    response = supply_response(Propagator(base.lattice.ring), base.lattice, ["HS4P1D1R"])
    assert np.allclose(predicted.x, 1e3 * response.orbit[:, 0, 0], rtol=1e-10, atol=0.0)
    kicks = orbit_response(Propagator(base.lattice.ring), base.lattice, hold="momentum")
    assert np.array_equal(base.orm(by="magnet", hold="momentum").x, kicks.x)
    assert base.orm() is base.orm(by="supply", hold="frequency")
    with pytest.raises(LatticeError, match="by = 'family': give 'supply' or 'magnet'"):
        base.orm(by="family")  # type: ignore[arg-type]


def test_responses_of_tunes_and_of_the_rf_predict_small_steps(nominal: RingModel) -> None:
    moved = nominal.set(Q1PDR=nominal["Q1PDR"] + 1e-3)
    predicted = nominal.tune_response()["Q1PDR"]
    assert (moved.tunes.x - nominal.tunes.x) / 1e-3 == pytest.approx(predicted.tune_x, rel=1e-3)
    assert predicted.units["tune_x"] == "1/A"
    assert nominal.tune_response(by="magnet")["Q1M1D1R"].tune_x > 0.1
    assert len(nominal.chromaticity_response()) > 100
    detuned = nominal.set(rf_frequency=nominal["rf_frequency"] + 1e-3)
    change = (detuned.orbit.x - nominal.orbit.x) / 1e-3
    assert np.abs(change - nominal.rf_response.x).max() < 1e-3 * np.abs(change).max()


def test_a_match_makes_the_ring_with_the_tunes_asked_for(nominal: RingModel) -> None:
    ring = nominal.match("Q3P*", "Q4P*", tunes=(0.01, -0.01))
    assert ring.tunes.x - nominal.tunes.x == pytest.approx(0.01, abs=2e-6)
    assert ring.tunes.y - nominal.tunes.y == pytest.approx(-0.01, abs=2e-6)
    assert all(name.startswith(("Q3P", "Q4P")) for name in ring.changes)
    with pytest.raises(LatticeError, match="cannot make the change; the nearest is tune x"):
        nominal.match("Q1PDR", tunes=(0.01, 0.01))


def test_a_ring_can_be_copied_and_sent_to_other_processes(changed: RingModel) -> None:
    assert changed.has_beam
    for other in (pickle.loads(pickle.dumps(changed)), copy.deepcopy(changed)):
        assert other == changed
        assert np.array_equal(other.set(HS4P1D1R=0.2).orbit.x, changed.set(HS4P1D1R=0.2).orbit.x)


def test_a_notebook_shows_settings_and_beam(changed: RingModel) -> None:
    html = changed._repr_html_()
    for piece in (changed.id, f"x {changed.tunes.x:.6f}", "HS4P1D1R", "rms orbit"):
        assert piece in html
    assert "5 changed settings" in repr(changed)


@pytest.mark.slow(2)
def test_pictures_are_drawn_alone_and_against_another_ring(tmp_path: Path, mls: Ring) -> None:
    ring = gnomon.ring(mls.nominal)
    low = ring.set(optics="low_alpha")
    for number, picture in enumerate((low.plot(last=12), low.plot(against=ring, dark=True))):
        file = picture.save(tmp_path / f"{number}.png")
        assert picture._repr_png_() == file.read_bytes()
        assert min(matplotlib.image.imread(file).shape[:2]) > 500


def test_shipped_machines_files_and_lattices_make_rings(bessy2: Ring) -> None:
    assert gnomon.ring("mls").optics_names[:2] == ("nominal", "low_alpha")
    assert gnomon.ring(bessy2.document) == gnomon.ring(bessy2.nominal) == gnomon.ring("bessy2")
