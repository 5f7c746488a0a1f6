"""Every row of the facilities' tables of process variables is served with its unit, type and direction."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from each_case import each_case

from gnomon.db import shipped_machine
from gnomon.db.machines import pv_document
from gnomon.db.pvs import Kind, PvSpec
from gnomon.db.templates import expand, read_pvs
from gnomon.lattice import DocumentError, Ring

TABLES = Path(__file__).parents[2] / "facts"
MACHINES = ("bessy2", "mls")

KINDS = {
    "double": Kind.FLOAT,
    "long": Kind.INT,
    "enum": Kind.ENUM,
    "string": Kind.STRING,
    "double[]": Kind.FLOATS,
    "long[]": Kind.INTS,
    "string[]": Kind.STRINGS,
    "PVA NTTable": Kind.TABLE,
}
#: Units that the tables put into words, or write differently.
UNITS = {"counts: 10 mm is 2^15": "", "m and rad": "", "m and m and rad": ""}
#: A readback has the type of its setpoint, so that clients can pair them; the table's is not.
OTHER_KINDS = {"RMC00VP": Kind.INT}
#: What one row says of several names.
MORE = {
    "CAVH1T8R:freq": [f"CAVH{n}T8R:freq" for n in (1, 2, 3, 4)],
    "beam:twiss:x:beta": [f"beam:twiss:{p}:{q}" for p in "xy" for q in ("beta", "alpha", "nu")],
    "beam:twiss:x:tune": ["beam:twiss:x:tune", "beam:twiss:y:tune"],
}
#: One put, one reading and one of each special type: unit, kind, writable.
SAMPLE = {
    "bessy2": {
        "Q1PDR:set": ("A", Kind.FLOAT, True),
        "QSPAZR:cmd1": ("", Kind.ENUM, True),
        "QSPAZR:stat2": ("", Kind.ENUM, False),
        "PMUXZR:Q1M1D1R": ("", Kind.ENUM, True),
        "PMUXZR:name": ("", Kind.STRING, False),
        "MDIZ3T5G:current": ("mA", Kind.FLOAT, False),
    },
    "mls": {
        "PAHRP:setVoltCav": ("kV", Kind.FLOAT, True),
        "ERMPCGP:rdRmp": ("MeV", Kind.FLOAT, False),
        "MLSOPCCP:actOptRmpTblSet": ("", Kind.ENUM, True),
        "ORBITCCP:selRunMode": ("", Kind.INT, True),
        "RMC00VP": ("", Kind.INT, False),
        "BPMZ1X003GP:rdBufBpm": ("um", Kind.INTS, False),
        "MCLKHGP:setFrq": ("kHz", Kind.FLOAT, True),
        "QPD01ZL2RP:rdSigmaY": ("mm", Kind.FLOAT, False),
        "cumz4x003gp:tuneSyn": ("Hz", Kind.FLOAT, False),
    },
}


def served(ring: Ring) -> dict[str, PvSpec]:
    return {s.name: s for s in expand(read_pvs(ring.document.pvs, pv_document), ring, "")}


RINGS = {name: shipped_machine(name) for name in MACHINES}
SERVED = {name: served(ring) for name, ring in RINGS.items()}


def rows() -> Iterator[tuple[str, dict[str, str]]]:
    for machine in MACHINES:
        with (TABLES / machine / "pvs.csv").open(newline="", encoding="utf-8") as file:
            yield from ((machine, row) for row in csv.DictReader(file))


ROWS = list(rows())


def names(ring: Ring, pv: str) -> list[str]:
    """The names that a row stands for."""
    devices = {
        "<PC>": [s.name for s in ring.document.supplies],
        "<MAGNET>": [m.name for m in ring.magnets],
        "<QUADRUPOLE>": [m.name for m in ring.magnets if m.main == "k1"],
        "<BPM>": [bpm.name for bpm in ring.bpms],
    }
    found = re.match(r".*(<[A-Z]+>)", pv)
    if found is None:
        return MORE.get(pv, [pv])
    every = devices[found[1]]
    if any(offset in pv for offset in (":x:set", ":y:set", ":roll:set")):
        every = [m.name for m in ring.magnets if m.main in ("k1", "b3")]  # a steerer is a coil in a sextupole
    return [pv.replace(found[1], name) for name in every]


def unit_of(ring: Ring, row: dict[str, str], name: str) -> str:
    unit = row["unit"]
    if ":Cm:" in row["pv"] or "hw2phys" in row["pv"]:
        main = next(m for m in ring.magnets if m.name == name.split(":")[0])
        return main.unit + ("/A" if "hw2phys" in row["pv"] else "")
    if name.endswith((":alpha", ":nu")):
        return "" if name.endswith(":alpha") else "turns"
    return UNITS.get(unit, unit)


@each_case(ROWS, lambda case: f"{case[0]} {case[1]['pv']}")
def test_each_row_of_the_tables_is_served(machine: str, row: dict[str, str]) -> None:
    ring = RINGS[machine]
    kind, _, length = row["ca_type"].partition("[")
    wanted = OTHER_KINDS.get(row["pv"]) or KINDS[kind + "[]" if length else kind]
    every = names(ring, row["pv"])
    assert every
    for name in every:
        spec = SERVED[machine].get(name)
        assert spec is not None, name
        assert spec.kind is wanted, name
        assert spec.unit == unit_of(ring, row, name), name
        assert spec.writable == (row["direction"] == "setpoint"), name
        if length.rstrip("]"):
            assert spec.length == int(length.rstrip("]")), name
        if spec.kind is Kind.ENUM:
            assert len(spec.states) >= 2, name


@pytest.mark.parametrize("machine", MACHINES)
def test_a_sample_is_served_with_unit_type_and_direction(machine: str) -> None:
    for name, wanted in SAMPLE[machine].items():
        spec = SERVED[machine][name]
        assert (spec.unit, spec.kind, spec.writable) == wanted, name


def test_each_state_of_the_optics_presets_all_supplies_energy_and_voltage() -> None:
    ring = shipped_machine("mls")
    spec = SERVED["mls"]["MLSOPCCP:actOptRmpTblSet"]
    assert spec.states == ("standard user", "low alpha", "low emittance", "SSMB", "injection")
    assert len(spec.presets) == 5
    assert all(len(preset) == len(ring.document.supplies) + 3 for preset in spec.presets)
    assert ("ring", "energy", 105e6) in spec.presets[4]
    assert spec.record_type == "mbbo"


def test_the_clock_of_the_mls_can_be_swept_by_50_khz_and_each_of_its_readbacks_follows() -> None:
    reference_khz = 1e-3 * shipped_machine("mls").rf_reference
    clock, readback, above = (SERVED["mls"][f"MCLKHGP:{name}"] for name in ("setFrq", "rdFrq", "rdFrq499"))
    assert clock.drive == pytest.approx((reference_khz - 50.0, reference_khz + 50.0), rel=1e-12)
    assert (readback.offset, above.offset, above.scale) == (0.0, -499000.0, 1.0)
    assert above.display == pytest.approx((reference_khz - 499050.0, reference_khz - 498950.0), rel=1e-9)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"unit": "\u00b5\u00b5\u00b5\u00b5"}, "the unit .* has 8 bytes; Channel Access has room for 7"),
        ({"type": "enum", "states": ["off", "off"]}, "states 0 and 1 have the same name, 'off'"),
        ({"type": "enum", "states": ["x" * 26, "off"]}, "has 26 bytes; Channel Access has room for 25"),
        ({"type": "enum", "states": ["", "off"]}, "state 0 has no name"),
    ],
)
def test_a_pv_that_channel_access_cannot_carry_is_refused_when_the_document_is_read(
    tmp_path: Path, more: dict[str, object], fault: str
) -> None:
    template = {"pv": "x", "source": "beam.found", "description": "", **more}
    file = tmp_path / "odd.pvs.json"
    file.write_text(json.dumps({"schema": "gnomon.pvs/1", "name": "odd", "pvs": [template]}))
    with pytest.raises(DocumentError, match=fault):
        expand(read_pvs("odd", lambda _: file), shipped_machine("mls"), "T:")


def test_an_offset_is_for_readbacks_alone(tmp_path: Path) -> None:
    template = {"pv": "x", "source": "set", "device": "rf", "property": "frequency", "offset": 1.0, "description": ""}
    file = tmp_path / "odd.pvs.json"
    file.write_text(json.dumps({"schema": "gnomon.pvs/1", "name": "odd", "pvs": [template]}))
    with pytest.raises(DocumentError, match="an offset is for the source 'readback', not for 'set'"):
        read_pvs("odd", lambda _: file)


def test_a_packed_buffer_needs_a_slot_for_each_monitor() -> None:
    document = shipped_machine("mls").document
    bare = tuple(part.model_copy(update={"slot": None}) for part in document.monitors)
    with pytest.raises(DocumentError, match=r"monitor BPMZ\w+ has no slot from 1 to 32 in the packed buffer"):
        served(Ring(document.model_copy(update={"monitors": bare})))


def test_the_clock_is_in_khz_whatever_unit_the_machine_document_has() -> None:
    document = shipped_machine("mls").document
    in_hz = Ring(document.model_copy(update={"rf": document.rf.model_copy(update={"unit": "Hz"})}))
    assert in_hz.property_spec("rf", "frequency").unit == "Hz"
    found = served(in_hz)
    for name in ("MCLKHGP:setFrq", "MCLKHGP:rdFrq", "MCLKHGP:rdFrq499"):
        spec, wanted = found[name], SERVED["mls"][name]
        assert (spec.unit, spec.scale, spec.offset) == ("kHz", 1e-3, wanted.offset)
        assert spec.display == pytest.approx(wanted.display, rel=1e-12)
    assert found["MCLKHGP:setFrq"].drive == pytest.approx(SERVED["mls"]["MCLKHGP:setFrq"].drive, rel=1e-12)
