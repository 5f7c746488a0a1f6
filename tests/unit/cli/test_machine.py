"""`gnomon machine`: list, show, pvs and check."""

import json
from pathlib import Path
from typing import Any

import pytest

from gnomon.db import shipped_document
from gnomon.lattice import DocumentError, Lattice
from unit.cli.commands import gnomon
from unit.ioc.rig import RING, beam
from unit.lattice import small_ring


@pytest.fixture(autouse=True)
def _no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the model's answer to `check`."""
    changes: dict[str, Any] = {}

    class FakePropagator:
        def __init__(self, ring: object) -> None:
            """Any ring."""

        def __call__(self, lattice: Lattice) -> Any:
            return beam(lattice, **changes)

    monkeypatch.setattr("gnomon.propagator.Propagator", FakePropagator)
    return changes


def small(folder: Path, name: str = "ring.json", **changes: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(json.loads(small_ring.text()) | changes))
    return path


def test_list_has_each_shipped_machine_with_its_size() -> None:
    rows = {line.split()[0]: line.split() for line in gnomon("machine", "list").output.splitlines()}
    assert rows.keys() >= {"bessy2", "mls"}
    for name in ("bessy2", "mls"):
        d = shipped_document(name)
        assert rows[name][-4:] == [*map(str, (len(d.elements), len(d.supplies), len(d.monitors))), "shipped"]


def test_show_and_pvs_of_a_file_have_the_prefix_under_which_it_would_be_served(tmp_path: Path) -> None:
    file = small(tmp_path)
    shown = gnomon("machine", "show", file).output
    assert any(line.startswith("PVs: ") for line in shown.splitlines())
    assert "TWIN:" not in shown
    beside = tmp_path / "ioc_config.yaml"
    beside.write_text("machine: ring.json\nprefix: 'MINE:'\n", encoding="utf-8")
    assert "PVs under 'MINE:': " in gnomon("machine", "show", file).output
    assert gnomon("machine", "pvs", file, "CP:set", "--names").output == "MINE:CP:set\n"
    beside.write_text("machine: another.json\nprefix: 'MINE:'\n", encoding="utf-8")
    assert "MINE:" not in gnomon("machine", "show", file).output
    assert "PVs under 'TWIN:': " in gnomon("machine", "show", "mls").output


def test_show_tells_a_machine_and_each_supply_with_its_limits(tmp_path: Path) -> None:
    lines = gnomon("machine", "show", small(tmp_path), "--prefix", "A:").output.splitlines()
    assert any(f"harmonic number {RING.harmonic_number}" in line and RING.nominal.id in line for line in lines)
    pvs = gnomon("machine", "pvs", tmp_path / "ring.json", "--names", "--prefix", "A:").output.splitlines()
    assert f"PVs under 'A:': {len(pvs)}" in lines
    for supply in RING.document.supplies:
        spec = RING.property_spec(supply.name, "current")
        row = next(line for line in lines if line.split()[:1] == [supply.name])
        assert f" {spec.nominal:.4f}" in row
        assert f"{spec.low:g} to {spec.high:g}" in row


def test_show_prints_brackets_in_texts_as_they_are(tmp_path: Path) -> None:
    file = small(tmp_path, title="A [bold]ring[/]", source="a [red]file")
    output = gnomon("machine", "show", file, "--prefix", "A[bold]B:").output
    for text in ("A [bold]ring[/]", "a [red]file", "'A[bold]B:'"):
        assert text in output


def test_pvs_are_listed_with_all_their_properties(tmp_path: Path) -> None:
    lines = gnomon("machine", "pvs", small(tmp_path), "QFP:set", "--prefix", "A:").output.splitlines()
    assert len(lines) == 1
    name, access, kind, *more = lines[0].split()
    assert (access, kind) == ("rw", "float")
    spec = RING.property_spec("QFP", "current")
    limits = [f"{spec.low:.6g}", "to", f"{spec.high:.6g}"]
    assert (name, more) == ("A:QFP:set", [*limits, "A", "set", "QFP", "current", "setpoint"])


def test_a_pattern_fits_with_and_without_the_prefix_and_keeps_the_case() -> None:
    command = ("machine", "pvs", "bessy2", "--names", "--prefix", "A:")
    short = gnomon(*command, "HS4P*:set").output.splitlines()
    assert len(short) >= 4
    assert all(name.startswith("A:HS4P") and name.endswith(":set") for name in short)
    assert gnomon(*command, "A:HS4P*:set").output.splitlines() == short
    with pytest.raises(DocumentError, match=r"none of the \d+ PVs matches hs4p\*"):
        gnomon(*command, "hs4p*")


def test_check_tells_tunes_and_sizes(tmp_path: Path, found: dict[str, Any]) -> None:
    output = gnomon("machine", "check", small(tmp_path)).output
    elements = len(json.loads(small_ring.text())["elements"])
    assert f"valid; {elements} elements, " in " ".join(output.split())
    assert "tunes 3.2500 2.4000" in output


def test_check_fails_when_there_is_no_beam_unless_that_is_allowed(tmp_path: Path, found: dict[str, Any]) -> None:
    found |= {"found": False, "reason": "no stable optics [x]: trace 2.1"}
    with pytest.raises(DocumentError, match=r"no stable optics \[x\]: trace 2.1.*--allow-unstable"):
        gnomon("machine", "check", small(tmp_path))
    output = " ".join(gnomon("machine", "check", "--allow-unstable", small(tmp_path)).output.split())
    assert "no beam with nominal settings: no stable optics [x]: trace 2.1" in output
    assert "tunes" not in output


@pytest.mark.parametrize("name", ["ring[new].json", "[bold]ring.json"])
def test_check_names_the_file_as_it_is(tmp_path: Path, found: dict[str, Any], name: str) -> None:
    assert f"{small(tmp_path, name)}: valid" in gnomon("machine", "check", small(tmp_path, name)).output


def test_check_ends_at_the_first_wrong_file(tmp_path: Path, found: dict[str, Any]) -> None:
    wrong = small(tmp_path, "wrong.json", harmonic_number="many")
    with pytest.raises(DocumentError, match=r"wrong\.json.*harmonic_number"):
        gnomon("machine", "check", wrong, small(tmp_path))


@pytest.mark.parametrize("command", ["show", "pvs"])
def test_an_unknown_machine_is_refused_with_the_known_names(command: str) -> None:
    with pytest.raises(DocumentError, match="no machine 'bessy3'; use one of bessy2, mls"):
        gnomon("machine", command, "bessy3")
