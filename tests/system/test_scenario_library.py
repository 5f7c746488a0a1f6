"""Every shipped scenario against the programs of `examples/`: the careful one passes, and the naive one fails.

One server plays them all, so that each finds the ring as the one before has left it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gnomon.clients.server_choice import Target
from gnomon.testing.scenarios import OwnServer, Player, Report, find_scenario, shipped_scenarios
from programs.running import python_path
from unit.testing.quiet import QuietProgress

pytestmark = [pytest.mark.slow, pytest.mark.network]

EXAMPLES = Path(__file__).parents[2] / "examples"
SCENARIOS = {name: find_scenario(name).scenario for name in shipped_scenarios()}
WITH_NAIVE = [name for name, each in SCENARIOS.items() if each.examples is not None and each.examples.naive]
#: Naive programs that are played each time; the others with --soak.
QUICK = ("dead_monitor", "nan_in_the_orbit", "polarity_after_repair", "swapped_monitors", "tune_freezes")


Servers = dict[tuple[str, str], Target]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """A server for each machine and role that the scenarios are for."""
    wanted = dict.fromkeys((each.ring.machine, each.ring.role) for each in SCENARIOS.values())
    with ExitStack() as stack:
        yield {key: stack.enter_context(OwnServer(*key)) for key in wanted}


def play(servers: Servers, name: str, program: str) -> Report:
    scenario = SCENARIOS[name]
    file, *arguments = program.split()
    command = [sys.executable, str(EXAMPLES / file), *arguments]
    environment = os.environ | {"PYTHONPATH": python_path()}
    target = servers[scenario.ring.machine, scenario.ring.role]
    return Player(target, command, environment).play(scenario, name, QuietProgress())


def told(report: Report) -> str:
    steps = [f"{r.number} {r.verdict} {r.text}: {r.found}" for r in report.results]
    return "\n".join([*steps, f"restored: {report.restored!r}", report.output])


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_careful_program_passes(servers: Servers, name: str) -> None:
    examples = SCENARIOS[name].examples
    assert examples is not None
    report = play(servers, name, examples.careful)
    assert report.passed, told(report)


@pytest.mark.parametrize("name", WITH_NAIVE)
def test_a_naive_program_fails_for_the_reason_that_is_stated(servers: Servers, name: str, soak: bool) -> None:
    if name not in QUICK and not soak:
        pytest.skip("with --soak")
    examples = SCENARIOS[name].examples
    assert examples is not None
    assert examples.naive is not None
    report = play(servers, name, examples.naive)
    failed = {result.name for result in report.failed}
    assert set(examples.naive_fails) <= failed, told(report)
    assert not report.restored, told(report)
