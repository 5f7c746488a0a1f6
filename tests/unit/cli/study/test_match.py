"""`gnomon study match`: what it asks for, what it shows of the answer, and its exit code. Nothing is computed."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from gnomon.lattice import GnomonError, Lattice
from gnomon.propagator.studies import Bump, Target
from gnomon.propagator.studies.result_files import Quantity, StudyResult
from unit.cli.commands import gnomon
from unit.cli.study.made_up import COMPARISON, rows

#: A tune that is reached but for 2e-6, a bump of -0.5 mm at a monitor, and three supplies of which one stays.
MATCH = replace(
    COMPARISON,
    names={
        **COMPARISON.names,
        "condition": ("Qx", "y at BPM[2]"),
        "condition unit": ("", "m"),
        "supply": ("Q[red]1", "Q2", "Q3\x1b[2J"),
    },
    quantities={
        **COMPARISON.quantities,
        **{
            name: Quantity(np.array(data), "")
            for name, data in {
                "reached": True, "wanted": [0.01, -5e-4], "linear": [0.0099, -5e-4], "found": [0.010002, -5e-4],
                "before": [51.5, 20.0, 7.0], "after": [52.0, 10.0, 7.0], "low": [0.0, 10.0, 0.0],
                "high": [100.0, 30.0, 9.0],
            }.items()
        },
    },
)  # fmt: skip


@dataclass
class FakeMatching:
    answer: StudyResult = MATCH
    asked: list[tuple[str, Target, list[str]]] = field(default_factory=list)

    def __call__(
        self, lattice: Lattice, origin: str, say: object, target: Target, patterns: Iterable[str]
    ) -> StudyResult:
        self.asked.append((lattice.ring.name, target, list(patterns)))
        return self.answer


@pytest.fixture
def matching(monkeypatch: pytest.MonkeyPatch, no_kernels: None) -> FakeMatching:
    fake = FakeMatching()
    monkeypatch.setattr("gnomon.propagator.studies.study_match", fake)
    return fake


@pytest.mark.parametrize(
    ("options", "target", "patterns"),
    [
        (["--tunes", "+0.005,-1e-3"], Target(tunes=(0.005, -0.001)), []),
        (["--chromaticities", "0, 0.5", "--with", "S1*, S2*,"], Target(chromaticities=(0.0, 0.5)), ["S1*", "S2*"]),
        (["--bump", "BPM=1=-0.5,2"], Target(bump=Bump("BPM=1", -0.5e-3, 2e-3)), []),
        (
            ["--tunes", "0,0", "--chromaticities", "1,2", "--with", "Q*", "--with", "S*"],
            Target(tunes=(0.0, 0.0), chromaticities=(1.0, 2.0)),
            ["Q*", "S*"],
        ),
    ],
)
def test_options_reach_the_matching_in_si_units(
    matching: FakeMatching, options: list[str], target: Target, patterns: list[str]
) -> None:
    assert gnomon("study", "match", "--machine", "mls", *options).exit_code == 0
    assert matching.asked == [("mls", target, patterns)]


@pytest.mark.parametrize(
    "options",
    [
        [], ["--with", "Q*"], ["--tunes", "0.01"], ["--tunes", "a,b"], ["--tunes", "1,2,3"], ["--tunes", "nan,0"],
        ["--chromaticities", ","], ["--bump", "BPMZ1K1RP=1"], ["--bump", "1,0,0"],
    ],
)  # fmt: skip
def test_targets_that_are_not_pairs_are_wrong_use(matching: FakeMatching, options: list[str]) -> None:
    assert gnomon("study", "match", "--machine", "mls", *options).exit_code == 2
    assert matching.asked == []


def test_conditions_are_shown_in_units_of_people_with_their_residual(matching: FakeMatching) -> None:
    shown = rows(gnomon("study", "match", "--machine", "mls", "--tunes", "0.01,0").output)
    assert shown["Qx"] == ["+0.010000", "+0.009900", "+0.010002", "+2.0e-06"]
    assert shown["y"] == ["at", "BPM[2]", "-0.500000", "-0.500000", "-0.500000", "+0.0e+00", "mm"]


def test_supplies_are_shown_with_change_and_limits_and_those_that_stay_are_counted(matching: FakeMatching) -> None:
    output = gnomon("study", "match", "--machine", "mls", "--tunes", "0.01,0").output
    shown = rows(output)
    assert shown["Q[red]1"] == ["51.50000", "52.00000", "+0.50000", "0", "to", "100"]
    assert shown["Q2"] == ["20.00000", "10.00000", "-10.00000", "10", "to", "30", "at", "its", "limit"]
    assert not any(name.startswith("Q3") for name in shown)
    assert "supplies that stay as they are: 1\n" in output


def test_the_beams_before_and_after_are_compared(matching: FakeMatching) -> None:
    output = gnomon("study", "match", "--machine", "mls", "--tunes", "0.01,0").output
    assert ["chromaticity", "x", "1.500000", "1.000000", "-0.500000"] in [line.split() for line in output.splitlines()]


def test_a_target_that_is_not_reached_exits_with_1_and_says_so(matching: FakeMatching) -> None:
    assert "not reached" not in gnomon("study", "match", "--machine", "mls", "--tunes", "0.01,0").output
    matching.answer = replace(MATCH, quantities={**MATCH.quantities, "reached": Quantity(np.array(False), "1")})
    result = gnomon("study", "match", "--machine", "mls", "--tunes", "0.01,0")
    assert result.exit_code == 1
    assert "not reached with these supplies within their limits; this is the nearest" in result.output
    assert result.output.endswith("predicted only: nothing was set\n")


@pytest.mark.usefixtures("no_kernels")
def test_unknown_monitors_and_supplies_are_refused() -> None:
    for options in (["--bump", "BPM=1,0"], ["--tunes", "0,0", "--with", "X*"]):
        with pytest.raises(GnomonError):
            gnomon("study", "match", "--machine", "mls", *options)
