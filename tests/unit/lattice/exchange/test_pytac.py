"""Devices from pytac's tables: a small ring with a folder of its own, and Diamond's where pytac is installed."""

import csv
import importlib.util
import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from gnomon.db.templates import expand, read_pvs
from gnomon.lattice import Ring
from gnomon.lattice.exchange import ExchangeError, ImportOptions, add_pytac, import_machine, render
from gnomon.lattice.exchange.importing import Imported
from gnomon.lattice.exchange.source_files import MAX_FILE_BYTES
from gnomon.lattice.units import SPEED_OF_LIGHT
from unit.lattice.exchange.rings import saved, small_cell, small_ring

QF, MONITOR, SEXTUPOLE, BEND = 1, 4, 5, 3
CAVITY = 8 * len(small_cell()) + 1

TABLES = {
    "families.csv": f"el_id,family\n{QF},Q1\n{SEXTUPOLE},HSTR\n",
    "epics_devices.csv": "el_id,name,field,get_pv,set_pv\n"
    "0,SR-TUNE,tune_x,SR-TUNE:X,\n"
    f"{MONITOR},SR01-BPM-01,x,SR01-BPM-01:SA:X,\n{MONITOR},SR01-BPM-01,y,SR01-BPM-01:SA:Y,\n"
    f"{MONITOR},SR01-BPM-01,enabled,SR01-BPM-01:OK,\n"
    f"{QF},SR01-Q1-01,b1,SR01-Q1-01:I,SR01-Q1-01:SETI\n{SEXTUPOLE},SR01-H-01,x_kick,SR01-H-01:I,SR01-H-01:SETI\n"
    f"{BEND},SR-BEND,b0,SR-BEND:I,SR-BEND:SETI\n{CAVITY},RF-MO,f,RF-MO:FREQ,RF-MO:FREQ_SET\n",
    "unitconv.csv": "el_id,field,uc_type,uc_id,phys_units,eng_units,lower_lim,upper_lim\n"
    f"{QF},b1,pchip,1,m^-2,A,0,200\n{SEXTUPOLE},x_kick,poly,2,,A,-5,5\n{BEND},b0,pchip,1,m^-1,A,0,1400\n",
    "uc_pchip_data.csv": "uc_id,eng,phy\n1,150,17\n1,100,11.5\n1,20,2\n",
    "uc_poly_data.csv": "uc_id,coeff,val\n2,0,0.0\n2,1,0.002\n",
}


def folder(path: Path, **changes: str) -> Path:
    where = path / "MODE"
    where.mkdir()
    types = "".join(f"{type(e).__name__},{e.Length}\n" for e in small_ring())
    for name, text in (TABLES | {"elements.csv": "type,length\n" + types} | changes).items():
        (where / name).write_text(text)
    return where


@cache
def imported_once() -> Imported:
    with TemporaryDirectory() as folder:
        return import_machine(saved(small_ring(), Path(folder)), "at-json", ImportOptions(bare=True, name="mode"))


def converted(path: Path, tables: Path) -> tuple[Ring, dict[str, Any], list[str]]:
    imported = deepcopy(imported_once())
    document = add_pytac(imported, tables)
    (path / "mode.pvs.json").write_text(render(document))
    return Ring(imported.parsed("mode")), document, [f"{f.element} {f.attribute}" for f in imported.findings]


def test_supplies_conversions_and_names_are_those_of_the_tables(tmp_path: Path) -> None:
    ring, _, left_out = converted(tmp_path, folder(tmp_path))
    pvs = {spec.name: spec for spec in expand(read_pvs("mode", lambda n: beside(tmp_path, n)), ring, "")}
    lattice = ring.nominal.updated({("SR01-Q1-01", "current"): 100.0, ("SR01-H-01", "current"): 2.0})
    assert lattice["QF_1", "k1"] == pytest.approx(11.5 / ring.rigidity, rel=1e-12)
    assert lattice["SF_1_H", "kick"] == pytest.approx(0.004 / ring.rigidity, rel=1e-12)
    assert pvs["SR01-Q1-01:SETI"].drive == (0.0, 200.0)
    assert pvs["SR01-Q1-01:SETI"].device == "SR01-Q1-01"
    assert pvs["SR01-BPM-01:SA:Y"].unit == "mm"
    assert pvs["RF-MO:FREQ_SET"].unit == "Hz"
    assert pvs["SR-TUNE:X"].source == "tune.fraction.x"
    assert [bpm.name for bpm in ring.bpms] == ["SR01-BPM-01"]
    assert {"SR01-BPM-01 enabled", "SR-BEND b0"} <= set(left_out)


def beside(path: Path, name: str) -> Path:
    file = path / f"{name}.pvs.json"
    if not file.exists():
        file.write_text(json.dumps({"schema": "gnomon.pvs/1", "name": name, "pvs": []}))
    return file


def test_names_without_a_common_ending_are_listed_one_by_one(tmp_path: Path) -> None:
    text = TABLES["epics_devices.csv"].replace("SR01-H-01:SETI", "OLD:STEERER:SET")
    _, document, _ = converted(tmp_path, folder(tmp_path, **{"epics_devices.csv": text}))
    setpoints = {t["pv"]: t.get("device", t.get("each")) for t in document["pvs"] if t["source"] == "set"}
    assert setpoints == {"SR01-Q1-01:SETI": "SR01-Q1-01", "OLD:STEERER:SET": "SR01-H-01", "RF-MO:FREQ_SET": "rf"}


def test_tables_of_another_ring_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=r"elements.csv has 1 elements, the ring 105: they do not belong"):
        converted(tmp_path, folder(tmp_path, **{"elements.csv": "type,length\nDrift,1\n"}))


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "epics_devices.csv",
            f"{QF},SR01-Q1",
            "999,SR01-Q1",
            "epics_devices.csv: 'SR01-Q1-01': there is no element 999",
        ),
        ("epics_devices.csv", f"{QF},SR01-Q1", "one,SR01-Q1", "el_id 'one' is not the number of an element"),
        ("epics_devices.csv", f"{QF},SR01-Q1", "1.5,SR01-Q1", "el_id '1.5' is not the number of an element"),
        (
            "epics_devices.csv",
            f"{QF},SR01-Q1",
            "9" * 5000 + ",SR01-Q1",
            r"el_id '9+\.\.\. is not the number of an element",
        ),
        ("families.csv", f"{QF},Q1", f"{QF}", "families.csv, line 2: the line ends before family"),
        ("uc_pchip_data.csv", "11.5", "eleven", "'eleven' is not a number"),
    ],
)
def test_nonsense_in_a_table_is_refused_with_its_place(
    tmp_path: Path, file: str, old: str, new: str, expected: str
) -> None:
    with pytest.raises(ExchangeError, match=expected):
        converted(tmp_path, folder(tmp_path, **{file: TABLES[file].replace(old, new)}))


def test_a_text_that_is_not_a_table_is_refused_with_its_line(tmp_path: Path) -> None:
    tables = folder(tmp_path, **{"families.csv": f"el_id,family\n{QF},{'Q' * 1000}\n"})
    before = csv.field_size_limit(500)
    try:
        with pytest.raises(ExchangeError, match=r"families.csv, line 2: not a table: field larger than"):
            converted(tmp_path, tables)
    finally:
        csv.field_size_limit(before)


def test_a_table_above_the_limit_is_refused_with_its_size(tmp_path: Path) -> None:
    tables = folder(tmp_path)
    with (tables / "uc_poly_data.csv").open("r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    said = rf"uc_poly_data\.csv: {MAX_FILE_BYTES + 1} bytes; the limit for a table of pytac is {MAX_FILE_BYTES} bytes"
    with pytest.raises(ExchangeError, match=said):
        converted(tmp_path, tables)


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=r"unitconv.csv: there is no column uc_id"):
        converted(tmp_path, folder(tmp_path, **{"unitconv.csv": TABLES["unitconv.csv"].replace("uc_id", "id")}))
    with pytest.raises(ExchangeError, match=r"elements\.csv: cannot be read"):
        converted(tmp_path, tmp_path / "nowhere")


def test_currents_of_diad_are_those_of_pytac(tmp_path: Path) -> None:
    tables, atip = (importlib.util.find_spec(name) for name in ("pytac", "atip"))
    if not (tables and tables.origin and atip and atip.origin):
        pytest.skip("pytac and atip, which have Diamond's rings, are not installed")
    import pytac.cs
    import pytac.load_csv

    file = Path(atip.origin).parent / "rings" / "DIAD.mat"
    imported = import_machine(file, "at-mat", ImportOptions(bare=True, name="diad"))
    add_pytac(imported, Path(tables.origin).parent / "data" / "DIAD")
    ring = Ring(imported.parsed("diad"))
    theirs = pytac.load_csv.load("DIAD", pytac.cs.ControlSystem())
    units = {"k1": "b1", "b3": "b2"}
    compared = 0
    for magnet in ring.magnets:
        if magnet.main in units:
            conversion = theirs[magnet.element].get_unitconv(units[magnet.main])
            strength = conversion.eng_to_phys(ring.nominal[magnet.supply, "current"])
            assert strength == pytest.approx(ring.nominal[magnet.name, magnet.main], rel=5e-5)
            compared += 1
    assert compared == 418
    assert np.isclose(ring.rigidity, 3e9 / SPEED_OF_LIGHT, rtol=1e-6)
