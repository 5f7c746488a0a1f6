"""`gnomon init`: one folder with everything to serve a ring, or nothing."""

import json
import os
from pathlib import Path

import pytest

from gnomon.ioc.base.config import read_config
from gnomon.ioc.base.machines import find_machine, pvs_of
from gnomon.lattice import DocumentError
from gnomon.lattice.exchange import ExchangeError, guess_format
from unit.cli.commands import gnomon

pytestmark = pytest.mark.usefixtures("reads_here")

CELL = """
q1: quadrupole, l=0.2, k1={k1}
q2: quadrupole, l=0.2, k1=-1.2
b: csbend, l=1.0, angle=0.7853981633974483, n_kicks=20
hc: hkicker, l=0
m: moni
d: drift, l=0.6
rf: rfca, l=0, volt=1e5, freq={freq}
cell: line=(q1, d, hc, m, b, d, q2, d, b, d)
{end}
"""
CIRCUMFERENCE_M = 4 * (0.4 + 4 * 0.6 + 2.0)


def lattice(tmp_path: Path, k1: float = 1.4) -> Path:
    """Write a ring of four cells for elegant."""
    file = tmp_path / "My Ring.lte"
    frequency = 4 * 299_792_458.0 / CIRCUMFERENCE_M
    file.write_text(CELL.format(k1=k1, freq=frequency, end="ring: line=(4*cell, rf)\nuse, ring"), encoding="utf-8")
    return file


def init(file: Path, folder: Path, *more: object) -> str:
    return gnomon("init", file, "--out", folder, "--energy-ev", 6e8, "--use", "ring", *more).output


def test_the_folder_holds_a_valid_machine_names_configuration_panels_and_unit(tmp_path: Path) -> None:
    folder = tmp_path / "my-ring"
    output = init(lattice(tmp_path), folder)
    assert f"next: gnomon serve --config {folder}/ioc_config.yaml" in output
    config = read_config(folder / "ioc_config.yaml")
    assert (config.prefix, config.machine) == ("MY_RING:", str(folder / "my_ring.json"))
    loaded = find_machine(config)
    names = [spec.name for spec in pvs_of(loaded, config.prefix)]
    assert loaded.document.pvs == "my_ring"
    assert {f"MY_RING:M_{n}:x" for n in (1, 2, 3, 4)} <= set(names)
    assert len(loaded.document.monitors) == 4
    assert (folder / "panels" / "overview.bob").read_bytes().startswith(b"<?xml")
    unit = (folder / "gnomon.service").read_text(encoding="utf-8")
    assert f"serve --config {folder}/ioc_config.yaml --restore" in unit


def test_names_that_a_user_edits_are_served(tmp_path: Path) -> None:
    folder = tmp_path / "ring"
    init(lattice(tmp_path), folder, "--prefix", "SR:")
    file = folder / "ring.pvs.json"
    file.write_text(file.read_text(encoding="utf-8").replace("{name}:x", "BPM/{name}/x"), encoding="utf-8")
    config = read_config(folder / "ioc_config.yaml")
    assert sum(s.name.startswith("SR:BPM/") for s in pvs_of(find_machine(config), config.prefix)) == 4


def test_a_ring_without_a_beam_leaves_nothing_behind(tmp_path: Path) -> None:
    file = lattice(tmp_path, k1=60.0)
    with pytest.raises(DocumentError, match="no beam with nominal settings"):
        init(file, tmp_path / "ring")
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ring").mkdir()
    (tmp_path / "ring" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DocumentError, match="not an empty folder; name another one with --out"):
        init(lattice(tmp_path), tmp_path / "ring")
    assert [path.name for path in (tmp_path / "ring").iterdir()] == ["notes.txt"]


def test_the_unit_restarts_the_server_and_waits_until_it_is_ready(tmp_path: Path) -> None:
    folder = tmp_path / "ring"
    init(lattice(tmp_path), folder)
    lines = (folder / "gnomon.service").read_text(encoding="utf-8").splitlines()
    keys = [line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")]
    assert keys == ["Description", "After", "Type", "User", "ExecStart", "Restart", "RestartSec", "WantedBy"]


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("a.mat", "", "at-mat"),
        ("a.SEQ", "", "madx"),
        ("a.lte", "", "elegant"),
        ("a.lat", "", "tracy"),
        ("a.json", json.dumps({"atjson": 1, "elements": []}), "at-json"),
        ("a.json", json.dumps({"elements": {"d": {}}, "lattices": {}}), "lattice-json"),
        ("a.json", json.dumps([{"name": "ring"}]), "lat2db"),
    ],
)
def test_the_format_follows_from_name_and_content(tmp_path: Path, name: str, content: str, format: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert guess_format(tmp_path / name) == format


def test_a_name_that_tells_nothing_asks_for_the_format(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="--format: at-mat"):
        guess_format(tmp_path / "ring.dat")
    (tmp_path / "ring.json").write_text(json.dumps({"schema": "gnomon.machine/1"}), encoding="utf-8")
    with pytest.raises(ExchangeError, match="needs no import"):
        guess_format(tmp_path / "ring.json")


def test_a_pipe_and_a_missing_file_are_each_refused_as_that(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.lte")
    with pytest.raises(DocumentError, match=r"pipe\.lte: not an ordinary file"):
        init(tmp_path / "pipe.lte", tmp_path / "ring")
    with pytest.raises(DocumentError, match=r"none\.lte: there is no such file"):
        init(tmp_path / "none.lte", tmp_path / "ring")


def test_json_of_many_brackets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(ExchangeError, match="too many brackets within each other"):
        guess_format(tmp_path / "deep.json")
