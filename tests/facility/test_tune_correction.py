"""Contract of tune corrections: the tune PVs are fractions, and the supplies move them without losing the beam."""

import json
from pathlib import Path

import pytest

from facility.serving import Server

FACTS = Path(__file__).parents[1] / "facts"

#: Supplies of two families, the setpoint PV's suffix, and where the tunes are to be.
RINGS = {
    "bessy2": ([["Q1PDR:set", "Q1PTR:set"], ["Q2PDR:set", "Q2PTR:set"]], [0.83, 0.74]),
    "mls": (
        [
            [f"Q1P{n}{sector}RP:setCur" for sector in ("K1", "L2", "K3", "L4") for n in (1, 2)],
            [f"Q2P{n}{sector}RP:setCur" for sector in ("K1", "L2", "K3", "L4") for n in (1, 2)],
        ],
        [0.165, 0.245],
    ),
}


@pytest.mark.parametrize("ring", RINGS)
def test_a_tune_correction_reaches_its_target_by_small_steps(ring: str, bessy2: Server, mls: Server) -> None:
    server = {"bessy2": bessy2, "mls": mls}[ring]
    families, target = RINGS[ring]
    found = server.run("tune_correction.correct", families=families, target=target, tolerance=1e-6)
    reference = json.loads((FACTS / ring / "reference_pyat.json").read_text())["tune"]
    assert found["before"] == pytest.approx([tune % 1.0 for tune in reference], abs=2e-4)
    assert found["after"] == pytest.approx(target, abs=1e-6)
    assert len(found["errors"]) <= 8
    assert found["largest"] < 0.02  # of the currents
