"""Reading of scenarios: each mistake is named with line, key and the nearest right spelling, all of them at once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gnomon.testing.scenarios import ScenarioError, find_scenario, read_scenario
from gnomon.testing.scenarios.references import wrong_references
from gnomon.testing.scenarios.scenario_document import Examples
from gnomon.testing.scenarios.scenario_reading import MAX_BYTES, MAX_DEPTH
from unit.testing.scenarios.made import HEAD, complaints, write

#: A step, its key, and a part of the reason for which it is refused.
WRONG = [
    ("fault: {kind: polarty, device: HS*}", "fault.kind", "did you mean polarity?"),
    ("fault: {device: HS*}", "fault.kind", "it is missing"),
    ("fault: {kind: delay, device: HS*, delay_s: -2}", "fault.delay_s", "greater than 0, not '-2'"),
    ("fault: {kind: delay, device: HS*, dely_s: 2}", "fault.dely_s", "did you mean delay_s?"),
    ("fault: {kind: abandon, device: HS*, probability: 2}", "fault.probability", "less than or equal to 1"),
    ("fault: {kind: abandon, device: HS*, after_s: 5, after_commands: 2}", "fault", "give one of after_s and"),
    ("fault: {kind: abandon, device: HS*, after_s: 100}", "fault.after_s", "the scenario ends within"),
    ('fault: {kind: abandon, device: HS*, at: "2026-11-27T10:00:00"}', "fault.at", "use after_s"),
    ("wait_s: -1", "wait_s", "greater than or equal to 0, not '-1'"),
    ("wait_s: 1_000", "wait_s", "is not a number"),
    ("wait_s: 1:30", "wait_s", "is not a number"),
    ("wait: 1", "wait", "did you mean wait_s?"),
    ("{wait_s: 1, clear: all}", "", "it has clear and wait_s"),
    ("until: {condition: 'a b', within_s: 1}", "until.condition", "is not a comparison"),
    ("expect_pv: {pv: a, valu: 2}", "expect_pv.valu", "did you mean value?"),
    ("expect_pv: {pv: a}", "expect_pv", "give value, unchanged"),
    ("expect_pv: {pv: a, above: 2, below: 1}", "expect_pv", "it must be less than below"),
    ("expect_pv: {pv: a, severity: MAJR}", "expect_pv.severity", "'MAJOR'"),
    ("expect_journal: {at_least: 3, at_most: 1}", "expect_journal", "must not be greater than at_most"),
    ("expect_journal: {outcome: aplied, count: 0}", "expect_journal.outcome", "'applied'"),
    ("expect_journal: {count: 0, since: nowhere}", "expect_journal.since", "there is no step 'nowhere' before it"),
    ("clear: nothing", "clear", "there is no fault 'nothing' before it"),
    ("finish: {within_s: 3}", "finish", "is not started before"),
    ("expect_application: {exit_code: 0}", "expect_application", "is not started before"),
    ("{name: all, wait_s: 1}", "name", "the word for all"),
]


@pytest.mark.parametrize(("step", "key", "reason"), WRONG, ids=lambda text: text[:30])
def test_a_mistake_is_named_with_line_key_and_reason(tmp_path: Path, step: str, key: str, reason: str) -> None:
    found = complaints(write(tmp_path, f"  - wait_s: 1\n  - {step}\n"))
    assert {line for line, _, _ in found} == {HEAD.count("\n") + 2}
    assert any(place == f"steps.2.{key}".rstrip(".") and reason in said for _, place, said in found), found


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    steps = "".join(f"  - {step}\n" for step, _, _ in WRONG[:5])
    lines = [line for line, _, _ in complaints(write(tmp_path, steps))]
    assert len(lines) >= 5
    assert lines == sorted(lines)


def test_the_message_has_the_file_and_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "  - wait_s: -1\n")
    with pytest.raises(ScenarioError, match=rf"^{path}:6: steps.1.wait_s: "):
        read_scenario(path)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("title: [", 1, "not YAML"),
        ("", 1, "a scenario is a mapping"),
        ("- a\n- b\n", 1, "a scenario is a mapping"),
        ("title: a\ntitle: b\n", 2, "given twice"),
        ("title: &a x\nhappened: *a\n", 2, "no references"),
        ("a:\n  " + "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), 2, "deeper than"),
        ("a: " + "[" * 100_000, 1, "deeper than"),
        ("a: " + "x" * MAX_BYTES, 1, "larger than 0.25 MiB"),
        ("a: \x07", 1, "not YAML"),
    ],
    ids=range(9),
)
def test_a_file_that_is_not_a_scenario_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    ((found, _, said),) = complaints(path)
    assert (found, reason in said) == (line, True), said


def test_names_that_are_not_those_of_files_are_looked_for_among_the_shipped_ones() -> None:
    assert find_scenario("polarity_after_repair").scenario.title == "A steerer with inverted polarity after a repair"
    with pytest.raises(ScenarioError, match="near names: polarity_after_repair"):
        find_scenario("polarity_after_repai")


def test_numbers_are_those_of_a_command_line(tmp_path: Path) -> None:
    read = read_scenario(write(tmp_path, "  - expect_pv: {pv: a, value: 1e-3, tolerance: 1e-6}\n"))
    (step,) = read.scenario.steps
    assert step.expect_pv is not None
    assert (step.expect_pv.value, step.expect_pv.tolerance) == (1e-3, 1e-6)
    assert not list(wrong_references(read.scenario))


@pytest.mark.parametrize("program", ["", " ", "folder/program.py"])
def test_a_program_without_a_file_name_of_its_own_is_refused(program: str) -> None:
    with pytest.raises(ValidationError):
        Examples.model_validate({"careful": program})
