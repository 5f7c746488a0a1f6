"""Playing a scenario: what each step does, what is counted, and the ring as it was found, however it ends."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.testing.scenarios import Player, Report, read_scenario
from gnomon.testing.scenarios import player as player_module
from gnomon.testing.scenarios.found_ring import FoundRing, ServedJournal
from gnomon.testing.scenarios.player import UnplayableError
from gnomon.testing.scenarios.report import Verdict
from unit.testing.quiet import QuietProgress
from unit.testing.scenarios.fake_twin import TARGET, FakeTwin
from unit.testing.scenarios.made import HEAD, write

TOY = HEAD.replace("steps:", "ring: {machine: toy}\nsteps:")


@pytest.fixture
def twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTwin]:
    made = FakeTwin(tmp_path)
    monkeypatch.setattr(player_module, "EpicsClient", lambda *_: made)
    with made.journal:
        yield made


def play(tmp_path: Path, steps: str, script: str = "", progress: QuietProgress | None = None) -> Report:
    read = read_scenario(write(tmp_path, steps, TOY))
    command = ["/bin/sh", "-c", script] if script else []
    player = Player(TARGET, command, {"PATH": os.defpath})
    return player.play(read.scenario, "made", progress or QuietProgress())


def verdicts(report: Report) -> list[str]:
    return [result.verdict.value for result in report.results]


def test_settings_and_faults_are_taken_back(tmp_path: Path, twin: FakeTwin) -> None:
    steps = """\
  - put: {"Q1:set": 3, "Q2:set": 1}
  - fault: {kind: abandon, device: Q1}
  - fault: {kind: model_hung}
    name: hung
  - clear: hung
  - expect_pv: {pv: "Q1:set", value: 3}
  - expect_pv: {pv: "Q2:set", unchanged: true}
"""
    report = play(tmp_path, steps)
    assert verdicts(report) == ["done", "done", "done", "done", "held", "failed"]
    assert report.results[5].found == "Q2:set is 1 A, before it was 0"
    assert not report.passed
    assert report.restored == ""
    assert twin.settings == {"Q1": 0.0, "Q2": 0.0}
    assert not twin.faults
    assert twin.calls == ["add abandon", "add model_hung", "clear 2", "clear 1"]
    assert all(note.startswith("scenario made") for note in twin.notes)


def test_faults_of_others_are_told_and_stay(tmp_path: Path, twin: FakeTwin) -> None:
    twin.faults[7] = {"kind": "abandon"}
    report = play(tmp_path, "  - wait_s: 0\n")
    assert report.passed
    assert report.others == "fault 7"
    assert list(twin.faults) == [7]


def test_a_setpoint_that_shows_what_never_acted_is_put_back_too(twin: FakeTwin) -> None:
    found = FoundRing(twin, ServedJournal(twin.call("dt:journal")), "made")  # type: ignore[arg-type]
    twin.shown["Q1"] = 5.0  # a put that a fault has lost
    assert found.restore() == ""
    assert twin.shown["Q1"] == 0.0


def test_controls_and_beam_come_back(twin: FakeTwin) -> None:
    found = FoundRing(twin, ServedJournal(twin.call("dt:journal")), "made")  # type: ignore[arg-type]
    found.keep_control(twin.get("dt:active")[0])
    twin.active, twin.beam = "off", False
    assert found.restore() == ""
    assert twin.calls == ["put dt:active 1", "put dt:inject 1"]


def test_a_control_alone_comes_back(tmp_path: Path, twin: FakeTwin) -> None:
    report = play(tmp_path, '  - put: {"dt:active": "off"}\n')
    assert report.passed
    assert twin.calls == ["put dt:active off", "put dt:active 1"]


def test_a_fault_that_is_being_added_when_an_interrupt_comes_is_cleared(
    tmp_path: Path, twin: FakeTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = twin.call

    def interrupted(procedure: str, arguments: dict[str, str] | None = None) -> object:
        answer = call(procedure, arguments)
        if (arguments or {}).get("do") == "add":
            signal.raise_signal(signal.SIGINT)
        return answer

    monkeypatch.setattr(twin, "call", interrupted)
    report = play(tmp_path, "  - fault: {kind: abandon, device: Q1}\n  - wait_s: 60\n")
    assert report.interrupted
    assert twin.calls == ["add abandon", "clear 1"]


def test_a_ring_that_cannot_be_restored_is_told(twin: FakeTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    found = FoundRing(twin, ServedJournal(twin.call("dt:journal")), "made")  # type: ignore[arg-type]
    twin.command("Q1", 2.0)
    monkeypatch.setattr(twin, "call", lambda *_: {})
    monkeypatch.setattr(twin, "set", lambda *_: {})
    times = iter([0.0, 0.0, 100.0])
    assert found.restore(lambda: next(times)) == "Q1 current, TWIN:Q1:set not as before"


def test_an_application_is_started_watched_and_ended(tmp_path: Path, twin: FakeTwin) -> None:
    steps = """\
  - start: application
  - finish: {within_s: 5}
  - expect_application: {exit_code: 3, printed: "X is TWIN:", took_less_than_s: 5}
  - expect_journal: {count: 0}
"""
    report = play(tmp_path, steps, 'echo "X is $GNOMON_PREFIX on $EPICS_CA_SERVER_PORT"; exit 3')
    assert report.passed, verdicts(report)
    assert report.output == "X is TWIN: on 1\n"


def test_one_that_does_not_end_is_ended_and_fails(tmp_path: Path, twin: FakeTwin) -> None:
    report = play(tmp_path, "  - start: application\n  - finish: {within_s: 0.1}\n", "sleep 60")
    assert verdicts(report) == ["done", "failed"]
    assert report.results[1].found.startswith("it did not end, and was ended after")


def test_one_that_is_stopped_gets_an_interrupt(tmp_path: Path, twin: FakeTwin) -> None:
    steps = """\
  - start: application
  - wait_s: 0.3
  - expect_application: {running: true}
  - stop: application
  - expect_application: {printed: "interrupted", exit_code: 5}
"""
    report = play(tmp_path, steps, "trap 'echo interrupted; exit 5' INT; while true; do sleep 0.05; done")
    assert report.passed, [result.found for result in report.results]


def test_expectations_wait_for_their_time_and_see_what_changes_again(
    tmp_path: Path, twin: FakeTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = iter([0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    steps = '  - expect_pv: {pv: "Q1:set", value: 1, within_s: 5, for_s: 5}\n'
    read, get = twin._read, twin.get

    def changing(*names: str) -> list[object]:
        return [read("TWIN:Q1:set").__class__("TWIN:Q1:set", next(seen))] if names == ("Q1:set",) else list(get(*names))

    monkeypatch.setattr(twin, "get", changing)
    report = play(tmp_path, steps)
    assert verdicts(report) == ["failed"]
    assert "after it had held for" in report.results[0].found


def test_a_wait_ends_when_its_condition_holds_or_fails_after_its_time(tmp_path: Path, twin: FakeTwin) -> None:
    steps = """\
  - until: {condition: "Q1:set < 1", within_s: 5}
  - until: {condition: "Q1:set > 1", within_s: 0.1}
"""
    report = play(tmp_path, steps)
    assert verdicts(report) == ["held", "failed"]
    assert report.took_s < 5.0


def test_an_impossible_step_ends_the_scenario_and_the_rest_is_skipped(tmp_path: Path, twin: FakeTwin) -> None:
    progress = QuietProgress()
    steps = '  - fault: {kind: model_crashed}\n  - expect_pv: {pv: "Q1:set", value: 0}\n'
    report = play(tmp_path, steps, progress=progress)
    assert verdicts(report) == ["impossible", "skipped"]
    assert (report.ended, report.results[0].found) == ("step 1 was not possible", "not here")
    assert progress.told[-1] == "restoring"


def test_an_interrupt_ends_it_and_the_ring_is_restored(
    tmp_path: Path, twin: FakeTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        if seconds == 60.0:
            raise KeyboardInterrupt

    steps = '  - put: {"Q1:set": 3}\n  - fault: {kind: abandon, device: Q1}\n  - wait_s: 60\n'
    monkeypatch.setattr(time, "sleep", interrupt)
    report = play(tmp_path, steps)
    assert report.interrupted
    assert verdicts(report) == ["done", "done", Verdict.SKIPPED]
    assert (twin.settings["Q1"], twin.faults, report.restored) == (0.0, {}, "")


@pytest.mark.parametrize(
    ("steps", "machine", "reason"),
    [
        ("  - start: application\n", "toy", "give its command behind `--`"),
        ("  - wait_s: 0\n", "other", "the scenario is for toy, and 'TWIN:' serves other"),
        ('  - expect_pv: {pv: "Q9:set", value: 0}\n', "toy", "the server has no PV Q9:set"),
    ],
)
def test_a_scenario_for_another_server_is_refused_before_anything_is_done(
    tmp_path: Path, twin: FakeTwin, steps: str, machine: str, reason: str
) -> None:
    twin.machine = machine
    with pytest.raises(UnplayableError, match=reason):
        play(tmp_path, steps)
    assert not twin.calls
