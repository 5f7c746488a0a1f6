"""Contract of orbit corrections: which number of an array belongs to which monitor and plane."""

import csv
from pathlib import Path

from facility.serving import Server

FACTS = Path(__file__).parents[1] / "facts"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_orbit_of_bessy2_is_corrected_by_its_interleaved_array(bessy2: Server) -> None:
    every = [row["power_converter"] for row in rows(FACTS / "bessy2" / "power_converters.csv")]
    steerers = [f"{name}:set" for name in every if name.startswith(("HS4", "HS1", "VS"))]
    disturbed = {"HS4P1D1R:set": 0.05, "HS1PT5R:set": -0.03, "VS2P1T3R:set": 0.06, "VS3P2D6R:set": -0.05}
    assert set(disturbed) < set(steerers)
    slots = [int(row["readout_slot"]) if row["readout_slot"] else None for row in rows(FACTS / "bessy2" / "bpms.csv")]
    found = bessy2.run(
        "orbit_correction.bessy2", slots=slots, steerers=steerers, disturbed=disturbed, step_a=0.02, cut=1e-5
    )
    assert min(found[0]) > 0.1
    assert max(found[-1]) < 1e-3  # mm


def test_the_orbit_of_the_mls_is_corrected_by_its_buffer_of_whole_micrometres(mls: Server) -> None:
    steerers = [f"{row['power_converter']}:setCur" for row in rows(FACTS / "mls" / "steerers.csv")]
    disturbed = {"HS1P1K3RP:setCur": 0.2, "VS3P1L2RP:setCur": 0.3}
    monitors = [row["name"] for row in rows(FACTS / "mls" / "elements.csv") if row["type"] == "Monitor"]
    found = mls.run(
        "orbit_correction.mls", monitors=monitors, steerers=steerers, disturbed=disturbed, step_a=0.2, cut=1e-3
    )
    assert min(found[0]) > 0.1
    assert max(found[-1]) < 2e-3  # mm, and the buffer counts um
