"""Contract of chromaticity measurements: the clock takes the sweep, in kHz, and the tunes follow it."""

import json
from pathlib import Path

import numpy as np
import pytest

from facility.serving import Server

FACTS = Path(__file__).parents[1] / "facts"

#: Setpoint and readback of the clock, tunes, sweep [kHz], harmonic number.
RINGS = {
    "mls": ("MCLKHGP:setFrq", "MCLKHGP:rdFrq", ["TUNEZRP:measX", "TUNEZRP:measY"], 15.0, 80),
    "bessy2": ("MCLKHX251C:freq", "CAVH1T8R:freq", ["TUNEZR:rdH", "TUNEZR:rdV"], 1.0, 400),
}


@pytest.mark.parametrize("ring", RINGS)
def test_a_sweep_of_the_clock_gives_the_chromaticity(ring: str, bessy2: Server, mls: Server) -> None:
    server = {"bessy2": bessy2, "mls": mls}[ring]
    setter, reader, tunes, sweep_khz, harmonic = RINGS[ring]
    found = server.run(
        "chromaticity.measure", setter=setter, reader=reader, tunes=tunes, sweep_khz=sweep_khz, harmonic=harmonic
    )
    assert np.abs(found["moved"]).max() < 1e-6  # kHz: each step was taken
    assert found["found"] == 1
    largest = max(found["expected"])
    assert largest > 4e-4
    assert found["deltas"] == pytest.approx(found["expected"], abs=0.05 * largest)
    assert found["chromaticity"] == pytest.approx(found["model"], rel=1e-2)
    reference = json.loads((FACTS / ring / "reference_pyat.json").read_text())["chromaticity"]
    assert found["chromaticity"] == pytest.approx(reference, rel=8e-2)
    assert found["orbit"] < 1e-9  # m: the clock is back
