"""The shipped scenarios: enough of them, each with its reasons, its reference application, page and schema."""

from pathlib import Path

from each_case import each_case

from gnomon.fault_injection import GROUPS, KINDS
from gnomon.testing.scenarios import describe_step, find_scenario, shipped_scenarios
from gnomon.testing.scenarios.scenario_document import MAX_STEPS
from tools.scenario_reference import PAGE, render

ROOT = Path(__file__).parents[4]
SCENARIOS = {name: find_scenario(name).scenario for name in shipped_scenarios()}


def test_there_are_at_least_twenty_and_a_good_part_has_a_program_that_fails() -> None:
    assert len(SCENARIOS) >= 20
    naive = [each for each in SCENARIOS.values() if each.examples is not None and each.examples.naive]
    assert len(naive) >= len(SCENARIOS) / 2


def test_they_use_faults_of_every_group() -> None:
    used = {KINDS[kind].group for each in SCENARIOS.values() for kind in each.faults}
    assert used == set(GROUPS)


@each_case(shipped_scenarios())
def test_its_reference_application_is_there(name: str) -> None:
    examples = SCENARIOS[name].examples
    assert examples is not None
    for program in filter(None, (examples.careful, examples.naive)):
        assert (ROOT / "examples" / program.split()[0]).is_file(), program


@each_case(shipped_scenarios())
def test_it_expects_something_of_the_ring_and_each_step_reads_well(name: str) -> None:
    steps = SCENARIOS[name].steps
    assert 2 < len(steps) <= MAX_STEPS
    assert any(step.expect_pv is not None or step.expect_journal is not None for step in steps)
    assert all(len(describe_step(step)) < 140 for step in steps)


def test_titles_are_told_apart() -> None:
    assert len({each.title for each in SCENARIOS.values()}) == len(SCENARIOS)


def test_the_page_of_scenarios_agrees_with_them() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m tests.tools.scenario_reference"
