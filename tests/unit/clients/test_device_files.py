"""Files of devices for happi and ophyd: complete for any facility, and loaded by those packages."""

import json
from pathlib import Path
from typing import Any

import pytest
from happi import Client
from happi.backends.json_db import JSONBackend
from ophyd import Device

from gnomon.clients.device_files import FileKind, happi_database, ophyd_file
from gnomon.clients.machine_pvs import find_machine_pvs


@pytest.mark.parametrize("machine", ["bessy2", "mls"])
def test_happi_finds_every_device(machine: str, tmp_path: Path) -> None:
    pvs = find_machine_pvs(machine, "T:")
    (tmp_path / "db.json").write_text(happi_database(pvs))
    client = Client(database=JSONBackend(str(tmp_path / "db.json")))
    items = {item["name"]: item for item in client.all_items}
    assert items.keys() >= {*pvs.supplies, "master_clock", "monitors", "tunes", "current"}
    assert {item["device_class"].rpartition(".")[0] for item in items.values()} == {"gnomon.clients.classic"}
    assert not client.validate()  # the entries that happi finds wrong


def test_a_file_of_ophyd_devices_needs_no_gnomon() -> None:
    text = ophyd_file(find_machine_pvs("bessy2", "TWIN:"))
    names: dict[str, Any] = {"__name__": "ring"}
    assert "gnomon." not in text.partition('"""\n\n')[2]
    exec(compile(text, "ring.py", "exec"), names)
    assert "import gnomon" not in text
    table = names["TABLE"]
    assert list(names["devices"]) == list(table)
    make, arguments = table["HS4P1D1R"]
    assert (make, arguments["readback_pv"], arguments["limits"]) == ("Setting", "TWIN:HS4P1D1R:rdbk", [-10.0, 10.0])
    assert issubclass(names[make], Device)
    assert table["monitors"][1]["count_pv"] == "TWIN:ORBITCC:count"


def test_devices_for_a_machine_wait_longer() -> None:
    pvs = find_machine_pvs("bessy2", "")
    waits = {}
    kinds: tuple[FileKind, ...] = ("twin", "machine")
    for kind in kinds:
        items = json.loads(happi_database(pvs, kind))
        waits[kind] = (items["HS4P1D1R"]["kwargs"]["settle_s"], *(items[n]["kwargs"]["new"] for n in _MEASURED))
    # The supply settles for 0.5 s, and the tune meter averages over a second.
    assert waits == {"twin": (0.0, False, False), "machine": (1.5, True, True)}


_MEASURED = ("monitors", "tunes")


def test_monitors_without_an_array_are_single_values() -> None:
    monitors = json.loads(happi_database(find_machine_pvs("mls", "")))["monitors"]
    assert monitors["device_class"] == "gnomon.clients.classic.readings"
    assert len(monitors["kwargs"]["pvs"]) == 56
