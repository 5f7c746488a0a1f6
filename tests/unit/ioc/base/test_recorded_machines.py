"""A machine that was served can be found again by its journal, whatever program the ring came from."""

import json
from pathlib import Path
from typing import Any

import at
import pytest

from gnomon.db import shipped_document
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import LoadedMachine, keep_document, recorded_machine
from gnomon.lattice import MachineDocument, Ring, parse_machine
from gnomon.lattice.exchange import ImportOptions, import_machine
from unit.lattice.exchange import rings, test_elegant, test_lattice_json, test_tracy
from unit.lattice.small_ring import DOCUMENT

TEXTS = {
    "madx": rings.MADX,
    "tracy": test_tracy.TRACY,
    "elegant": test_elegant.RING,
    "lattice-json": json.dumps(test_lattice_json.TWO),
}
SAVERS = {"at-json": "save_json", "at-mat": "save_mat", "at-m": "save_m", "at-repr": "save_repr"}
SUFFIXES = {"at-json": "json", "at-mat": "mat", "at-m": "m", "at-repr": "repr"}


def document(format: str, folder: Path) -> MachineDocument:
    """A ring in a format, imported; written to a file and read again, as a user has it."""
    file = folder / f"ring.{SUFFIXES.get(format, 'txt')}"
    if format in SAVERS:
        getattr(at, SAVERS[format])(rings.small_ring(), str(file))
    else:
        file.write_text(TEXTS[format])
    imported = import_machine(file, format, ImportOptions(energy_ev=1.7e9, harmonic_number=80, name="mine"))
    return parse_machine(imported.parsed(str(file)).model_dump_json(by_alias=True), "a file")


async def found_again(known: MachineDocument, config: Config) -> LoadedMachine:
    """The machine by its digest, after it was kept; looked up inside a running event loop, as a server does."""
    await keep_document(LoadedMachine(known, "a file"), config)
    return recorded_machine(config, known.name, Ring(known).digest)


def config_in(folder: Path) -> Config:
    return Config.model_validate({"store": {"path": str(folder / "documents.sqlite")}})


@pytest.mark.parametrize("format", [*TEXTS, *SAVERS])
async def test_an_imported_ring_is_what_was_recorded(format: str, tmp_path: Path) -> None:
    known = document(format, tmp_path)
    again = await found_again(known, config_in(tmp_path))
    assert Ring(again.document).nominal.id == Ring(known).nominal.id


async def test_a_ring_with_optics_keeps_their_numbers(tmp_path: Path) -> None:
    optics: dict[str, Any] = {"zero": {"QF": 1.1}, "alpha": {"QF": 1.3}}
    known = parse_machine(json.dumps(DOCUMENT | {"optics": optics, "name": "mine"}), "a file")
    again = await found_again(known, config_in(tmp_path))
    assert tuple(again.document.optics) == ("zero", "alpha")
    assert again.ring.optics_settings(1) == Ring(known).optics_settings(1)


async def test_a_shipped_ring_under_another_name_is_what_was_recorded(tmp_path: Path) -> None:
    known = shipped_document("mls").model_copy(update={"name": "mine"})
    again = await found_again(known, config_in(tmp_path))
    assert again.ring.digest == Ring(known).digest
