"""Contract of orbit corrections: which number of an array belongs to which monitor and plane."""

import csv
from pathlib import Path

from facility.serving import Server

FACTS = Path(__file__).parents[1] / "facts"


def column(path: Path, name: str) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row[name] for row in csv.DictReader(file)]


def test_the_orbit_of_bessy2_is_corrected_by_its_interleaved_array(bessy2: Server) -> None:
    every = column(FACTS / "bessy2" / "power_converters.csv", "power_converter")
    steerers = [f"{name}:set" for name in every if name.startswith(("HS4", "HS1", "VS"))]
    disturbed = {"HS4P1D1R:set": 0.05, "HS1PT5R:set": -0.03, "VS2P1T3R:set": 0.06, "VS3P2D6R:set": -0.05}
    assert set(disturbed) < set(steerers)
    found = bessy2.run(
        "orbit_correction.correct", reader="interleaved", steerers=steerers, disturbed=disturbed, step_a=0.02, cut=1e-5
    )
    first, *_, last = found["rms"]
    assert min(first) > 0.1
    assert max(last) < 1e-3  # mm
    assert found["names"] == column(FACTS / "bessy2" / "bpms.csv", "bpm")


def test_the_orbit_of_the_mls_is_corrected_by_its_buffer_of_whole_micrometres(mls: Server) -> None:
    steerers = [f"{name}:setCur" for name in column(FACTS / "mls" / "steerers.csv", "power_converter")]
    disturbed = {"HS1P1K3RP:setCur": 0.2, "VS3P1L2RP:setCur": 0.3}
    found = mls.run(
        "orbit_correction.correct", reader="buffered", steerers=steerers, disturbed=disturbed, step_a=0.2, cut=1e-3
    )
    first, *_, last = found["rms"]
    assert min(first) > 0.1
    assert max(last) < 2e-3  # mm, and the buffer counts um
