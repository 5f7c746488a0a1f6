"""A machine whose IOC is not gnomon's: EPICS's own soft IOC, with PVs as the PV document of a facility names them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import EpicsPorts, free_port

from gnomon.clients.machine_pvs import find_machine_pvs
from gnomon.procedures.nexus import read_run
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.registry import typed
from system.twin_process import GNOMON, homes

pytestmark = pytest.mark.slow

MLS = find_machine_pvs("mls", "I:")
STEERERS = ("HS3P2K1RP", "VS3P2K1RP")
#: Responses of this IOC's machine (planes, monitors, steerers) [mm/A].
RESPONSE = np.random.default_rng(5).uniform(-3.0, 3.0, (2, len(MLS.ring.bpms), len(STEERERS))).round(4)


def database() -> str:
    """Supplies whose readbacks follow, monitors that scan by themselves and see two steerers; nothing else."""
    nominal, records = MLS.ring.nominal, []
    for name, supply in MLS.supplies.items():
        low, high = supply.setpoint.drive or (0.0, 0.0)
        records.append(
            f'record(ao, "{supply.setpoint.name}") {{ field(EGU, "A") field(PINI, "YES") '
            f'field(VAL, "{nominal[name, "current"]!r}") field(DRVL, "{low!r}") field(DRVH, "{high!r}") }}\n'
            f'record(calc, "{supply.readback.name}") {{ field(CALC, "A") field(INPA, "{supply.setpoint.name} CP") '
            'field(PINI, "YES") }'
        )
    inputs = " ".join(
        f'field(INP{letter}, "{MLS.supplies[name].setpoint.name}")' for letter, name in zip("AB", STEERERS, strict=True)
    )
    for plane, row in zip("XY", RESPONSE, strict=True):
        for bpm, (a, b) in zip(MLS.ring.bpms, row, strict=True):
            records.append(
                f'record(calc, "I:{bpm.name}:rd{plane}") {{ field(SCAN, ".1 second") field(EGU, "mm") '
                f'field(CALC, "{a}*A+{b}*B") {inputs} }}'
            )
    return "\n".join(records)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    (tmp_path / "mls.db").write_text(database())
    environment = {**os.environ, **ports.environment, **homes(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "epicscorelibs.ioc", "-d", str(tmp_path / "mls.db")],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            yield environment
        finally:
            process.kill()


def test_the_orbit_response_of_a_machine_that_is_known_by_its_documents_alone(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [*GNOMON, "measure", "orm", *STEERERS, "--machine", "mls", "--prefix", "I:", "--protocol", "ca",
         "--results", str(tmp_path / "results"), "--json"],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    found = typed(read_run(Path(told["file"])))[2]
    assert isinstance(found, OrbitResponseOutcome)
    columns = [found.steerers.index(name) for name in STEERERS]
    np.testing.assert_allclose(np.array([found.x, found.y])[:, :, columns], RESPONSE, atol=1e-4)
    provenance = told["provenance"]
    assert provenance["settings_id"] == provenance["settings_id_after"]
    assert (provenance["machine"], provenance["role"], provenance["lattice_id"]) == ("mls", "", "")
