"""The message of a scenario that did not hold."""

from gnomon.testing.playing import ScenarioFailed
from gnomon.testing.scenarios import Report, StepResult
from gnomon.testing.scenarios.report import Verdict


def test_the_message_has_what_did_not_hold_what_was_found_instead_and_the_program_s_output() -> None:
    held = StepResult(1, "HS1:set is as before", Verdict.HELD, "it is", expects=True)
    failed = StepResult(2, "application: it fails", Verdict.FAILED, "exit code 0", expects=True)
    report = Report("polarity", "A steerer", "here", (held, failed), restored="HS1 not as before", output="all is well")
    assert str(ScenarioFailed(report)).splitlines() == [
        "polarity: A steerer",
        "failed: application: it fails",
        "    exit code 0",
        "the ring is not as it was found: HS1 not as before",
        "the program printed:",
        "all is well",
    ]
