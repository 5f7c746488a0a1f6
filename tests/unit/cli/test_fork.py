"""`gnomon fork`: the call that each command makes, and how the answer is shown."""

from typing import Any

import pytest

from gnomon.recorder import RemoteError
from unit.cli.commands import FakeCall, gnomon


def fork(**more: Any) -> dict[str, Any]:
    return {
        "name": "WHATIF", "prefix": "WHATIF:", "made_ns": 1_760_000_000_000_000_000, "made_by": "op@console",
        "began": "as TWIN: was", "lattice_id": "feedc0de", "commands": 7, "journal": "/data/whatif.journal",
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ([], {}),
        (["--as", ""], {"prefix": ""}),
        (["--as", "A:", "--nominal"], {"prefix": "A:", "nominal": "true"}),
        (["--snapshot", "monday"], {"snapshot": "monday"}),
        (["--from-lattice", "feedc0de"], {"lattice": "feedc0de"}),
    ],
)
def test_add_sends_what_was_given_and_nothing_else(call: FakeCall, options: list[str], sent: dict[str, str]) -> None:
    call.answer = fork()
    gnomon("fork", "add", "WHATIF", *options, "--prefix", "X:", "--timeout", "2.5")
    assert call.calls == [("X:dt:fork", {"do": "add", "name": "WHATIF"} | sent, 2.5)]


def test_list_shows_each_fork_with_its_journal(call: FakeCall) -> None:
    call.answer = [fork(), fork(name="B", prefix="", commands=0, journal="/data/b.journal")]
    lines = [line.split() for line in gnomon("fork", "list").output.splitlines()]
    assert call.calls == [("TWIN:dt:fork", {"do": "list"}, 5.0)]
    assert lines[1][:2] == ["WHATIF", "'WHATIF:'"]
    assert lines[1][4:] == ["op@console", "as", "TWIN:", "was", "feedc0de", "7"]
    assert (lines[2][:2], lines[2][-1]) == (["B", "''"], "0")
    assert [line[-1] for line in lines[3:]] == ["/data/whatif.journal", "/data/b.journal"]


def test_an_empty_list_of_forks_is_said_in_words(call: FakeCall) -> None:
    call.answer = []
    assert gnomon("fork", "list").output == "no forks\n"


def test_drop_tells_where_the_journal_is_kept(call: FakeCall) -> None:
    call.answer = fork()
    output = gnomon("fork", "drop", "WHATIF").output
    assert call.calls == [("TWIN:dt:fork", {"do": "drop", "name": "WHATIF"}, 10.0)]
    assert output == "fork WHATIF is dropped; its commands are kept in /data/whatif.journal\n"


@pytest.mark.parametrize("command", [("list",), ("drop", "WHATIF")])
def test_texts_of_others_cannot_act_on_the_terminal(call: FakeCall, command: tuple[str, ...]) -> None:
    hostile = fork(made_by="\x1b]0;x\x07@console", journal="/data/\x1b[31m[bold]red")
    call.answer = [hostile] if command == ("list",) else hostile
    output = gnomon("fork", *command).output
    assert "[bold]red" in output
    assert "\x1b" not in output
    assert "\x07" not in output


def test_a_refusal_of_the_server_is_an_error(call: FakeCall) -> None:
    call.answer = RemoteError("TWIN:dt:fork: the server refused: there is no fork 'A'")
    with pytest.raises(RemoteError, match="there is no fork 'A'"):
        gnomon("fork", "drop", "A")
