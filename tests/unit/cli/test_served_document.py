"""`gnomon machine diff` and `reload` ask a running server, show what differs, and take over when told to."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gnomon.cli import app, served_document
from gnomon.recorder import RemoteError

WAITING = {
    "machine": "ring", "origin": "ring.json", "digest": "aaaa", "waiting": 5, "put_ns": 1_800_000_000_000_000_000,
    "problem": "",
}  # fmt: skip
DIFFERENCES = [{"place": "elements.Q1.k1", "before": "2.5", "after": "2.6"}]
TAKEN = {
    "machine": "ring", "origin": "store, revision 5", "digest": "bbbb", "revision": 5, "reconnect": False,
    "left_out": ["Q1: outside"], "at_start": "ring.json",
}  # fmt: skip


class FakeServer:
    """Answers as a server with a document that waits, or with what a test sets."""

    def __init__(self) -> None:
        self.about: list[Any] = [WAITING]
        self.taken: Mapping[str, Any] = TAKEN
        self.calls: list[tuple[str, Mapping[str, str]]] = []

    def __call__(self, procedure: str, arguments: Mapping[str, str], running: Any) -> Any:
        self.calls.append((procedure, arguments))
        if procedure == "dt:reload":
            return self.taken
        if arguments.get("do") == "diff":
            return DIFFERENCES
        answer = self.about.pop(0) if len(self.about) > 1 else self.about[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setattr(served_document, "call_running", fake)
    return fake


def machine(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["machine", *arguments], input=answer)


def test_a_difference_is_shown_and_ends_with_1(server: FakeServer) -> None:
    done = machine("diff")
    assert done.exit_code == 1
    assert "machine ring: revision 5 in the store, of 2027-01-15" in done.output
    assert [line.split() for line in done.output.splitlines()[-2:]] == [
        ["place", "served", "in", "the", "store"], ["elements.Q1.k1", "2.5", "2.6"],
    ]  # fmt: skip
    assert json.loads(machine("diff", "--json").output) == {**WAITING, "differences": DIFFERENCES}


def test_nothing_that_waits_ends_with_0_and_nothing_is_taken_over(server: FakeServer) -> None:
    server.about = [WAITING | {"waiting": 0}]
    for command in ("diff", "reload"):
        done = machine(command)
        assert (done.exit_code, "no other document than the one served (ring.json)" in done.output) == (0, True)
    assert {procedure for procedure, _ in server.calls} == {"dt:machine"}


def test_a_document_that_cannot_be_used_is_told_with_the_reason(server: FakeServer) -> None:
    server.about = [WAITING | {"problem": "elements: none"}]
    assert "it cannot be used: elements: none" in machine("diff").output


def test_a_reload_asks_and_says_what_a_restart_would_do(server: FakeServer) -> None:
    assert machine("reload", answer="n\n").exit_code == 1
    assert "dt:reload" not in [procedure for procedure, _ in server.calls]
    done = machine("reload", answer="y\n")
    assert done.exit_code == 0
    assert server.calls[-1] == ("dt:reload", {})
    assert "machine ring: store, revision 5 is served, ring bbbb" in done.output
    assert "the next start serves ring.json again, unless the configuration names the new document" in done.output
    assert "left out: Q1: outside" in done.output
    assert json.loads(machine("reload", "--yes", "--json").output) == TAKEN


def test_with_reconnect_the_command_ends_when_the_new_document_is_seen(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    server.about = [WAITING, WAITING, RemoteError("gone for a moment"), WAITING | {"digest": "bbbb", "waiting": 0}]
    server.taken = TAKEN | {"reconnect": True}
    assert machine("reload", "--yes", "--reconnect").exit_code == 0
    assert ("dt:reload", {"reconnect": "yes"}) in server.calls
    server.about = [WAITING]
    done = machine("reload", "--yes", "--reconnect", "--timeout", "0.01")
    assert "does not show the new document; its log says why" in str(done.exception)
