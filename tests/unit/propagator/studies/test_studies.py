"""`gnomon study`: its numbers are the propagator's, files can be read back, wrong wishes are refused first."""

import json
from pathlib import Path

import h5py
import matplotlib.image
import numpy as np
import pytest
from typer.testing import CliRunner

from gnomon.cli import app
from gnomon.db import shipped_machine
from gnomon.lattice import GnomonError
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import orbit_response
from gnomon.propagator.studies.orm_study import study_orm
from gnomon.propagator.studies.result_files import StudyError


def study(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["study", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def drawn(plot: Path) -> bool:
    """Tell whether a PNG can be read and has coloured marks in its middle, where text and axes alone are grey."""
    image = matplotlib.image.imread(plot)
    height, width = image.shape[:2]
    middle = image[height // 5 : -height // 5, width // 5 : -width // 5, :3]
    return bool(np.count_nonzero(np.ptp(middle, axis=2) > 0.3) > 200)


def test_tune_writes_json_and_a_plot(tmp_path: Path) -> None:
    output, plot = tmp_path / "tune.json", tmp_path / "tune.png"
    text = study("tune", "--machine", "mls", "--optics", "low_alpha", "-o", str(output), "--plot", str(plot))
    ring = shipped_machine("mls")
    beam = Propagator(ring)(ring.optics["low_alpha"])
    assert f"{beam.tune[0]:.6f}" in text
    document = json.loads(output.read_text())
    assert document["lattice"] == ring.optics["low_alpha"].id
    assert np.array_equal(document["quantities"]["beta"]["data"], beam.beta)
    assert document["quantities"]["beta"]["axes"] == ["place", "mode"]
    assert len(document["names"]["place"]) == len(beam.beta)
    assert drawn(plot)


def test_tune_tells_damping_and_emittance() -> None:
    text = study("tune", "--machine", "mls")
    numbers = {line.split("  ")[0].strip(): line.split() for line in text.splitlines()}
    assert float(numbers["synchrotron tune"][2]) == pytest.approx(0.016991, abs=1e-5)
    assert float(numbers["energy loss"][2]) == pytest.approx(9.063, abs=0.01)
    for plane, expected in (("x", 21.07), ("y", 22.22), ("s", 11.43)):
        assert float(numbers[f"damping times {plane}"][3]) == pytest.approx(expected, rel=1e-3)
    # 500 kV of synchrotron motion add 0.2 % to what the integrals say
    assert float(numbers["emittance x"][2]) == pytest.approx(107.8, rel=3e-3)
    assert float(numbers["emittance x, by radiation integrals"][5]) == pytest.approx(107.8, rel=1e-3)


def test_tune_tells_higher_chromaticities_and_the_tune_shift_with_amplitude(tmp_path: Path) -> None:
    output = tmp_path / "tune.json"
    study("tune", "--machine", "mls", "--order", "2", "-o", str(output))
    quantities = json.loads(output.read_text())["quantities"]
    assert quantities["chromaticity by order"]["data"][0] == pytest.approx(quantities["chromaticity"]["data"], rel=1e-5)
    shift = np.array(quantities["tune shift with amplitude"]["data"])
    assert shift[0, 1] == pytest.approx(shift[1, 0], rel=1e-6)


@pytest.mark.slow(1)
def test_aperture_writes_what_tracking_finds_and_a_plot(tmp_path: Path) -> None:
    output, plot = tmp_path / "aperture.json", tmp_path / "aperture.png"
    wanted = ("--turns", "20", "--places", "2", "--delta", "0", "--delta", "0.01")
    text = study("aperture", "--machine", "mls", *wanted, "-o", str(output), "--plot", str(plot))
    document = json.loads(output.read_text())
    assert document["names"]["momentum"] == ["0", "0.01"]
    y = document["quantities"]["dynamic aperture at delta 0, y"]["data"]
    assert max(y) > 1e-3
    assert len(document["quantities"]["momentum aperture, s"]["data"]) == 2
    assert "momentum aperture, minimum around the ring" in text
    assert drawn(plot)


@pytest.mark.slow(1)
def test_orm_writes_hdf5_and_a_plot(tmp_path: Path) -> None:
    output, plot = tmp_path / "orm.h5", tmp_path / "orm.png"
    study("orm", "--machine", "mls", "-o", str(output), "--plot", str(plot))
    ring = shipped_machine("mls")
    response = orbit_response(Propagator(ring), ring.nominal, hold="frequency")
    with h5py.File(output) as file:
        assert file["entry/study/name"].asstr()[()] == "orm"
        data = file["entry/quantities/x, frequency held"]
        assert np.allclose(data[()], response.x, rtol=0.0, atol=1e-9)
        assert data.attrs["units"] == "m/rad"
        assert tuple(file["entry/names/corrector"].asstr()[()]) == response.names
    assert drawn(plot)


def test_orm_of_a_ring_with_errors_is_taken_at_the_momentum_that_the_rf_frequency_gives() -> None:
    ring = shipped_machine("mls")
    steerers = [m.name for m in ring.magnets if m.main == "kick"]
    rng = np.random.default_rng(1)
    lattice = ring.nominal.updated({(name, "kick"): 1e-4 * rng.normal() for name in steerers})
    found = study_orm(lattice, "nominal", lambda *_: None).quantities
    assert abs(float(found["momentum deviation"].data)) > 1e-5
    propagate, monitors, step = Propagator(ring, "frequency"), list(ring.monitors), 1e-7
    for k in (0, len(steerers) // 2):
        key = (steerers[k], "kick")
        up, down = (propagate(lattice.updated({key: lattice[key] + s * step})) for s in (1, -1))
        there = (up.orbit[monitors, 0] - down.orbit[monitors, 0]) / (2.0 * step)
        column = found["x, frequency held"].data[:, k]
        assert np.abs(column - there).max() < 1e-5 * np.abs(there).max()
        reference = orbit_response(Propagator(ring, "orbit"), lattice, hold="frequency").x[:, k]
        assert np.abs(reference - there).max() > 1e-4 * np.abs(there).max()
    key, hertz = ("rf", "frequency"), {"Hz": 1.0, "kHz": 1e-3}[ring.rf_unit]
    up, down = (propagate(lattice.updated({key: lattice[key] + s * hertz})) for s in (1, -1))
    there = 0.5 * (up.orbit[monitors, 0] - down.orbit[monitors, 0])
    assert found["x, by RF frequency"].unit == "m/Hz"
    assert np.abs(found["x, by RF frequency"].data - there).max() < 1e-5 * np.abs(there).max()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tune", "-o", "tune.txt"], ".json or .h5"),
        (["tune", "-o", "/nowhere/at/all/tune.json"], "no folder"),
        (["orm", "--plot", "orm.gif"], ".png"),
        (["orm", "--optics", "secret"], "no optics 'secret'"),
    ],
)
def test_wrong_wishes_are_refused(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["study", *arguments])
    assert isinstance(done.exception, GnomonError)
    assert words in str(done.exception)


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gnomon.propagator.studies.result_files.find_spec", lambda name: None)
    for arguments in (["-o", str(tmp_path / "a.h5")], ["--plot", str(tmp_path / "a.png")]):
        done = CliRunner().invoke(app, ["study", "tune", *arguments])
        assert isinstance(done.exception, StudyError)
        assert "gnomon[study]" in str(done.exception)
