"""PV names are data: what a PV document may say about names, and how what is wrong with it is told."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gnomon.db import shipped_machine
from gnomon.db.machines import pv_document
from gnomon.db.naming import Naming
from gnomon.db.pvs import PvSpec
from gnomon.db.templates import expand, read_pvs
from gnomon.ioc.base.config import Config, StoreConfig
from gnomon.ioc.base.machines import find_machine, keep_document, pvs_of
from gnomon.lattice import DocumentError
from unit.lattice import small_ring

SETPOINT = {"pv": "{name}:set", "each": "supply", "source": "set", "property": "current", "description": "{name}"}


def document(folder: Path, name: str = "mine", **content: Any) -> Path:
    file = folder / f"{name}.pvs.json"
    file.write_text(json.dumps({"schema": "gnomon.pvs/1", "name": name, "pvs": [SETPOINT]} | content))
    return file


def served(file: Path | str, machine: str = "mls", prefix: str = "") -> dict[str, PvSpec]:
    found = find_machine(Config(machine=machine, pvs=str(file)))
    return {spec.name: spec for spec in pvs_of(found, prefix)}


def refusal(file: Path) -> str:
    with pytest.raises(DocumentError) as error:
        served(file)
    return str(error.value)


def test_parts_of_a_device_name_fill_a_template() -> None:
    naming = Naming(
        [r"(?P<family>[QS]\d)P(?P<number>\d)(?P<cell>[KL]\d)RP", r"BPMZ(?P<number>\d)(?P<cell>[KL]\d)RP"],
        {"cell": {"K1": "1", "L2": "2"}},
    )
    assert naming.fill("srmag/vps-{family}/c{cell:02}-{number}/current", "Q1P2L2RP") == "srmag/vps-Q1/c02-2/current"
    assert naming.fill("{name}: {cell}", "BPMZ7K3RP") == "BPMZ7K3RP: K3"  # no word for it: as it was
    assert naming.fill("{name}:freq", "CAV") == "CAV:freq"  # no rule fits, and none is needed


def test_a_document_given_as_a_file_names_the_pvs_of_a_shipped_machine(tmp_path: Path) -> None:
    file = document(tmp_path, names=["(?P<family>[A-Z]+\\d?)P.*"], include=["beam"])
    pvs = served(file, prefix="SIM:")
    assert pvs["SIM:Q1P1K1RP:set"].description == "Q1P1K1RP"
    assert "SIM:beam:twiss:x:tune" in pvs
    assert "SIM:Q1P1K1RP:setCur" not in pvs


def test_a_document_includes_others_beside_it(tmp_path: Path) -> None:
    document(tmp_path, "other", pvs=[{"pv": "TUNE", "source": "tune.x", "description": "tune"}])
    assert {"TUNE", "Q1P1K1RP:set"} < served(document(tmp_path, include=["other"])).keys()


async def test_the_names_of_a_served_machine_are_kept_with_it(tmp_path: Path) -> None:
    document(tmp_path, "other", pvs=[{"pv": "TUNE", "source": "tune.x", "description": "tune"}])
    document(tmp_path, include=["beam", "other"], pvs=[SETPOINT | {"pv": "MINE:{name}"}])
    machine = tmp_path / "ring.json"
    machine.write_text(small_ring.text(small_ring.document() | {"name": "ring", "pvs": "mine"}))
    store = StoreConfig(path=tmp_path / "data" / "documents.sqlite")
    await keep_document(find_machine(Config(machine=str(machine), store=store)), Config(store=store))
    for file in tmp_path.glob("*.json"):
        file.unlink()
    found = await asyncio.to_thread(find_machine, Config(machine="ring", store=store))
    assert {"TUNE", "MINE:QFP", "beam:twiss:x:tune"} < {spec.name for spec in pvs_of(found, "")}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"names": ["(?P<family>Q"]}, "names[0]: '(?P<family>Q' is not a regular expression: missing ), "),
        ({"names": ["(?P<name>Q.*)"]}, "names: no group may be called 'name'"),
        ({"words": {"cell": {}}}, "words.cell: no rule in `names` has a group 'cell'"),
        ({"include": ["mine"]}, "include: it includes itself, by way of mine.pvs.json"),
        ({"include": ["nobody"]}, "no PV document 'nobody' (nobody.pvs.json) is in "),
        (
            {"pvs": [SETPOINT | {"pv": "{cell}:set"}]},
            "pvs[0] '{cell}:set': device 'Q1P1K1RP' has no {cell}; it has name",
        ),
        ({"pvs": [SETPOINT | {"pv": "{name:02}"}]}, "pvs[0] '{name:02}': device 'Q1P1K1RP': {name:02} needs a number"),
        ({"pvs": [SETPOINT | {"each": ""}]}, "pvs[0] '{name}:set': a placeholder needs a device: give `each`"),
        ({"pvs": [SETPOINT | {"source": "sett"}]}, "pvs[0] '{name}:set': there is no source 'sett'; near names: set"),
        ({"pvs": [SETPOINT | {"property": "curent"}]}, "pvs[0] '{name}:set': mls: device 'Q1P1K1RP' has no property"),
        ({"pvs": [SETPOINT | {"eech": 1}]}, "pvs[0] eech: extra inputs are not permitted"),
        ({"pvs": [SETPOINT | {"pv": "X"}]}, "PV 'X' is given twice: for Q1P2K1RP here, for Q1P1K1RP by 'X'"),
    ],
)
def test_a_fault_is_named_with_file_place_and_reason(tmp_path: Path, content: dict[str, Any], expected: str) -> None:
    message = refusal(document(tmp_path, **content))
    assert expected in message
    assert "nobody" in message or message.startswith(f"{tmp_path}/mine.pvs.json: ")


def test_the_second_naming_of_bessy2_reaches_every_device_that_the_first_does() -> None:
    ring = shipped_machine("bessy2")
    first, second = (expand(read_pvs(name, pv_document), ring, "") for name in ("bessy2", "bessy2-areas"))
    for source in ("set", "monitor.x", "monitor.y"):
        wanted = ("current", "frequency", "voltage", "k1", "b3", "kick", "")
        reached = [{(s.device, s.property) for s in specs if s.source == source} for specs in (first, second)]
        assert reached[1] == {one for one in reached[0] if one[1] in wanted} != set()
