"""Reports: passed only if everything held and the ring is as it was; JUnit XML that other programs read."""

from dataclasses import replace
from xml.etree import ElementTree

from gnomon.testing.scenarios import Report, StepResult, junit
from gnomon.testing.scenarios.report import INTERRUPTED, Verdict

HELD = StepResult(1, "a is 1", Verdict.HELD, "a is 1", expects=True)
DONE = StepResult(2, "wait 1 s", Verdict.DONE)
FAILED = StepResult(3, "b is 2", Verdict.FAILED, "b is \x1b[3", name="b_is", note="it must", expects=True, took_s=0.5)
SKIPPED = StepResult(4, "c is 3", Verdict.SKIPPED, expects=True)
GOOD = Report("made", "Made up", "X:", (HELD, DONE), output="said <this> & \x00that\nand more")


def test_it_passed_only_if_all_held_and_the_ring_is_as_it_was() -> None:
    assert GOOD.passed
    assert not replace(GOOD, restored="HS1 not as before").passed
    assert not replace(GOOD, ended=INTERRUPTED).passed
    assert not replace(GOOD, results=(HELD, FAILED)).passed
    assert replace(GOOD, results=(HELD, FAILED, SKIPPED)).failed == (FAILED,)
    assert replace(GOOD, ended=INTERRUPTED).interrupted


def test_junit_has_a_case_for_each_expectation_and_for_the_way_back() -> None:
    bad = replace(GOOD, name="bad", results=(HELD, DONE, FAILED, SKIPPED), restored="HS1 not as before")
    root = ElementTree.fromstring(junit([GOOD, bad]).encode())
    first, second = root.findall("testsuite")
    assert [first.get(key) for key in ("name", "tests", "failures", "errors", "skipped")] == [
        "made",
        "2",
        "0",
        "0",
        "0",
    ]
    assert [second.get(key) for key in ("tests", "failures", "skipped")] == ["4", "2", "1"]
    names = [case.get("name") for case in second.findall("testcase")]
    assert names == ["step 1: a is 1", "step 3: b_is", "step 4: c is 3", "the ring is as it was found"]
    failure = second.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "b is 2; b is \\x1b[3; it must"
    assert first.findtext("system-out") == "said <this> & \\x00that\nand more"


def test_a_scenario_that_ended_early_is_an_error() -> None:
    root = ElementTree.fromstring(junit([replace(GOOD, ended=INTERRUPTED)]).encode())
    assert [case.get("name") for case in root.iter("testcase")][-1] == "played to its end"
    assert root[0].get("errors") == "1"
