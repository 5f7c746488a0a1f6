"""`gnomon fault`: the call that each command makes, and how the answer is shown."""

import json
from typing import Any

import pytest

from gnomon.recorder import RemoteError
from unit.cli.commands import FakeCall, gnomon


def fault(text: str = "abandon Q1P*", **more: Any) -> dict[str, Any]:
    return {"text": text, "remaining": None, "created_by": "op@console"} | more


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (["abandon", "Q1P*"], {"action": "abandon", "device": "Q1P*", "property": "*"}),
        (["abandon", "Q1P*", "--count", "3"], {"action": "abandon", "device": "Q1P*", "property": "*", "count": "3"}),
        (
            ["delay", "H*", "--delay", "0", "--property", "current"],
            {"action": "delay", "device": "H*", "property": "current", "delay_s": "0.0"},
        ),
        (
            ["modify", "H*", "--scale", "0.1", "--offset", "-2", "--value", "1e-300"],
            {
                "action": "modify", "device": "H*", "property": "*", "scale": "0.1", "offset": "-2.0",
                "value": "1e-300",
            },
        ),
    ],
)  # fmt: skip
def test_add_sends_what_was_given_and_nothing_else(call: FakeCall, options: list[str], sent: dict[str, str]) -> None:
    call.answer = fault()
    gnomon("fault", "add", *options, "--prefix", "X:", "--timeout", "2.5")
    assert call.calls == [("X:dt:fault", {"do": "add"} | sent, 2.5)]


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


def test_no_fault_is_said_in_words(call: FakeCall) -> None:
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
