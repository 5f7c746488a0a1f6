"""`gnomon compare`: both beams, what changes around the ring, and the settings that differ."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gnomon.cli.study.compare import show_beams, show_settings
from gnomon.propagator.studies.result_files import StudyResult
from unit.cli.commands import gnomon
from unit.cli.study.made_up import COMPARISON, result


@pytest.mark.usefixtures("no_kernels")
def test_compare_shows_both_beams_and_the_settings(tmp_path: Path) -> None:
    plot = tmp_path / "compare.svg"
    output = gnomon("compare", "nominal", "low_alpha", "--machine", "mls", "--plot", plot, "--dark").output
    rows = {line.split()[0]: line.split() for line in output.splitlines() if line.strip()}
    assert rows["Q1P1K1RP"][1:4] == ["current", "51.92001482", "66.70544861"]
    assert "beta beating" in output
    assert "ring optics" in output
    assert "Δ" in plot.read_text() or "Delta" in plot.read_text()
    document = json.loads(gnomon("compare", "nominal", "low_alpha", "--machine", "mls", "--json").stdout)
    assert document["names"]["side"] == ["optics nominal", "optics low_alpha"]


def shown(*, limit: int | None = None, of: StudyResult = COMPARISON) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=160, emoji=False, highlight=False)
    show_beams(of, console)
    show_settings(of, console, limit)
    return file.getvalue().splitlines()


def test_both_beams_stand_side_by_side_with_the_change() -> None:
    lines = [" ".join(line.split()) for line in shown()]
    assert lines[0] == "snapshot [a] command 5 of 'TWIN:' change"
    assert lines[1:7] == [
        "tune x 17.850000 17.860000 +0.010000",
        "tune y 6.740000 6.740000 +0.000000",
        "chromaticity x 1.500000 1.000000 -0.500000",
        "chromaticity y -2.500000 -2.500000 +0.000000",
        "momentum deviation 0.000000e+00 -2.000000e-05 -2.00e-05",
        "momentum compaction 7.300000e-04 7.400000e-04 +1.00e-05",
    ]


def test_changes_at_the_monitors_are_rms_and_largest_in_per_cent_and_millimetres() -> None:
    lines = [" ".join(line.split()) for line in shown()]
    assert lines[8:11] == [
        "beta beating 3.5355 0.0000 4.0000 0.0000 %",
        "orbit change 0.0000 1.0000 0.0000 1.0000 mm",
        "dispersion change 0.0000 14.1421 0.0000 20.0000 mm",
    ]


def test_settings_of_supplies_come_first_and_a_name_is_shown_as_it_is() -> None:
    lines = [line.split() for line in shown()[-3:]]
    assert lines == [
        ["P1", "current", "1", "1.5", "+0.5", "A"],
        ["P2", "current", "100", "100.001", "+0.001", "A"],
        ["Q[1]", "k1_trim", "0.5", "0.25", "-0.25", "1/m^2"],
    ]


def test_settings_beyond_the_limit_are_counted_and_those_at_it_are_not() -> None:
    assert shown(limit=2)[-1] == "and 1 more settings; show them with --all"
    assert "more settings" not in shown(limit=3)[-1]


def test_lattices_without_a_difference_say_so() -> None:
    same = result(
        {name: quantity.data for name, quantity in COMPARISON.quantities.items()}
        | {"setting first": np.zeros(0), "setting second": np.zeros(0)},
        {**COMPARISON.names, "setting": (), "setting unit": ()},
    )
    assert shown(of=same)[-1] == "no setting differs"


@pytest.mark.usefixtures("no_kernels")
def test_all_lists_what_the_limit_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.propagator.studies.study_comparison", lambda *_: COMPARISON)
    monkeypatch.setattr("gnomon.cli.study.compare.MAX_LISTED", 1)
    command = ("compare", "nominal", "low_alpha", "--machine", "mls")
    assert "and 2 more settings" in gnomon(*command).output
    assert "Q[1] k1_trim" in gnomon(*command, "--all").output
