"""Contract of device classes: every PV of the facilities' tables connects, with type, unit and rights, or none does."""

import csv
from pathlib import Path

import numpy as np
import pytest

from facility.serving import Server

FACTS = Path(__file__).parents[1] / "facts"
KINDS = {"double": "double", "long": "long", "enum": "enum", "string": "string"}
STRUCTURES = {"double": "d", "double[]": "ad", "long[]": "ai", "string": "s", "string[]": "as"}

#: Units that the tables put into words, and types that are not those of the table: a readback is as its setpoint.
UNITS = {"counts: 10 mm is 2^15": "", "m and rad": "", "m and m and rad": ""}
OTHER = {"RMC00VP": "long"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def devices(ring: str) -> dict[str, list[str]]:
    """A few devices for each word that the tables have for many."""
    if ring == "bessy2":
        magnets = rows(FACTS / ring / "magnets.csv")
        return {
            "<PC>": [row["power_converter"] for row in rows(FACTS / ring / "power_converters.csv")][::12],
            "<MAGNET>": [row["magnet"] for row in magnets if row["type"] == "quadrupole"][::12],
            "<QUADRUPOLE>": [row["magnet"] for row in magnets if row["type"] == "quadrupole"][::12],
        }
    monitors = [row["name"] for row in rows(FACTS / ring / "elements.csv") if row["type"] == "Monitor"]
    supplies = [row["power_converter"] for row in rows(FACTS / ring / "power_converters.csv")]
    steerers = [row["power_converter"] for row in rows(FACTS / ring / "steerers.csv")]
    return {"<PC>": [*supplies[::6], *steerers[::6]], "<BPM>": monitors}


def expected(ring: str) -> dict[str, tuple[str, int, str, bool]]:
    """{name: (type of the table, number of values or 0, unit or ?, whether it can be written)}."""
    every = devices(ring)
    found: dict[str, tuple[str, int, str, bool]] = {}
    for row in rows(FACTS / ring / "pvs.csv"):
        kind, _, length = row["ca_type"].partition("[")
        kind = OTHER.get(row["pv"], kind) + ("[]" if length else "")
        unit = UNITS.get(row["unit"], row["unit"])
        if ":Cm:" in row["pv"] or "hw2phys" in row["pv"]:
            unit = "?"  # that of each magnet's strength
        pv = row["pv"]
        names = [pv]
        for word, those in every.items():
            if word in pv:
                names = [pv.replace(word, device) for device in those]
        for name in names:
            number = length.rstrip("]")
            found[name] = kind, int(number) if number else 0, unit, row["direction"] == "setpoint"
    return found


@pytest.mark.parametrize("ring", ["bessy2", "mls"])
def test_every_pv_connects_over_channel_access_with_type_unit_and_rights(
    ring: str, bessy2: Server, mls: Server
) -> None:
    server = {"bessy2": bessy2, "mls": mls}[ring]
    wanted = {name: row for name, row in expected(ring).items() if row[0] != "PVA NTTable"}
    found = server.run("devices.over_channel_access", names=list(wanted))
    for name, (kind, length, unit, writable) in wanted.items():
        got, number, shown, access, severity = found[name]
        assert got == KINDS[kind.removesuffix("[]")], name
        assert number == length if length else (number > 1) == kind.endswith("[]"), name
        assert unit in ("?", shown or ""), name
        assert (access, severity) == (writable, 0), name


@pytest.mark.parametrize("ring", ["bessy2", "mls"])
def test_every_pv_connects_over_pv_access_with_type_and_unit(ring: str, bessy2: Server, mls: Server) -> None:
    server = {"bessy2": bessy2, "mls": mls}[ring]
    wanted = expected(ring)
    found = server.run("devices.over_pv_access", names=list(wanted))
    for name, (kind, _, unit, _) in wanted.items():
        structure, value, shown = found[name]
        if kind == "enum":
            assert structure == "epics:nt/NTEnum:1.0", name
        elif kind == "PVA NTTable":
            assert structure == "epics:nt/NTTable:1.0", name
        else:
            allowed = ("i", "l") if kind == "long" else (STRUCTURES[kind],)  # a whole number has 32 bits or 64
            assert value in allowed, name
            assert unit in ("?", shown), name


def test_the_orbit_table_has_numbers_alone_and_its_buttons_give_the_positions(bessy2: Server) -> None:
    table = bessy2.run("devices.table", name="ORBITCC:rdBpm")
    assert list(table) == ["BPM", "X", "Y", "A", "B", "C", "D"]
    numbers = np.array([table[column] for column in "XYABCD"])
    assert numbers.shape == (6, 123)
    assert np.isfinite(numbers).all()
    x, y, a, b, c, d = numbers
    nm = 10e6  # both factors of difference over sum are 10 mm
    np.testing.assert_allclose(nm * (a + d - b - c) / (a + b + c + d), x, atol=1e-6)
    np.testing.assert_allclose(nm * (a + b - c - d) / (a + b + c + d), y, atol=1e-6)
