"""The calibration with which the gate decides: never one that was measured at another machine's PVs."""

from pathlib import Path
from typing import Any

import pytest

from gnomon.cli.gate_parts import Chosen, no_calibration, predictor_of
from gnomon.db import shipped_machine
from gnomon.lattice import Lattice, Ring
from gnomon.recorder import CalibrationError
from gnomon.recorder.bounds import CalibrationDocument, Predictor, optics_digest
from gnomon.recorder.calibration_folder import CalibrationFolder

REMEDY = ": make one with gnomon calibrate measure --for bump"


def calibration(ring: Ring, prefix: str | None, day: int) -> CalibrationDocument:
    return CalibrationDocument(
        machine=ring.name, document_digest=ring.digest, optics="nominal", optics_digest=optics_digest(ring.nominal),
        made=f"2026-01-0{day}T00:00:00+00:00", author="a", prefix=prefix, monitors=("A",), noise_mm=((1e-3, 1e-3),),
        noise_tune=(1e-5, 1e-5),
    ).identified()  # fmt: skip


def reason(config: Path, start: Lattice) -> str:
    return no_calibration(Chosen("", config), start, "bump")


def test_a_calibration_of_the_twin_is_not_used_at_its_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have the same machine document; the twin's is the newer one, and knows no errors of the machine."""
    bessy2 = shipped_machine("bessy2")
    monkeypatch.setattr(Predictor, "of", lambda document, ring: document)
    config = tmp_path / "gnomon.yaml"
    config.write_text(f"machine: bessy2\nrecorder: {{journal: {tmp_path}/a.journal}}\n")
    folder = CalibrationFolder(tmp_path / "calibrations")
    machine, twin = calibration(bessy2, "", 1), calibration(bessy2, "TWIN:", 2)
    assert reason(config, bessy2.nominal) == f"there is no calibration of this machine in {folder.folder}{REMEDY}"
    path = folder.save(twin)
    assert predictor_of(Chosen("", config), bessy2.nominal, "") is None
    assert "are of PVs with another prefix than this ('TWIN:')" in reason(config, bessy2.nominal)
    folder.save(machine)
    found: Any = predictor_of(Chosen("", config), bessy2.nominal, "")
    assert found == machine
    found = predictor_of(Chosen("TWIN:", config), bessy2.nominal, "")
    assert found == twin
    for chosen, wanted in ((Chosen("", config), twin.id), (Chosen("", config, calibration=str(path)), "")):
        with pytest.raises(CalibrationError, match=r"prefix 'TWIN:', which is another machine than that of ''"):
            predictor_of(chosen, bessy2.nominal, wanted)


def test_other_optics_than_those_of_the_newest_calibration_are_named(tmp_path: Path) -> None:
    bessy2 = shipped_machine("bessy2")
    config = tmp_path / "gnomon.yaml"
    config.write_text(f"machine: bessy2\nrecorder: {{journal: {tmp_path}/a.journal}}\n")
    CalibrationFolder(tmp_path / "calibrations").save(calibration(bessy2, "", 1))
    supply = next(each.name for each in bessy2.document.supplies if each.name.startswith("Q"))
    here = bessy2.nominal[supply, "current"] + 0.125
    found = reason(config, bessy2.nominal.updated({(supply, "current"): here}))
    assert f", 1 setting differs: {supply} current is " in found
    assert f", and {here:.3f}" in found
    assert found.endswith(REMEDY)
