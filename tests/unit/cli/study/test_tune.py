"""`gnomon study tune`: what it asks of the study, and what it shows. Nothing is computed."""

from unit.cli.commands import gnomon
from unit.cli.study.made_up import Asked, rows


def test_tune_shows_both_planes_and_the_largest_optics(asked: list[Asked]) -> None:
    output = gnomon("study", "tune", "--machine", "mls").output
    shown = rows(output)
    assert asked == [Asked("mls", "optics nominal", {"order": 0, "delta_range": 0.01})]
    assert (shown["tune"], shown["chromaticity"]) == (["17.850000", "6.740000"], ["1.500000", "-2.500000"])
    assert "maximum beta [m]" in output
    assert [line.split()[-2:] for line in output.splitlines() if line.startswith("maximum")] == [
        ["10.0000", "20.0000"],
        ["0.5000", "0.0200"],
    ]
    assert "momentum compaction 7.300000e-04" in output
    assert "no [cavity] voltage" in output


def test_tune_lists_the_strongest_quadrupole_first(asked: list[Asked]) -> None:
    lines = gnomon("study", "tune").output.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("strongest"))
    assert [line.split() for line in lines[first + 1 :]] == [
        ["QB", "-3.00000", "+1.00000"],
        ["QA", "+0.10000", "+0.20000"],
    ]


def test_tune_lists_the_supplies_that_move_the_most_first(asked: list[Asked]) -> None:
    output = gnomon("study", "tune").output
    tunes, chromaticities = output.split("supplies that move the ")[1:]
    assert [line.split()[0] for line in tunes.splitlines()[1:4]] == ["PB", "PA", "PS"]
    assert chromaticities.splitlines()[1].split() == ["PS", "+0.00000", "+0.00000", "+2.50000", "-1.50000"]
