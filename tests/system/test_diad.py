"""Diamond's DIAD ring from the packages atip and pytac: a twin that answers to the names of its control room."""

import importlib.util
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EpicsPorts, free_port

from programs import other_names
from system.twin_process import GNOMON, TwinProcess


@pytest.fixture(scope="module")
def diad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    """A twin of DIAD, made by the command line as in the documentation."""
    packages = [importlib.util.find_spec(name) for name in ("pytac", "atip")]
    folders = [Path(p.origin).parent for p in packages if p is not None and p.origin is not None]
    if len(folders) < 2:
        pytest.skip("pytac and atip, which have Diamond's rings, are not installed")
    folder = tmp_path_factory.mktemp("diad")
    document = folder / "diad.json"
    file, tables = folders[1] / "rings" / "DIAD.mat", folders[0] / "data" / "DIAD"
    subprocess.run(
        [*GNOMON, "machine", "import", file, "--format", "at-mat", "--pytac", tables, "--name", "diad", "-o", document],
        check=True,
        capture_output=True,
    )
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, folder, "--machine", str(document), "--prefix", "") as process:
        yield process


def test_a_quadrupole_moves_the_tune_and_a_steerer_the_orbit(diad: TwinProcess) -> None:
    rows = diad.client(other_names.diad)
    before, quadrupole, steerer = rows
    assert before[2] == pytest.approx(0.18, abs=0.01)
    assert quadrupole[0] == pytest.approx(before[0] + 0.1)
    assert abs(quadrupole[2] - before[2]) > 1e-5
    assert abs(steerer[1]) > abs(quadrupole[1]) + 0.01
