"""`gnomon fault check`, `scenarios`, `show` and `run` as a user types them."""

import json
from pathlib import Path
from typing import Any

import pytest

from gnomon.cli import scenarios as commands
from gnomon.clients import server_choice
from gnomon.testing import scenarios
from gnomon.testing.scenarios import Report, ScenarioError, shipped_scenarios
from gnomon.testing.scenarios.report import INTERRUPTED, StepResult, Verdict
from unit.cli.commands import gnomon

NAME = "polarity_after_repair"


def test_scenarios_are_listed_with_title_and_application() -> None:
    lines = gnomon("fault", "scenarios").output.splitlines()
    assert len(lines) == 1 + len(shipped_scenarios())
    listed = json.loads(gnomon("fault", "scenarios", "--json").output)
    assert {each["name"] for each in listed} == set(shipped_scenarios())


def test_one_is_shown_in_words_as_data_and_as_its_file() -> None:
    said = gnomon("fault", "show", NAME).output
    assert "A steerer with inverted polarity after a repair" in said
    assert "A good application" in said
    assert "fault: invert HS4P1D1R" in said
    assert json.loads(gnomon("fault", "show", NAME, "--json").output)["steps"][0]["fault"]["kind"] == "polarity"
    assert gnomon("fault", "show", NAME, "--source").output == shipped_scenarios()[NAME].read_text(encoding="utf-8")


def test_check_names_file_line_and_key_of_each_mistake_of_each_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(shipped_scenarios()[NAME].read_text().replace("kind: polarity", "kind: polarty"), encoding="utf-8")
    result = gnomon("fault", "check", bad, NAME)
    assert result.exit_code == 2
    line = next(n for n, text in enumerate(bad.read_text().splitlines(), 1) if "polarty" in text)
    assert f"{bad}:{line}: steps.1.fault.kind: 'polarty' is not a kind; did you mean polarity?" in result.output
    assert f"{NAME}: valid; " in result.output
    assert gnomon("fault", "check", NAME).exit_code == 0


class FakePlayer:
    """Stands in for `Player`: keeps the command, and gives a report."""

    report = Report(NAME, "Made up", "X:", (StepResult(1, "a is 1", Verdict.HELD, "a is 1", expects=True),))
    command: tuple[str, ...] = ()

    def __init__(self, target: object, command: tuple[str, ...]) -> None:
        FakePlayer.command = tuple(command)

    def play(self, scenario: object, name: str, progress: commands._Display) -> Report:
        for result in self.report.results:
            progress.begin(result.number, None, result.text)
            progress.end(result)
        progress.restoring()
        return self.report


@pytest.fixture
def playing(monkeypatch: pytest.MonkeyPatch) -> type[FakePlayer]:
    monkeypatch.setattr(scenarios, "Player", FakePlayer, raising=False)
    monkeypatch.setattr(server_choice, "choose_server", lambda **_: "the server")
    monkeypatch.setattr(FakePlayer, "report", FakePlayer.report)
    return FakePlayer


def test_the_application_is_what_stands_behind_the_dashes(playing: type[FakePlayer], tmp_path: Path) -> None:
    junit = tmp_path / "report.xml"
    result = gnomon("fault", "run", NAME, "--junit", junit, "--", "python", "program.py", "--fast")
    assert playing.command == ("python", "program.py", "--fast")
    assert result.exit_code == 0
    assert "held        a is 1" in result.output
    assert result.output.splitlines()[-1].startswith(f"{NAME}: passed; 1 of 1 expectations held")
    assert '<testsuite name="polarity_after_repair"' in junit.read_text(encoding="utf-8")


FAILED = StepResult(2, "b is 2", Verdict.FAILED, "b is 3", note="it must", expects=True)


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"results": (FAILED,), "output": "one\ntwo\n"}, 1, "failed; 0 of 1 expectations held"),
        ({"restored": "Q1 not as before"}, 1, "the ring is NOT as it was found: Q1 not as before"),
        ({"ended": INTERRUPTED}, 130, "failed, interrupted"),
    ],
)
def test_the_exit_code_is_0_only_if_everything_held(
    playing: type[FakePlayer], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], code: int, said: str
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(FakePlayer, "report", replace(FakePlayer.report, **changes))
    result = gnomon("fault", "run", NAME, "--", "true")
    assert result.exit_code == code
    assert said in result.output


def test_a_scenario_that_is_not_there_plays_nothing(playing: type[FakePlayer]) -> None:
    with pytest.raises(ScenarioError, match="near names"):
        gnomon("fault", "run", "polarity_after", "--", "true")
    assert gnomon("fault", "run", NAME, "--start", "--server", "3", "--", "true").exit_code == 2
