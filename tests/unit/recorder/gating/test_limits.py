"""The limits file: nothing has a default, and every mistake is named with its line."""

from pathlib import Path

import pytest

from gnomon.recorder.gating import parse_limits, read_limits
from gnomon.recorder.recorder_errors import LimitsError
from unit.recorder.gating.situations import LIMITS


def refused(text: str) -> str:
    with pytest.raises(LimitsError) as caught:
        parse_limits(text, "P:", "toy.yaml")
    return str(caught.value)


def test_a_file_is_read_and_its_rows_are_found_without_the_prefix(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(LIMITS, encoding="utf-8")
    limits = read_limits(path, "P:")
    row = limits.row("P:H12:set")
    assert row is not None
    assert row.max_step == 1.0
    assert limits.row("H12:set") is None
    assert limits.row("P:Q1:set") is None
    assert len(limits.digest) == 64


@pytest.mark.parametrize(
    "line", [line for line in LIMITS.splitlines() if line[:1].isalpha() and not line.endswith(":")]
)
def test_each_part_of_the_file_is_needed(line: str) -> None:
    assert f"{line.partition(':')[0]}: the limit is missing" in refused(LIMITS.replace(f"\n{line}\n", "\n"))


def test_a_missing_limit_and_one_without_a_value_are_named_with_their_line() -> None:
    text = LIMITS.replace("angle_x_mrad: 0.25, ", "").replace("y_mm: 0.5, angle", "y_mm: null, angle")
    assert refused(text).splitlines() == [
        "toy.yaml:9: sources.angle_x_mrad: the limit is missing; limits have no defaults",
        "toy.yaml:9: sources.y_mm: the limit is missing; limits have no defaults",
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("coupling: 0.02", "coupling: -0.02", "toy.yaml:23: optics.coupling: input should be greater than 0, got"),
        ("coupling: 0.02", "coupling: .nan", "optics.coupling: input should be a finite number"),
        ("coupling: 0.02", "coupling: .inf", "optics.coupling: input should be a finite number"),
        ("coupling: 0.02", "coupling: true", "optics.coupling: a number is needed, not true or false"),
        ("coupling: 0.02", "coupling: 2e-2", "optics.coupling: a number is needed; write 1.0e-3 rather than 1e-3"),
        ("coupling: 0.02", "coupling: 0.02\n  speed: 3", "toy.yaml:24: optics.speed: unknown key"),
        ("coupling: 0.02", "coupling: 0.02\n  coupling: 2", "toy.yaml:24: key 'coupling' is given twice"),
        ("{x: 3, y: 0, half_width: 0.005}", "{x: 3, y: 0, half_width: 0.004}", "tunes.lines.4.half_width: input"),
        ("{x: 3, y: 0, half_width: 0.005}", "{x: 0, y: 0, half_width: 0.005}", "this is not a line of resonances"),
        ("    - {x: 2, y: 0, half_width: 0.005}\n", "", "the line 2 Qx = p is missing"),
        ("low: -2.0, high: 2.0", "low: 2.0, high: -2.0", "low is 2; it must be below high, which is -2"),
        ("stop_band: 1.2", "stop_band: 0.8", "outcome.stop_band"),
        ("smallest: 0.05", "smallest: 0.9", "smallest is 0.9; it must not be larger than start"),
        ("coverage: 0.99", "coverage: 1.0", "bounds.coverage"),
        ("max_dead_monitors: 0", "max_dead_monitors: 0.5", "orbit.max_dead_monitors"),
        ("gnomon.gate_limits/1", "gnomon.gate_limits/2", "schema"),
        ("schema:", "\tschema:", "not YAML"),
        ("low: -2.0, high: 2.0", "low: -2.0, high: 2.0, high: 20.0", "key 'high' is given twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(old: str, new: str, words: str) -> None:
    assert old in LIMITS
    assert words in refused(LIMITS.replace(old, new))


def test_an_empty_file_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    assert "schema: the limit is missing" in refused("")
    assert "the document" in refused("[1, 2]")
    with pytest.raises(LimitsError, match="cannot be read"):
        read_limits(tmp_path / "none.yaml", "")
