"""A ring of another program, served, recorded, saved and replayed."""

import os
import subprocess
from pathlib import Path

from conftest import EpicsPorts, free_port

from programs import access
from system.twin_process import GNOMON, TwinProcess, homes
from unit.lattice.exchange.rings import MADX


def test_an_imported_ring_is_served_saved_and_replayed(tmp_path: Path) -> None:
    source, document = tmp_path / "ring.seq", tmp_path / "ring.json"
    source.write_text(MADX)
    done = subprocess.run(
        [*GNOMON, "machine", "import", str(source), "--format", "madx", "-o", str(document), "--name", "mine"],
        env=os.environ | homes(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path, "--machine", str(document)) as twin:
        twin.client(access.caput_all, [("TWIN:qf_1_PS:set", 100.5), ("TWIN:qd_2_PS:set", 99.5)])
        journal = ("--journal", str(twin.journal))
        saved = twin.gnomon("snapshot", "save", "two", *journal)
        assert saved.returncode == 0, saved.stderr
        assert "settings of mine at run 1, command 2" in saved.stdout
        replayed = twin.gnomon("replay", *journal, "--from", "1", "--to", "2", "--prefix", "TWIN:")
        assert replayed.returncode == 0, replayed.stderr
        assert "steps: 2" in replayed.stdout
