"""A machine document that is wrong is refused, with file, place and reason."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gnomon.lattice import DocumentError, LatticeError, Ring, parse_machine
from gnomon.lattice.files import MAX_DOCUMENT_BYTES, read_bounded
from gnomon.lattice.parsing import read_machine
from tools.schemas import ROOT, SCHEMAS, render
from unit.lattice import small_ring

Break = Callable[[dict[str, Any]], object]


def refusal(change: Break) -> str:
    document = small_ring.document()
    change(document)
    with pytest.raises(DocumentError) as error:
        parse_machine(small_ring.text(document), "ring.json")
    return str(error.value)


def test_a_sound_document_is_read() -> None:
    assert parse_machine(small_ring.text(), "ring.json").name == "small"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d["elements"][3].update(length=-1.0), "elements[3] 'D1' length: input should be greater than"),
        (lambda d: d["elements"][3].update(length="long"), "elements[3] 'D1' length: input should be a valid number"),
        (lambda d: d["elements"][3].update(length="1.0"), "elements[3] 'D1' length: input should be a valid number"),
        (lambda d: d["elements"][4].update(anlge=0.1), "elements[4] 'B1' anlge: extra inputs are not permitted"),
        (lambda d: d["elements"][4].update(type="dipole"), "elements[4] 'B1'"),
        (lambda d: d["elements"][1].pop("k1"), "elements[1] 'QF' k1: field required"),
        (lambda d: d.update(energy_ev=float("nan")), "energy_ev: input should be a finite number, got nan"),
        (lambda d: d["elements"][6].update(name="QF"), "elements: 'QF' appears 2 times"),
        (lambda d: d["supplies"].append({"name": "QFP"}), "supplies: 'QFP' appears 2 times"),
        (lambda d: d["supplies"].append({"name": "IDLE"}), "supply 'IDLE': it feeds no magnet"),
        (lambda d: d["magnets"][0].update(element="QX"), "magnet 'QF': its element 'QX' is not in the ring"),
        (lambda d: d["magnets"][0].update(supply="XP"), "magnet 'QF': its supply 'XP' is not among the supplies"),
        (lambda d: d["magnets"][4].update(element="D1"), "magnet 'CX': its element 'D1' is a drift"),
        (lambda d: d["monitors"].append({"name": "BPM9"}), "monitor 'BPM9': no element of type monitor"),
        (lambda d: d["multiplexer"]["magnets"].append("NO"), "multiplexer 'MUX': 'NO' is not among the magnets"),
        (lambda d: d.update(optics={"soft": {"QX": 1.0}}), "optics 'soft': 'QX' is not among the magnets"),
        (lambda d: d.update(optics={"nominal": {"QF": 1.0}}), "optics 'nominal': the design's strengths are called so"),
        (lambda d: d.update(coupling=0.0), "coupling: input should be greater than 0"),
        (lambda d: d.update(schema="gnomon.machine/9"), "schema: input should be 'gnomon.machine/1'"),
    ],
)
def test_a_fault_is_named_with_file_place_and_reason(change: Break, expected: str) -> None:
    message = refusal(change)
    assert message.startswith("ring.json: ")
    assert expected in message


def test_broken_json_is_refused_with_line_and_column() -> None:
    with pytest.raises(DocumentError, match=r"ring\.json:2:8: not JSON"):
        parse_machine('{\n"name" "x"}', "ring.json")


def test_brackets_without_end_are_refused() -> None:
    with pytest.raises(DocumentError, match=r"ring\.json: not JSON: too many brackets"):
        parse_machine("[" * 200_000, "ring.json")


def test_a_file_beyond_any_document_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, limit = tmp_path / "ring.json", MAX_DOCUMENT_BYTES // 16
    assert read_bounded.__defaults__ == (MAX_DOCUMENT_BYTES,) == (256 * 2**20,)
    monkeypatch.setattr(read_bounded, "__defaults__", (limit,))
    with file.open("wb") as sparse:
        sparse.truncate(2 * limit)
    tracemalloc.start()
    try:
        with pytest.raises(DocumentError, match=r"ring\.json: cannot be read: larger than 16 MiB"):
            read_machine(file)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * limit
    finally:
        tracemalloc.stop()


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(DocumentError, match="key 'name' appears twice"):
        parse_machine('{"name": "a", "name": "b"}', "ring.json")


def test_magnets_of_one_supply_that_disagree_are_refused() -> None:
    document = small_ring.document()
    document["magnets"][1]["supply"] = "QFP"
    document["supplies"] = [s for s in document["supplies"] if s["name"] != "QDP"]
    with pytest.raises(LatticeError, match="supply 'QFP' feeds magnets that disagree"):
        Ring(parse_machine(small_ring.text(document), "ring.json"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_committed_schemas_have_not_drifted(name: str) -> None:
    assert (ROOT / name).read_text() == render(SCHEMAS[name]), "run python -m tests.tools.schemas"
