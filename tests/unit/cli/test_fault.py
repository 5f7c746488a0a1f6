"""`gnomon fault`: the call that each command makes, and how the answer is shown."""

import json
from typing import Any

import pytest

from gnomon.fault_injection import KINDS, FaultError
from gnomon.recorder import RemoteError
from tools.fault_reference import PAGE, render
from unit.cli.commands import FakeCall, gnomon


def fault(text: str = "abandon Q1P*", **more: Any) -> dict[str, Any]:
    return {"text": text, "remaining": None, "created_by": "op@console"} | more


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (["abandon", "Q1P*"], {"kind": "abandon", "device": "Q1P*"}),
        (["abandon", "Q1P*", "count=3"], {"kind": "abandon", "device": "Q1P*", "count": "3"}),
        (["abandon", "device=Q1P*"], {"kind": "abandon", "device": "Q1P*"}),
        (
            ["delay", "H*", "delay_s=0", "property=current", "condition=beam:current <= 3"],
            {"kind": "delay", "device": "H*", "delay_s": "0", "property": "current", "condition": "beam:current <= 3"},
        ),
        (["modify", "H*", "offset=-2"], {"kind": "modify", "device": "H*", "offset": "-2"}),
    ],
)
def test_add_sends_what_was_given_and_nothing_else(call: FakeCall, options: list[str], sent: dict[str, str]) -> None:
    call.answer = fault()
    gnomon("fault", "add", *options, "--prefix", "X:", "--timeout", "2.5")
    assert call.calls == [("X:dt:fault", {"do": "add"} | sent, 2.5)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["abandon", "A", "B"], "'B' is not KEY=VALUE"),
        (["abandon", "A", "device=B"], "device is given twice"),
        (["abandon", "kind=delay"], "kind is given twice"),
    ],
)
def test_keys_that_cannot_be_read_are_refused(call: FakeCall, options: list[str], reason: str) -> None:
    result = gnomon("fault", "add", *options)
    assert (result.exit_code, call.calls) == (2, [])
    assert reason in result.output


def test_kinds_are_listed_with_what_they_do() -> None:
    lines = gnomon("fault", "kinds").output.splitlines()
    assert len(lines) == 1 + len(KINDS)
    assert lines[1].split(maxsplit=1)[0] == "abandon"
    assert "Lose the command on its way" in lines[1]


def test_the_keys_of_a_kind_are_listed_with_their_meaning() -> None:
    output = gnomon("fault", "kinds", "quantise").output
    assert "Round the value to whole steps" in output
    assert "required" in next(line for line in output.splitlines() if line.startswith("step"))
    with pytest.raises(FaultError, match="near names: quantise"):
        gnomon("fault", "kinds", "quantize")


def test_the_page_of_faults_agrees_with_the_models() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m tests.tools.fault_reference"


def test_list_shows_what_is_left_of_each_fault_and_who_made_it(call: FakeCall) -> None:
    call.answer = [fault("abandon Q1P*"), fault("delay HS* by 2 s", remaining=0, created_by="eve@office")]
    lines = gnomon("fault", "list").output.splitlines()
    assert call.calls == [("TWIN:dt:fault", {"do": "list"}, 5.0)]
    assert lines[1].split() == ["abandon", "Q1P*", "all", "op@console"]
    assert lines[2].split() == ["delay", "HS*", "by", "2", "s", "0", "eve@office"]


def test_faults_are_also_data(call: FakeCall) -> None:
    call.answer = [fault()]
    assert json.loads(gnomon("fault", "list", "--json").output) == [fault()]
    assert json.loads(gnomon("fault", "clear", "--all", "--json").output) == [fault()]


def test_an_empty_list_of_faults_is_said_in_words(call: FakeCall) -> None:
    call.answer = []
    assert gnomon("fault", "list").output == "no fault active\n"
    assert gnomon("fault", "clear", "--all").output == "no fault cleared\n"


@pytest.mark.parametrize(("options", "sent"), [(["3"], {"id": "3"}), (["0"], {"id": "0"}), (["--all"], {})])
def test_clear_sends_the_number_or_none_for_all(call: FakeCall, options: list[str], sent: dict[str, str]) -> None:
    call.answer = [fault()]
    gnomon("fault", "clear", *options)
    assert call.calls == [("TWIN:dt:fault", {"do": "clear"} | sent, 5.0)]


@pytest.mark.parametrize("options", [[], ["3", "--all"], ["three"]])
def test_clear_without_a_clear_choice_is_wrong_use_and_calls_nobody(call: FakeCall, options: list[str]) -> None:
    assert gnomon("fault", "clear", *options).exit_code == 2
    assert not call.calls


def test_texts_of_others_cannot_act_on_the_terminal(call: FakeCall) -> None:
    call.answer = [fault("[bold]delay[/] \x1b[31mH*", created_by="\x1b]0;x\x07@console")]
    output = gnomon("fault", "list").output
    assert "[bold]delay[/]" in output
    assert "\x1b" not in output
    assert "\x07" not in output


def test_a_fault_stays_on_one_line_when_the_output_is_piped(call: FakeCall) -> None:
    text = "modify " + " ".join(f"H{n}" for n in range(50))
    call.answer = [fault(text)]
    assert text in gnomon("fault", "list").output


def test_a_server_that_does_not_answer_is_an_error(call: FakeCall) -> None:
    call.answer = RemoteError("TWIN:dt:fault: no server answered within 5 s")
    with pytest.raises(RemoteError, match="no server answered"):
        gnomon("fault", "list")


def test_faults_that_are_cleared_and_cannot_be_recorded_are_told_so(call: FakeCall) -> None:
    call.answer = [fault(unrecorded="disk full")]
    output = gnomon("fault", "clear", "--all").output
    assert output.splitlines()[-1] == "the journal does not have this: disk full"
