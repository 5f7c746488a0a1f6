"""Files of the accelerator toolbox that its own reader refuses or misreads, and files that are something else."""

import json
from pathlib import Path
from typing import Any

import at
import numpy as np
import pytest
import scipy.io

from gnomon.lattice.elements import Corrector
from gnomon.lattice.exchange import ExchangeError, ImportOptions, RefusedLattice, import_machine
from unit.lattice.exchange.rings import imported, saved, small_ring, turn_of

SCRIPT = """function ring = mymachine
global FAMLIST THERING
D1 = drift('D1', 0.6, 'DriftPass');
buildlat([D1]);
"""


def changed(folder: Path, **changes: Any) -> Path:
    """The small ring as AT JSON, with attributes of its elements changed by class; None takes one away."""
    file = saved(small_ring(), folder)
    data = json.loads(file.read_text())
    for element in data["elements"]:
        for key, value in changes.get(element["Class"], {}).items():
            element[key] = value
            if value is None:
                del element[key]
    file.write_text(json.dumps(data))
    return file


def test_a_cavity_without_a_harmonic_number_has_that_of_its_frequency(tmp_path: Path) -> None:
    frequency = 80 * 299792458.0 / small_ring().circumference
    file = changed(tmp_path, RFCavity={"HarmNumber": None, "Frequency": frequency - 300.0})
    data = json.loads(file.read_text())
    data["properties"].pop("harmonic_number", None)
    file.write_text(json.dumps(data))
    assert imported(file).harmonic_number == 80
    ring = scipy.io.loadmat(matlab_file(tmp_path, HarmNumber=None))["RING"]
    assert "HarmNumber" not in ring.flat[-1].dtype.fields
    assert imported(tmp_path / "ring.mat", "at-mat").harmonic_number == 80


def matlab_file(folder: Path, **changes: Any) -> Path:
    """The small ring as Matlab's variable RING, with attributes of its cavity changed."""
    frequency = 80 * 299792458.0 / small_ring().circumference
    cells = []
    for element in small_ring():
        fields = {k: v for k, v in element.to_dict().items() if v is not None}
        fields["Class"] = type(element).__name__
        if fields["Class"] == "RFCavity":
            fields |= {"Frequency": frequency, "Energy": 1.7e9}
            fields = {k: v for k, v in fields.items() if k not in changes}
        cells.append(fields)
    column = np.empty((len(cells), 1), dtype=object)
    column[:, 0] = cells
    scipy.io.savemat(folder / "ring.mat", {"RING": column, "other": 1.0})
    return folder / "ring.mat"


def test_no_kick_may_be_written_as_one_number(tmp_path: Path) -> None:
    ring = imported(changed(tmp_path, Corrector={"KickAngle": 0}))
    kicks = [e.kick_x for e in ring.elements if isinstance(e, Corrector)]
    assert set(kicks) == {0.0}
    with pytest.raises(ExchangeError, match=r"element 11 'C': KickAngle: '0.001': there must be two kicks"):
        imported(changed(tmp_path, Corrector={"KickAngle": 1e-3}))
    with pytest.raises(ExchangeError, match=r"element 11 'C': KickAngle: .* is not two numbers"):
        imported(changed(tmp_path, Corrector={"KickAngle": "much"}))


def test_an_element_that_pyat_cannot_make_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="element 1 'QF': Quadrupole cannot be made"):
        imported(changed(tmp_path, Quadrupole={"Length": "long"}))


def test_scripts_of_at_1_are_called_by_their_name(tmp_path: Path) -> None:
    file = tmp_path / "ring.m"
    file.write_text(SCRIPT)
    for format in ("at-m", "at-mat"):
        with pytest.raises(ExchangeError, match=r"it is a script of AT 1 \(FAMLIST, buildlat\): run it in Matlab"):
            imported(file, format)


@pytest.mark.parametrize(
    "format", ["at-m", "at-mat", "at-json", "at-repr", "lat2db", "lattice-json", "elegant", "tracy"]
)
@pytest.mark.parametrize(
    "content", [b"", b"# A readme\n\nwith *text*: and more.\n", b"\x00\x01\x02" * 50, b"{}", b"[1, 2]"]
)
def test_a_file_that_is_not_a_lattice_is_refused_in_our_words(format: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ExchangeError) as told:
        import_machine(file, format, ImportOptions(energy_ev=1e9, harmonic_number=10))
    assert str(told.value).startswith(f"{file}: ")
    assert not isinstance(told.value, RefusedLattice)


def test_an_unknown_variable_is_refused_with_the_names_of_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="no variable 'ring2': give --use; there are: 'RING', 'other'"):
        imported(matlab_file(tmp_path), "at-mat", use="ring2")


def test_the_text_of_a_ring_in_python_is_read_without_running_it(tmp_path: Path) -> None:
    file = tmp_path / "ring.repr"
    at.save_repr(small_ring(), file)
    expected = turn_of(imported(saved(small_ring(), tmp_path)))
    for one, other in zip(turn_of(imported(file, "at-repr")), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-14)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, "__import__('os').system('true')"]))
    with pytest.raises(ExchangeError, match=f"line {len(lines) + 1}: "):
        imported(file, "at-repr")
