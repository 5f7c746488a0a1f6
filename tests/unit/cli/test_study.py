"""`gnomon study`: what each command asks of the studies, and what it shows and writes. Nothing is computed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.lattice import GnomonError, Lattice
from gnomon.propagator.studies.result_files import Quantity, StudyError, StudyResult
from unit.cli.commands import gnomon


def result(quantities: dict[str, Any], names: dict[str, tuple[str, ...]], **facts: str) -> StudyResult:
    return StudyResult("made up", facts, names, {k: Quantity(np.asarray(v), "") for k, v in quantities.items()})


TUNE = result(
    {
        "tune": [17.85, 6.74], "chromaticity": [1.5, -2.5], "beta": [[10.0, 3.0], [4.0, 20.0], [1.0, 1.0]],
        "dispersion": [[-0.5, 0, 0.01, 0], [0.25, 0, -0.02, 0]], "momentum compaction": 7.3e-4,
        "tune response": [[0.1, -3.0], [0.2, 1.0]],
        "tune by supply": [[0.01, 0.02, 0.0], [0.0, -0.03, 0.0]], "chromaticity by supply": [[0, 0, 2.5], [0, 0, -1.5]],
    },
    {"knob": ("QA", "QB"), "knob parameters": ("b2", "b2"), "supply": ("PA", "PB", "PS")},
    **{"no synchrotron motion": "no [cavity] voltage"},
)  # fmt: skip
ORM = result(
    {
        "x, momentum held": [[3.0, 100.0], [4.0, 100.0]], "y, momentum held": [[0.0, 2.0], [0.0, 2.0]],
        "x, frequency held": [[1.0, 50.0], [1.0, 50.0]],
        "x, by RF frequency": [2e-9, 2e-9], "y, by RF frequency": [0.0, 0.0], "momentum deviation": 1e-5,
        "x by supply, momentum held": [[3.0, 0.0], [4.0, 0.0]], "y by supply, momentum held": [[0.0, 2.0], [0.0, 2.0]],
        "x by supply, frequency held": [[1.0, 0.0], [1.0, 0.0]],
        "monitor valid": [True, False], "supply valid": [True, True],
    },
    {"knob": ("H", "V"), "knob parameters": ("kick_x", "kick_y"), "supply": ("HP", "VP"), "supply plane": ("x", "y"),
     "monitors": ("BPM1", "BPM[2]")},
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """What was asked of the studies: machine, optics and options."""
    calls: list[tuple[str, str, dict[str, Any]]] = []

    def fake(answer: StudyResult) -> Callable[..., StudyResult]:
        def study(lattice: Lattice, origin: str, say: object, **options: Any) -> StudyResult:
            calls.append((lattice.ring.name, origin, options))
            return answer

        return study

    monkeypatch.setattr("gnomon.propagator.studies.study_tune", fake(TUNE))
    monkeypatch.setattr("gnomon.propagator.studies.study_orm", fake(ORM))
    monkeypatch.setattr("gnomon.cli.compile_kernels.compile_with_progress", lambda *_: None)
    monkeypatch.setattr("gnomon.cli.compile_kernels.compile_studies_with_progress", lambda *_: None)
    return calls


def rows(output: str) -> dict[str, list[str]]:
    lines = (line.split() for line in output.splitlines())
    return {cells[0]: cells[1:] for cells in lines if cells}


def test_tune_shows_both_planes_and_the_largest_optics(asked: list[Any]) -> None:
    output = gnomon("study", "tune", "--machine", "mls").output
    shown = rows(output)
    assert asked == [("mls", "optics nominal", {"order": 0, "delta_range": 0.01})]
    assert (shown["tune"], shown["chromaticity"]) == (["17.850000", "6.740000"], ["1.500000", "-2.500000"])
    assert "maximum beta [m]" in output
    assert [line.split()[-2:] for line in output.splitlines() if line.startswith("maximum")] == [
        ["10.0000", "20.0000"],
        ["0.5000", "0.0200"],
    ]
    assert "momentum compaction 7.300000e-04" in output
    assert "no [cavity] voltage" in output


def test_tune_lists_the_strongest_quadrupole_first(asked: list[Any]) -> None:
    lines = gnomon("study", "tune").output.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("strongest"))
    assert [line.split() for line in lines[first + 1 :]] == [
        ["QB", "-3.00000", "+1.00000"],
        ["QA", "+0.10000", "+0.20000"],
    ]


def test_tune_lists_the_supplies_that_move_the_most_first(asked: list[Any]) -> None:
    output = gnomon("study", "tune").output
    tunes, chromaticities = output.split("supplies that move the ")[1:]
    assert [line.split()[0] for line in tunes.splitlines()[1:4]] == ["PB", "PA", "PS"]
    assert chromaticities.splitlines()[1].split() == ["PS", "+0.00000", "+0.00000", "+2.50000", "-1.50000"]


def test_json_is_the_result_and_nothing_else(asked: list[Any]) -> None:
    document = json.loads(gnomon("study", "tune", "--json").stdout)
    assert document["quantities"]["tune"]["data"] == [17.85, 6.74]


def test_options_reach_the_study(asked: list[Any]) -> None:
    output = gnomon(
        "study", "tune", "--machine", "mls", "--optics", "low_alpha", "--order", "2", "--delta-range", "0"
    ).output
    assert asked == [("mls", "optics low_alpha", {"order": 2, "delta_range": 0.0})]
    assert "mls, optics low_alpha, lattice" in output


def test_orm_shows_the_rms_of_each_plane(asked: list[Any]) -> None:
    output = gnomon("study", "orm").output
    by_magnet, by_supply = (rows(part) for part in output.split("rms of readings by supply [mm/A]"))
    assert asked == [("bessy2", "optics nominal", {})]
    assert by_magnet["horizontal"] == ["1", "3.5355", "0.0000", "1.0000"]
    assert by_magnet["vertical"] == ["1", "100.0000", "2.0000", "50.0000"]
    assert by_supply["horizontal"] == ["1", "3.5355", "0.0000", "1.0000"]
    assert by_supply["vertical"] == ["1", "0.0000", "2.0000", "0.0000"]
    assert "not valid, monitor: BPM[2]\n" in output
    assert "not valid, supply" not in output
    assert "rms by RF frequency: x 2.0000, y 0.0000 um/kHz" in output
    assert "momentum deviation 1.000e-05" in output


def test_the_result_is_written_and_its_file_named_as_it_is(asked: list[Any], tmp_path: Path) -> None:
    out = tmp_path / ("a_long_name_" * 8 + "[bold].json")
    assert f"written: {out}\n" in gnomon("study", "tune", "-o", out).output
    assert json.loads(out.read_text())["quantities"]["tune"]["data"] == [17.85, 6.74]


@pytest.mark.parametrize(
    "options",
    [
        ["-o", "tune.txt"],
        ["-o", "nowhere/tune.json"],
        ["--plot", "tune.gif"],
        ["--optics", "none"],
        ["--machine", "x"],
        ["--from", "Q99"],
        ["--from", "9", "--to", "3"],
        ["--cell", "17"],
        ["--snapshot", "none"],
        ["--lattice", "ab"],
    ],
)
def test_a_study_that_cannot_be_done_is_refused_before_the_work(
    asked: list[Any], options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GnomonError) as refused:
        gnomon("study", "tune", *options)
    assert isinstance(refused.value, StudyError) or options[0] in ("--optics", "--machine", "--snapshot", "--lattice")
    assert asked == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        ["tune", "--order", "4"], ["orm", "--journal", "a"],
        ["tune", "--snapshot", "a", "--at", "1"],
        ["tune", "--order", "-1"], ["aperture", "--turns", "0"],
        ["aperture", "--places", "-1"], ["aperture", "--extent", "40"], ["aperture", "--time-limit", "0"],
    ],
)  # fmt: skip
def test_numbers_outside_their_range_are_wrong_use(asked: list[Any], options: list[str]) -> None:
    assert gnomon("study", *options).exit_code == 2
    assert asked == []
